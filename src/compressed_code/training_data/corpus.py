"""The corpus: documents of twelve languages from pinned packages, in a training and a held-out part.

It is the same on every machine: it follows from data/corpus.yml, the archives it pins, and this code.
"""

import hashlib
import json
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from compressed_code.core.errors import InputError
from compressed_code.core.hashing import sha256_of
from compressed_code.core.progress import progress_bar
from compressed_code.core.table_store import (
    DamagedTable,
    UnreadableTable,
    find_table,
    locked,
    read_table,
    table_key,
    tell_unstored,
    write_table,
)
from compressed_code.registry.languages import PROGRAMS_DIRECTORY, load_languages, load_programs
from compressed_code.training_data.source_files import SourceFile, read_files
from compressed_code.training_data.sources import CORPUS_DIRECTORY, CORPUS_FILE, Source, fetch_archive, load_sources
from compressed_code.training_data.splitting import SHORTEST, split_file
from compressed_code.training_data.tasks import BENCHMARKS_DIRECTORY

CORPUS_VERSION = 1  # to be raised when the code here, in source_files or in splitting changes what comes out
HELD_OUT_SHARE = 0.05  # of the files
HELD_OUT_FILES = 2  # at least, of every language

Split = Literal["train", "held-out"]
_TABLE = "documents"


@dataclass(frozen=True)
class Document:
    """A short file, the opening of a longer one, or a definition from it.

    Attributes:
        language: key of data/keywords.yml.
        text: at most `splitting.LONGEST` characters, ends with one line end.
        source: package, version and path in its archive; all documents of a file share it.
        split: the part it belongs to; all documents of a file are in the same one.
        opening: whether it starts as its file starts.
    """

    language: str
    text: str
    source: str
    split: Split
    opening: bool


def load_corpus(
    directory: Path = CORPUS_DIRECTORY,
    path: Path = CORPUS_FILE,
    benchmarks: Path = BENCHMARKS_DIRECTORY,
    programs: Path = PROGRAMS_DIRECTORY,
) -> list[Document]:
    """The corpus, built once and then read from a table in `directory`, where the archives are kept too.

    Args:
        directory: for archives and table.
        path: the pinned packages.
        benchmarks: JSON-lines files with the field `prompt`; none of these prompts occurs in the corpus.
        programs: the parallel programs; no part of them occurs in the corpus.

    Raises:
        InputError: a row, archive or benchmark file is wrong; `Unavailable` where an archive cannot be had.
    """
    sources = load_sources(path)
    forbidden = forbidden_texts(benchmarks, programs)
    ingredients = {
        "version": CORPUS_VERSION,
        "sources": sha256_of(path.read_bytes()),
        "forbidden": sha256_of("\0".join(sorted(forbidden)).encode()),
    }
    key = table_key(ingredients)
    with locked(directory, _TABLE, key):
        stored = _read_stored(directory, key, ingredients)
        if stored is not None:
            return stored
        documents = build_corpus(sources, directory, forbidden)
        provenance = {**ingredients, "digest": corpus_digest(documents)}
        try:
            write_table(directory, _TABLE, key, pd.DataFrame(map(asdict, documents)), provenance)
        except OSError as error:
            tell_unstored(directory, error)
    return documents


def build_corpus(sources: Mapping[str, Source], directory: Path, forbidden: Collection[str] = ()) -> list[Document]:
    """Read, cut, split and clean everything; sorted by source, documents of a file in their order.

    Args:
        sources: rows of data/corpus.yml.
        directory: where the archives are, or are downloaded to.
        forbidden: texts in the form of `normalized` that no document may contain.
    """
    files = []
    for source in progress_bar(sources.values(), desc="corpus", unit="archive"):
        archive = fetch_archive(source, directory)
        for language in sorted(source.texts):
            files += _choose_files(source, archive, language)
    held_out = _held_out_digests(file for _, file, _ in files)
    documents = [
        Document(file.language, text, name, "held-out" if file.digest in held_out else "train", position == 0)
        for name, file, texts in sorted(files, key=lambda entry: (entry[0], entry[1].language))
        for position, text in enumerate(texts)
    ]
    return _without_leaks(_without_forbidden(_without_repeats(documents), forbidden))


def forbidden_texts(benchmarks: Path, programs: Path) -> set[str]:
    """The prompts of our benchmarks and the pieces of our parallel programs, normalized.

    Raises:
        InputError: a benchmark file is not JSON lines with a field `prompt`.
    """
    texts = set()
    for path in sorted(benchmarks.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                texts.add(normalized(json.loads(line)["prompt"]))
            except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
                raise InputError(f"{path}, line {number}: must be a JSON object with a text `prompt`") from None
    for language in load_languages().values():
        if (programs / language.key).is_dir():
            for program in load_programs(language, programs).values():
                pieces = split_file(program.strip("\n") + "\n", language.key)
                texts.update(normalized(piece) for piece in pieces if len(piece) >= SHORTEST)
    return texts


def normalized(text: str) -> str:
    """The text with single blanks for all whitespace: what counts as the same document."""
    return " ".join(text.split())


def corpus_digest(documents: Iterable[Document]) -> str:
    """sha256 over every field of every document, in order."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(json.dumps(asdict(document), sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _read_stored(directory: Path, key: str, ingredients: Iterable[str]) -> list[Document] | None:
    path = find_table(directory, _TABLE, key)
    if path is None:
        return None
    try:
        table = read_table(path, ingredients)
    except DamagedTable as damage:
        print(f"{damage}; building it again", file=sys.stderr)  # noqa: T201
        if not isinstance(damage, UnreadableTable):
            path.unlink(missing_ok=True)
        return None
    return [Document(**row) for row in table.to_dict("records")]


def _choose_files(source: Source, archive: Path, language: str) -> list[tuple[str, SourceFile, list[str]]]:
    """Files of one language with their documents, drawn by their hashes until the row's limit is reached."""
    selection = source.texts[language]
    chosen = []
    size = 0
    for file in sorted(read_files(archive, language, selection), key=lambda file: (file.digest, file.name)):
        texts = split_file(file.text, language)
        size += sum(len(text.encode()) for text in texts)
        if size > selection.limit:
            break
        if texts:
            chosen.append((f"{source.key} {source.version}: {file.name}", file, texts))
    return chosen


def _held_out_digests(files: Iterable[SourceFile]) -> set[str]:
    """Digests of the held-out files: those whose digest ends lowest, a share of all and never fewer than the minimum.

    The end of the digest decides, since its beginning decided already which files were chosen.
    """
    digests: dict[str, set[str]] = {}
    for file in files:
        digests.setdefault(file.language, set()).add(file.digest)
    held_out = set()
    for of_language in digests.values():
        ranked = sorted(of_language, key=_rank)
        held_out.update(ranked[:HELD_OUT_FILES])
        held_out.update(digest for digest in ranked if _rank(digest) < HELD_OUT_SHARE)
    return held_out


def _rank(digest: str) -> float:
    """A number in [0, 1) from the end of a hexadecimal digest."""
    return int(digest[-8:], 16) / 16**8


def _without_repeats(documents: Iterable[Document]) -> list[Document]:
    """Only the first of documents that say the same."""
    first = {}
    for document in documents:
        first.setdefault(normalized(document.text), document)
    return list(first.values())


def _without_forbidden(documents: list[Document], forbidden: Collection[str]) -> list[Document]:
    everything = _searchable(documents)
    occurring = [text for text in forbidden if text.encode() in everything]  # almost always none
    return [document for document in documents if not any(text in normalized(document.text) for text in occurring)]


def _without_leaks(documents: list[Document]) -> list[Document]:
    """Without the held-out documents that occur inside a training document."""
    training = _searchable(document for document in documents if document.split == "train")
    return [
        document
        for document in documents
        if document.split == "train" or normalized(document.text).encode() not in training
    ]


def _searchable(documents: Iterable[Document]) -> bytes:
    """All documents, normalized, in one piece. Bytes: one emoji would make every character of a text four bytes."""
    return b"\0".join(normalized(document.text).encode() for document in documents)
