"""The public face: what `import compressed_code as cc` offers, that it costs nothing, and that its examples run."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import compressed_code as cc
from compressed_code.core.errors import InputError
from compressed_code.core.paths import COMPUTED_VARIABLE, ROOT
from compressed_code.measurements.fidelity import stored_size
from compressed_code.registry.lookup import load_registry

SOURCE = ROOT / "src"
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


EXAMPLES = """
import doctest, importlib, sys
for name in sys.argv[1:]:
    print("tried", name, *doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)[:2], flush=True)
"""


@pytest.mark.slow
def test_examples_in_docstrings_run(tmp_path):
    """In a process that keeps what it computes in a place of its own."""
    environment = {**os.environ, COMPUTED_VARIABLE: str(tmp_path)}
    command = [sys.executable, "-c", EXAMPLES, *WITH_EXAMPLES]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    found = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("tried ")]
    assert [name for name, *_ in found] == WITH_EXAMPLES, done.stderr
    assert [name for name, failed, run in found if failed != "0" or run == "0"] == [], done.stdout


def test_every_door_opens_and_has_an_example():
    assert dir(cc) == sorted(cc.__all__) == cc.__all__
    for name in cc.__all__:
        door = getattr(cc, name)
        assert callable(door)
        assert door.__module__.rpartition(".")[2] != name, "a door has the name of its module"
        assert not (SOURCE / "compressed_code" / name).exists(), "a door has the name of a folder"
        assert ">>> " in door.__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'quantise'"):
        cc.quantise  # noqa: B018


def test_importing_it_loads_nothing():
    heavy = ["numpy", "pandas", "torch", "transformers", "matplotlib"]
    code = f"import sys, compressed_code as cc; dir(cc); print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_name_is_one_subject(tmp_path):
    """A text is iterable; its letters are no models."""
    table = stored_size("zoo-xs", directory=tmp_path)
    assert table["model"].tolist() == ["zoo-xs"]
    assert table.equals(cc.measure(stored_size, ["zoo-xs"], directory=tmp_path))


def test_the_registry_of_the_caller_decides(tmp_path):
    """Where `zoo-s` is another folder to the caller, so it is for what is made from it."""
    registry = load_registry()
    other = registry.models["zoo-m"].model_copy(update={"key": "zoo-s"})
    mine = replace(registry, models={**registry.models, "zoo-s": other})
    variant = "zoo-s+rtn-4-g8"
    expected = cc.measure(stored_size, ["zoo-m", "zoo-m+rtn-4-g8"], directory=tmp_path)
    found = cc.measure(stored_size, ["zoo-s", variant], registry=mine, directory=tmp_path)
    assert found.drop(columns="model").equals(expected.drop(columns="model"))
    committed = cc.measure(stored_size, ["zoo-s", variant], directory=tmp_path)
    assert not committed.drop(columns="model").equals(expected.drop(columns="model"))


def test_the_command_works_from_any_folder(tmp_path):
    """Whatever lies there: a folder of the working directory is no module of ours."""
    for name in ("helpers.py", "compressed_code.py", "statistics.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module')\n")
    command = Path(sys.executable).with_name("compressed-code")
    done = subprocess.run(
        [command, "coverage", "zoo", "--language", "python", "--format", "csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tokenizer,language,form,covered,total,missing\nzoo,python,bare,")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cc.coverage([]), "no tokenizer was named"),
        (lambda: cc.coverage("zoo", "python", ["upper"]), "form 'upper' is unknown; there are bare, space"),
        (lambda: cc.coverage("zoo", "pyton"), "language 'pyton' is not in keywords.yml"),
        (lambda: cc.cold_start_probabilities("zoo-m", top=0), "top = 0: must be at least 1"),
        (lambda: cc.measure("fidelity", "zoo-m"), "'fidelity': is no measurement; import it"),
        (lambda: cc.score(pd.DataFrame({"task_id": [], "completion": []}), "zoo-ood"), "the table holds no sample"),
        (lambda: cc.score(pd.DataFrame({"task_id": ["a"], "completion": [None]}), "zoo-ood"), "row 0 of the table"),
        (lambda: cc.score(pd.DataFrame(), "zoo-ood", 0), "pass@k needs whole numbers from 1"),
    ],
)
def test_what_a_door_cannot_take_is_one_line(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()


def test_one_name_is_one_form_and_one_language():
    bare = cc.coverage(ROOT / "data" / "zoo" / "zoo-m", "python", "bare")
    assert bare[["language", "form", "covered"]].to_numpy().tolist() == [["python", "bare", 35]]
