"""The pinned packages of data/corpus.yml: rows, and their archives fetched by name and hash, never built or run."""

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, field_validator

from compressed_code.core.errors import InputError
from compressed_code.core.package_files import Archive, kept_archive
from compressed_code.core.paths import BUILD, DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml
from compressed_code.registry.languages import load_languages

CORPUS_FILE = DATA / "corpus.yml"
CORPUS_DIRECTORY = BUILD / "corpus"


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
    """The archive of a row (`package_files.kept_archive`).

    Raises:
        Unavailable: the archive could not be downloaded, or what arrived has another hash.
    """
    return kept_archive(Archive(source.key, source.version, source.sha256, source.file), directory)
