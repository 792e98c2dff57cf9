"""The command line: what a user sees, and one clear line for what is wrong."""

import csv
import io
import json
import subprocess
import sys

import pytest

from compressed_code.__main__ import main
from compressed_code.quantization.gguf import write_gguf
from helpers.__main__ import _parameters
from helpers.__main__ import main as notebooks_main
from tiny_models import save_tiny, save_tokenizer


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_coverage_as_csv(capsys, tokenizer_json):
    code, out, _ = run(capsys, "coverage", str(tokenizer_json), "--language", "python", "go", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert list(rows[0]) == ["tokenizer", "language", "form", "covered", "total", "missing"]
    assert [(row["language"], row["form"]) for row in rows] == [
        (language, form) for language in ("python", "go") for form in ("bare", "space", "newline", "tab")
    ]
    for row in rows:
        assert int(row["covered"]) + len(row["missing"].split()) == int(row["total"])
    python = {row["form"]: row for row in rows if row["language"] == "python"}
    assert "def" not in python["bare"]["missing"].split()


def test_coverage_as_json_and_table(capsys, tokenizer_json):
    arguments = ["coverage", str(tokenizer_json), "--language", "python", "--form", "bare"]
    (row,) = json.loads(run(capsys, *arguments, "--format", "json")[1])
    assert row["tokenizer"] == str(tokenizer_json)
    assert row["covered"] == row["total"] - len(row["missing"]) and isinstance(row["missing"], list)
    assert "python" in run(capsys, *arguments)[1]


def test_coverage_equals_a_lookup_in_the_published_vocabulary(capsys, open_packaged, shared_data):
    import gzip

    from compressed_code.registry.languages import load_languages

    open_packaged("qwen2.5")
    text = gzip.decompress((shared_data / "tokenizers" / "qwen2.5" / "tokenizer.json.gz").read_bytes())
    vocab = json.loads(text)["model"]["vocab"]
    rows = json.loads(run(capsys, "coverage", "qwen2.5", "--format", "json")[1])
    lead = {"bare": "", "space": "Ġ", "newline": "Ċ", "tab": "ĉ"}
    for row in rows:
        words = load_languages()[row["language"]].keywords
        assert row["missing"] == sorted(word for word in words if lead[row["form"]] + word not in vocab)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file"),
        (b'{"a": ', "broken JSON"),
        (b"# a readme\n", "no tokenizer"),
        (b"\x00" * 50, "no tokenizer"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, tmp_path, content, problem):
    path = tmp_path / "thing.json"
    if content is not None:
        path.write_bytes(content)
    code, out, err = run(capsys, "coverage", str(path))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and problem in err and str(path) in err


def test_a_vocabulary_that_a_download_cut_short_is_one_line(capsys, tmp_path, byte_level_tokenizer):
    """Wherever it ends: before, within and behind the lists of pieces, types and merges, or among the weights."""
    folder = save_tokenizer(save_tiny(tmp_path / "m", vocab_size=420), byte_level_tokenizer, eos_token="<|end|>")
    path = tmp_path / "m.gguf"
    write_gguf(folder, path, "F32")
    content = path.read_bytes()
    capsys.readouterr()
    for length in [4, *(len(content) * part // 40 for part in range(1, 40))]:
        path.write_bytes(content[:length])
        code, out, err = run(capsys, "coverage", str(path))
        assert (code, out, err.count("\n")) == (2, "", 1), length
        assert str(path) in err and "truncated" in err and "fetch or write it again" in err


@pytest.mark.slow
def test_a_hub_id_that_cannot_be_had_is_one_line(capsys):
    code, out, err = run(capsys, "coverage", "no-such-owner/no-such-model")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "no-such-owner/no-such-model" in err


def test_unknown_languages_and_options_exit_with_2(capsys, tokenizer_json):
    code, _, err = run(capsys, "coverage", str(tokenizer_json), "--language", "cobol")
    assert code == 2 and "'cobol'" in err
    with pytest.raises(SystemExit) as caught:
        main(["coverage", str(tokenizer_json), "--form", "upper"])
    assert caught.value.code == 2


def test_bad_parameters_of_a_run_exit_with_2(capsys, tmp_path):
    assert notebooks_main(["run", str(tmp_path / "absent.ipynb"), str(tmp_path / "out.ipynb")]) == 2
    with pytest.raises(SystemExit) as caught:
        notebooks_main(["run", "a.ipynb", "b.ipynb", "--parameters", "no-equals-sign"])
    assert caught.value.code == 2


def test_parameters_are_python_literals_with_blanks():
    text = "tokenizers=['a', 'b=c'] seed=1 figures='../build/custom' name=plain text  seed=2"
    assert _parameters(text) == {
        "tokenizers": ["a", "b=c"],
        "seed": 2,
        "figures": "../build/custom",
        "name": "plain text",
    }


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-that-name/x.json", ""])
def test_odd_names_are_one_line(capsys, name):
    code, out, err = run(capsys, "coverage", name)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_full_disk_is_one_line(tokenizer_json):
    command = f"{sys.executable} -m compressed_code coverage {tokenizer_json} --format csv > /dev/full"
    finished = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert finished.returncode == 2 and finished.stderr.count("\n") == 1 and "No space left" in finished.stderr


def test_a_tokenizer_named_twice_is_shown_once(capsys, tokenizer_json):
    name = str(tokenizer_json)
    out = run(capsys, "coverage", name, name, "--language", "go", "--form", "bare", "bare", "--format", "csv")[1]
    assert out.count("\n") == 2


INTERRUPTED_IMPORT = """
import sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
from compressed_code.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("torch", "generate", "zoo-xs", "--benchmark", "zoo-standard", "--out", "samples.jsonl"),
        ("pandas", "cold-start", "zoo-xs"),
        ("torch", "fidelity", "zoo-xs", "zoo-xs"),
    ],
)
def test_an_interruption_while_libraries_load_is_one_line(tmp_path, arguments):
    """The first seconds of a command are mostly imports."""
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (finished.returncode, finished.stdout) == (130, "")
    assert finished.stderr == f"compressed-code {arguments[1]}: interrupted\n" and not list(tmp_path.iterdir())


def test_an_interruption_before_the_command_is_known_is_one_line(tmp_path):
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, "compressed_code.tokenizers.vocabulary", "score", "--help"]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (finished.returncode, finished.stdout, finished.stderr) == (130, "", "compressed-code: interrupted\n")


def test_arguments_that_are_refused_move_no_terminal(capsys):
    with pytest.raises(SystemExit):
        main(["score", "--benchmark", "zoo", "--samples", "some.jsonl", "other\x1b[2J.jsonl"])
    assert r"unrecognized arguments: other\x1b[2J.jsonl" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error(tokenizer_json):
    command = f"{sys.executable} -m compressed_code coverage {tokenizer_json} --format csv | head -n 1"
    finished = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert finished.stdout.startswith("tokenizer,") and finished.stderr == ""
