"""The examples at the end of every command's help can be typed as they stand, one after the other."""

import os
import shlex
import subprocess
import sys

import pytest

from compressed_code.__main__ import COMMANDS, main
from compressed_code.commands import lock_models
from compressed_code.core.paths import COMPUTED_VARIABLE
from compressed_code.measurements.readings import programs_read
from compressed_code.quantization.own_programs import task_texts

NOT_FOR_USERS = "zoo"  # which trains for an hour
WITH_EXAMPLES = [module for module in COMMANDS if not module.__name__.endswith(NOT_FOR_USERS)]


@pytest.mark.parametrize("module", WITH_EXAMPLES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_command_shows_two_examples(module, capsys):
    assert len(module.EXAMPLES) == 2
    (name,) = {line.split()[0] for line in module.EXAMPLES}
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for line in module.EXAMPLES:
        assert f"\n  compressed-code {line}\n" in f"{shown}\n"
    assert all(len(line) <= 100 for line in shown.splitlines())


@pytest.mark.long
def test_the_examples_run(tmp_path):
    """In their order, in one folder: what one writes, another reads. Locking asks a Hub and edits the registry."""
    environment = {**os.environ, COMPUTED_VARIABLE: str(tmp_path / "computed")}
    written = set()
    for line in [line for module in WITH_EXAMPLES if module is not lock_models for line in module.EXAMPLES]:
        arguments = shlex.split(line)
        command = [sys.executable, "-m", "compressed_code", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
        written |= {arguments[i + 1] for i, part in enumerate(arguments) if part in ("--out", "--figure")}
    assert written and all((tmp_path / name).exists() for name in written)


def test_no_program_that_calibrates_is_one_that_is_read():
    read = {text.content for text in programs_read(12)}
    assert not read & set(task_texts()) and len(set(task_texts())) > 1000
