"""Fidelity and footprint of compressed models against their base models."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compressed_code.benchmarks.tasks import benchmark_files, load_benchmark, spread_tasks
from compressed_code.core.paths import RESULTS
from compressed_code.fidelity.equal_uncertainty import changes_at_equal_uncertainty
from compressed_code.fidelity.footprint import embedding_weights, sizes
from compressed_code.fidelity.footprint import footprint as measure_footprint
from compressed_code.fidelity.loss_changes import document_losses
from compressed_code.fidelity.summary import fidelity_summary
from compressed_code.measurements.readings import TRANSLATIONS, Text, programs_read, reading_of
from compressed_code.measurements.subjects.models import ModelSubject
from compressed_code.measurements.subjects.pairs import Pair, PairSubject
from compressed_code.measurements.tables import Measurement, measure, measurement
from compressed_code.models.devices import chosen_device
from compressed_code.models.precision import precision_of
from compressed_code.models.start_contexts import start_ids
from compressed_code.quantization.record import read_record
from compressed_code.registry.languages import (
    KEYWORDS_FILE,
    PROGRAMS_DIRECTORY,
    load_programs,
    select_languages,
)
from compressed_code.registry.lookup import Registry
from compressed_code.tokenizers.fertility import token_spans
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary

MANY_TEXTS = 9  # of so many, a third says as much of a noise floor


@measurement(
    version=6,
    subject=PairSubject(),
    inputs=[KEYWORDS_FILE, PROGRAMS_DIRECTORY],
    packages=["torch", "transformers", "pygments"],
    on_device=True,
)
def fidelity(pair: Pair, translations: int = TRANSLATIONS) -> pd.DataFrame:
    """Every predicted token of parallel programs, read by both models (`fidelity.token_fidelity`), and `precision`.

    That column says what both were computed in (`compressed_code.models.precision`).

    The programs are the repository's own and are in no training corpus; a document is one program in one language, a
    cluster is a program.

    Args:
        translations: in how many of the twelve languages each program is read.
    """
    return _tokens(pair, programs_read(translations))


@measurement(
    version=1,
    subject=PairSubject(),
    inputs=lambda benchmark="zoo", **_: [*benchmark_files(benchmark), KEYWORDS_FILE],
    packages=["torch", "transformers", "pygments"],
    on_device=True,
)
def task_fidelity(pair: Pair, benchmark: str = "zoo-standard", tasks: int = 160) -> pd.DataFrame:
    """As `fidelity`, on the canonical solutions of benchmark tasks, each read after its prompt.

    Tokens that begin in a prompt are read and not counted. A document, and a cluster, is a task.

    Args:
        benchmark: as `benchmarks.load_benchmark`.
        tasks: how many of them, spread evenly over the benchmark.
    """
    chosen = spread_tasks(load_benchmark(benchmark), tasks)
    tokens = _tokens(pair, [Text("python", task.task_id, task.prompt + task.canonical_solution) for task in chosen])
    vocabulary = open_tokenizer(pair.base)
    first = {task.task_id: _first_token_behind(vocabulary, task.prompt, task.canonical_solution) for task in chosen}
    counted = tokens["position"] >= tokens["document"].astype(str).map(first)
    return tokens[counted].reset_index(drop=True)


@measurement(
    version=1,
    subject=PairSubject(),
    inputs=[KEYWORDS_FILE],
    packages=["torch", "transformers", "pygments"],
    on_device=True,
)
def text_fidelity(pair: Pair, texts: Sequence[Sequence[str]] = ()) -> pd.DataFrame:
    """The same of texts of the caller's own.

    Args:
        texts: language key, name, content and cluster of each (`readings.Text`).
    """
    return _tokens(pair, [Text(*text) for text in texts])


@measurement(
    version=1, subject=PairSubject(), inputs=[KEYWORDS_FILE], packages=["torch", "transformers"], on_device=True
)
def text_bytes(pair: Pair, texts: Sequence[Sequence[str]] = ()) -> pd.DataFrame:
    """Log-probabilities of the pieces that two tokenizers have in common (`fidelity.pair.byte_fidelity`).

    Args:
        texts: as of `text_fidelity`.

    Returns:
        The columns of `byte_fidelity`; `document` is the name of the text, `language` and `cluster` are beside it.
    """
    from compressed_code.fidelity.pair import Reader, byte_fidelity
    from compressed_code.models.load import load_reader

    read, precision = [Text(*text) for text in texts], precision_of(pair.base, pair.candidate)
    sides = [
        Reader(load_reader(path, chosen_device(), precision), open_tokenizer(path), start_ids(path, "document"))
        for path in (pair.base, pair.candidate)
    ]
    pieces = byte_fidelity(*sides, [text.content for text in read], progress="texts")
    of_row = [read[number] for number in pieces["document"]]
    names = {"document": "name", "language": "language", "cluster": "cluster"}
    return pieces.assign(**{column: [getattr(text, name) for text in of_row] for column, name in names.items()})


@measurement(
    version=1,
    subject=ModelSubject(),
    inputs=[KEYWORDS_FILE, PROGRAMS_DIRECTORY],
    packages=["torch", "transformers", "pygments"],
    on_device=True,
)
def noise_floor(model: Path, texts: Sequence[Sequence[str]] = (), translations: int = TRANSLATIONS) -> pd.DataFrame:
    """A model beside itself with its activations rounded to bfloat16 (`fidelity.noise_floor`), as `fidelity`.

    Of many texts every third is read, which is enough for a floor.

    Args:
        texts: as of `text_fidelity`; by default the parallel programs that `fidelity` reads.
        translations: as of `fidelity`; without effect on texts that are given.
    """
    from compressed_code.fidelity.noise_floor import RoundedRunner
    from compressed_code.fidelity.pair import token_fidelity

    precision = precision_of(model)
    reading = reading_of(
        model, [Text(*text) for text in texts] or programs_read(translations), precision, chosen_device()
    )
    documents = reading.documents[:: 3 if len(reading.documents) >= MANY_TEXTS else 1]
    rounded = RoundedRunner(reading.runner.model, reading.start_ids)
    tokens = token_fidelity(reading.runner, rounded, documents, reading.start_ids, progress="noise floor")
    return tokens.assign(precision=pd.Categorical([precision]).repeat(len(tokens)))


def _tokens(pair: Pair, texts: Sequence[Text]) -> pd.DataFrame:
    """`token_fidelity` of a pair in the precision that suits both."""
    from compressed_code.fidelity.pair import require_same_vocabulary, token_fidelity
    from compressed_code.models.load import load_reader

    precision = precision_of(pair.base, pair.candidate)
    reading = reading_of(pair.base, texts, precision, chosen_device())
    require_same_vocabulary(reading.vocabulary, open_tokenizer(pair.candidate))
    tokens = token_fidelity(
        reading.runner,
        load_reader(pair.candidate, chosen_device(), precision),
        reading.documents,
        reading.start_ids,
        keyword_ids=reading.keyword_ids,
        entries=len(reading.vocabulary),
        progress="texts",
    )
    return tokens.assign(precision=pd.Categorical([precision]).repeat(len(tokens)))


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


@measurement(version=2, subject=ModelSubject(), packages=[])
def stored_size(model: Path) -> pd.DataFrame:
    """What a checkpoint takes on disk and in memory, one row.

    Returns:
        Columns of `footprint.sizes`, and `embedding_parameters` (`footprint.embedding_weights`).
    """
    return pd.DataFrame([sizes(model) | {"embedding_parameters": embedding_weights(model)}])


@measurement(version=2, subject=PairSubject(), inputs=[PROGRAMS_DIRECTORY], packages=["torch", "transformers"])
def footprint(pair: Pair, program: str = "bank_account", rounds: int = 3) -> pd.DataFrame:
    """Sizes, load time and speed of both models, measured in turns in one run (`footprint.footprint`).

    Args:
        program: the parallel program that is scored, in all twelve languages.
    """
    tokenizer = open_tokenizer(pair.base)
    texts = [load_programs(language)[program] for language in select_languages(None)]
    documents = [np.array(tokenizer.encode(text), np.int64) for text in texts]
    return measure_footprint(pair.base, pair.candidate, documents, start_ids(pair.base, "document"), rounds=rounds)


# What the functions below call is their definition: who changes it bumps their version, or old sums are read on.


@measurement(version=2, subject=PairSubject(), uses=[fidelity], sums_up=True)
def fidelity_statistics(_: Pair, fidelity: pd.DataFrame, by: Sequence[str] = (), level: float = 0.95) -> pd.DataFrame:
    """`fidelity_summary` of a pair's tokens of parallel programs; `by` and `level` as there."""
    return fidelity_summary(fidelity, by, level=level)


@measurement(version=2, subject=PairSubject(), uses=[task_fidelity], sums_up=True)
def task_statistics(_: Pair, task_fidelity: pd.DataFrame, by: Sequence[str] = (), level: float = 0.95) -> pd.DataFrame:
    """The same of its tokens of task solutions."""
    return fidelity_summary(task_fidelity, by, level=level)


@measurement(version=1, subject=PairSubject(), uses=[fidelity], sums_up=True)
def losses_by_document(_: Pair, fidelity: pd.DataFrame) -> pd.DataFrame:
    """`loss_changes.document_losses` of a pair."""
    return document_losses(fidelity)


@measurement(version=2, subject=PairSubject(), uses=[fidelity], sums_up=True)
def changes_by(
    _: Pair, fidelity: pd.DataFrame, by: str = "token_class", bins: int = 20, comparisons: int = 1
) -> pd.DataFrame:
    """`changes_at_equal_uncertainty` of a pair; parameters as there."""
    return changes_at_equal_uncertainty(fidelity, by, bins=bins, comparisons=comparisons)


def fidelity_by(
    pairs: str | Iterable[str],
    by: Iterable[str] = (),
    *,
    on: Measurement = fidelity,
    registry: Registry | None = None,
    directory: Path = RESULTS,
    **summary: Any,
) -> pd.DataFrame:
    """`summary.fidelity_summary` of several pairs, one after the other, so that one pair's tokens are in memory.

    Args:
        pairs: names of `PairSubject`.
        by: columns of `fidelity`, for example `["token_class"]`.
        on: `fidelity` on parallel programs, or `task_fidelity`.
        registry: by default data/models.yml.
        directory: where tables are stored.
        summary: further arguments of `fidelity_summary`, or parameters of `on`.

    Returns:
        Column `pair` and those of `fidelity_summary`. A pair that cannot be had here is named and left out.
    """
    (what,) = [one for one in (fidelity_statistics, task_statistics) if on in one.uses]
    return measure(what, pairs, registry=registry, directory=directory, by=list(by), **summary)


def _first_token_behind(vocabulary: Vocabulary, prompt: str, solution: str) -> int:
    """Place of the first token of prompt and solution that begins behind the prompt."""
    starts = token_spans(vocabulary, prompt + solution)[:, 0]
    return int(np.searchsorted(starts, len(prompt.encode())))
