"""The zoo's corpus and tokenizer: pinned archives, documents that start where code starts, no leak, every keyword."""

import ast
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import ROOT
from compressed_code.registry.languages import keyword_union, load_languages, load_programs
from compressed_code.training_data import corpus
from compressed_code.training_data.corpus import (
    Document,
    build_corpus,
    corpus_digest,
    load_corpus,
    normalized,
)
from compressed_code.training_data.source_files import name_pattern, usable_text, without_licence
from compressed_code.training_data.sources import fetch_archive, load_sources
from compressed_code.training_data.splitting import LONGEST, split_file
from compressed_code.zoo import tokenizer


def held_out_files(documents) -> dict[str, int]:
    """Language → from how many files its held-out documents come."""
    files = {(document.language, document.source) for document in documents if document.split == "held-out"}
    return Counter(language for language, _ in files)


def python_file(number: int) -> str:
    steps = "    total += 1\n" * 30
    functions = "\n\n".join(
        f"def function_{number}_{index}(value):\n    total = value + {index}\n{steps}    return total\n"
        for index in range(4)
    )
    return f'"""Module {number}."""\n\nimport os\n\n\n{functions}'


def go_file(number: int) -> str:
    return f"package main\n\nfunc work{number}() int {{\n" + "\tcall()\n" * 30 + f"\treturn {number}\n}}\n"


def write_archive(path: Path, members: dict[str, str]) -> str:
    """Write a .whl or .tar.gz file; returns its sha256."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as wheel:
            for name, text in members.items():
                wheel.writestr(name, text)
    else:
        with tarfile.open(path, "w:gz") as tar:
            for name, text in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def small(tmp_path):
    """Two packages with Python and Go files, archives included; returns the arguments of `load_corpus`."""
    directory = tmp_path / "archives"
    directory.mkdir()
    first = {f"pkg/m{number:02}.py": python_file(number) for number in range(30)}
    second = {f"b-2/src/w{number:02}.go": go_file(number) for number in range(12)}
    second["b-2/src/copy.py"] = python_file(3)
    rows = {
        "a": {
            "version": "1",
            "file": "a-1-py3-none-any.whl",
            "sha256": write_archive(directory / "a-1-py3-none-any.whl", first),
            "licence": "MIT",
            "texts": {"python": {"include": ["pkg/*.py"], "limit": 10**6}},
        },
        "b": {
            "version": "2",
            "file": "b-2.tar.gz",
            "sha256": write_archive(directory / "b-2.tar.gz", second),
            "licence": "MIT",
            "texts": {
                "go": {"include": ["b-2/**/*.go"], "limit": 10**6},
                "python": {"include": ["b-2/**/*.py"], "limit": 10**6},
            },
        },
    }
    path = tmp_path / "corpus.yml"
    path.write_text(yaml.safe_dump(rows))
    for name in ("benchmarks", "programs"):
        (tmp_path / name).mkdir()
    return {
        "directory": directory,
        "path": path,
        "benchmarks": tmp_path / "benchmarks",
        "programs": tmp_path / "programs",
    }


@pytest.fixture(scope="module")
def real() -> list[Document]:
    try:
        return load_corpus()
    except Unavailable as gap:
        pytest.skip(str(gap))


# --- rows and archives


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("licence: MIT", "licence: MIT\n  colour: red", "a.colour: unknown field"),
        ("version: '1'", "version: 1", "a.version: must be text; quote it"),
        ("limit: 1000000", "limit: 0", "a.texts.python.limit:"),
        ("      - pkg/*.py", "        pkg/*.py", "a.texts.python.include: must be a list of patterns"),
        ("file: a-1-py3-none-any.whl", "file: a-1.zip", "a.file: must be the name of"),
        ("file: a-1-py3-none-any.whl", "file: ../a-1.whl", "a.file: must be the name of"),
        ("sha256: ", "sha256: x", "a.sha256: must be a sha256"),
        ("    python:", "    perl:", "a.texts.perl: unknown language"),
    ],
)
def test_a_bad_row_stops_with_one_line(small, old, new, place):
    path = small["path"]
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as stop:
        load_sources(path)
    assert str(stop.value).startswith(f"{path}: {place}")
    assert "\n" not in str(stop.value)


def test_an_archive_put_there_by_hand_serves_without_a_network(small, package_index):
    package_index("a", {}).stop()
    source = load_sources(small["path"])["a"]
    assert fetch_archive(source, small["directory"]) == small["directory"] / source.file


def test_an_altered_archive_is_fetched_anew(small, package_index):
    source = load_sources(small["path"])["a"]
    path = small["directory"] / source.file
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"?")
    package_index("a", {source.file: good})
    assert fetch_archive(source, small["directory"]).read_bytes() == good


def test_a_download_with_another_hash_is_not_kept(small, package_index, tmp_path):
    source = load_sources(small["path"])["a"]
    package_index("a", {source.file: b"something else"})
    with pytest.raises(Unavailable, match=r"^a-1-py3-none-any\.whl: sha256 is .* it was not used$"):
        fetch_archive(source, tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


def test_an_archive_that_cannot_be_had_is_named_with_its_remedy(small, package_index, tmp_path):
    package_index("a", {})
    with pytest.raises(Unavailable, match=r"^a-1-py3-none-any\.whl: .*put the file there by hand as") as stop:
        fetch_archive(load_sources(small["path"])["a"], tmp_path / "empty")
    assert "\n" not in str(stop.value)


def test_an_archive_that_is_no_archive_is_named(small):
    row = load_sources(small["path"])["a"]
    path = small["directory"] / row.file
    path.write_bytes(b"PK broken")
    broken = row.model_copy(update={"sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    with pytest.raises(InputError, match="cannot be read"):
        build_corpus({"a": broken}, small["directory"])


def test_our_own_rows_are_sound():
    rows = load_sources()
    assert {language for row in rows.values() for language in row.texts} == set(load_languages())
    assert len({row.file for row in rows.values()}) == len(rows)
    assert not any("gpl" in row.licence.lower() for row in rows.values())


# --- files


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a/*.py", "a/b.py", "a/b/c.py"),
        ("a/**/*.py", "a/c.py", "b/c.py"),
        ("a/**/*.py", "a/b/d/c.py", "a/b/c.pyc"),
        ("a/**", "a/b/c", "ab"),
        ("{a,b}/x.{c,h}", "b/x.h", "c/x.h"),
        ("a+b/x.c", "a+b/x.c", "aab/x.c"),
    ],
)
def test_patterns(pattern, matching, other):
    assert name_pattern(pattern).fullmatch(matching)
    assert not name_pattern(pattern).fullmatch(other)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("c", "/* Copyright 2020 */\n\n#include <a.h>\n", "#include <a.h>\n"),
        ("c", "/* Sorts. */\nint x; /* licence */\n", "/* Sorts. */\nint x; /* licence */\n"),
        (
            "go",
            "// Copyright X.\n// Licensed so.\n\n// Package a does b.\npackage a\n",
            "// Package a does b.\npackage a\n",
        ),
        ("c", "#ifndef A_H\n#define A_H\n\n/* Copyright X */\nint x;\n", "#ifndef A_H\n#define A_H\n\nint x;\n"),
        ("python", "#!/usr/bin/env python\n# License: MIT\n\nimport os\n", "#!/usr/bin/env python\nimport os\n"),
        ("python", "# Made by X\n# Copyright X\n\n# SPDX-License-Identifier: MIT\nx = 1\n", "x = 1\n"),
        ("php", "<?php\n/**\n * @license MIT\n */\nnamespace A;\n", "<?php\nnamespace A;\n"),
        ("rust", "#![allow(licence)]\nfn main() {}\n", "#![allow(licence)]\nfn main() {}\n"),
    ],
)
def test_a_licence_header_goes_and_nothing_else(language, text, expected):
    assert without_licence(text, language) == expected


GOOD_C = "#include <stdio.h>\n\n" + "int add(int left, int right) {\n    return left + right;\n}\n\n" * 4


def test_ordinary_text_is_kept():
    assert usable_text(GOOD_C.replace("\n", "\r\n").encode(), "c") == GOOD_C.rstrip("\n") + "\n"


@pytest.mark.parametrize(
    ("language", "content"),
    [
        ("c", b"int x;\n"),
        ("c", (GOOD_C + "\0").encode()),
        ("c", GOOD_C.encode() + b"\xff\xfe"),
        ("c", (GOOD_C + "x" * 300 + "\n").encode()),
        ("c", ("int aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;\n" * 20).encode()),
        ("c", ("// Code generated by a tool. DO NOT EDIT.\n" + GOOD_C).encode()),
        ("c", (GOOD_C + "漢字" * 400).encode()),
        ("c", (GOOD_C * 500).encode()),
        ("c", (GOOD_C + "template <typename T> void f(T x);\n").encode()),
        ("react", GOOD_C.encode()),
    ],
)
def test_machine_made_and_misplaced_text_is_refused(language, content):
    assert usable_text(content, language) is None


# --- documents

LONG_BODY = "".join(f"        call({number}); // a line of the body\n" for number in range(30))
JAVA = f"""package a;

import java.util.List;

/** A class. */
public class Big {{

    /** First. */
    public void first() {{
{LONG_BODY}
        if (ready) {{
{LONG_BODY}        }}
    }}

    /** Second. */
    @Override
    public int second() {{
{LONG_BODY}    }}

    private int third() {{
        return 3; // {"third " * 40}
    }}
}}
"""


def test_a_long_class_is_cut_into_its_members():
    documents = split_file(JAVA, "java")
    starts = [document.splitlines()[0] for document in documents]
    assert starts == ["package a;", "/** Second. */", "private int third() {"]
    assert JAVA.startswith(documents[0].rstrip("\n"))
    assert documents[1].endswith("}\n")
    assert documents[2].splitlines()[-1] == "}"


def test_a_long_function_is_cut_and_never_continued():
    body = "".join(f"    step({number});\n\n" for number in range(200))
    long_one = f"int long_one(void) {{\n{body}}}\n"
    short_one = f"int short_one(void) {{\n    return {'1 + ' * 60}1;\n}}\n"
    text = f"#include <a.h>\n\n{long_one}\n{short_one}"
    documents = split_file(text, "c")
    assert [document.splitlines()[0] for document in documents] == ["#include <a.h>", "int short_one(void) {"]
    assert LONGEST - 20 <= len(documents[0]) <= LONGEST


def test_python_is_cut_at_its_statements():
    text = (
        python_file(7) + "\n\nX = 1\n\n\n# About the class.\n@decorated\nclass Small:\n" + "    field = 'value'\n" * 20
    )
    documents = split_file(text, "python")
    assert documents[0].startswith('"""Module 7."""\n\nimport os\n')
    assert documents[-1].startswith("X = 1\n\n\n# About the class.\n@decorated\nclass Small:")
    assert all(ast.parse(document) for document in documents)
    assert "".join(documents).split() == text.split()


def test_a_form_feed_ends_no_line():
    text = "import os\n\f\n" + "".join(f"def f{number}():\n    return {'1 + ' * 60}1\n\n\n" for number in range(9))
    assert all(ast.parse(document) for document in split_file(text, "python"))


def test_python_that_does_not_parse_gives_nothing():
    assert split_file("def broken(:\n    pass\n", "python") == []


def test_text_inside_comments_and_backticks_starts_nothing():
    filler = "const a = 1;\n" * 60
    text = f"{filler}\n/*\n\nconst inComment = 1;\n\n*/\n{filler}\nconst t = `\n\nconst inString = 1;\n\n`;\n{filler}"
    starts = [document.splitlines()[0] for document in split_file(text, "javascript")]
    assert not {"const inComment = 1;", "const inString = 1;"} & set(starts)


@pytest.mark.parametrize("language", load_languages().values(), ids=lambda language: language.key)
def test_documents_of_real_programs(language):
    for text in load_programs(language).values():
        cleaned = usable_text(text.encode(), language.key) or text
        documents = split_file(cleaned, language.key)
        lines = {line.strip() for line in cleaned.splitlines()}
        assert cleaned.startswith(documents[0].rstrip("\n"))
        for document in documents:
            assert 0 < len(document) <= LONGEST
            assert document.endswith("\n")
            assert document == document.strip("\n") + "\n"
            assert not document[0].isspace()
            assert {line.strip() for line in document.splitlines()} <= lines


def test_our_own_modules_give_documents_that_start_at_definitions():
    for path in sorted((ROOT / "src").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        documents = split_file(text, "python")
        assert text.startswith(documents[0].rstrip("\n"))
        for document in documents[1:]:
            first_code = next(line for line in document.splitlines() if line and not line.startswith("#"))
            assert (
                first_code.startswith(("def ", "class ", "@", "if ", "from ", "import ", '"""'))
                or "=" in first_code
                or ":" in first_code
            )


# --- the corpus


def test_files_stay_on_one_side_and_both_sides_have_every_language(small):
    documents = load_corpus(**small)
    sides = {}
    for document in documents:
        sides.setdefault(document.source, set()).add(document.split)
    assert all(len(side) == 1 for side in sides.values())
    assert all(files >= 2 for files in held_out_files(documents).values())


def test_a_copied_file_counts_once(small):
    documents = load_corpus(**small)
    texts = [normalized(document.text) for document in documents]
    assert len(texts) == len(set(texts))
    assert sum("function_3_2" in text for text in texts) == 1


def test_the_first_document_of_a_file_is_its_opening(small):
    documents = load_corpus(**small)
    seen = set()
    for document in documents:
        assert document.opening == (document.source not in seen)
        seen.add(document.source)


def test_the_order_of_rows_does_not_matter(small):
    rows = load_sources(small["path"])
    turned = dict(reversed(list(rows.items())))
    assert build_corpus(rows, small["directory"]) == build_corpus(turned, small["directory"])


def test_the_limit_holds(small):
    rows = load_sources(small["path"])
    narrow = rows["a"].texts["python"].model_copy(update={"limit": 6_000})
    documents = build_corpus({"a": rows["a"].model_copy(update={"texts": {"python": narrow}})}, small["directory"])
    assert 2_000 < sum(len(document.text.encode()) for document in documents) <= 6_000


def test_benchmark_prompts_and_parallel_programs_stay_out(small):
    whole = load_corpus(**small)
    prompt = "def function_5_1(value):\n    total = value + 1\n"
    (small["benchmarks"] / "tasks.jsonl").write_text(json.dumps({"prompt": prompt}) + "\n")
    (small["programs"] / "go").mkdir()
    (small["programs"] / "go" / "work.go").write_text(go_file(4))
    rest = load_corpus(**small)
    gone = [document.text for document in whole if document not in rest]
    assert len(gone) == 2
    assert any(normalized(prompt) in normalized(text) for text in gone)
    assert any("work4" in text for text in gone)


def test_a_broken_benchmark_file_is_named(small):
    (small["benchmarks"] / "tasks.jsonl").write_text('{"prompt": "def f():"}\n{"promt": 1}\n')
    with pytest.raises(InputError, match=r"tasks\.jsonl, line 2: "):
        load_corpus(**small)


def test_the_corpus_is_built_once(small, monkeypatch):
    first = load_corpus(**small)
    monkeypatch.setattr(corpus, "build_corpus", lambda *_: pytest.fail("must not build again"))
    again = load_corpus(**small)
    assert again == first
    assert corpus_digest(again) == corpus_digest(first)


def test_a_damaged_table_is_built_again(small, capsys):
    first = load_corpus(**small)
    (table,) = (small["directory"] / "documents").glob("*.parquet")
    table.write_bytes(table.read_bytes()[:-9] + b"x" * 9)
    assert load_corpus(**small) == first
    assert table.name in capsys.readouterr().err


def test_the_digest_sees_every_field():
    document = Document("c", "int x;\n", "a 1: x.c", "train", True)
    others = [
        Document("cpp", "int x;\n", "a 1: x.c", "train", True),
        Document("c", "int y;\n", "a 1: x.c", "train", True),
        Document("c", "int x;\n", "a 1: y.c", "train", True),
        Document("c", "int x;\n", "a 1: x.c", "held-out", True),
        Document("c", "int x;\n", "a 1: x.c", "train", False),
    ]
    assert len({corpus_digest([each]) for each in [document, *others]}) == 6


@pytest.mark.slow
@pytest.mark.long
def test_the_real_corpus_is_the_pinned_one(real):
    assert corpus_digest(real) == "08fc87b8d69d2d254176d1b81aafb7d87ec7de3f56534f53eff528f24598b000"
    held_out = held_out_files(real)
    assert set(held_out) == set(load_languages()) and min(held_out.values()) >= 2
    size = Counter()
    for document in real:
        size[document.language] += len(document.text.encode()) if document.split == "train" else 0
    php = size.pop("php")
    assert size["python"] > 2_000_000 and min(size.values()) > 350_000
    assert 20_000 < php < 60_000  # all there is


@pytest.mark.slow
@pytest.mark.long
def test_the_real_corpus_leaks_nothing(real):
    training = b"\n".join(normalized(document.text).encode() for document in real if document.split == "train")
    for path in sorted(corpus.BENCHMARKS_DIRECTORY.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert normalized(json.loads(line)["prompt"]).encode() not in training
    for language in load_languages().values():
        for program in load_programs(language).values():
            assert normalized(program)[:300].encode() not in training
    held_out = [normalized(document.text).encode() for document in real if document.split == "held-out"]
    assert not any(text in training for text in held_out)


@pytest.mark.slow
@pytest.mark.long
def test_no_public_benchmark_is_in_the_real_corpus(real, shared_data):
    everything = b"\n".join(normalized(document.text).encode() for document in real)
    paths = sorted(shared_data.rglob("human*/**/*.jsonl.gz"))
    tasks = [json.loads(line) for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert len(tasks) >= 164
    for task in tasks:
        assert normalized(task["prompt"]).encode() not in everything
        solution = normalized(task["canonical_solution"])
        assert len(solution) < 100 or solution.encode() not in everything


@pytest.mark.slow
@pytest.mark.long
def test_the_real_documents_are_well_formed(real):
    for document in real:
        assert len(document.text) <= LONGEST
        assert document.text == document.text.strip("\n") + "\n"
        if document.opening:
            assert without_licence(document.text, document.language) == document.text


# --- the tokenizer

SAMPLE = [
    Document(language, text, "x", split, True)
    for language, text, split in [
        ("python", "def main():\n    for item in items:\n        return item + 12\n" * 5, "train"),
        ("cpp", "int main() {\n\tauto x = static_cast<int>(y);\n\treturn x and_eq 1;\n}\n" * 5, "train"),
        ("react", "const [x, setX] = useState(1);\nuseEffect(() => {}, []);\n" * 5, "train"),
        ("ruby", "def a\n  defined?(x) ? 1 : 2\nend\n" * 5, "train"),
        ("python", "zyxzyxzyxzyx = zyxzyx\n" * 500, "held-out"),
    ]
]


@pytest.fixture(scope="module")
def languages():
    return list(load_languages().values())


@pytest.fixture(scope="module")
def trained(languages):
    return tokenizer.train_tokenizer(SAMPLE, ["def add(a, b):\n    return a + b\n"] * 20, languages, 1700)


def test_training_twice_gives_the_same_bytes(trained, languages, tmp_path):
    turned = tokenizer.train_tokenizer(SAMPLE[::-1], ["def add(a, b):\n    return a + b\n"] * 20, languages[::-1], 1700)
    for name, each in {"one": trained, "two": turned}.items():
        tokenizer.save_tokenizer(each, tmp_path / name, longest=256)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["tokenizer.json", "tokenizer_config.json"]


def test_every_keyword_is_one_token_in_both_forms(trained, languages):
    assert tokenizer.missing_keywords(trained, languages).empty
    for before, word in [("(", "return"), ("\n", "static_cast"), ("\t", "for"), ("  ", "useEffect"), ("=", "defined?")]:
        assert word in [token.lstrip("Ġ") for token in trained.encode(before + word).tokens]


def test_missing_keywords_are_reported(languages):
    bare = tokenizer.train_tokenizer(SAMPLE, [], [], 300)
    missing = tokenizer.missing_keywords(bare, languages)
    assert list(missing.columns) == ["language", "form", "keyword"]
    assert set(missing["keyword"]) > {"static_cast", "char16_t", "useState"}
    assert len(missing) == len(missing.drop_duplicates())
    assert "_" not in set(missing.loc[missing["form"] == "bare", "keyword"])


def test_held_out_text_is_not_seen(trained):
    assert len(trained.encode("zyxzyx", add_special_tokens=False).ids) > 2


def test_digits_stand_alone(trained):
    assert trained.encode("12 char16_t x16", add_special_tokens=False).tokens[:2] == ["1", "2"]
    assert trained.encode("x16", add_special_tokens=False).tokens[-2:] == ["1", "6"]


@given(st.text(max_size=80) | st.text(alphabet="ab_1 \t\n\r.({é漢😀?", max_size=80))
def test_any_text_comes_back(trained, text):
    assert trained.decode(trained.encode(text, add_special_tokens=False).ids, skip_special_tokens=False) == text


@pytest.mark.slow  # imports transformers
def test_the_folder_loads_with_plain_transformers(trained, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_tokenizer(trained, tmp_path, longest=256)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert (loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id) == (0, 1, 2)
    assert (loaded.bos_token, loaded.eos_token, loaded.pad_token) == tokenizer.SPECIAL_TOKENS
    assert loaded.model_max_length == 256
    assert len(loaded) == trained.get_vocab_size()
    text = "def main():\n    return x  # größe\n"
    assert loaded(text)["input_ids"] == [0, *trained.encode(text, add_special_tokens=False).ids]
    assert loaded.decode(loaded(text)["input_ids"], skip_special_tokens=True) == text


def test_a_vocabulary_without_room_for_the_bytes_is_refused(languages):
    with pytest.raises(InputError, match="vocabulary size 200: must be at least 259"):
        tokenizer.train_tokenizer(SAMPLE, [], languages, 200)


def test_the_sample_is_balanced():
    documents = [Document("python", f"p{number:05}" * 100 + "\n", "x", "train", True) for number in range(2000)]
    documents += [Document("go", f"g{number:05}" * 100 + "\n", "x", "train", True) for number in range(2000)]
    documents += [Document("php", f"h{number:05}" * 100 + "\n", "x", "train", True) for number in range(10)]
    sizes = {"p": 0, "g": 0, "h": 0}
    for text in tokenizer.balanced_sample(documents):
        sizes[text[0]] += len(text)
    assert sizes["p"] == pytest.approx(2 * tokenizer.LANGUAGE_BYTES, rel=0.01)
    assert sizes["g"] == pytest.approx(tokenizer.LANGUAGE_BYTES, rel=0.01)
    assert sizes["h"] == tokenizer.MOST_REPEATS * 10 * 601


@pytest.mark.slow
@pytest.mark.long
def test_the_real_tokenizer_has_every_keyword(real, languages):
    trained = tokenizer.train_tokenizer(real, [], languages)
    assert trained.get_vocab_size() == tokenizer.VOCABULARY_SIZE
    assert tokenizer.missing_keywords(trained, languages).empty
    held_out = [document.text for document in real if document.split == "held-out"]
    assert tokenizer.characters_per_token(trained, held_out) > 2.3
    assert len(keyword_union(languages)) > 300
