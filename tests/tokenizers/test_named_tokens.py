"""Tokens that only the files beside a tokenizer name: every reader takes them as transformers adds them."""

import base64
import inspect
import json
from io import BytesIO
from pathlib import Path

import pytest
import sentencepiece
from gguf import TokenType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer
from transformers.convert_slow_tokenizer import TikTokenConverter

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.models.start_contexts import special_tokens, start_ids
from compressed_code.quantization.gguf import write_gguf
from compressed_code.registry.languages import keyword_union, load_languages
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer, tokenizer_fingerprint
from compressed_code.tokenizers.gguf import read_gguf_tokenizer
from compressed_code.tokenizers.named_tokens import named_tokens
from compressed_code.tokenizers.vocabulary import vocabulary_table
from tiny_models import save_tiny, save_tokenizer

ALPHABET = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
VOCABULARY = {piece: number for number, piece in enumerate([*"abcdefn<>|xyzĠ", "ab", "<x>"])}
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
TEXTS = ("ab", "<x>", "<y>", "y z", "<|end|>", "f")
SENTENCE = "ab <x> ab<y> y z<|end|> f yy z"


def _spec(path: Path, **fields) -> TokenizerSpec:
    return TokenizerSpec(key="t", label="t", path=str(path), **fields)


def _write(folder: Path, **files: dict) -> Path:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def _tokenizer(*added: dict) -> dict:
    model = {"type": "BPE", "vocab": VOCABULARY, "merges": [["a", "b"]]}
    steps = {"pre_tokenizer": ALPHABET, "decoder": ALPHABET}
    return {"version": "1.0", "added_tokens": list(added), "model": model, **steps}


def _entry(text: str, number: int | None = None, **flags: bool) -> dict:
    entry = {"content": text, **dict.fromkeys(FLAGS, False), **flags}
    return entry if number is None else {"id": number, **entry}


@st.composite
def named(draw: st.DrawFn) -> dict:
    """A tokenizer_config.json of tokens by id, by role and without one, and what tokenizer.json holds of them."""
    entry = st.builds(lambda text, flags: _entry(text, **flags), st.sampled_from(TEXTS), _flags())
    listed = draw(st.lists(entry, max_size=4, unique_by=lambda token: token["content"]))
    numbers = draw(st.permutations(range(16, 16 + len(listed))))
    own = draw(st.lists(st.sampled_from(TEXTS), max_size=2, unique=True))
    config = {"tokenizer_class": "PreTrainedTokenizerFast"}
    if listed:
        config["added_tokens_decoder"] = {str(number): token for number, token in zip(numbers, listed, strict=True)}
    for role in draw(st.lists(st.sampled_from(["bos_token", "eos_token", "pad_token", "image_token"]), unique=True)):
        config[role] = draw(st.sampled_from(TEXTS))
    further = draw(st.lists(st.sampled_from(TEXTS), max_size=2, unique=True))
    if further:
        config[draw(st.sampled_from(["extra_special_tokens", "additional_special_tokens"]))] = further
    flags = [draw(_flags()) for _ in own]
    added = [_entry(text, 16 + place, **flags[place]) for place, text in enumerate(own)]
    return {"tokenizer_config": config, "tokenizer": _tokenizer(*added)}


def _flags() -> st.SearchStrategy[dict[str, bool]]:
    return st.fixed_dictionaries({flag: st.booleans() for flag in FLAGS})


# How fast examples are drawn says nothing of tokens, only of what else the machine does.
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files=named())
def test_ids_flags_and_cuts_are_those_of_transformers(tmp_path_factory, files):
    folder = _write(tmp_path_factory.mktemp("named"), **files, config={"model_type": "llama"})
    theirs, ours = AutoTokenizer.from_pretrained(folder), open_tokenizer(_spec(folder))
    assert {number: ours.tokens[number] for number in ours.added} == {
        number: token.content.encode() for number, token in theirs.added_tokens_decoder.items()
    }
    assert len(ours) == len(theirs)
    library = theirs.backend_tokenizer
    library.encode_special_tokens = True  # the name of a control token in a text is text
    ids = library.encode(SENTENCE, add_special_tokens=False).ids
    if b"".join(ours.tokens[number] for number in ids) == SENTENCE.encode():
        assert ours.encode(SENTENCE) == ids
    else:  # a token that takes the blanks around it along
        with pytest.raises(Unavailable, match="do not spell the text"):
            ours.encode(SENTENCE)
    special = special_tokens(folder)
    assert (special.bos, special.eos) == (theirs.bos_token_id, theirs.eos_token_id)


def test_one_that_nobody_names_anew_leaves_the_tokenizer_and_its_digest_alone(tmp_path):
    """What is stored under the digest of a tokenizer stays good; one more token changes it."""
    content = _tokenizer(_entry("<|end|>", 17, special=True))
    bare = _write(tmp_path, tokenizer=content) / "tokenizer.json"
    same = {"eos_token": "<|end|>", "added_tokens_decoder": {"17": _entry("<|end|>", special=True)}}
    _write(tmp_path, tokenizer_config=same)
    assert tokenizer_fingerprint(_spec(tmp_path)) == tokenizer_fingerprint(_spec(bare))
    _write(tmp_path, tokenizer_config={"eos_token": "<|stop|>"})
    assert tokenizer_fingerprint(_spec(tmp_path)) != tokenizer_fingerprint(_spec(bare))


def test_those_of_older_folders_are_read(tmp_path):
    """Before transformers 4.34 they stood in two files, by text."""
    folder = _write(
        tmp_path,
        tokenizer=_tokenizer(),
        tokenizer_config={"tokenizer_class": "PreTrainedTokenizerFast"},
        special_tokens_map={"eos_token": {"content": "<|end|>", "lstrip": False}, "pad_token": "<pad>"},
        added_tokens={"<pad>": 17, "<|end|>": 16, "ab": 14},
        config={"model_type": "llama"},
    )
    theirs, ours = AutoTokenizer.from_pretrained(folder), open_tokenizer(_spec(folder))
    assert {ours.tokens[i].decode(): i for i in ours.added} == theirs.get_added_vocab()
    assert special_tokens(folder).eos == theirs.eos_token_id == ours.tokens.index(b"<|end|>")
    assert theirs("ab f")["input_ids"] == ours.encode("ab f")


@pytest.fixture(scope="module")
def pieces() -> bytes:
    """A SentencePiece model with byte pieces, as Llama 2's."""
    model = BytesIO()
    text = iter(["def main ( ) : return value", "if value else other", "abc def abc x y z"] * 40)
    sentencepiece.SentencePieceTrainer.train(
        **{"sentence_iterator": text, "model_writer": model, "vocab_size": 300, "model_type": "bpe"},
        **{"byte_fallback": True, "normalization_rule_name": "identity", "minloglevel": 2, "hard_vocab_limit": False},
    )
    return model.getvalue()


def test_a_folder_without_tokenizer_json_has_them_too(tmp_path, pieces):
    """As the fine-tunes of Llama 2 that added tokens to its SentencePiece model: no fast tokenizer was saved."""
    (tmp_path / "tokenizer.model").write_bytes(pieces)
    bare = open_tokenizer(_spec(tmp_path))
    listed = [_entry("<|im_start|>", special=True), _entry("def main"), _entry("\u2581value")]
    folder = _write(
        tmp_path,
        tokenizer_config={
            "tokenizer_class": "LlamaTokenizer",
            "legacy": False,
            "added_tokens_decoder": {str(len(bare) + place): entry for place, entry in enumerate(listed)},
            "eos_token": "</s>",
        },
        config={"model_type": "llama"},
    )
    theirs, ours = AutoTokenizer.from_pretrained(folder), open_tokenizer(_spec(folder))
    for text in ("<|im_start|>", "def main", "\u2581value", "</s>"):
        number = theirs.convert_tokens_to_ids(text)
        assert number in ours.added and ours.tokens[number] == text.replace("\u2581", " ").encode()
    assert len(ours) == len(theirs) == len(bare) + 2
    text = "if x def main ( y"
    assert ours.encode(text) == theirs(text, add_special_tokens=False)["input_ids"] != bare.encode(text)
    assert b"".join(ours.tokens[i] for i in ours.encode("a<|im_start|>")) == b" a<|im_start|>"
    assert theirs.convert_tokens_to_ids("<|im_start|>") not in ours.encode("a<|im_start|>")


def test_what_is_no_token_is_one_line(tmp_path):
    folder = _write(tmp_path, tokenizer=_tokenizer(), config={})
    for config in (
        {"added_tokens_decoder": {"16": "<x>", "one": "<y>"}},
        {"added_tokens_decoder": ["<x>"]},
        {"added_tokens_decoder": {"16": {"content": 3}}},
        {"extra_special_tokens": [7]},
    ):
        _write(folder, tokenizer_config=config)
        for opening in (lambda: open_tokenizer(_spec(folder)), lambda: start_ids(folder)):
            with pytest.raises(InputError, match=r"tokenizer_config\.json: names something that is no token") as caught:
                opening()
            assert "\n" not in str(caught.value)


def test_a_gguf_file_made_of_the_folder_has_them(tmp_path, byte_level_tokenizer):
    """As other ids than config.json's, which the gguf package would take for want of an entry in tokenizer.json."""
    size = byte_level_tokenizer.get_vocab_size()
    listed = [_entry("<|im_end|>", special=True), _entry("def main")]
    folder = save_tokenizer(
        save_tiny(tmp_path / "m", vocab_size=-(-(size + 2) // 64) * 64, eos_token_id=3),
        byte_level_tokenizer,
        added_tokens_decoder={str(size + place): entry for place, entry in enumerate(listed)},
        eos_token="<|im_end|>",
    )
    write_gguf(folder, tmp_path / "m.gguf", "F32")
    ours, written = open_tokenizer(_spec(folder)), read_gguf_tokenizer(tmp_path / "m.gguf")
    assert written.vocabulary().tokens[: size + 2] == ours.tokens
    assert special_tokens(tmp_path / "m.gguf").eos == special_tokens(folder).eos == size
    assert [written.types[size], written.types[size + 1]] == [TokenType.CONTROL, TokenType.USER_DEFINED]
    text = "x def main()"
    opened = written.tokenizer(pattern=r"\S+|\s+")
    assert size + 1 in ours.encode(text) and size + 1 in opened.encode(text, add_special_tokens=False).ids


def test_a_broken_tokenizer_beside_named_tokens_is_one_line(tmp_path):
    _write(tmp_path, tokenizer_config={"eos_token": "<|end|>"}, config={})
    for added in ([{"id": 16}], ["<x>"], {"a": 1}):
        _write(tmp_path, tokenizer=_tokenizer() | {"added_tokens": added})
        for opening in (lambda: open_tokenizer(_spec(tmp_path)), lambda: start_ids(tmp_path)):
            with pytest.raises(InputError, match=r"tokenizer\.json: no valid") as caught:
                opening()
            assert "\n" not in str(caught.value)


# --- ranks of byte pairs ---------------------------------------------------------------------------------------------

RANKS = [*(bytes([byte]) for byte in range(256)), b"ab", b"ef"]
# The rule that transformers cuts text by where a folder holds ranks alone.
CUT = inspect.signature(TikTokenConverter).parameters["pattern"].default
CONTROL = ["<unk>", "<s>", "</s>"]
NEW = ("<x>", "<y>", "y z", "<|end|>", "  ", "\n\n")  # none of them is a rank
SPACED = "ab <x> ab<y>  y z<|end|>\n\nef   f"


def _write_ranks(folder: Path, kind: str, **files: dict) -> Path:
    """A folder of tiktoken's shape, whose control tokens follow, or of tekken's, which begins with three."""
    tokens = [base64.b64encode(token).decode() for token in RANKS]
    if kind == "tiktoken":
        (folder / "tiktoken.model").write_text("".join(f"{token} {rank}\n" for rank, token in enumerate(tokens)))
        return _write(folder, **files, config={"model_type": "llama"})
    special = [{"rank": rank, "token_str": text, "is_control": True} for rank, text in enumerate(CONTROL)]
    vocab = [{"rank": rank, "token_bytes": token, "token_str": None} for rank, token in enumerate(tokens)]
    config = {"pattern": CUT, "default_vocab_size": len(CONTROL + vocab), "default_num_special_tokens": len(CONTROL)}
    content = {"config": config, "vocab": vocab, "special_tokens": special}
    return _write(folder, **files, tekken=content, config={"model_type": "llama"})


@st.composite
def beside_ranks(draw: st.DrawFn, kind: str) -> dict:
    """A tokenizer_config.json; tiktoken's ids may leave some out, tekken's go on where the file ends."""
    entry = st.builds(lambda text, flags: _entry(text, **flags), st.sampled_from(NEW), _flags())
    listed = draw(st.lists(entry, max_size=4, unique_by=lambda token: token["content"]))
    first = len(RANKS) if kind == "tiktoken" else len(CONTROL) + len(RANKS)
    numbers = range(first, first + len(listed))
    if kind == "tiktoken":
        numbers = draw(st.lists(st.integers(first, first + 7), min_size=len(listed), max_size=len(listed), unique=True))
    config = {"tokenizer_class": "PreTrainedTokenizerFast"}
    if listed:
        config["added_tokens_decoder"] = {str(number): token for number, token in zip(numbers, listed, strict=True)}
    for role in draw(st.lists(st.sampled_from(["bos_token", "eos_token", "pad_token"]), unique=True)):
        config[role] = draw(st.sampled_from([*NEW, "ab", *(CONTROL if kind == "tekken" else ())]))
    if further := draw(st.lists(st.sampled_from(NEW), max_size=2, unique=True)):
        config["extra_special_tokens"] = further
    return config


@pytest.mark.parametrize("kind", ["tiktoken", "tekken"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_tokens_beside_ranks_are_those_of_transformers(tmp_path_factory, kind, data):
    """Names, ids, flags and cuts, of folders that transformers converts."""
    config = data.draw(beside_ranks(kind))
    folder = _write_ranks(tmp_path_factory.mktemp(kind), kind, tokenizer_config=config)
    theirs, ours = AutoTokenizer.from_pretrained(folder), open_tokenizer(_spec(folder, pattern=CUT))
    assert {number: ours.tokens[number] for number in ours.added} == {
        number: token.content.encode() for number, token in theirs.added_tokens_decoder.items()
    }
    assert len(ours) == len(theirs)
    text, special = SPACED, [token.text for token in named_tokens(folder) if token.is_special]
    while name := next((name for name in special if name in text), ""):
        text = text.replace(name, "")  # which is a token there, and text here
    ids = theirs(text, add_special_tokens=False)["input_ids"]
    if b"".join(ours.tokens[number] for number in ids) == text.encode():
        assert ours.encode(text) == ids
    else:  # a token that takes the blanks around it along
        with pytest.raises(Unavailable, match="do not spell the text"):
            ours.encode(text)


@pytest.mark.parametrize("further", [["<y>", "y z"], ["y z", "<y>"], ["y z"], ["<y>"]])
def test_a_further_token_keeps_its_place_where_it_has_a_role_too(tmp_path, further):
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<y>", "extra_special_tokens": further}
    folder = _write_ranks(tmp_path, "tiktoken", tokenizer_config=settings)
    theirs, ours = AutoTokenizer.from_pretrained(folder), open_tokenizer(_spec(folder, pattern=CUT))
    assert {number: ours.tokens[number].decode() for number in ours.added} == {
        number: token.content for number, token in theirs.added_tokens_decoder.items()
    }


@pytest.mark.parametrize("name", ["tokenizer.model", "tiktoken.model", "m.tiktoken"])
def test_a_tiktoken_folder_by_hand(tmp_path, name):
    """As Kimi's: the list's ids hold, what nobody names is reserved, blanks are white space."""
    folder = _write_ranks(tmp_path, "tiktoken")
    (folder / "tiktoken.model").rename(folder / name)
    bare = open_tokenizer(_spec(folder, pattern=CUT))
    digest = tokenizer_fingerprint(_spec(folder))
    listed = {258: _entry("[BOS]", special=True), 261: _entry("    "), 262: _entry("def main")}
    _write(folder, tokenizer_config={"added_tokens_decoder": listed, "eos_token": "[EOS]"})
    found = open_tokenizer(_spec(folder, pattern=CUT))
    reserved = (b"<|reserved_token_259|>", b"<|reserved_token_260|>")
    assert found.tokens == (*bare.tokens, b"[BOS]", *reserved, b"    ", b"def main", b"[EOS]")
    assert found.added == set(range(258, 264)) and found.merge_rank == bare.merge_rank
    assert found.encode("x    def main") == [ord("x"), 261, 262] and found.encode("[BOS]") == list(b"[BOS]")
    classes = vocabulary_table(found, keyword_union(load_languages().values()))["token_class"]
    assert classes[258:].tolist() == ["control"] * 3 + ["whitespace"] + ["control"] * 2
    assert tokenizer_fingerprint(_spec(folder)) != digest
    with pytest.raises(Unavailable, match="give the row a pattern"):
        open_tokenizer(_spec(folder)).encode("x")


def test_a_tekken_folder_by_hand(tmp_path):
    """Before its files named their control tokens they left placeholders, which the files beside it fill."""
    folder = _write_ranks(tmp_path, "tekken")
    same = {"added_tokens_decoder": {str(n): _entry(text, special=True) for n, text in enumerate(CONTROL)}}
    digest = tokenizer_fingerprint(_spec(folder))
    _write(folder, tokenizer_config=same)
    assert tokenizer_fingerprint(_spec(folder)) == digest  # which says nothing new
    named = open_tokenizer(_spec(folder))
    content = json.loads((folder / "tekken.json").read_text())
    del content["special_tokens"]
    (folder / "tekken.json").write_text(json.dumps(content))
    filled = open_tokenizer(_spec(folder))
    assert filled.tokens == named.tokens and filled.added == named.added == {0, 1, 2}
    (folder / "tokenizer_config.json").unlink()
    assert open_tokenizer(_spec(folder)).tokens[:3] == (b"<SPECIAL_0>", b"<SPECIAL_1>", b"<SPECIAL_2>")
    _write(folder, tokenizer_config={"added_tokens_decoder": {"261": _entry("\n\n")}})
    found = open_tokenizer(_spec(folder))
    assert found.encode("a\n\nb") == [3 + ord("a"), 261, 3 + ord("b")]
    table = vocabulary_table(found, keyword_union(load_languages().values()))
    assert table["token_class"][261] == "whitespace" and table["added"][261]


@pytest.mark.parametrize("kind", ["tiktoken", "tekken"])
def test_an_id_that_two_files_name_differently_is_one_line(tmp_path, kind):
    taken = {"tiktoken": 256, "tekken": 1}[kind]
    folder = _write_ranks(tmp_path, kind, tokenizer_config={"added_tokens_decoder": {str(taken): _entry("<other>")}})
    with pytest.raises(
        InputError, match=rf"id {taken} is .*'<other>' in tokenizer_config\.json.*of one model"
    ) as caught:
        open_tokenizer(_spec(folder))
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["tekken.json", "tiktoken.model", "tokenizer.model"])
def test_a_gguf_file_is_not_made_without_the_tokenizer_that_is_there(tmp_path, name):
    folder = save_tiny(tmp_path / "m")
    (folder / name).write_bytes(b"IQ== 0\n")
    with pytest.raises(InputError, match=rf"has {name} only; save it with transformers"):
        write_gguf(folder, tmp_path / "m.gguf", "F32")
