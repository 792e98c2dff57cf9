"""Tokenizers in GGUF files: one tokenizer in two formats is one table and one encoding, as llama.cpp's own."""

import gzip
import json
import tracemalloc
import unicodedata
from pathlib import Path

import gguf
import pytest

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.cutting_rules import CUTTING_RULES
from compressed_code.tokenizers.files import open_tokenizer, tokenizer_fingerprint
from compressed_code.tokenizers.gguf import read_gguf_tokenizer
from storage_formats import finish

# Published tokenizer → llama.cpp's name for the rule that cuts its texts.
RULES = {
    "qwen2.5": "qwen2",
    "deepseek-v3": "deepseek-v3",
    "llama-3.1": "llama-bpe",
    "gpt2": "gpt-2",
    "starcoder2": "starcoder",
}
ODD = (
    "def f(x):\n\treturn x  # 12345 naïve 漢字\r\n",
    "x  \t\n\n  y\n\n\n",
    "I'LL don't 1,000,000 e\u0301",
    "<|endoftext|> <s>",
    "            deep\n                deeper",
    "",
)


def _open(path: Path):
    return open_tokenizer(TokenizerSpec(key="t", label="t", path=str(path)))


def _as_gguf(path: Path, content: dict, rule: str | None) -> Path:
    """A tokenizer.json of byte-level BPE as a file of its vocabulary alone."""
    pieces = {number: piece for piece, number in content["model"]["vocab"].items()}
    added = {token["id"]: token for token in content["added_tokens"]}
    pieces |= {number: token["content"] for number, token in added.items()}
    numbers = range(max(pieces) + 1)
    types = [
        5 if number not in pieces else 1 if number not in added else 3 if added[number]["special"] else 4
        for number in numbers
    ]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    if rule:
        writer.add_tokenizer_pre(rule)
    writer.add_token_list([pieces.get(number, f"[PAD{number}]") for number in numbers])
    writer.add_token_types(types)
    merges = content["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    finish(writer)
    return path


def _published(shared_data: Path, key: str) -> bytes:
    return gzip.decompress((shared_data / "tokenizers" / key / "tokenizer.json.gz").read_bytes())


def _programs(shared_data: Path) -> list[str]:
    programs = []
    for file in sorted((shared_data / "corpus" / "humanevalpack").glob("*.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            rows = [json.loads(line) for line in lines][::20]
        programs += [row["declaration"] + row["canonical_solution"] for row in rows]
    return programs


@pytest.mark.parametrize("key", RULES)
def test_one_tokenizer_in_two_formats(tmp_path, shared_data, key):
    content = _published(shared_data, key)
    (tmp_path / "tokenizer.json").write_bytes(content)
    original = _open(tmp_path / "tokenizer.json")
    ours = _open(_as_gguf(tmp_path / "m.gguf", json.loads(content), RULES[key]))
    assert ours.tokens == original.tokens
    assert ours.added == original.added
    assert ours.merge_rank == original.merge_rank
    for text in (*ODD, *_programs(shared_data)):
        composed = unicodedata.normalize("NFC", text)  # as Qwen's tokenizer does first, and a GGUF file cannot say
        assert ours.encode(composed) == original.encode(text if key == "qwen2.5" else composed)


@pytest.mark.long
@pytest.mark.parametrize("key", RULES)
def test_llama_cpp_cuts_the_same(tmp_path, shared_data, key):
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed; pip install '.[llama]'")
    path = _as_gguf(tmp_path / "m.gguf", json.loads(_published(shared_data, key)), RULES[key])
    theirs, ours = llama_cpp.Llama(str(path), vocab_only=True, verbose=False), _open(path)
    for text in (*ODD, *_programs(shared_data)):
        assert ours.encode(text) == theirs.tokenize(text.encode(), add_bos=False, special=False)


@pytest.mark.parametrize("model_type", ["bpe"])
def test_sentencepiece_in_two_formats(tmp_path, model_type):
    """Trained here, with a symbol of the user's; merges by score are SentencePiece's own."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["def main(): return value", "for item in items: print(item, value)"] * 50),
        model_prefix=str(tmp_path / "m"),
        model_type=model_type,
        vocab_size=330,
        byte_fallback=True,
        user_defined_symbols=["<fim>", "▁▁▁▁"],
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    original = _open(tmp_path / "m.model")
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    ids = range(model.get_piece_size())
    symbols = {model.piece_to_id("<fim>"), model.piece_to_id("▁▁▁▁")}
    types = [
        2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else 4 if i in symbols else 1
        for i in ids
    ]
    assert symbols <= original.added and not symbols & original.merge_rank.keys()
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([model.id_to_piece(i) for i in ids])
    writer.add_token_scores([model.get_score(i) for i in ids])
    writer.add_token_types(types)
    finish(writer)
    ours = _open(tmp_path / "m.gguf")
    assert ours.tokens == original.tokens
    assert ours.added == original.added
    assert ours.merge_rank == original.merge_rank
    for text in ("def value(): return item", "items: 漢字\n\tprint", "for  x in  main", "a<fim>b"):
        assert ours.encode(text) == original.encode(text)


def test_a_rule_that_is_not_known_is_named(tmp_path):
    content = {"model": {"vocab": {"a": 0, "b": 1}, "merges": []}, "added_tokens": []}
    for rule, named in (
        ("nobody-2", "'nobody-2', which is not known"),
        (None, "names no rule"),
        ("default", "no rule"),
    ):
        vocabulary = _open(_as_gguf(tmp_path / "m.gguf", content, rule))
        assert vocabulary.tokens == (b"a", b"b")
        with pytest.raises(Unavailable, match=f"{named}.*put its original tokenizer.json beside it"):
            vocabulary.encode("a")


def test_a_tokenizer_beside_a_file_cuts_where_its_rule_is_not_known(tmp_path):
    content = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}, "added_tokens": []}
    file = _as_gguf(tmp_path / "m.gguf", content, "nobody-2")
    before = tokenizer_fingerprint(TokenizerSpec(key="m", label="M", path=str(file)))
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert _open(file).encode("aab") == [0, 2]
    assert tokenizer_fingerprint(TokenizerSpec(key="m", label="M", path=str(file))) != before
    other = {"model": {"type": "BPE", "vocab": {"b": 0, "a": 1, "ab": 2}, "merges": ["a b"]}, "added_tokens": []}
    (tmp_path / "tokenizer.json").write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(Unavailable, match="beside it"):
        _open(file).encode("aab")


@pytest.mark.parametrize("rule", CUTTING_RULES)
def test_every_rule_is_one_that_the_library_can_follow(tmp_path, rule):
    """A vocabulary of all bytes, so that each text is spelt whatever the cuts."""
    from compressed_code.tokenizers.pieces import byte_of_character

    content = {"model": {"vocab": byte_of_character(), "merges": []}, "added_tokens": []}
    vocabulary = _open(_as_gguf(tmp_path / "m.gguf", content, rule))
    for text in ODD:
        assert vocabulary.encode(text) == list(text.encode())


def test_what_holds_no_tokenizer(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tokenizer_model("none")
    finish(writer)
    with pytest.raises(InputError, match="holds no tokenizer"):
        read_gguf_tokenizer(tmp_path / "m.gguf")
    writer = gguf.GGUFWriter(tmp_path / "n.gguf", "llama")
    writer.add_tokenizer_model("rwkv")
    writer.add_token_list(["a"])
    finish(writer)
    with pytest.raises(InputError, match="kind 'rwkv' is not supported"):
        read_gguf_tokenizer(tmp_path / "n.gguf")


def test_memory_of_an_entry(tmp_path):
    """300 MB for the 262,144 entries of Gemma, whatever else a process holds: a bound for each."""
    count, bound = 20_000, 300e6 / 262_144
    pieces = [f"▁piece{number}" for number in range(count)]
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "gemma3")
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([-float(number) for number in range(count)])
    writer.add_token_types([1] * count)
    finish(writer)
    _open(tmp_path / "m.gguf")  # imports
    tracemalloc.start()
    try:
        vocabulary = _open(tmp_path / "m.gguf")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(vocabulary) == count and peak / count < bound
