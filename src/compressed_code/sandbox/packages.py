"""Installed packages as programs may see them: those whose files lie where packages are installed."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import distribution, packages_distributions

from compressed_code.core.errors import InputError

SHOWN_AS = "/sandbox/packages"
_NO_PART = re.compile(r"\.\.|__pycache__|__editable__.*|.*\.(dist-info|pth)")


def is_installed(name: str) -> bool:
    """Whether programs can be shown a package.

    An editable install only points to its sources, which lie among other files of the user: those are not shown.

    Args:
        name: as it is imported (numpy).
    """
    return any(entry.partition(".")[0] == name for entry, _ in _entries(name))


def package_folders(names: Sequence[str]) -> list[tuple[str, str]]:
    """Where the files of packages lie, with what belongs to them (numpy.libs), and where they appear.

    Raises:
        InputError: programs cannot be shown such a package.
    """
    for name in names:
        if not is_installed(name):
            raise InputError(
                f"{name}: no such package is installed here, or only as a link to its sources; pip install it without"
                " --editable, or leave it out"
            )
    return list(dict.fromkeys((path, f"{SHOWN_AS}/{entry}") for name in names for entry, path in _entries(name)))


@cache
def _entries(name: str) -> tuple[tuple[str, str], ...]:
    """Folders and files of what brings a package, by name and path; none where nothing does."""
    found = []
    for package in packages_distributions().get(name, ()):
        files = distribution(package)
        entries = sorted({file.parts[0] for file in files.files or ()})
        found += [(entry, str(files.locate_file(entry))) for entry in entries if not _NO_PART.fullmatch(entry)]
    return tuple(found)
