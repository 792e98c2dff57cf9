"""Honest programs are judged as the usual scorer judges them, whatever they answer, take, raise, change or print."""

from pathlib import Path

import pytest
import yaml

from compressed_code.core.paths import ROOT
from compressed_code.sandbox import Limits, Sandbox, Trial
from working_isolators import working_isolators

PROGRAMS = yaml.safe_load((Path(__file__).parent / "honest" / "programs.yml").read_text(encoding="utf-8"))
TRIALS = {name: Trial(entry["program"], entry.get("setup", ""), entry["test"], "f") for name, entry in PROGRAMS.items()}
# A program that does nothing: every test of the table must tell it from one that does the task.
EMPTY = "def f(*_, **__):\n    return f\n"


@pytest.fixture(scope="module")
def verdicts():
    if not working_isolators():
        pytest.skip("nothing isolates programs here")
    with Sandbox(limits=Limits(cpu_seconds=6.0)) as opened:
        yield dict(zip(TRIALS, opened.judge(TRIALS.values()), strict=True))


def test_the_table_is_large():
    assert len(PROGRAMS) >= 200 and len({entry["kind"] for entry in PROGRAMS.values()}) >= 8
    assert sum("disputed" in entry for entry in PROGRAMS.values()) <= 6


def test_the_documents_say_how_many_programs_there_are_and_how_many_are_disputed():
    """The disputed ones are those of the table, which the test below finds."""
    disputed = sum("disputed" in entry for entry in PROGRAMS.values())
    share = f"Of {len(PROGRAMS)} honest programs written to be awkward (`tests/sandbox/honest`)"
    share += f" {len(PROGRAMS) - disputed} passed and {disputed} ({disputed / len(PROGRAMS):.1%}) are disputed"
    readme = (ROOT / "src/compressed_code/sandbox/README.md").read_text(encoding="utf-8")
    assert share.replace("%", " %") in " ".join(readme.split())
    security = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    for name in ("hostile/programs.yml", "hostile/intruders.yml", "honest/programs.yml"):
        entries = yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))
        assert f"| `tests/sandbox/{name}` | {len(entries)} |" in security


def test_every_one_of_them_passes_in_one_process(verdicts):
    assert {name: found for name, found in verdicts.items() if not found.passed_plain} == {}


def test_the_judge_confirms_them_but_for_the_known_ones(verdicts):
    """It cannot where an object of the program would decide, or where test and program share more than values."""
    known = {name: entry["disputed"] for name, entry in PROGRAMS.items() if "disputed" in entry}
    assert {name: found.reason for name, found in verdicts.items() if not found.passed} == known


def test_a_program_that_does_nothing_passes_none_of_them():
    if not working_isolators():
        pytest.skip("nothing isolates programs here")
    trials = [Trial(EMPTY, trial.setup, trial.test, "f") for trial in TRIALS.values()]
    with Sandbox(limits=Limits(cpu_seconds=6.0)) as opened:
        passed = [name for name, found in zip(TRIALS, opened.judge(trials), strict=True) if found.passed_plain]
    assert passed == []
