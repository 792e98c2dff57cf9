"""One tokenizer in two formats is one table and one encoding: every pair of the formats that can hold it.

Each tokenizer is written in all of its formats by hand, from the numbers of the library that trained it.
"""

import base64
import gzip
import itertools
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import gguf
import pandas as pd
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from compressed_code.registry.languages import keyword_union, load_languages, load_programs
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary, vocabulary_table
from storage_formats import finish

# GPT-2's, which every format but GGUF spells out.
CUT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SPECIAL = ["<|end|>", "<|fim|>", "   "]
TEXTS = (
    "def größe(x):\n\treturn x != 'naïve' + 42  # 漢\n",
    "x  \t\n\n  y",
    " I'LL don't\r\n",
    "a<|end|>b",
    "",
    *list(load_programs(load_languages()["python"]).values())[:3],
)


def _open(path: Path, **fields) -> Vocabulary:
    return open_tokenizer(TokenizerSpec(key="t", label="t", path=str(path), **fields))


def _added(number: int, text: str, *, special: bool) -> dict:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
    return {"id": number, "content": text, "special": special, "normalized": not special, **flags}


def _json(path: Path, content: dict) -> Path:
    text = json.dumps({"version": "1.0", **content}, ensure_ascii=False).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def _gguf(path: Path, kind: str, pieces: list[str], types: list[int], **lists) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(kind)
    writer.add_token_list(pieces)
    writer.add_token_types(types)
    if kind == "gpt2":
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(lists["merges"])
    else:
        writer.add_token_scores(lists["scores"])
        writer.add_add_space_prefix(lists["prefix"])
    finish(writer)
    return path


# --- ranks of byte pairs ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def byte_pairs(byte_level_tokenizer) -> tuple[list[str], list[list[str]]]:
    """Pieces in GPT-2's alphabet in the order of their merges, and the merges."""
    model = json.loads(byte_level_tokenizer.to_str())["model"]
    ordered = sorted(model["vocab"], key=model["vocab"].get)
    return [piece for piece in ordered if piece != "<|end|>"], model["merges"]


def _byte_pair_formats(folder: Path, pieces: list[str], merges: list[list[str]], place: str) -> dict[str, Vocabulary]:
    """Control tokens are nowhere, before the ranks (tekken) or behind them (tiktoken)."""
    special = [] if place == "nowhere" else SPECIAL
    first = len(special) if place == "before" else 0
    numbers = range(first) if first else range(len(pieces), len(pieces) + len(special))
    all_pieces = [*special, *pieces] if first else [*pieces, *special]
    alphabet = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    cut = {"type": "Split", "pattern": {"Regex": CUT}, "behavior": "Isolated", "invert": False}
    plain = {
        "added_tokens": [_added(number, all_pieces[number], special=True) for number in numbers],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [cut, alphabet]},
        "decoder": alphabet,
        "model": {"type": "BPE", "vocab": {piece: n for n, piece in enumerate(all_pieces)}, "merges": merges},
    }
    folder.mkdir(exist_ok=True)
    types = [3 if number in numbers else 1 for number in range(len(all_pieces))]
    spaced = [" ".join(merge) for merge in merges]
    found = {
        "tokenizer.json": _open(_json(folder / "tokenizer.json", plain)),
        "tokenizer.json.gz": _open(_json(folder / "tokenizer.json.gz", plain)),
        "older tokenizer.json": _open(
            _json(folder / "older.json", {**plain, "model": {**plain["model"], "merges": spaced}})
        ),
        "GGUF": _open(_gguf(folder / "m.gguf", "gpt2", all_pieces, types, merges=spaced)),
    }
    tokens = [base64.b64encode(bytes(_alphabet()[character] for character in piece)).decode() for piece in pieces]
    if place != "before":
        lines = "".join(f"{token} {rank}\n" for rank, token in enumerate(tokens))
        (folder / "ranks.tiktoken").write_text(lines)
        found["tiktoken"] = _open(folder / "ranks.tiktoken", pattern=CUT, special_tokens=special)
    if place != "behind":
        vocab = [{"rank": rank, "token_bytes": token, "token_str": None} for rank, token in enumerate(tokens)]
        config = {"pattern": CUT, "default_vocab_size": len(all_pieces), "default_num_special_tokens": first}
        content = {"config": config, "vocab": vocab, "special_tokens": [{"token_str": name} for name in special]}
        found["tekken"] = _open(_json(folder / "tekken.json", content))
    return found


@cache
def _alphabet() -> dict[str, int]:
    """The character of each byte as the tokenizers library writes it, not as the reader that is tested."""
    from tokenizers.pre_tokenizers import ByteLevel

    library = ByteLevel(add_prefix_space=False, use_regex=False)
    known = {chr(byte): byte for byte in (0xC0, 0xC1, *range(0xF5, 0x100))}  # which no text holds
    for code in (*range(0x800), *range(0x800, 0xD800, 0x800), *range(0xE000, 0x110000, 0x800)):
        ((written, _),) = library.pre_tokenize_str(chr(code))
        known |= dict(zip(written, chr(code).encode(), strict=True))
    return known


# --- SentencePiece ---------------------------------------------------------------------------------------------------


def _sentencepiece_formats(folder: Path, family: str) -> dict[str, Vocabulary]:
    """With symbols of the user's, and then without a blank before each text: an older tokenizer.json cannot say it."""
    kind, _, symbols = family.partition(", ")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter("\n".join(TEXTS).splitlines() * 20),
        model_prefix=str(folder / "m"),
        model_type=kind,
        vocab_size=400,
        byte_fallback=True,
        user_defined_symbols=["<fim>", "▁▁", "▁▁▁▁"] if symbols else [],
        add_dummy_prefix=not symbols,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "m.model"))
    ids = range(model.get_piece_size())
    pieces, scores = [model.id_to_piece(i) for i in ids], [model.get_score(i) for i in ids]
    named = {3, 4, 5} if symbols else set()  # behind <unk>, <s> and </s>
    types = [
        2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else 4 if i in named else 1
        for i in ids
    ]
    added = [_added(i, pieces[i], special=types[i] != 4) for i in ids if types[i] in (2, 3, 4)]
    body = _unigram(pieces, scores) if kind == "unigram" else _merged(pieces, scores, types)
    decoders = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}]
    content = {"added_tokens": added, "model": body, "decoder": {"type": "Sequence", "decoders": decoders}}
    blanks = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    older = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace]}
    newer = {"normalizer": replace} if symbols else {"pre_tokenizer": blanks}
    found = {
        "SentencePiece": _open(folder / "m.model"),
        "tokenizer.json": _open(_json(folder / "tokenizer.json", {**content, **newer})),
    }
    if not symbols:
        found["older tokenizer.json"] = _open(_json(folder / "older.json", {**content, "normalizer": older}))
    if kind == "bpe":
        found["GGUF"] = _open(_gguf(folder / "m.gguf", "llama", pieces, types, scores=scores, prefix=not symbols))
    return found


def _merged(pieces: list[str], scores: list[float], types: list[int]) -> dict:
    """SentencePiece merges the pair that makes the piece of the highest score: merges in that order."""
    known = {piece: number for number, piece in enumerate(pieces)}
    merges = []
    for number in sorted((i for i in known.values() if types[i] == 1), key=lambda i: -scores[i]):
        cuts = ((pieces[number][:place], pieces[number][place:]) for place in range(1, len(pieces[number])))
        merges += [[left, right] for left, right in cuts if left in known and right in known]
    model = {"type": "BPE", "vocab": known, "merges": merges, "byte_fallback": True, "fuse_unk": True}
    return model | {"unk_token": "<unk>"}


def _unigram(pieces: list[str], scores: list[float]) -> dict:
    vocab = [[piece, score] for piece, score in zip(pieces, scores, strict=True)]
    return {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": True}


# --- every pair ------------------------------------------------------------------------------------------------------

JSON = ("tokenizer.json", "tokenizer.json.gz", "older tokenizer.json")
FAMILIES: dict[str, tuple[str, ...]] = {
    "byte pairs, nowhere": (*JSON, "GGUF", "tiktoken", "tekken"),
    "byte pairs, before": (*JSON, "GGUF", "tekken"),
    "byte pairs, behind": (*JSON, "GGUF", "tiktoken"),
    "bpe": ("SentencePiece", "tokenizer.json", "older tokenizer.json", "GGUF"),
    "bpe, symbols": ("SentencePiece", "tokenizer.json", "GGUF"),
    "unigram": ("SentencePiece", "tokenizer.json", "older tokenizer.json"),
}
PAIRS = [(family, *pair) for family, formats in FAMILIES.items() for pair in itertools.combinations(formats, 2)]


@pytest.fixture(scope="session")
def in_every_format(byte_pairs, tmp_path_factory) -> Callable[[str], dict[str, Vocabulary]]:
    made: dict[str, dict[str, Vocabulary]] = {}

    def formats(family: str) -> dict[str, Vocabulary]:
        if family not in made:
            folder = tmp_path_factory.mktemp("formats")
            if family.startswith("byte pairs"):
                made[family] = _byte_pair_formats(folder, *byte_pairs, family.split(", ")[1])
            else:
                made[family] = _sentencepiece_formats(folder, family)
        return made[family]

    return formats


@pytest.mark.parametrize(("family", "one", "other"), PAIRS)
def test_two_formats_are_one_table(in_every_format, family, one, other):
    formats = in_every_format(family)
    assert tuple(formats) == FAMILIES[family]
    first, second = formats[one], formats[other]
    words = keyword_union(load_languages().values())
    pd.testing.assert_frame_equal(vocabulary_table(first, words), vocabulary_table(second, words))
    assert len(first.merge_rank) > 50 or family.startswith("unigram")
    for text in TEXTS:
        if text.startswith(" ") and family in ("bpe", "unigram"):
            continue  # SentencePiece puts a second blank before it, the tokenizers library does not
        assert first.encode(text) == second.encode(text)


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=30))
def test_any_text_has_the_same_ids_in_every_format_of_byte_pairs(in_every_format, text):
    for family in FAMILIES:
        if family.startswith("byte pairs"):
            first, *others = in_every_format(family).values()
            assert all(other.encode(text) == first.encode(text) for other in others)
