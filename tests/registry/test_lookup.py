"""The registry refuses bad rows with one line that names file, row and field."""

import os

import pytest
import yaml

from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT
from compressed_code.registry.languages import load_languages, select_languages
from compressed_code.registry.lookup import find_model, find_tokenizer, load_registry, model_labels, tokenizer_labels

GOOD = """
tokenizers:
  tiny:
    label: Tiny
    path: somewhere/tokenizer.json
models:
  base:
    label: Base
    hub: owner/base
    revision: "123456"
    tokenizer: tiny
  candidate:
    label: Child
    path: build/candidate
    base_model: base
    relation: quantized
"""


def load(tmp_path, text):
    path = tmp_path / "models.yml"
    path.write_text(text)
    return load_registry(path)


def test_a_good_file_is_read(tmp_path):
    registry = load(tmp_path, GOOD)
    assert registry.models["base"].revision == "123456"
    assert registry.models["candidate"].base_model == "base"
    assert registry.tokenizers["tiny"].location == ROOT / "somewhere/tokenizer.json"


@pytest.mark.parametrize(
    ("old", "new", "row_and_field"),
    [
        ("label: Base", "label: Base\n    colour: red", "models.base.colour: unknown field"),
        ('"123456"', "123456", "models.base.revision: must be text; quote it"),
        ("    label: Base\n", "", "models.base.label: required field is missing"),
        ("base_model: base", "base_model: nobody", "models.candidate.base_model: 'nobody' is not a model row"),
        ("tokenizer: tiny", "tokenizer: huge", "models.base.tokenizer: 'huge' is not a tokenizer row"),
        ("relation: quantized", "relation: crushed", "models.candidate.relation:"),
        ("    relation: quantized\n", "", "models.candidate: base_model and relation go together"),
        (
            "path: build/candidate",
            "path: build/candidate\n    hub: owner/x",
            "models.candidate: must name exactly one source",
        ),
        ("hub: owner/base", "hub: base", "models.base.hub: must be OWNER/NAME"),
        ("  candidate:", "  base:", "line 12: duplicate key 'base'"),
        ("tokenizers:", "tokenisers:", "tokenisers: unknown part"),
        ("label: Base", "label: Base\n    5: 3", "models.base.5: unknown field"),
        ("label: Base", "label: ''", "models.base.label"),
        ("label: Tiny", "label: Tiny\n    entries: 0", "tokenizers.tiny.entries"),
        ("label: Tiny", "label: Tiny\n    pattern: '('", "tokenizers.tiny.pattern: no regular expression"),
        ("label: Tiny", "label: Tiny\n    special_tokens: ['<{5..1}>']", "tokenizers.tiny.special_tokens"),
        (
            "tokenizer: tiny",
            "tokenizer: tiny\n    base_model: candidate\n    relation: distilled",
            "models.base.base_model: cycle",
        ),
    ],
)
def test_a_bad_row_stops_with_one_line(tmp_path, old, new, row_and_field):
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    message = str(caught.value)
    assert row_and_field in message
    assert str(tmp_path / "models.yml") in message
    assert "\n" not in message


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_registry(tmp_path / "absent.yml")
    with pytest.raises(InputError, match="line 3"):
        load(tmp_path, "models:\n  - [unclosed\n")
    with pytest.raises(InputError, match="must hold named rows"):
        load(tmp_path, "- a\n- b\n")


def test_a_model_or_tokenizer_can_be_named_ad_hoc(tmp_path):
    registry = load_registry()
    assert find_tokenizer("qwen2.5", registry).wheel.package == "dashscope"
    assert find_tokenizer(str(tmp_path), registry).path == str(tmp_path)
    hub = find_model("owner/name@refs/pr/1", registry)
    assert (hub.hub, hub.revision) == ("owner/name", "refs/pr/1")
    assert find_model("owner/name", registry).revision is None
    for wrong in ("no/such/tokenizer.json", "missing.json", "qwen9", "a/b/c", "./x/y"):
        with pytest.raises(InputError, match="no such file or folder"):
            find_tokenizer(wrong, registry)


def test_a_name_that_is_no_text_is_one_line(tmp_path):
    folder = tmp_path / os.fsdecode(b"mod\xe9le")
    folder.mkdir()
    for find in (find_model, find_tokenizer):
        with pytest.raises(InputError, match="no text in UTF-8, which tables need; rename it"):
            find(str(folder), load_registry())


def test_a_model_s_key_names_its_tokenizer(tmp_path):
    """Wherever a tokenizer is asked for: its row's, or the files beside its weights."""
    registry = load_registry()
    assert find_tokenizer("zoo-xs", registry) is registry.tokenizers["zoo"]
    assert find_tokenizer("smollm2-135m-instruct", registry) is registry.tokenizers["smollm2"]
    text = GOOD.replace("    tokenizer: tiny\n", "").replace("path: build/candidate", f"path: {tmp_path}")
    own = load(tmp_path, text)
    assert find_tokenizer("base", own).hub == "owner/base" and find_tokenizer("base", own).revision == "123456"
    assert find_tokenizer("candidate", own).path == str(tmp_path)


def test_every_committed_model_has_a_committed_tokenizer_and_all_fourteen_gguf_levels_are_there():
    registry = load_registry()
    levels = [model for model in registry.models.values() if model.relation == "quantized" and model.file]
    assert len([model for model in levels if "GGUF" in model.hub]) == 14
    assert all(model.tokenizer in registry.tokenizers for model in levels)


def test_special_token_ranges_expand():
    tokens = load_registry().tokenizers["llama-3.1"].special_tokens
    assert len(tokens) == len(set(tokens)) == 256
    assert tokens[11] == "<|reserved_special_token_3|>"
    assert tokens[-1] == "<|reserved_special_token_247|>"


def test_keyword_lists_are_the_twelve_languages_of_the_paper():
    languages = load_languages()
    assert len(languages) == 12
    assert all(language.source and language.edition for language in languages.values())
    # Counts of the specifications the lists name; Python's is the running interpreter's own.
    import keyword

    assert set(languages["python"].keywords) == set(keyword.kwlist)
    counts = {"java": 51, "go": 25, "javascript": 46, "cpp": 92, "ruby": 41, "c": 44, "csharp": 77, "rust": 51}
    assert {key: len(languages[key].keywords) for key in counts} == counts


def test_keyword_lists_agree_with_an_independent_collection(shared_data):
    theirs = yaml.safe_load((shared_data / "keywords.json").read_text())
    languages = load_languages()
    for key in ("python", "java", "go", "javascript", "cpp", "ruby", "c", "csharp", "rust"):
        assert set(languages[key].keywords) == set(map(str, theirs[key]["keywords"])), key
    assert set(languages["php"].keywords) == set(theirs["php"]["keywords"]) - {"yield from"}
    newer = set(languages["typescript"].keywords) - set(theirs["typescript"]["keywords"])
    assert newer == {"accessor", "assert", "asserts", "defer", "intrinsic", "out", "override", "satisfies", "using"}


@pytest.mark.parametrize("field", ["keywords: a b a", "keywords: ''", "keywords: [a, b]"])
def test_a_bad_keyword_list_is_refused(tmp_path, field):
    path = tmp_path / "keywords.yml"
    path.write_text(f"x:\n  label: X\n  source: s\n  edition: e\n  extension: .x\n  lexer: python\n  {field}\n")
    with pytest.raises(InputError, match=r"x\.keywords"):
        load_languages(path)


def test_unknown_languages_are_named():
    with pytest.raises(InputError, match="'cobol'"):
        select_languages(["python", "cobol"])


def test_two_folders_of_one_name_are_told_apart(tmp_path):
    folders = [tmp_path / base / "mine" for base in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
    names, registry = [*map(str, folders), "zoo-xs"], load_registry()
    assert model_labels(names, registry) == {names[0]: names[0], names[1]: names[1], "zoo-xs": "Zoo XS"}
    assert model_labels(names[1:], registry) == {names[1]: "mine", "zoo-xs": "Zoo XS"}
    assert tokenizer_labels([*names[:2], "zoo"], registry) == {names[0]: names[0], names[1]: names[1], "zoo": "Zoo"}
