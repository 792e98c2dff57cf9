"""Archives of published Python packages: fetched by name and hash from the indexes pip uses, never built or run."""

import functools
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from compressed_code.core.errors import Unavailable, in_one_line
from compressed_code.core.hashing import sha256_of_file

if TYPE_CHECKING:
    from unearth import Link, PackageFinder

_SETTING = re.compile(r"(?P<section>[^.\s]+)\.(?P<name>index-url|extra-index-url|trusted-host)='(?P<value>.*)'")


@contextmanager
def downloaded(package: str, version: str, sha256: str, *, file: str = "", remedy: str = "") -> Iterator[Path]:
    """An archive of a package, in a folder that goes when the block ends.

    Archives of other platforms and Python versions are found too: they are read, not installed.

    Args:
        sha256: of the archive, 64 hexadecimal digits; what has another one is not handed out.
        file: name of the archive; by default the one that the index announces this hash for, or the only wheel.
        remedy: what else one can do, for messages.

    Raises:
        Unavailable: no index offers it (offline, or withdrawn), it could not be downloaded, or what arrived has another
            hash.
    """
    name = file or f"{package}=={version}"
    remedy = f"run again with a package index in reach{remedy}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            finder = _finder()
            matches = finder.find_matches(f"{package}=={version}", allow_yanked=True, allow_prereleases=True)
            link = _choose([match.link for match in matches], sha256, file)
            if link is None:
                raise Unavailable(f"{name}: no package index offers it (offline, or it was withdrawn); {remedy}")
            archive = finder.download(link, folder, hashes={})
        except Unavailable:
            raise
        except Exception as error:  # the errors of unearth and of its HTTP client share no base class
            raise Unavailable(f"{name}: could not be downloaded ({in_one_line(error)}); {remedy}") from None
        found = sha256_of_file(archive)
        if found != sha256:
            raise Unavailable(f"{name}: sha256 is {found}, expected {sha256}; it was not used")
        yield archive


def _choose(links: "list[Link]", sha256: str, file: str) -> "Link | None":
    if file:
        return next((link for link in links if link.filename == file), None)
    announced = [link for link in links if sha256 in (link.hash_option or {}).get("sha256", [])]
    wheels = [link for link in links if link.is_wheel]
    return next(iter(announced or wheels[:1]), None)


@functools.cache
def _finder() -> "PackageFinder":
    """Searches the package indexes pip is configured with."""
    from unearth import PackageFinder

    logging.getLogger("unearth").addHandler(logging.NullHandler())  # an index out of reach is reported by the caller
    settings = _pip_settings()
    finder = PackageFinder(
        index_urls=settings.get("index-url", ())[:1],
        trusted_hosts=settings.get("trusted-host", ()),
        ignore_compatibility=True,
    )
    for index in settings.get("extra-index-url", ()):
        finder.add_index_url(index)
    return finder


def _pip_settings() -> dict[str, list[str]]:
    """pip's settings about indexes, from its files and environment variables; the environment comes last and wins."""
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "config", "list"]
    lines = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    found = sorted(filter(None, map(_SETTING.fullmatch, lines)), key=lambda match: match["section"] == ":env:")
    return {match["name"]: match["value"].split() for match in found}
