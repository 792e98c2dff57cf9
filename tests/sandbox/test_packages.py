"""Which packages programs can be shown, and where their files lie."""

import sys
from pathlib import Path

import pytest

from compressed_code.core.errors import InputError
from compressed_code.sandbox import packages


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package of the given files, as an installer writes it down."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, *files):
        about = tmp_path / f"{name}-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (about / "top_level.txt").write_text(f"{name}\n")
        for file in files:
            Path(tmp_path, file).parent.mkdir(exist_ok=True)
            Path(tmp_path, file).write_text("")
        (about / "RECORD").write_text("".join(f"{file},,\n" for file in [*files, f"{about.name}/METADATA"]))
        packages._entries.cache_clear()
        return tmp_path

    yield install
    packages._entries.cache_clear()


def test_a_package_is_shown_with_what_belongs_to_it(installed):
    folder = installed("parted", "parted/__init__.py", "parted.libs/lib.so", "parted-more.pth")
    assert packages.is_installed("parted")
    assert packages.package_folders(["parted", "parted"]) == [
        (f"{folder}/{name}", f"/sandbox/packages/{name}") for name in ("parted", "parted.libs")
    ]


def test_a_package_may_be_one_file(installed):
    folder = installed("single", "single.py")
    assert packages.package_folders(["single"]) == [(f"{folder}/single.py", "/sandbox/packages/single.py")]


@pytest.mark.parametrize("files", [["__editable__.linked.pth"], ["__editable___linked_finder.py"], []])
def test_a_link_to_sources_is_no_package_that_programs_can_see(installed, files):
    installed("linked", *files)
    assert not packages.is_installed("linked")
    with pytest.raises(InputError, match="linked: no such package is installed here, or only as a link to its sources"):
        packages.package_folders(["linked"])


def test_packages_of_this_environment():
    assert packages.is_installed("numpy")
    assert not any(
        packages.is_installed(name) for name in ("__main__", "no_such_package", *sys.builtin_module_names[::8])
    )
