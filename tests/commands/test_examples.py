"""The examples at the end of every command's help can be typed as they stand, one after the other."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from compressed_code.__main__ import COMMANDS, main
from compressed_code.commands import lock_models, score
from compressed_code.core.paths import COMPUTED_VARIABLE, ROOT
from compressed_code.measurements.readings import programs_read
from compressed_code.quantization.own_programs import task_texts

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
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


# The checkout mounted over itself for reading, in a namespace of one's own; root cannot write it either.
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && ! touch "$0/x" 2>/dev/null && exec "$@"'


@pytest.fixture
def surroundings(tmp_path) -> tuple[list[str], dict[str, str]]:
    """What stands before a command, and its environment: a checkout that may only be read, where that can be had."""
    before = ["unshare", "-m" if IS_ROOT else "-rm", "sh", "-c", READ_ONLY, str(ROOT)]
    if not shutil.which("unshare") or subprocess.run([*before, "true"], capture_output=True).returncode:
        return [], {**os.environ, COMPUTED_VARIABLE: str(tmp_path / "computed")}
    left = {name: value for name, value in os.environ.items() if name != COMPUTED_VARIABLE}
    return before, {**left, "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.mark.long
def test_the_examples_run(tmp_path, surroundings):
    """In their order, in one folder: what one writes, another reads. Locking asks a Hub and edits the registry."""
    before, environment = surroundings
    written = set()
    # Within a namespace that a user may make, the sandbox can make none.
    left_out = [lock_models, *([score] if before and not IS_ROOT else [])]
    for line in [line for module in WITH_EXAMPLES if module not in left_out for line in module.EXAMPLES]:
        arguments = shlex.split(line)
        command = [*before, sys.executable, "-m", "compressed_code", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
        written |= {arguments[i + 1] for i, part in enumerate(arguments) if part in ("--out", "--figure")}
    assert written and all((tmp_path / name).exists() for name in written)


def test_no_program_that_calibrates_is_one_that_is_read():
    read = {text.content for text in programs_read(12)}
    assert not read & set(task_texts()) and len(set(task_texts())) > 1000
