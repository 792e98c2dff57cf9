"""The tokenizer of a Hugging Face folder as the metadata of a GGUF file.

Two kinds are known: byte-level BPE (GPT-2, Llama 3, Qwen, the zoo), and SentencePiece BPE with byte tokens (Llama 2,
Mistral), for which llama.cpp wants scores: it merges the pair of the highest score first.
A GGUF file has only a name for the rule that cuts text. Where none of llama.cpp's names fits, the field stays out, and
llama.cpp warns that it cuts text by its default rule; token ids mean the same in any case.
Source: GGUF specification, "Tokenizer"; llama.cpp v0.5.0, src/llama-vocab.cpp and convert_hf_to_gguf.py.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressed_code.core.errors import InputError
from compressed_code.tokenizers.cutting_rules import CUTTING_RULES, CuttingRule
from compressed_code.tokenizers.files import FOLDER_FILES, for_other_readers, tokenizer_json_of
from compressed_code.tokenizers.named_tokens import tokenizer_settings
from compressed_code.tokenizers.pieces import METASPACE, decode_byte_level, decode_metaspace
from compressed_code.tokenizers.tokenizer_file import TokenizerFile
from compressed_code.tokenizers.tokenizer_json import added_tokens, piece_decoder

if TYPE_CHECKING:
    from gguf import GGUFWriter

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# (rule that cuts text, whether whole words bypass merging) → llama.cpp's name for both.
CUT_NAMES: Mapping[tuple[str, bool], str] = {
    (_WORDS % r"\p{N}{1,3}", True): "llama-bpe",
    (_WORDS % r"\p{N}", False): "qwen2",
    ("byte level", False): "gpt-2",
    ("single digits, byte level", False): "starcoder",
}


def add_vocabulary(writer: "GGUFWriter", folder: Path, size: int) -> None:
    """Add the tokenizer's fields.

    Without a tokenizer.json the file says that it has no tokenizer.

    Args:
        writer: no file opened yet.
        folder: with tokenizer.json, tokenizer_config.json, config.json.
        size: rows of the embedding; rows without a token become unused tokens.

    Raises:
        InputError: the tokenizer is broken, larger than the embedding, or of a kind that is not supported.
    """
    file = tokenizer_json_of(folder)
    if file is None:
        other = next((path for pattern in FOLDER_FILES for path in sorted(folder.glob(pattern))), None)
        if other is not None and other.suffix != ".gguf":
            raise InputError(f"{folder}: has {other.name} only; save it with transformers to get a tokenizer.json")
        writer.add_tokenizer_model("none")
        return
    try:
        _add_tokenizer(writer, folder, file, size)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file.origin}: broken tokenizer ({type(error).__name__}: {error})") from None


def _add_tokenizer(writer: "GGUFWriter", folder: Path, file: TokenizerFile, size: int) -> None:
    from gguf import SpecialVocab

    content, path = file.parsed, file.origin
    model = content["model"]
    if model.get("type") != "BPE":
        raise InputError(f"{path}: a tokenizer of type {model.get('type')} is not supported; BPE is")
    pieces, types = _pieces(content, size, path)
    tokenizer, decode = file.opened(), piece_decoder(content)
    byte_level = decode is decode_byte_level
    if not byte_level and not (decode is decode_metaspace and model.get("byte_fallback")):
        raise InputError(
            f"{path}: its pieces are neither bytes in GPT-2's alphabet nor SentencePiece's with pieces for single"
            " bytes, and GGUF files hold no others; take another method"
        )
    if byte_level:
        writer.add_tokenizer_model("gpt2")
        cut = _cut_name(content.get("pre_tokenizer"), bool(model.get("ignore_merges")))
        if cut is not None:
            writer.add_tokenizer_pre(cut)
    else:
        writer.add_tokenizer_model("llama")
        writer.add_token_scores(_scores(pieces, model["merges"]))
        first = tokenizer.encode("a", add_special_tokens=False).tokens[:1]
        writer.add_add_space_prefix(bool(first) and first[0].startswith(METASPACE))
    writer.add_token_list(pieces)
    writer.add_token_types(types)
    logging.getLogger("gguf.vocab").setLevel(logging.ERROR)  # it warns of templates for two texts; no file keeps them
    with for_other_readers(folder) as readable:
        named, special = tokenizer_settings(folder), SpecialVocab(readable, load_merges=byte_level, n_vocab=size)
    for kind, token in ((kind, named.get(f"{kind}_token")) for kind in special.special_token_types):
        text = token.get("content") if isinstance(token, Mapping) else token
        number = tokenizer.token_to_id(text) if text else None
        if number is not None and number not in special.special_token_ids.values():  # it knows tokenizer.json's only
            special.special_token_ids[kind] = number
    special.add_to_gguf(writer, quiet=True)


def _pieces(content: Mapping[str, Any], size: int, path: str) -> tuple[list[str], list[int]]:
    """Text and type of every id."""
    from gguf import TokenType

    names = {index: piece for piece, index in content["model"]["vocab"].items()}
    added = added_tokens(content)
    names.update({index: token["content"] for index, token in added.items()})
    if max(names) >= size:
        raise InputError(f"{path}: has token {max(names)}, but the embedding has {size} rows only")
    pieces, types = [], []
    for index in range(size):
        piece = names.get(index)
        if piece is None:
            kind = TokenType.UNUSED
        elif piece == content["model"].get("unk_token"):
            kind = TokenType.UNKNOWN
        elif index in added:
            kind = TokenType.CONTROL if added[index]["special"] else TokenType.USER_DEFINED
        elif content["model"].get("byte_fallback") and re.fullmatch("<0x[0-9A-F]{2}>", piece):
            kind = TokenType.BYTE
        else:
            kind = TokenType.NORMAL
        pieces.append(f"[PAD{index}]" if piece is None else piece)
        types.append(int(kind))
    return pieces, types


def _scores(pieces: Sequence[str], merges: Sequence[str | Sequence[str]]) -> list[float]:
    """Scores that make llama.cpp merge in the order of the list of merges."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault("".join(merge.split(" ") if isinstance(merge, str) else merge), rank)
    return [-float(ranks.get(piece, len(merges))) for piece in pieces]


def _cut_name(pre_tokenizer: Mapping[str, Any] | None, whole_words_first: bool) -> str | None:
    """llama.cpp's name for the rule that cuts text; `None` where it has none that is known here."""
    if pre_tokenizer is None:
        return None
    *before, last = pre_tokenizer.get("pretokenizers") or [pre_tokenizer]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        return None
    own_rule = last.get("use_regex", True)
    splits = [step for step in before if step["type"] == "Split"]
    if splits == before and not own_rule and all(_isolates(step) for step in splits):
        rule = CuttingRule(tuple(step["pattern"].get("Regex") for step in splits), whole_words_first)
        known = CUT_NAMES.get((rule.patterns[0], whole_words_first)) if len(splits) == 1 else None
        return known or next((name for name, other in CUTTING_RULES.items() if other == rule), None)
    match [step["type"] for step in before]:
        case [] if own_rule:
            rule = "byte level"
        case ["Digits"] if own_rule and before[0].get("individual_digits"):
            rule = "single digits, byte level"
        case _:
            return None
    return CUT_NAMES.get((rule, whole_words_first))


def _isolates(step: Mapping[str, Any]) -> bool:
    return step["behavior"] == "Isolated" and not step.get("invert")
