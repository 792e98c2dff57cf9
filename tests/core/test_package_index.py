"""Archives from a package index on loopback, whose pages and files are made here."""

import hashlib

import pytest

from compressed_code.core.errors import Unavailable
from compressed_code.core.package_index import downloaded

WHEEL, SOURCES = b"a wheel", b"a source distribution"
FILES = {"thing-1.0-py3-none-any.whl": WHEEL, "thing-1.0.tar.gz": SOURCES, "thing-2.0-cp27-none-win32.whl": b"old"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(
    ("version", "content", "file"),
    [
        ("1.0", WHEEL, ""),
        ("1.0", SOURCES, "thing-1.0.tar.gz"),
        ("2.0", b"old", ""),  # of another platform: it is read, not installed
    ],
)
def test_the_archive_of_this_hash_is_handed_out_and_goes(package_index, announced, version, content, file):
    package_index("thing", FILES, announced=announced)
    with downloaded("thing", version, sha256(content), file=file) as archive:
        assert archive.read_bytes() == content
    assert not archive.exists()


def test_an_announced_hash_finds_its_file_among_several(package_index):
    package_index("thing", FILES)
    with downloaded("thing", "1.0", sha256(SOURCES)) as archive:
        assert archive.name == "thing-1.0.tar.gz"


@pytest.mark.parametrize(
    ("package", "version", "file", "problem"),
    [
        ("thing", "1.0", "", "thing==1.0: sha256 is .*, expected 0{64}; it was not used"),
        ("thing", "3.0", "", "thing==3.0: no package index offers it"),
        ("thing", "1.0", "thing-1.0.zip", "thing-1.0.zip: no package index offers it"),
        ("other", "1.0", "", "other==1.0: no package index offers it"),
    ],
)
def test_what_cannot_be_had_is_one_line_with_a_remedy(package_index, package, version, file, problem):
    package_index("thing", FILES)
    with pytest.raises(Unavailable, match=problem) as stop, downloaded(package, version, "0" * 64, file=file):
        pass
    assert "\n" not in str(stop.value)


def test_an_index_out_of_reach_is_one_line_with_a_remedy(package_index):
    package_index("thing", FILES).stop()
    with (
        pytest.raises(
            Unavailable, match=r"^thing==1.0: .*run again with a package index in reach, or by hand$"
        ) as stop,
        downloaded("thing", "1.0", sha256(WHEEL), remedy=", or by hand"),
    ):
        pass
    assert "\n" not in str(stop.value)
