"""Programs that attack the sandbox: none gets out, forges a pass or hangs, and the next program scores right."""

import json
import os
import platform
import shutil
import subprocess
import sys
from itertools import chain, product, starmap
from pathlib import Path

import pytest
import yaml

from compressed_code.core.paths import ROOT
from working_isolators import working_isolators

FOLDER = Path(__file__).parent / "hostile"
PROGRAMS = yaml.safe_load((FOLDER / "programs.yml").read_text(encoding="utf-8"))
HERE = [name for name, entry in PROGRAMS.items() if entry.get("only", platform.machine()) == platform.machine()]
QUICK = [name for name in HERE if not PROGRAMS[name].get("slow")]
SLOW = [name for name in HERE if PROGRAMS[name].get("slow")]
SAMPLED = ["memory_bomb_by_children", "infinite_output"]  # of what uses everything up
# What gets out of the sandbox is still in these namespaces, which end with the run.
SHELTER = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts", "--ipc"]
SHELTER += [] if os.getuid() == 0 else ["--user", "--map-root-user"]
# Root becomes somebody in that shelter, where root's own folder is empty but for the Python that runs here.
SOMEBODY = """
python={prefix}
case $python in /root/*)
    mkdir -p {place} && mount --bind $python {place} && mount -t tmpfs -o mode=755 none /root
    mkdir -p $python && mount --bind {place} $python ;;
esac
exec setpriv --reuid=54321 --regid=54321 --clear-groups "$@"
"""
HARMLESS = ["read_secret", "write_markers", "symbolic_link"]  # even without any isolation


@pytest.fixture(scope="module", params=["bubblewrap", "namespaces"])
def isolation(request):
    if request.param not in working_isolators():
        pytest.skip(f"{request.param} does not work on this machine")
    return request.param


USERS = ["whoever runs this", "an ordinary user"]


def command_as(user, folder):
    """How a command is run as a user; who is no root is an ordinary one already."""
    if user == USERS[0] or os.getuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed (util-linux)")
    return ["sh", "-ec", SOMEBODY.format(prefix=sys.base_prefix, place=folder / "python"), "sh"]


def judge(isolation, names, user=()):
    command = [*SHELTER, *user, sys.executable, str(FOLDER / "run.py"), isolation, *names]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1800)
    if user and "Permission denied" in finished.stderr:
        pytest.skip("an ordinary user cannot read this environment")
    assert finished.returncode == 0, finished.stderr[-2000:]
    return json.loads(finished.stdout)


def assert_harmless(report, names):
    assert report["damage"] == []
    for stages in ("both", "apart"):
        outcomes = report[stages]
        assert list(outcomes) == names
        # In one process with its test a program finds its test, and that is all it finds.
        holes = {name: found for name, found in outcomes.items() if found[1].startswith("Escaped")}
        assert {name: found for name, found in holes.items() if stages == "apart" or not of_test(found)} == {}
        forged = [name for name, found in outcomes.items() if found[0] == "passed" and not may_pass(name)]
        assert forged == []
        assert [name for name, found in outcomes.items() if found[2] != "passed"] == []  # the correct program after it
    unexpected = {name: found for name, found in outcomes.items() if found[0] not in PROGRAMS[name]["expect"]}
    assert unexpected == {}


def of_test(found):
    return found[1].startswith("Escaped_test") or found[1] == "Escaped_descriptor"  # where the plain verdict goes


def may_pass(name):
    return "passed" in PROGRAMS[name]["expect"]


def test_the_suite_is_large_and_knows_which_programs_may_pass():
    assert len(HERE) >= 150
    for name, entry in PROGRAMS.items():
        # a program that is allowed to pass really does the task; every other one must not pass
        assert "solve = sorted" in entry["program"] or "passed" not in entry["expect"], name


def quarter(isolation, user):
    """Every fourth program: each one meets an isolator and a user; the long test has all of them meet all."""
    return QUICK[2 * (isolation == "namespaces") + (user == USERS[0]) :: 4]


def test_the_quarters_are_all_programs():
    assert sorted(chain(*starmap(quarter, product(("bubblewrap", "namespaces"), USERS)))) == sorted(QUICK)
    assert set(SAMPLED) <= set(SLOW)


@pytest.mark.parametrize("user", USERS)
def test_no_program_escapes_forges_a_pass_or_hangs(isolation, user, tmp_path):
    names = quarter(isolation, user)
    assert_harmless(judge(isolation, names, command_as(user, tmp_path)), names)


def test_no_program_that_uses_everything_up_does_either():
    if not working_isolators():
        pytest.skip("nothing isolates programs here")
    assert_harmless(judge(working_isolators()[0], SAMPLED), SAMPLED)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("user", USERS)
def test_nor_does_any_other_program(isolation, user, tmp_path):
    """The other three quarters, and those that use everything up: each program meets all isolators and users."""
    names = [name for name in HERE if name not in quarter(isolation, user)]
    assert_harmless(judge(isolation, names, command_as(user, tmp_path)), names)


def test_without_isolation_the_same_programs_are_seen_to_escape():
    report = judge("none", HARMLESS)
    assert report["apart"]["read_secret"][1] == "Escaped_secret"
    assert report["damage"] == ["written: written"]
