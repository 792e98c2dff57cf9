"""Source files out of archives: which are read, which are refused, and how their text is cleaned.

Archives are read in memory. Nothing of them is written to disk, imported or run.
"""

import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compressed_code.core.errors import InputError
from compressed_code.core.hashing import sha256_of
from compressed_code.training_data.sources import Selection

SIZE_RANGE = (200, 60_000)  # bytes; shorter files say little, longer ones are mostly tables
LONGEST_LINE = 200  # characters; more is minified or machine-made
LONGEST_MEAN_LINE = 60  # characters
SHORTEST_TEXT = 100  # characters left after cleaning
HEAD_LINES = 25  # where a generator leaves its mark

# Folders of tests, copies of other projects and build output, below the fixed part of a pattern.
_REFUSED_FOLDER = re.compile(
    r"(^|/)(_?vendor(ed)?|third_?party|3rdparty|extern(al)?|node_modules|(__)?tests?(__)?|testing|testdata|fixtures|"
    r"(__)?snapshots(__)?|__mocks__|mocks|specs?|dist|build|min|gen|generated|openapi-gen|locales?)/",
    re.IGNORECASE,
)
_REFUSED_NAME = re.compile(r"(_test\.go|\.(test|spec)\.[jt]sx?|_(spec|test)\.rb|\.min\.js|\.d\.ts)$")
_GENERATED = re.compile(
    r"auto-?generated|generated (by|from|automatically|code)|code generated|do not (edit|modify)", re.IGNORECASE
)

# What a file must or must not contain to count as its language: .tsx without an element, C headers full of C++.
_JSX_ELEMENT = re.compile(r"</[A-Za-z][\w.]*>|</>|<[A-Z][\w.]*(\s[^<>]*)?/>")
_CPLUSPLUS = re.compile(r"^\s*(namespace\b|template\s*<|class\s+\w|using\s+\w|(public|private|protected):)|std::", re.M)
_REQUIRED = {"react": _JSX_ELEMENT}
_FORBIDDEN = {"c": _CPLUSPLUS}

_LICENCE_WORD = re.compile(r"licen[sc]e|copyright", re.IGNORECASE)
_SLASH_COMMENT = r"/\*.*?\*/[ \t]*\n?|(?:[ \t]*//[^\n]*\n)+"
_HASH_COMMENT = r"(?:[ \t]*\#(?!!)[^\n]*(?:\n|$))+"
_HASH_LANGUAGES = {"python", "ruby"}
# What may stand before a licence comment: a shebang, the mark that opens PHP, an include guard, a linter's comment.
_BEFORE_COMMENT = re.compile(
    r"\A(?:#![^\n\[]*\n|<\?php[ \t]*\n|#pragma once\n|#ifndef \w+\n#define \w+\n|/\* eslint[^\n]*\n|\s+)*"
)


@dataclass(frozen=True)
class SourceFile:
    """One cleaned source file.

    Attributes:
        name: in the archive.
        language: key of data/keywords.yml.
        text: without licence header; ends with one line end.
        digest: sha256 of the file as the archive holds it.
    """

    name: str
    language: str
    text: str
    digest: str


def read_files(archive: Path, language: str, selection: Selection) -> Iterator[SourceFile]:
    """The usable files of one language in one archive, sorted by name.

    Raises:
        InputError: the archive cannot be read, or no usable file in it matches.
    """
    included = [(name_pattern(pattern), _fixed_part(pattern)) for pattern in selection.include]
    excluded = [name_pattern(pattern) for pattern in selection.exclude]

    def is_wanted(name: str) -> bool:
        if _REFUSED_NAME.search(name) or any(pattern.fullmatch(name) for pattern in excluded):
            return False
        return any(
            pattern.fullmatch(name) and not _REFUSED_FOLDER.search(name[len(fixed) :]) for pattern, fixed in included
        )

    found = False
    for name, content in _members(archive, is_wanted):
        text = usable_text(content, language)
        if text is not None:
            found = True
            yield SourceFile(name, language, text, sha256_of(content))
    if not found:
        raise InputError(f"{archive.name}: no usable {language} file; correct the row's patterns in data/corpus.yml")


def name_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression for a pattern: `**/` any folders or none, `**` anything, `*` no slash, `{a,b}` either."""
    parts = re.split(r"(\*\*/|\*\*|\*|\{[^}]*\})", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}

    def translate(part: str) -> str:
        if part.startswith("{"):
            return "(?:" + "|".join(map(re.escape, part[1:-1].split(","))) + ")"
        return meaning.get(part) or re.escape(part)

    return re.compile("".join(map(translate, parts)))


def usable_text(content: bytes, language: str) -> str | None:
    """The cleaned text of a file, or `None` where it looks machine-made or is not what its name says."""
    if not SIZE_RANGE[0] <= len(content) <= SIZE_RANGE[1]:
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    text = "\n".join(lines).strip("\n") + "\n"
    is_machine_made = (
        "\0" in text
        or max(map(len, lines)) >= LONGEST_LINE
        or sum(map(len, lines)) / len(lines) >= LONGEST_MEAN_LINE
        or len(text.encode("ascii", "ignore")) < len(text) / 2
        or _GENERATED.search("\n".join(lines[:HEAD_LINES]))
    )
    is_other_language = (language in _REQUIRED and not _REQUIRED[language].search(text)) or (
        language in _FORBIDDEN and _FORBIDDEN[language].search(text)
    )
    if is_machine_made or is_other_language:
        return None
    text = without_licence(text, language)
    return text if len(text) >= SHORTEST_TEXT else None


def without_licence(text: str, language: str) -> str:
    """The text without leading comments that speak of licence or copyright; a shebang or `<?php` before them stays."""
    comment = re.compile(_HASH_COMMENT if language in _HASH_LANGUAGES else _SLASH_COMMENT, re.DOTALL)
    while True:
        before = _BEFORE_COMMENT.match(text)
        match = comment.match(text, before.end())
        if match is None or not _LICENCE_WORD.search(match[0]):
            return text
        text = text[: before.end()].lstrip("\n") + text[match.end() :].lstrip("\n")


def _fixed_part(pattern: str) -> str:
    """The folders before the first wildcard, which the row's author chose with open eyes."""
    return re.split(r"[*{]", pattern)[0].rpartition("/")[0]


def _members(archive: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the wanted files of a .whl or .tar.gz archive, sorted by name."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                yield from ((name, wheel.read(name)) for name in sorted(filter(is_wanted, wheel.namelist())))
        else:
            with tarfile.open(archive) as tar:
                # A compressed tar is read once from front to back: seeking in it would unpack it again.
                wanted = {
                    member.name: tar.extractfile(member).read()
                    for member in tar
                    if member.isfile() and is_wanted(member.name)
                }
            yield from sorted(wanted.items())
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{archive}: cannot be read ({error}); delete it and run again") from None
