"""How much may still be taken: the system's own number, or less in a container with a limit."""

import psutil
import pytest

from compressed_code.core import memory


@pytest.fixture
def container(tmp_path, monkeypatch):
    def write(limit: str, used: int = 0, files: int = 0) -> None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {files}\n")

    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    return write


def test_the_container_s_limit_counts_where_it_is_lower(container):
    container(str(5000), used=3000, files=500)
    assert memory.free_memory() == 2500


@pytest.mark.parametrize("limit", ["max", str(1 << 60), "no number"])
def test_else_the_system_s_own(container, limit, monkeypatch):
    container(limit)
    monkeypatch.setattr(psutil, "virtual_memory", type("Memory", (), {"available": 12345}))
    assert memory.free_memory() == 12345


def test_without_control_groups_too(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "absent")
    assert memory.free_memory() > 0
