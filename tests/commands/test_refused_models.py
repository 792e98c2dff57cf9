"""A model that is broken, incomplete, unsupported or none: four messages, one line each, from every command."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from compressed_code.__main__ import main
from compressed_code.quantization.gguf import write_gguf
from tiny_models import save_tiny, save_tokenizer, set_config

PROGRAM = "def main():\n    for item in items:\n        return item + 1\n"
TASK = (
    '{"task_id": "t/0", "prompt": "def f(x):\\n", "entry_point": "f", "canonical_solution": "    return x\\n",'
    ' "test": "def check(f):\\n    assert f(1) == 1\\n"}\n'
)
# What tells the four apart, each with what to do.
SAID = {
    "broken": r"(truncated|broken|empty).*; fetch or write it again",
    "incomplete": r"is missing.*; fetch (the whole checkpoint|all parts)",
    "unsupported": r"is not supported.*(use|save) the (original )?model",
    "no model": r"no model: .*; name",
}


def _half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _truncated_folder(whole: Path, folder: Path) -> Path:
    shutil.copytree(whole, folder)
    _half(folder / "model.safetensors")
    return folder


def _empty_file(whole: Path, folder: Path) -> Path:
    shutil.copytree(whole, folder)
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def _gguf(whole: Path, folder: Path) -> Path:
    folder.mkdir()
    write_gguf(whole, folder / "m.gguf", "F32")
    return folder / "m.gguf"


def _truncated_gguf(whole: Path, folder: Path) -> Path:
    path = _gguf(whole, folder)
    _half(path)
    return path


def _missing_shard(whole: Path, folder: Path) -> Path:
    save_tiny(folder, shards="40KB", **SIZES)
    shutil.copy(whole / "tokenizer.json", folder)
    sorted(folder.glob("*.safetensors"))[-1].unlink()
    return folder


def _missing_first_part(whole: Path, folder: Path) -> Path:
    path = _gguf(whole, folder)
    return path.rename(folder / "m-00002-of-00003.gguf")


def _unknown_quantization(whole: Path, folder: Path) -> Path:
    shutil.copytree(whole, folder)
    return set_config(folder, quantization_config={"quant_method": "quanto"})


def _unknown_architecture(whole: Path, folder: Path) -> Path:
    path = _gguf(whole, folder)
    content = path.read_bytes()
    place = content.index(b"llama", content.index(b"general.architecture"))
    path.write_bytes(content[:place] + b"mamba" + content[place + 5 :])
    return path


def _texts_only(_: Path, folder: Path) -> Path:
    folder.mkdir()
    (folder / "README.md").write_text("# A model\n")
    return folder


def _text(_: Path, folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.txt").write_text("# A model\n")
    return folder / "model.txt"


def _weights_alone(whole: Path, folder: Path) -> Path:
    shutil.copytree(whole, folder)
    return folder / "model.safetensors"


MODELS: dict[str, tuple[str, Callable[[Path, Path], Path]]] = {
    "a truncated file of a folder": ("broken", _truncated_folder),
    "an empty file of a folder": ("broken", _empty_file),
    "a truncated GGUF file": ("broken", _truncated_gguf),
    "a folder without a shard": ("incomplete", _missing_shard),
    "a GGUF file without its first part": ("incomplete", _missing_first_part),
    "a quantization": ("unsupported", _unknown_quantization),
    "an architecture of a GGUF file": ("unsupported", _unknown_architecture),
    "a folder of texts": ("no model", _texts_only),
    "a text": ("no model", _text),
    "a folder's weights by themselves": ("no model", _weights_alone),
}
SIZES = {"vocab_size": 420, "bos_token_id": 0}
COMMANDS = {
    "cold-start": lambda model, place: ["cold-start", model],
    "cold-start of several ids": lambda model, place: ["cold-start", model, "--input-ids", "3", "5"],
    "fidelity, the base": lambda model, place: ["fidelity", model, place / "whole", "--text", place / "a.py"],
    "fidelity, the candidate": lambda model, place: ["fidelity", place / "whole", model, "--text", place / "a.py"],
    "generate": lambda model, place: [
        *("generate", model, "--benchmark", place / "t.jsonl", "--out", place / "out.jsonl"),
    ],
    "quantize": lambda model, place: ["quantize", model, "--method", "rtn", "--bits", "8", "--out", place / "out"],
    "quantize to GGUF": lambda model, place: [
        *("quantize", model, "--method", "gguf", "--type", "Q8_0", "--out", place / "out"),
    ],
    "compare": lambda model, place: ["compare", place / "whole", model, "--text", place / "a.py"],
    "measure": lambda model, place: [
        *("measure", "--models", model, "--measurements", "cold_start", "--results", place / "results"),
    ],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, byte_level_tokenizer) -> Path:
    return save_tokenizer(
        save_tiny(tmp_path_factory.mktemp("whole") / "m", **SIZES), byte_level_tokenizer, eos_token="<|end|>"
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", MODELS)
def test_one_line_says_which_of_the_four_it_is(capsys, tmp_path, whole, name, command):
    kind, make = MODELS[name]
    shutil.copytree(whole, tmp_path / "whole")
    model = make(whole, tmp_path / "model")
    (tmp_path / "a.py").write_text(PROGRAM)
    (tmp_path / "t.jsonl").write_text(TASK)
    capsys.readouterr()
    assert main([str(part) for part in COMMANDS[command](model, tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if str(model.parent if model.is_file() else model) in line]
    told = [line for line in lines if any(re.search(pattern, line) for pattern in SAID.values())]
    assert told, said
    for line in told:
        assert [of for of, pattern in SAID.items() if re.search(pattern, line)] == [kind], line
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.jsonl").exists()
