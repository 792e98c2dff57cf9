"""Hugging Face's `tokenizer.json`, for BPE, Unigram and WordLevel models.

What a piece stands for is told by the steps that the file declares (pre-tokenizer, decoder, normalizer), its ids by the
rules of the tokenizers library, which encodes.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.pieces import (
    METASPACE,
    decode_byte_fallback,
    decode_byte_level,
    decode_metaspace,
    rank_in_order,
)
from compressed_code.tokenizers.tokenizer_file import LARGEST_VOCABULARY, TokenizerFile, require_sensible_ids
from compressed_code.tokenizers.vocabulary import Vocabulary, checked


def read_tokenizer_json(file: TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
    """A tokenizer.json as a vocabulary.

    Raises:
        InputError: no JSON.
        KeyError, IndexError, TypeError, ValueError, AttributeError: JSON of another shape.
    """
    parsed = file.parsed
    texts = _pieces(parsed["model"]["vocab"])
    entries = spec.entries or LARGEST_VOCABULARY  # a file may go on to tokens of later models
    added = {number: token["content"] for number, token in added_tokens(parsed).items() if number < entries}
    require_sensible_ids([*texts, *added])
    decode = piece_decoder(parsed)
    added_decode = decode_metaspace if decode is decode_metaspace else str.encode
    tokens = [decode(texts[token_id]) if token_id in texts else None for token_id in range(1 + max([*texts, *added]))]
    for token_id, text in added.items():  # a control token is its text, whatever the alphabet of the others
        tokens[token_id] = added_decode(text)
    encode = checked(_encoder(file), tokens, file.origin)
    return Vocabulary(tuple(tokens), frozenset(added), _merge_ranks(parsed["model"]), encode)


def _pieces(vocab: dict[str, int] | list) -> dict[int, str]:
    """Id → piece. BPE keeps a mapping from piece to id, Unigram a list of (piece, score) in the order of ids."""
    return dict(enumerate(text for text, _ in vocab)) if isinstance(vocab, list) else {i: t for t, i in vocab.items()}


def added_tokens(parsed: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """Id → entry of the tokens that are no pieces, with the ids that the tokenizers library gives them.

    It takes the id of a piece of the same text, else the next one, whatever the file says.

    Args:
        parsed: the whole file.
    """
    pieces = parsed["model"]["vocab"]
    ids = dict(pieces) if isinstance(pieces, dict) else {text: number for number, (text, _) in enumerate(pieces)}
    next_id, added = len(ids), {}
    for token in parsed.get("added_tokens") or []:
        text = token["content"]
        if text not in ids:
            ids[text], next_id = next_id, next_id + 1
        added[ids[text]] = token
    return added


def _merge_ranks(model: dict) -> dict[int, int]:
    """Id → place of the merge that makes it. Merges are pairs, in older files two pieces with a blank between."""
    by_text = model["vocab"] if isinstance(model["vocab"], dict) else {}
    merges = model.get("merges") or []
    merged = ("".join(merge) if isinstance(merge, list) else merge.replace(" ", "") for merge in merges)
    return rank_in_order(by_text[text] for text in merged if text in by_text)


def _encoder(file: TokenizerFile) -> Callable[[str], list[int]]:
    """Text → ids, by the tokenizers library, which is loaded for the first text."""

    @cache
    def tokenizer():  # noqa: ANN202
        opened = file.opened()
        opened.encode_special_tokens = True  # a control token's name inside a text is text
        opened.no_truncation()  # what an earlier call left in the file would cut or lengthen texts
        opened.no_padding()
        return opened

    return lambda text: tokenizer().encode(text, add_special_tokens=False).ids


def piece_decoder(parsed: Mapping[str, Any]) -> Callable[[str], bytes]:
    """How strings of a tokenizer.json become bytes, by the steps it declares: one of the functions of `pieces`.

    Args:
        parsed: the whole file.
    """
    steps = list(_steps([parsed.get(part) for part in ("pre_tokenizer", "decoder", "normalizer")]))
    kinds = {step["type"] for step in steps}
    if "ByteLevel" in kinds:
        return decode_byte_level
    if "Metaspace" in kinds or any(METASPACE in (step.get("content"), step.get("prepend")) for step in steps):
        return decode_metaspace
    if any(METASPACE in str(step.get("pattern")) for step in steps):
        return decode_metaspace
    falls_back = "ByteFallback" in kinds or parsed["model"].get("byte_fallback")
    return decode_byte_fallback if falls_back else str.encode


def _steps(part: object) -> Iterator[dict]:
    """All steps of a pre-tokenizer, decoder or normalizer, however they are nested."""
    if isinstance(part, list):
        for step in part:
            yield from _steps(step)
    elif isinstance(part, dict):
        if "type" in part:
            yield part
        for inner in part.values():
            if isinstance(inner, list):
                yield from _steps(inner)
