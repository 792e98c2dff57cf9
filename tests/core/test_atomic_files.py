"""A file that is written whole: seen only when it is complete, and the earlier one kept where it is not."""

import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from compressed_code.core import atomic_files
from compressed_code.core.atomic_files import check_target, staged, writable_place, written_whole
from compressed_code.core.errors import InputError


def test_a_file_appears_when_it_is_complete_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with written_whole(path) as part:
        part.write_text("half")
        assert not path.exists()
        part.write_text("whole")
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interruption_leaves_the_earlier_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("earlier")
    with pytest.raises(error), written_whole(path) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "earlier" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0o002, 0o664)])
def test_whoever_may_read_other_files_may_read_these(tmp_path, umask, expected):
    """safetensors writes a file for its owner alone, whatever the umask says."""
    before = os.umask(umask)
    try:
        with staged(tmp_path / "model", tmp_path / "locks") as folder:
            save_file({"a": np.zeros(2)}, folder / "model.safetensors")
            (folder / "below").mkdir()
            (folder / "below" / "config.json").write_text("{}")
        with written_whole(tmp_path / "table.csv") as part:
            part.write_text("a,b")
    finally:
        os.umask(before)
    files = [tmp_path / "table.csv", *(file for file in (tmp_path / "model").rglob("*") if file.is_file())]
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {expected}


def test_a_target_is_no_input_no_folder_and_no_device(tmp_path):
    source = tmp_path / "source.jsonl"
    source.touch()
    check_target(tmp_path / "new" / "out.jsonl", [source, "humaneval"], "--out")
    with pytest.raises(InputError, match=r"source\.jsonl: .* would be lost; .* --out"):
        check_target(tmp_path / "new" / ".." / "source.jsonl", [source], "--out")
    for place in (tmp_path, source / "below", "/dev/full"):
        with pytest.raises(InputError, match=f"{tmp_path / place}: .* --out"):
            check_target(tmp_path / place, [], "--out")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "compressed-code"


def test_what_cannot_be_written_is_kept_in_the_cache_and_told_once(tmp_path, cache, capsys):
    """Even root can make no folder below a file."""
    there = tmp_path / "new" / "variants" / "one"
    assert writable_place(there) == there
    (tmp_path / "checkout").touch()
    variants = tmp_path / "checkout" / "build" / "variants"
    assert [writable_place(variants / name) for name in "ab"] == [cache / "variants" / name for name in "ab"]
    assert capsys.readouterr().err.splitlines() == [
        f"{variants}: cannot be written; what is made here is kept in {cache / 'variants'}"
    ]


def test_a_folder_is_staged_although_locks_cannot_lie_where_they_should(tmp_path, cache):
    (tmp_path / "checkout").touch()
    with staged(tmp_path / "model", tmp_path / "checkout" / "variants" / ".locks") as part:
        (part / "config.json").write_text("{}")
    assert (tmp_path / "model" / "config.json").is_file() and (cache / "variants" / ".locks").is_dir()
