"""The pinned packages of data/corpus.yml: rows, and their archives fetched by name and hash, never built or run."""

import functools
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError, Unavailable, in_one_line
from compressed_code.core.hashing import sha256_of
from compressed_code.core.paths import BUILD, DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml
from compressed_code.registry.languages import load_languages

if TYPE_CHECKING:
    from unearth import PackageFinder

CORPUS_FILE = DATA / "corpus.yml"
CORPUS_DIRECTORY = BUILD / "corpus"

_SETTING = re.compile(r"(?P<section>[^.\s]+)\.(?P<name>index-url|extra-index-url|trusted-host)='(?P<value>.*)'")


class Selection(Record):
    """The files of one language that are read from one archive.

    Attributes:
        include, exclude: patterns over member names; see `source_files.name_pattern`.
        limit: the most bytes (UTF-8) of documents taken from them.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    limit: int = Field(gt=0)

    @field_validator("include", "exclude", mode="before")
    @classmethod
    def _as_tuple(cls, patterns: object) -> tuple[str, ...]:
        if not isinstance(patterns, list) or not patterns or not all(isinstance(pattern, str) for pattern in patterns):
            raise ValueError("must be a list of patterns")
        return tuple(patterns)


class Source(Record):
    """One row of data/corpus.yml: one archive.

    Attributes:
        key: name of the package.
        version: its version.
        file: exact name of the archive, a wheel or a source distribution.
        sha256: of the archive.
        licence: of the files that are read.
        texts: language key → what is read.
    """

    key: str
    version: str
    file: str
    sha256: str
    licence: str
    texts: dict[str, Selection] = Field(min_length=1)

    @field_validator("file")
    @classmethod
    def _is_archive(cls, file: str) -> str:
        if not file.endswith((".whl", ".tar.gz")) or Path(file).name != file:
            raise ValueError("must be the name of a .whl or .tar.gz file")
        return file

    @field_validator("sha256")
    @classmethod
    def _is_sha256(cls, digest: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError("must be a sha256: 64 hexadecimal digits")
        return digest


def load_sources(path: Path = CORPUS_FILE) -> Mapping[str, Source]:
    """The rows of data/corpus.yml, in the order of the file.

    Raises:
        InputError: naming file, row and field; also for a language that data/keywords.yml does not have.
    """
    sources = parse_rows(Source, read_yaml(path), path)
    languages = load_languages()
    for key, source in sources.items():
        for language in source.texts:
            if language not in languages:
                raise InputError(f"{path}: {key}.texts.{language}: unknown language; known: {', '.join(languages)}")
    return sources


def fetch_archive(source: Source, directory: Path = CORPUS_DIRECTORY) -> Path:
    """The archive of a row, downloaded once into `directory` and checked against its hash at every call.

    An altered file is fetched anew. A file put there by hand serves as well, so a machine without a package index
    can be provided for.

    Raises:
        Unavailable: the archive could not be downloaded, or what arrived has another hash.
    """
    target = directory / source.file
    if target.exists() and sha256_of(target.read_bytes()) == source.sha256:
        return target
    content = _download(source, directory)
    if sha256_of(content) != source.sha256:
        raise Unavailable(
            f"{source.file}: sha256 is {sha256_of(content)}, {CORPUS_FILE.name} says {source.sha256}; it was not used"
        )
    with written_whole(target) as part:
        part.write_bytes(content)
    return target


def _download(source: Source, directory: Path) -> bytes:
    """Bytes of the archive as a package index offers it; they are not checked yet."""
    remedy = f"run again with a package index in reach, or put the file into {directory}"
    try:
        finder = _finder()
        matches = finder.find_matches(f"{source.key}=={source.version}", allow_yanked=True, allow_prereleases=True)
        link = next((match.link for match in matches if match.link.filename == source.file), None)
        if link is None:
            raise Unavailable(f"{source.file}: no package index offers it (offline, or it was withdrawn); {remedy}")
        with tempfile.TemporaryDirectory() as folder:
            return finder.download(link, folder, hashes={}).read_bytes()
    except Unavailable:
        raise
    except Exception as error:  # the errors of unearth and of its HTTP client share no base class
        reason = in_one_line(error)
        raise Unavailable(f"{source.file}: could not be downloaded ({reason}); {remedy}") from None


@functools.cache
def _finder() -> "PackageFinder":
    """Searches the package indexes pip is configured with.

    Archives of other platforms and Python versions are searched too: they are read, not installed.
    """
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
