"""How much may still be taken: the system's own number, or less within a limit."""

import platform
import resource
import subprocess
import sys

import psutil
import pytest

from compressed_code.core import memory


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Write what a control group of version 2 says, by default the outermost, or one of version 1."""
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN", tmp_path / "own")

    def write(limit: str, used: int = 0, files: int = 0, name: str = "", version: int = 2) -> None:
        place = tmp_path / ("memory" if version == 1 else "") / name
        place.mkdir(parents=True, exist_ok=True)
        limit_file, used_file, held = memory._FILES[version]
        (place / limit_file).write_text(f"{limit}\n")
        (place / used_file).write_text(f"{used}\n")
        (place / "memory.stat").write_text(f"anon 1\n{held} {files}\n")
        (tmp_path / "own").write_text(f"4:memory:/{name}\n1:name=systemd:/x:y\n0::/{name}\n")

    return write


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["", "jobs/one"])
def test_the_limit_of_the_group_counts_where_it_is_lower(group, name, version):
    group(str(5000), used=3000, files=500, name=name, version=version)
    assert memory.free_memory() == 2500


@pytest.mark.parametrize("version", [1, 2])
def test_a_group_around_it_limits_it_too(group, version):
    group(str(4000), used=3000, name="jobs", version=version)
    group(str(9000), used=3000, name="jobs/one", version=version)
    assert memory.free_memory() == 1000


def test_a_container_whose_group_has_another_name_outside(group, tmp_path):
    group(str(5000), used=3000)
    (tmp_path / "own").write_text("0::/machine/of/somebody\n")
    assert memory.free_memory() == 2000


def test_more_than_the_limit_is_used(group):
    group(str(1000), used=3000)
    assert memory.free_memory() == 0


@pytest.mark.parametrize("limit", ["max", str(1 << 60), "no number"])
def test_else_the_system_s_own(group, limit, monkeypatch):
    group(limit)
    monkeypatch.setattr(psutil, "virtual_memory", type("Memory", (), {"available": 12345}))
    assert memory.free_memory() == 12345


def test_without_control_groups_too(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "absent")
    monkeypatch.setattr(memory, "_OWN", tmp_path / "absent")
    assert memory.free_memory() > 0


def test_a_limit_of_addresses_counts(group, monkeypatch):
    group("max")
    taken = psutil.Process().memory_info().vms
    monkeypatch.setattr(resource, "getrlimit", lambda which: (taken + 10**8, resource.RLIM_INFINITY))
    assert 0 < memory.free_memory() <= 10**8


_REPEATED_RESULTS = """
import resource, sys
import numpy as np
from compressed_code.core.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(30):
    results = [np.ones(3 << 17) for _ in range(4)]
    del results
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is kept is told to glibc")
def test_results_of_one_size_are_written_to_the_pages_of_those_before():
    def faults(how: str) -> int:
        command = [sys.executable, "-c", _REPEATED_RESULTS, how]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    pages_of_a_round = 4 * (3 << 20) // resource.getpagesize()
    assert faults("given back") - faults("kept") > 20 * pages_of_a_round
