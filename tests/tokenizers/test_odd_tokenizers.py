"""Tokenizer files as other programs leave them: what a token is comes from the file's steps and from its library."""

import base64
import codecs
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressed_code.code_generation.requests import chat_ids
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.models.start_contexts import start_ids
from compressed_code.quantization.gguf import write_gguf
from compressed_code.registry.languages import keyword_union, load_languages
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.gguf import read_gguf_tokenizer
from compressed_code.tokenizers.vocabulary import vocabulary_table
from tiny_models import save_tiny, save_tokenizer
from tokenizers import Tokenizer

TEXT = "def main():\n    return value + 42\n"
FLAGS = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
ALPHABET = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
BLANKS = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": False}


def _open(path: Path, **fields):
    return open_tokenizer(TokenizerSpec(key="t", label="t", path=str(path), **fields))


def _write(folder: Path, content: dict) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({"version": "1.0", "added_tokens": [], **content}))
    return path


def _added(number: int, text: str, *, special: bool = False) -> dict:
    return {"id": number, "content": text, "special": special, **FLAGS}


def test_what_an_earlier_call_left_in_the_file_cuts_and_lengthens_nothing(tokenizer_json):
    plain = _open(tokenizer_json)
    expected = plain.encode(TEXT)
    content = json.loads(tokenizer_json.read_text())
    content["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    content["padding"] = {"strategy": {"Fixed": 512}, "direction": "Left", "pad_to_multiple_of": None}
    content["padding"] |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "<|end|>"}
    (tokenizer_json.parent / "config.json").write_text("{}")
    before = start_ids(tokenizer_json.parent, "tokenizer")
    tokenizer_json.write_text(json.dumps(content))
    assert start_ids(tokenizer_json.parent, "tokenizer") == before == ()  # the padding token is no BOS
    assert len(Tokenizer.from_file(str(tokenizer_json)).encode(TEXT).ids) == 512 != len(expected)
    assert _open(tokenizer_json).encode(TEXT) == expected


@pytest.mark.parametrize("steps", [{}, {"decoder": {"type": "ByteFallback"}}, {"pre_tokenizer": BLANKS}])
def test_pieces_for_bytes_are_bytes_with_and_without_signs_for_blanks(tmp_path, steps):
    vocab = {f"<0x{byte:02X}>": byte for byte in range(256)} | {"a": 256, "▁": 257}
    model = {"type": "BPE", "vocab": vocab, "merges": [], "byte_fallback": True, "fuse_unk": False}
    vocabulary = _open(_write(tmp_path, {"model": model, **steps}))
    assert vocabulary.tokens[:256] == tuple(bytes([byte]) for byte in range(256))
    assert vocabulary.tokens[257] == (b" " if "pre_tokenizer" in steps else "▁".encode())
    assert b"".join(vocabulary.tokens[i] for i in vocabulary.encode("a\né b")) == "a\né b".encode()


def test_ranks_may_leave_one_out(tmp_path):
    """As p50k_base does."""
    tokens = [bytes([byte]) for byte in range(256)] + [b"ab", b"abc"]
    ranks = [*range(256), 300, 302]
    lines = (f"{base64.b64encode(token).decode()} {rank}" for token, rank in zip(tokens, ranks, strict=True))
    (tmp_path / "ranks.tiktoken").write_text("\n".join(lines) + "\n")
    vocabulary = _open(tmp_path / "ranks.tiktoken", pattern=r"\w+|\W+", special_tokens=["<|end|>"])
    assert vocabulary.tokens[300:] == (b"ab", None, b"abc", b"<|end|>")
    assert vocabulary.encode("abcab!") == [302, 300, ord("!")]
    assert vocabulary.merge_rank == {300: 0, 302: 1}


@settings(max_examples=60, deadline=None)
@given(
    added=st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(["a", "b", "ab", "<x>", "<y>", "  ", "é"]), st.booleans()),
        max_size=6,
        unique_by=lambda token: token[1],
    )
)
def test_ids_of_added_tokens_are_those_that_the_library_gives(tmp_path_factory, added):
    """Whatever the file says: one that is taken is given anew."""
    vocab = {piece: number for number, piece in enumerate(["a", "b", "ab", "Ġ", "Ċ"])}
    content = {
        "model": {"type": "BPE", "vocab": vocab, "merges": [["a", "b"]]},
        "pre_tokenizer": ALPHABET,
        "added_tokens": [_added(number, text, special=special) for number, text, special in added],
    }
    path = _write(tmp_path_factory.mktemp("added"), content)
    library, ours = Tokenizer.from_file(str(path)), _open(path)
    for _, text, _ in added:
        number = library.token_to_id(text)
        assert ours.tokens[number] == text.encode()
        assert number in ours.added


def test_runs_of_blanks_among_added_tokens_are_white_space_and_the_one_written_is_the_context(tmp_path):
    """As in Gemma, which has a piece for the byte of a newline and writes another token."""
    vocab = {f"<0x{byte:02X}>": byte for byte in range(256)} | {"a": 256, "▁": 257, "\n": 258, "▁▁": 259, "<end>": 260}
    model = {"type": "BPE", "vocab": vocab, "merges": [], "byte_fallback": True, "unk_token": "a"}
    added = [_added(258, "\n"), _added(259, "▁▁"), _added(260, "<end>", special=True)]
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    path = _write(tmp_path, {"model": model, "added_tokens": added, "normalizer": replace})
    table = vocabulary_table(_open(path), keyword_union(load_languages().values())).set_index("token_id")
    assert table["token_class"][[258, 259, 260]].tolist() == ["whitespace", "whitespace", "control"]
    (tmp_path / "config.json").write_text("{}")
    assert start_ids(tmp_path, "newline") == (258,)
    assert start_ids(tmp_path, "space") == (257,)


def test_ids_that_do_not_spell_the_text_are_told(tmp_path):
    """Pieces in GPT-2's alphabet and nothing that turns a text into it: blanks and line ends are lost."""
    vocab = {piece: number for number, piece in enumerate("defĠĊ")}
    model = {"type": "BPE", "vocab": vocab, "merges": []}
    vocabulary = _open(_write(tmp_path, {"model": model, "decoder": ALPHABET}))
    assert vocabulary.encode("def") == [0, 1, 2]
    with pytest.raises(Unavailable, match=r"do not spell the text.*name another tokenizer"):
        vocabulary.encode("def def")


@pytest.mark.parametrize(
    "change",
    [
        {"merges": [["a", "nobody"]]},
        {"type": "Nobody"},
        {"merges": "a b"},
        {"unk_token": 3},
        {"vocab": {"a": 0, "b": "1"}},
    ],
)
def test_what_the_library_refuses_is_one_line(tmp_path, change):
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": [], **change}
    path = _write(tmp_path, {"model": model})
    with pytest.raises(InputError) as caught:
        _open(path).encode("ab")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_byte_order_mark_is_read_by_whoever_reads_a_tokenizer(tmp_path, byte_level_tokenizer):
    """In tables, start contexts, GGUF files and chats."""
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    settings = {"eos_token": "<|end|>", "chat_template": template}
    folder = save_tokenizer(save_tiny(tmp_path / "m", vocab_size=420), byte_level_tokenizer, **settings)

    def found(name: str) -> list:
        write_gguf(folder, tmp_path / name, "F32")
        written = read_gguf_tokenizer(tmp_path / name)
        return [_open(folder).encode(TEXT), start_ids(folder), written.pieces, chat_ids(folder, [TEXT])]

    before = found("plain.gguf")
    path = folder / "tokenizer.json"
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert found("marked.gguf") == before
