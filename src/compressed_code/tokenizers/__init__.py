"""How a tokenizer encodes programming languages: open one of any format, then count (notebook 01)."""

from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary

__all__ = ["Vocabulary", "open_tokenizer"]
