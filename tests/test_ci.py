"""`.ci/run` runs every part, whatever came of the one before, and fails when one of them failed."""

import os
import shutil
import subprocess

import pytest

from compressed_code.core.paths import ROOT

PARTS = ["env", "lint", "test", "robustness SHORT=1", "test-long"]


@pytest.mark.parametrize("failing", [None, *PARTS])
def test_a_part_that_fails_is_named_and_ends_none_of_the_others(failing, tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copy2(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    commands = tmp_path / "bin"
    commands.mkdir()
    # In place of make one that says what it was asked for; and no system package is installed here.
    (commands / "make").write_text(f'#!/bin/sh\necho "asked: $*"\n[ "$*" != "{failing}" ]\n')
    (commands / "bwrap").write_text("#!/bin/sh\n")
    for name in ("make", "bwrap"):
        (commands / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([tmp_path / ".ci" / "run"], env=environment, capture_output=True, text=True)
    assert done.returncode == (0 if failing is None else 1), done.stderr
    lines = done.stdout.splitlines()
    assert [line.removeprefix("asked: ") for line in lines if line.startswith("asked: ")] == PARTS
    told = [line.split() for line in lines[-len(PARTS) :]]
    assert [" ".join(words[1:-5]) for words in told] == PARTS
    assert [words[-1] for words in told] == ["FAILED" if part == failing else "passed" for part in PARTS]
    assert all((words[-4], words[-2]) == ("min", "s") for words in told)


def test_all_is_the_suite_its_long_tests_and_the_short_form_of_robustness():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (rule,) = [part for part in text.split("\n\n") if part.startswith("test-all:")]
    assert rule.startswith("test-all: test test-long ") and rule.endswith("robustness SHORT=1")
