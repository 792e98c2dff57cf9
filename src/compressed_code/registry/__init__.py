"""What exists: models, tokenizers, ways to quantize, languages. Each is a row of a file under data/."""

from compressed_code.registry.lookup import Registry, find_model, find_tokenizer, load_registry

__all__ = ["Registry", "find_model", "find_tokenizer", "load_registry"]
