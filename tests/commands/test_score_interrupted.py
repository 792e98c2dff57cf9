"""`score` that is stopped, by each way a run can end: nothing is lost, and the same command goes on."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compressed_code.__main__ import main
from working_isolators import working_isolators

pytestmark = pytest.mark.skipif(not working_isolators(), reason="nothing isolates programs here")
TASKS = [
    {
        "task_id": f"t/{number}",
        "prompt": f"def plus{number}(n):\n",
        "entry_point": f"plus{number}",
        "canonical_solution": f"    return n + {number}\n",
        "test": f"def check(candidate):\n    assert candidate(1) == {number + 1}\n",
    }
    for number in range(3)
]
SLOW = "    import time\n    time.sleep(0.05)\n    return n + 1  # {}\n"
ANSWERS = 30  # to each task, three steps at least
SAMPLES = [
    {"task_id": task["task_id"], "completion": SLOW.format(number)} for number in range(ANSWERS) for task in TASKS
]


class Command:
    """`score` as a process of its own, on files of this test."""

    def __init__(self, folder):
        self.folder, self.outcomes = folder, folder / "out" / "outcomes.jsonl"
        for name, rows in (("tasks", TASKS), ("samples", SAMPLES)):
            (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        arguments = ["--benchmark", "tasks.jsonl", "--samples", "samples.jsonl", "--workers", "2", "--k", "1"]
        self.line = [sys.executable, "-m", "compressed_code", "score", *arguments, "--outcomes", str(self.outcomes)]

    def start(self, *more, file_size=resource.RLIM_INFINITY, **settings):
        def prepare():
            for name in (signal.SIGINT, signal.SIGHUP):  # a shell's background jobs inherit that they are ignored
                signal.signal(name, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, resource.RLIM_INFINITY))

        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*self.line, *more], cwd=self.folder, preexec_fn=prepare, **pipes, **settings)  # noqa: PLW1509 no threads here

    def stopped(self, how):
        """Start, wait for the first outcomes, stop; exit code, what was said, and the whole lines that were there.

        On a busy machine the run may be over before the signal reaches it; then another one is started.
        """
        for _ in range(10):
            process = self.start()
            while not self.outcomes.exists() or self.outcomes.read_bytes().count(b"\n") < 3:
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            process.send_signal(how)
            out, err = process.communicate()
            if len(self.rows()) < len(SAMPLES):
                return process.returncode, out, err, self.rows()
            for file in self.outcomes.parent.iterdir():
                file.unlink()
        return pytest.fail("no run was stopped in ten attempts")

    def goes_on(self, *more):
        """The same command in this process, which has its packages loaded: exit code."""
        return main([*self.line[3:], *more])

    def rows(self):
        return [json.loads(line) for line in self.outcomes.read_text().split("\n")[:-1]]


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path)


def finish(command, before, capsys):
    """Run to the end; what was scored before is not scored again."""
    capsys.readouterr()
    assert command.goes_on("--format", "json") == 0
    summary, rows = json.loads(capsys.readouterr().out), command.rows()
    assert (summary["n_samples"], summary["unscored"]) == (len(SAMPLES), 0)
    assert [(row["task_id"], row["sample"]) for row in rows] == [
        (task["task_id"], number) for number in range(ANSWERS) for task in TASKS
    ]
    assert {row["task_id"] for row in rows if row["passed"]} == {"t/1"}
    named = {(row["task_id"], row["sample"]): row for row in rows}
    assert all(named[row["task_id"], row["sample"]] == row for row in before)  # their seconds, too
    return summary


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_stopped_run_keeps_what_was_scored_and_goes_on(command, how, capsys):
    code, out, err, before = command.stopped(how)
    assert 3 <= len(before) < len(SAMPLES)
    if how in (signal.SIGINT, signal.SIGTERM):
        assert code == 130 and f"{len(before)} samples of" in out and "more samples are not scored yet" in out
        assert f"{len(before)} samples were scored and are kept for {command.outcomes}" in err
        assert "interrupted" in err and "Traceback" not in err
    finish(command, before, capsys)
    finish(command, command.rows(), capsys)  # once more: nothing is left to score


@pytest.mark.slow
def test_half_a_line_of_a_killed_run_is_scored_again(command, capsys):
    *_, before = command.stopped(signal.SIGKILL)
    content = command.outcomes.read_bytes()
    command.outcomes.write_bytes(content[:-20])
    finish(command, before[:-1], capsys)


@pytest.mark.slow
def test_a_full_disk_names_the_file_and_leaves_it_whole(command, capsys):
    process = command.start(file_size=8192)
    out, err = process.communicate()
    before = command.rows()
    assert process.returncode == 2 and before and command.outcomes.read_bytes().endswith(b"}\n")
    assert f"{command.outcomes}: cannot be written (File too large); {len(before)} outcomes are in it" in err
    assert f"{len(before)} samples of" in out and "Traceback" not in err
    finish(command, before, capsys)


@pytest.mark.slow
def test_a_full_file_system_names_the_file(command):
    command.outcomes.parent.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(command.outcomes.parent)])
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        process = command.start()
        _, err = process.communicate()
        before = command.rows()
        assert process.returncode == 2 and "No space left on device" in err and str(command.outcomes) in err
        assert before and len(before) < len(SAMPLES)
    finally:
        subprocess.run(["umount", str(command.outcomes.parent)], check=True)


@pytest.mark.slow
def test_another_question_does_not_continue_the_file(command, capsys):
    *_, before = command.stopped(signal.SIGINT)
    assert command.goes_on("--seconds", "2") == 2
    assert "cannot be continued: its limits were others" in capsys.readouterr().err
    samples = command.folder / "samples.jsonl"
    text = samples.read_text()
    samples.write_text(text.replace("n + 1", "n + 2", 1))
    assert command.goes_on() == 2
    assert "cannot be continued: its samples were others" in capsys.readouterr().err
    samples.write_text(text)
    assert command.rows() == before
    settings = command.outcomes.with_name("outcomes.jsonl.settings.json")
    kept = settings.read_text()
    settings.write_text(kept.replace(json.dumps(sys.version), '"3.0"'))
    assert command.goes_on() == 2  # what is valid Python, and what it answers, differs
    assert "cannot be continued: its python were others" in capsys.readouterr().err
    settings.write_text(kept)
    finish(command, before, capsys)


def test_two_runs_do_not_write_one_file(command):
    first = command.start()
    while not command.outcomes.exists() or not command.outcomes.read_bytes():
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)
    second = command.start()
    assert "another process is writing it" in second.communicate()[1] and second.returncode == 2
    first.terminate()
    first.send_signal(signal.SIGCONT)
    first.communicate()


def test_a_file_of_something_else_is_left_alone(command, capsys):
    command.outcomes.parent.mkdir()
    command.outcomes.write_text("precious\n")
    assert command.goes_on() == 2
    assert "was not written by score" in capsys.readouterr().err
    assert command.outcomes.read_text() == "precious\n"


def test_no_encoding_ends_the_output(command):
    """An ASCII terminal, and an id that would move its cursor."""
    odd = "größe\x1b[2J…"
    for name, rows in (("tasks", TASKS[:1]), ("samples", SAMPLES[:1])):
        text = "".join(f"{json.dumps(row | {'task_id': odd})}\n" for row in rows)
        (command.folder / f"{name}.jsonl").write_text(text)
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    process = command.start("--k", "1,10", env=ascii_only)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert r"gr\xf6\xdfe\x1b[2J\u2026" in out and out.isascii() and "\x1b" not in out
    assert [row["task_id"] for row in command.rows()] == [odd]


@pytest.mark.parametrize("kind", ["pipe", "bomb", "absent"])
def test_files_that_cannot_be_read_are_one_line(command, kind, capsys):
    path = Path(command.folder / "samples.jsonl")
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "bomb":
        path.write_bytes(b" " * (65 << 20))
    assert command.goes_on() == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1) and "samples.jsonl" in err
