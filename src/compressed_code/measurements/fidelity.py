"""Fidelity and footprint of compressed models against their base models."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from compressed_code.benchmarks.tasks import Task, benchmark_files, load_benchmark
from compressed_code.checkpoints.model_files import fingerprint
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.names import as_names
from compressed_code.core.paths import RESULTS
from compressed_code.fidelity.equal_uncertainty import changes_at_equal_uncertainty
from compressed_code.fidelity.footprint import footprint as measure_footprint
from compressed_code.fidelity.footprint import sizes
from compressed_code.fidelity.loss_changes import document_losses
from compressed_code.fidelity.summary import fidelity_summary
from compressed_code.measurements.subjects.models import ModelSubject
from compressed_code.measurements.subjects.pairs import Pair, PairSubject
from compressed_code.measurements.tables import Measurement, measure, measurement
from compressed_code.models.precision import Precision, precision_of
from compressed_code.models.start_contexts import start_ids
from compressed_code.quantization.record import read_record
from compressed_code.registry.languages import (
    KEYWORDS_FILE,
    PROGRAMS_DIRECTORY,
    Language,
    load_programs,
    select_languages,
)
from compressed_code.registry.lookup import Registry
from compressed_code.tokenizers.fertility import token_spans
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary

if TYPE_CHECKING:
    from compressed_code.fidelity.pair import EncodedText
    from compressed_code.fidelity.teacher_forcing import KeepingRunner

# Programs are the independent draws, so all are read, each in some languages only. These steps from one language to
# the next differ pairwise, so that few programs share two languages and all languages are read about equally often.
_STEPS = (0, 1, 4, 6, 8, 9, 10, 11, 2, 3, 5, 7)


@dataclass(frozen=True)
class Reading:
    """A base model with the programs it reads: what the comparisons with all of its candidates share."""

    vocabulary: Vocabulary
    documents: Sequence["EncodedText"]
    start_ids: Sequence[int]
    keyword_ids: Sequence[int]
    runner: "KeepingRunner"


@measurement(
    version=6,
    subject=PairSubject(),
    inputs=[KEYWORDS_FILE, PROGRAMS_DIRECTORY],
    packages=["torch", "transformers", "pygments"],
)
def fidelity(pair: Pair, translations: int = 3) -> pd.DataFrame:
    """Every predicted token of parallel programs, read by both models (`fidelity.token_fidelity`), and `precision`.

    That column says what both were computed in (`compressed_code.models.precision`).

    The programs are the repository's own and are in no training corpus; a document is one program in one language, a
    cluster is a program.

    Args:
        translations: in how many of the twelve languages each program is read.
    """
    return _compared(pair, lambda vocabulary: _programs(vocabulary, translations), f"{translations} translations")


@measurement(
    version=1,
    subject=PairSubject(),
    inputs=lambda benchmark="zoo", **_: [*benchmark_files(benchmark), KEYWORDS_FILE],
    packages=["torch", "transformers", "pygments"],
)
def task_fidelity(pair: Pair, benchmark: str = "zoo-standard", tasks: int = 160) -> pd.DataFrame:
    """As `fidelity`, on the canonical solutions of benchmark tasks, each read after its prompt.

    Tokens that begin in a prompt are read and not counted. A document, and a cluster, is a task.

    Args:
        benchmark: as `benchmarks.load_benchmark`.
        tasks: how many of them, spread evenly over the benchmark.
    """
    chosen = _spread(load_benchmark(benchmark), tasks)
    tokens = _compared(pair, lambda vocabulary: _solutions(vocabulary, chosen), f"{tasks} tasks of {benchmark}")
    vocabulary = _tokenizer(pair.base)
    first = {task.task_id: _first_token_behind(vocabulary, task.prompt, task.canonical_solution) for task in chosen}
    counted = tokens["position"] >= tokens["document"].astype(str).map(first)
    return tokens[counted].reset_index(drop=True)


@measurement(version=2, subject=ModelSubject(), packages=[])
def variant_record(model: Path) -> pd.DataFrame:
    """How a quantized variant was made and what it takes, from the record beside its weights; one row.

    Returns:
        Columns `method`, `type`, `bits`, `group_size`, `symmetric`, `embeddings`, `seed`, `library`, `version`,
        `kernel`, `calibration` (source; empty for none), `calibration_sha256`, `stored` ("packed", "dequantized" or
        "mixed"), `bits_quantized` and `bits_model` (effective bits per weight: quantized matrices, whole model),
        `weights_sha256`.
    """
    record = read_record(model)
    source = record["calibration"] or {"source": "", "sha256": ""}
    names = ["method", "type", "bits", "group_size", "symmetric", "embeddings", "seed", "library", "version", "kernel"]
    row = {name: record[name] for name in names}
    row |= {"calibration": source["source"], "calibration_sha256": source["sha256"], "stored": record["stored"]}
    row |= {f"bits_{part}": bits for part, bits in record["effective_bits"].items()}
    return pd.DataFrame([row | {"weights_sha256": record["weights_sha256"]}])


@measurement(version=1, subject=ModelSubject(), packages=[])
def stored_size(model: Path) -> pd.DataFrame:
    """What a checkpoint takes on disk and in memory (`footprint.sizes`), one row."""
    return pd.DataFrame([sizes(model)])


@measurement(version=2, subject=PairSubject(), inputs=[PROGRAMS_DIRECTORY], packages=["torch", "transformers"])
def footprint(pair: Pair, program: str = "bank_account", rounds: int = 3) -> pd.DataFrame:
    """Sizes, load time and speed of both models, measured in turns in one run (`footprint.footprint`).

    Args:
        program: the parallel program that is scored, in all twelve languages.
    """
    tokenizer = _tokenizer(pair.base)
    texts = [load_programs(language)[program] for language in select_languages(None)]
    documents = [np.array(tokenizer.encode(text), np.int64) for text in texts]
    return measure_footprint(pair.base, pair.candidate, documents, start_ids(pair.base, "document"), rounds=rounds)


def losses_by_document(pairs: str | Iterable[str], **where: Any) -> pd.DataFrame:
    """`loss_changes.document_losses` of several pairs, stacked, with a column `pair`.

    Args:
        where: `registry` and `directory`, as of `measure`.
    """
    return _of_pairs(pairs, document_losses, where)


def fidelity_by(
    pairs: str | Iterable[str],
    by: Iterable[str] = (),
    *,
    on: Measurement = fidelity,
    registry: Registry | None = None,
    directory: Path = RESULTS,
    **summary: Any,
) -> pd.DataFrame:
    """`divergences.fidelity_summary` of several pairs, one after the other, so that one pair's tokens are in memory.

    Args:
        pairs: names of `PairSubject`.
        by: columns of `fidelity`, for example `["token_class"]`.
        on: `fidelity` on parallel programs, or `task_fidelity`.
        registry: by default data/models.yml.
        directory: where tables are stored.
        summary: further arguments of `fidelity_summary`.

    Returns:
        Column `pair` and those of `fidelity_summary`. A pair that cannot be had here is named and left out.
    """
    where = {"registry": registry, "directory": directory}
    return _of_pairs(pairs, lambda tokens: fidelity_summary(tokens, list(by), **summary), where, on)


def changes_by(
    pairs: str | Iterable[str], by: str = "token_class", *, comparisons: int = 1, **where: Any
) -> pd.DataFrame:
    """`changes_at_equal_uncertainty` of several pairs, stacked, with a column `pair`; `where` as of `measure`."""
    return _of_pairs(pairs, lambda tokens: changes_at_equal_uncertainty(tokens, by, comparisons=comparisons), where)


_LAST: dict[tuple[Any, ...], Reading] = {}


def texts_read(translations: int) -> list[tuple[Language, str, str]]:
    """Language, name and text of the programs that are read: all of them, each in so many languages."""
    languages = select_languages(None)
    if not 1 <= translations <= len(languages):
        raise InputError(f"translations: must be 1 to {len(languages)}, found {translations}")
    programs = {language.key: load_programs(language) for language in languages}
    names = sorted(set.intersection(*(set(texts) for texts in programs.values())))
    return [
        (language, name, programs[language.key][name])
        for place, language in enumerate(languages)
        for number, name in enumerate(names)
        if (place - number) % len(languages) in _STEPS[:translations]
    ]


def _programs(vocabulary: Vocabulary, translations: int) -> "list[EncodedText]":
    from compressed_code.fidelity.pair import encode_document

    return [
        encode_document(vocabulary, language, text, f"{language.key}/{program}", program)
        for language, program, text in texts_read(translations)
    ]


def _solutions(vocabulary: Vocabulary, tasks: Iterable[Task]) -> "list[EncodedText]":
    from compressed_code.fidelity.pair import encode_document

    (python,) = select_languages(["python"])
    return [encode_document(vocabulary, python, task.prompt + task.canonical_solution, task.task_id) for task in tasks]


def _spread(tasks: Sequence[Task], count: int) -> list[Task]:
    if not 1 <= count <= len(tasks):
        raise InputError(f"tasks: must be 1 to {len(tasks)}, found {count}")
    return [tasks[number * len(tasks) // count] for number in range(count)]


def _first_token_behind(vocabulary: Vocabulary, prompt: str, solution: str) -> int:
    """Place of the first token of prompt and solution that begins behind the prompt."""
    starts = token_spans(vocabulary, prompt + solution)[:, 0]
    return int(np.searchsorted(starts, len(prompt.encode())))


def _compared(pair: Pair, texts: "Callable[[Vocabulary], list[EncodedText]]", name: str) -> pd.DataFrame:
    """`token_fidelity` on some texts, with the precision of both models."""
    from compressed_code.fidelity.pair import require_same_vocabulary, token_fidelity
    from compressed_code.models.load import load_model

    precision = precision_of(pair.base, pair.candidate)
    reading = _read_by(pair.base, texts, name, precision)
    require_same_vocabulary(reading.vocabulary, _tokenizer(pair.candidate))
    tokens = token_fidelity(
        reading.runner,
        load_model(pair.candidate, dtype=precision),
        reading.documents,
        reading.start_ids,
        keyword_ids=reading.keyword_ids,
        entries=len(reading.vocabulary),
    )
    return tokens.assign(precision=pd.Categorical([precision]).repeat(len(tokens)))


def _read_by(
    base: Path, texts: "Callable[[Vocabulary], list[EncodedText]]", name: str, precision: Precision
) -> Reading:
    """The reading of a base: the last one where it is the same, for variants of one model are compared in a row."""
    from compressed_code.fidelity.pair import keyword_ids
    from compressed_code.fidelity.teacher_forcing import KeepingRunner
    from compressed_code.models.load import load_model

    key = (name, precision, str(base), *fingerprint(base).values())
    if key not in _LAST:
        _LAST.clear()  # before the next base is loaded: two large ones may not fit side by side
        vocabulary, start = _tokenizer(base), start_ids(base, "document")
        runner = KeepingRunner(load_model(base, dtype=precision), start)
        _LAST[key] = Reading(vocabulary, texts(vocabulary), start, keyword_ids(vocabulary), runner)
    return _LAST[key]


def _of_pairs(
    pairs: str | Iterable[str],
    summarise: Callable[[pd.DataFrame], pd.DataFrame],
    where: Mapping[str, Any],
    on: Measurement = fidelity,
) -> pd.DataFrame:
    """Apply a function to one pair's tokens at a time; a pair that cannot be had here is named and left out."""
    tables = []
    for pair in as_names(pairs):
        try:
            tokens = measure(on, pair, **where)
        except Unavailable:
            continue  # measure has named it
        tables.append(summarise(tokens))
        tables[-1].insert(0, "pair", pair)
    if not tables:
        raise Unavailable("fidelity: no pair could be measured")
    return pd.concat(tables, ignore_index=True)


def _tokenizer(path: Path) -> Vocabulary:
    return open_tokenizer(path)
