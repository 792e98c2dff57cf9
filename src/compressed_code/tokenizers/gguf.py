"""The tokenizer inside a GGUF file, as the tokenizer.json it stands for.

A GGUF file keeps pieces, piece types and merges of its tokenizer, and only a name for the rule that cuts text
(`tokenizer.ggml.pre`). The registry row brings that rule as `pattern`; without it the vocabulary can be read but
no text be encoded. Fields: GGUF specification, "Tokenizer"; read with the gguf package.
"""

import json
from pathlib import Path

from compressed_code.core.errors import InputError

# gguf.constants.TokenType
_UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED = 2, 3, 4, 5
_ADDED_TYPES = (_UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED)


def is_gguf(path: Path) -> bool:
    """Whether a file begins as GGUF files do."""
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"


def tokenizer_json(path: Path, pattern: str | None) -> tuple[bytes, bool]:
    """The equivalent tokenizer.json, and whether it can encode text.

    Only metadata is read, never the weights.

    Raises:
        InputError: the file is broken or holds no tokenizer.
    """
    import gguf

    try:
        fields = gguf.GGUFReader(path).fields
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise InputError(f"{path}: broken GGUF file ({error})") from None
    if "tokenizer.ggml.tokens" not in fields or "tokenizer.ggml.model" not in fields:
        raise InputError(f"{path}: the GGUF file holds no tokenizer")
    pieces = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents() if "tokenizer.ggml.token_type" in fields else []
    merges = fields["tokenizer.ggml.merges"].contents() if "tokenizer.ggml.merges" in fields else []
    byte_level = fields["tokenizer.ggml.model"].contents() == "gpt2"
    added = [i for i, kind in enumerate(types) if kind in _ADDED_TYPES]
    cut = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    alphabet = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    content = {
        "version": "1.0",
        "added_tokens": [_added_token(i, pieces[i]) for i in added],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [cut, alphabet]} if pattern else None,
        "decoder": alphabet if byte_level else {"type": "Metaspace"},
        "model": {"type": "BPE", "vocab": {piece: i for i, piece in enumerate(pieces)}, "merges": merges},
    }
    return json.dumps(content, ensure_ascii=False).encode(), byte_level and pattern is not None


def _added_token(token_id: int, text: str) -> dict:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": token_id, "content": text, "special": True, **flags}
