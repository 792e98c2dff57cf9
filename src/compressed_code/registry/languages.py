"""The twelve programming languages: their keywords and the parallel programs written in them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import field_validator

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml

KEYWORDS_FILE = DATA / "keywords.yml"
PROGRAMS_DIRECTORY = DATA / "parallel-programs"


class Language(Record):
    """One row of data/keywords.yml.

    Attributes:
        key: short name used in tables (`python`, `cpp`).
        label: name used in figures (`Python`, `C++`).
        source: document the keyword list was taken from.
        edition: edition of the language.
        extension: file-name extension of its programs, with the dot.
        lexer: Pygments short name of its lexer.
        keywords: the words, sorted and distinct; none contains a blank.
    """

    key: str
    label: str
    source: str
    edition: str
    extension: str
    lexer: str
    keywords: tuple[str, ...]

    @field_validator("keywords", mode="before")
    @classmethod
    def _split(cls, text: object) -> tuple[str, ...]:
        if not isinstance(text, str) or not text.split():
            raise ValueError("must be text: the keywords, separated by blanks")
        words = text.split()
        repeated = sorted({word for word in words if words.count(word) > 1})
        if repeated:
            raise ValueError(f"repeats {', '.join(repeated)}")
        return tuple(sorted(words))


def load_languages(path: Path = KEYWORDS_FILE) -> Mapping[str, Language]:
    """The languages of data/keywords.yml, in the order of the file.

    Raises:
        InputError: naming file, row and field.
    """
    return parse_rows(Language, read_yaml(path), path)


def select_languages(names: Iterable[str] | None, path: Path = KEYWORDS_FILE) -> list[Language]:
    """The named languages, or all of them for `None`.

    Raises:
        InputError: a name is not a key of the file.
    """
    languages = load_languages(path)
    if names is None:
        return list(languages.values())
    unknown = [name for name in names if name not in languages]
    if unknown:
        raise InputError(f"language {unknown[0]!r} is not in {path.name}; known: {', '.join(languages)}")
    return [languages[name] for name in names]


def keyword_union(languages: Iterable[Language]) -> frozenset[str]:
    """Every word that is a keyword in at least one of the languages."""
    return frozenset(word for language in languages for word in language.keywords)


def load_programs(language: Language, directory: Path = PROGRAMS_DIRECTORY) -> dict[str, str]:
    """The parallel programs in one language: program name → source text, sorted by name.

    Raises:
        InputError: the language has no program in the directory.
    """
    paths = sorted((directory / language.key).glob(f"*{language.extension}"))
    if not paths:
        raise InputError(f"{directory / language.key}: no *{language.extension} program")
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}
