"""Small limits of the user are said before anything is judged."""

import json
import os
import resource
import subprocess
import sys

import pytest

from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT
from compressed_code.sandbox import Limits
from compressed_code.sandbox.user_limits import check_limits, check_room

UNLIMITED = resource.RLIM_INFINITY


def limited(monkeypatch, files, processes):
    limits = {resource.RLIMIT_NOFILE: (files, UNLIMITED), resource.RLIMIT_NPROC: (processes, UNLIMITED)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)


def test_what_is_needed_is_named(monkeypatch):
    limited(monkeypatch, 20, UNLIMITED)
    with pytest.raises(
        InputError, match=r"^ulimit -n allows 20 open files, of which \d+ are open, and 4 workers need "
    ):
        check_room(4, 16)
    limited(monkeypatch, UNLIMITED, 40)
    with pytest.raises(InputError, match=r"ulimit -u allows 40 processes.*raise it \(ulimit -u \d+\), or take fewer"):
        check_room(4, 16)


def test_what_it_asks_for_is_enough(monkeypatch):
    """The number in the message is one that it takes; one less it does not take."""
    monkeypatch.setattr(os, "getuid", lambda: 0)
    limited(monkeypatch, UNLIMITED, 91)
    with pytest.raises(InputError, match="ulimit -u 92"):
        check_room(4, 16)
    limited(monkeypatch, UNLIMITED, 92)
    check_room(4, 16)


SCORE = """
import json, resource, sys
from compressed_code.sandbox import Limits, Sandbox, Trial
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = [open("/dev/null") for _ in range(int(sys.argv[2]))]
try:
    with Sandbox(workers=1) as sandbox:
        trial = Trial("def f(): return 1", "", "assert f() == 1", "f")
        print(json.dumps([each.outcome for each in sandbox.judge([trial])]))
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


@pytest.mark.parametrize(
    ("allowed", "held", "found"), [(32, 0, "InputError"), (3000, 1500, "passed"), (1500, 1490, "InputError")]
)
def test_many_open_files_are_no_trouble_and_few_allowed_ones_are_said(allowed, held, found):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", SCORE, str(allowed), str(held)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    answer = json.loads(done.stdout)
    if answer[0] == "Unavailable":
        pytest.skip(answer[1])
    assert answer[0] == found, answer


@pytest.mark.parametrize(
    ("kind", "hard", "message"),
    [
        (resource.RLIMIT_AS, 700 << 20, "ulimit -v allows 716800 KiB of address space, and programs may have 1048576;"),
        (resource.RLIMIT_DATA, 1 << 20, r"ulimit -d .*raise it \(ulimit -d 1048576\)"),
        (resource.RLIMIT_FSIZE, 1 << 20, r"ulimit -f allows 1024 KiB in a file.*raise it \(ulimit -f 16384\)"),
        (resource.RLIMIT_CPU, 12, r"ulimit -t allows 12 seconds of processor time.*raise it \(ulimit -t 13\)"),
    ],
)
def test_limits_below_those_of_a_trial_are_said(monkeypatch, kind, hard, message):
    """Programs that are right would run out of memory, as the verdicts said, or nothing would start."""
    monkeypatch.setattr(resource, "getrlimit", lambda each: (hard, hard) if each == kind else (1, UNLIMITED))
    with pytest.raises(InputError, match=message):
        check_limits(Limits())
    monkeypatch.setattr(resource, "getrlimit", lambda each: (1, UNLIMITED))
    check_limits(Limits())


CUT = """
import json, resource
from compressed_code.sandbox import Sandbox, Trial
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
long = "def f(): return 0\\n" + "#" * 30_000 + "\\ndef f(): return 1\\n"
try:
    with Sandbox(workers=1) as sandbox:
        for program in ("def f(): return 1", long):
            (verdict,) = sandbox.judge([Trial(program, "", "assert f() == 1", "f")])
            print(verdict.outcome)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_no_program_is_cut_where_files_must_be_small():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", CUT], capture_output=True, text=True, env=environment, timeout=120)
    first, *rest = done.stdout.splitlines()
    if first.startswith("Unavailable"):
        pytest.skip(first)
    assert first == "passed" and len(rest) == 1
    assert rest[0].startswith("InputError trial 1: ") and "raise ulimit -f" in rest[0]
