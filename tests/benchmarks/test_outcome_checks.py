"""A file of outcomes that something else has changed is refused by line and field, and never read as something else."""

import gzip
import json
import os

import pytest

from compressed_code.benchmarks.outcome_checks import check_belongs
from compressed_code.benchmarks.outcome_files import OutcomeFile, places_of
from compressed_code.core.errors import InputError

RIGHT = {"task_id": "x/0", "sample": 0, "passed": True, "outcome": "passed", "exception": "", "reason": ""}
RIGHT |= {"seconds": 0.25, "isolation": "bubblewrap"}
FAILED = RIGHT | {"sample": 1, "passed": False, "outcome": "exception", "exception": "ValueError"}
SETTINGS = {"tasks": "digest"}


@pytest.fixture
def continued(tmp_path):
    """The rows that a later run finds in a file."""

    def read(*rows, beside=None):
        path = tmp_path / "outcomes.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        notes = {"settings": SETTINGS, "notes": {}}
        path.with_name("outcomes.jsonl.settings.json").write_text(json.dumps(notes) if beside is None else beside)
        kept = OutcomeFile(path)
        with kept.opened(SETTINGS):
            return list(kept.rows.values())

    return read


def test_what_score_writes_is_read_again(continued):
    both = [RIGHT | {"extra": FAILED | {"sample": 0}, "raw": "text"}, FAILED | {"extra": FAILED}]
    assert continued(*both) == both


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"task_id": 5}, "task_id"),
        ({"sample": True}, "sample"),
        ({"sample": -1}, "sample"),
        ({"passed": "yes"}, "passed"),
        ({"passed": False}, "passed"),  # while its outcome is "passed"
        ({"outcome": "wrong answer"}, "passed"),
        ({"outcome": "\x1b[2Jpassed"}, "outcome"),
        ({"outcome": ["passed"]}, "outcome"),
        ({"exception": None}, "exception"),
        ({"exception": "a b"}, "exception"),
        ({"reason": 1}, "reason"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": "1"}, "seconds"),
        ({"seconds": 10**400}, "seconds"),
        ({"isolation": []}, "isolation"),
        ({"reason": "\ud800"}, "reason"),  # no table could store it
        ({"reason": "\x1b[2Jpassed"}, "reason"),
        ({"reason": "a" * 1000}, "reason"),
        ({"exception": "A" * 1000}, "exception"),
        ({"isolation": "\x1b[2J"}, "isolation"),
        ({"raw": [[]]}, "raw"),
        ({"extra": FAILED}, "extra"),  # of another sample
        ({"extra": RIGHT | {"task_id": "x/1"}}, "extra"),
        ({"passed": False, "outcome": "timeout", "extra": RIGHT}, "extra"),  # which fails the base tests
        ({"extra": 5}, "task_id"),
        ({"extra": {"passed": True}}, "task_id"),
    ],
)
def test_another_row_is_named(continued, change, field):
    with pytest.raises(InputError, match=rf"outcomes.jsonl, line 2: {field} is not what score writes; remove the line"):
        continued(FAILED, RIGHT | change)


def test_a_second_line_of_a_sample_is_named(continued):
    """Whoever adds a line that says "passed" would decide what an earlier one says."""
    failed = RIGHT | {"passed": False, "outcome": "exception", "exception": "ValueError"}
    with pytest.raises(InputError, match="line 3: is a second line of this sample"):
        continued(failed, FAILED, RIGHT)


@pytest.mark.parametrize("missing", RIGHT)
def test_a_missing_field_is_named(continued, missing):
    with pytest.raises(InputError, match=f"line 1: {missing} is not what"):
        continued({name: value for name, value in RIGHT.items() if name != missing})


@pytest.mark.parametrize("beside", ["[" * 200_000, "[]", '{"settings": 5}', '{"settings":' + "9" * 5000 + "}", ""])
def test_damaged_settings_are_said(continued, beside):
    with pytest.raises(InputError, match="was not written by score"):
        continued(RIGHT, beside=beside)


def test_files_that_no_memory_holds_are_said(tmp_path):
    """Sparse ones of 64 GiB: there was the name of an exception and nothing else."""
    path, settings = tmp_path / "scored.jsonl", tmp_path / "scored.jsonl.settings.json"
    for large, problem in ((path, "scored.jsonl: is larger than 2 GiB"), (settings, "was not written by score")):
        path.write_text(f"{json.dumps(RIGHT)}\n")
        settings.write_text(json.dumps({"settings": SETTINGS, "notes": {}}))
        os.truncate(large, 64 << 30)
        with pytest.raises(InputError, match=problem), OutcomeFile(path).opened(SETTINGS):
            pass
        assert large.stat().st_size == 64 << 30


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (RIGHT | {"task_id": "nobody/0"}, "of nobody/0 #0: no such sample is scored"),
        (RIGHT | {"sample": 7}, "of x/0 #7: no such sample is scored"),
        (RIGHT | {"isolation": "none"}, "of x/0 #0: isolation is not what score writes"),
        (RIGHT | {"extra": RIGHT}, "of x/0 #0: extra is not what score writes"),  # would be a rate of its own
    ],
)
def test_a_line_that_belongs_to_no_sample_of_this_run_is_named(row, problem):
    """It would be gone without a word, or counted."""
    check_belongs(RIGHT, None, {("x/0", 0)}, "bubblewrap", extra=False)
    check_belongs(RIGHT | {"extra": RIGHT}, None, {("x/0", 0)}, "bubblewrap", extra=True)
    with pytest.raises(InputError, match=problem):
        check_belongs(row, None, {("x/0", 0)}, "bubblewrap", extra=False)
    with pytest.raises(InputError, match="extra is not"):  # one less would count for base and extra tests together
        check_belongs(RIGHT, None, {("x/0", 0)}, "bubblewrap", extra=True)


@pytest.mark.parametrize("packed", [False, True])
def test_what_lies_where_outcomes_grow_is_left_as_it_is(tmp_path, packed):
    """Of a name that ends in .gz that is another file, which goes when the outcomes are whole: samples, maybe."""
    path, growing = tmp_path / f"scored.jsonl{'.gz' if packed else ''}", tmp_path / "scored.jsonl"
    samples = json.dumps({"task_id": "x/0", "completion": "pass"}) + "\n{"
    if packed:
        path.write_bytes(gzip.compress(f"{json.dumps(RIGHT)}\n".encode()))
    for text in (samples, "precious\nwords", "\n\n"):
        growing.write_text(text)
        path.with_name(f"{path.name}.settings.json").write_text(json.dumps({"settings": SETTINGS, "notes": {}}))
        kept = OutcomeFile(path)
        problem = "scored.jsonl, line 1: is not what score writes; name another file"
        with pytest.raises(InputError, match=problem), kept.opened(SETTINGS):
            kept.put_in_order([("x/0", 0)])
        assert growing.read_text() == text


def test_a_pipe_where_outcomes_grow_is_said(tmp_path):
    os.mkfifo(tmp_path / "scored.jsonl")
    kept = OutcomeFile(tmp_path / "scored.jsonl.gz")
    with pytest.raises(InputError, match=r"scored\.jsonl: no file can be written there"), kept.opened(SETTINGS):
        pass


def test_every_file_that_outcomes_may_write_is_known(tmp_path):
    path = tmp_path / "scored.jsonl.gz"
    kept = OutcomeFile(path)
    with kept.opened(SETTINGS):
        kept.add([RIGHT])
        assert set(tmp_path.iterdir()) <= set(places_of(path))
        kept.put_in_order([("x/0", 0)])
        assert set(tmp_path.iterdir()) <= set(places_of(path))
