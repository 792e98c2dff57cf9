"""What each way of compressing does to one model: everything that is measured of a variant, in one long table.

One variant's rows rest on nothing but the model and the variant, so a long list of variants can be measured one by one,
stored, and gone on with. Where the base model solves almost no task, lost programs say nothing; the log-likelihood of
the canonical solutions says how much less probable the right programs became.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from compressed_code.benchmarks.pass_rates import paired_flips, pass_rates, syntax_valid_share
from compressed_code.cold_start.metrics import divergence, keyword_masses, load_english_words, metric_table
from compressed_code.fidelity.equal_uncertainty import changes_at_equal_uncertainty
from compressed_code.fidelity.summary import fidelity_summary
from compressed_code.measurements.code_generation import executions
from compressed_code.measurements.cold_start import cold_starts, with_tokens
from compressed_code.measurements.fidelity import fidelity, task_fidelity, variant_record
from compressed_code.measurements.tables import measure
from compressed_code.registry.languages import select_languages
from compressed_code.statistics.intervals_and_tests import wilson_interval

COLUMNS = ("row", "method", "bits", "bits_model", "quantity", "group", "value", "low", "high", "count")
METRICS = ("pkp", "stp", "nlp", "entropy_nats")  # of the first token
STATISTICS = ("kl_mean_nats", "flip_fraction", "ln_perplexity_ratio", "top_right_base_fraction")
OVERALL = "all"
BASE = ""  # in place of a quantization's name


@dataclass(frozen=True)
class Scope:
    """How much is read and written.

    Attributes:
        translations: in how many languages each of the parallel programs is read (`measurements.fidelity.fidelity`).
        benchmark: whose canonical solutions are read, and whose tasks programs are written for.
        tasks: how many of its tasks.
        written: quantizations whose programs are written and run, besides the base model's; the others' are not.
        max_tokens: most new tokens of a program.
    """

    translations: int = 1
    benchmark: str = "humaneval"
    tasks: int = 20
    written: Sequence[str] = ()
    max_tokens: int = 256

    @property
    def part(self) -> str:
        """The tasks, as `benchmarks.load_benchmark` names them."""
        return f"{self.benchmark}:{self.tasks}"


def ladder(base: str, rows: Sequence[str], scope: Scope, **where: Any) -> Iterator[pd.DataFrame]:
    """A table for the model itself and one for each of its variants, as they are measured.

    Args:
        base: name of the model.
        rows: rows of data/quantizations.yml; a variant is `BASE+ROW`.
        where: `registry` and `directory`, as of `measure`.

    Yields:
        Columns `COLUMNS`. `row` is `BASE` for the model itself, whose `bits` are missing. Quantities:

        - "first token": `METRICS` after the document start, and "kl" from the base model (nats)
        - "keyword": first-token probability of each keyword, all its forms
        - "text" and "tasks": `STATISTICS` on parallel programs and on canonical solutions, with Student's intervals over
          programs and tasks; `count` is tokens
        - "class kl", "class flips": mean KL and changed top tokens by token class; "class ratio": changed ones over
          those expected at equal uncertainty, corrected for the classes (`fidelity.equal_uncertainty`)
        - "programs": "passed" and "valid" (shares, Wilson), "kept", "lost", "gained" (counts), where they were written

    Raises:
        InputError: the model or a row is unknown.
        Unavailable: a variant cannot be made here.
    """
    first = _first(base, where)
    outcomes = _outcomes(base, scope, where)
    yield _table(BASE, {}, [*_metrics(first), *_keywords(first), *_programs(outcomes)])
    for row in rows:
        name = f"{base}+{row}"
        record = measure(variant_record, name, **where).iloc[0]
        own = _first(name, where)
        found = [("first token", "kl", divergence(first["probability"], own["probability"]))]
        found += [*_metrics(own), *_keywords(own), *_divergences(name, scope, where)]
        if row in scope.written:
            found += _programs(_outcomes(name, scope, where), outcomes)
        yield _table(row, record, found)


def _table(row: str, record: Mapping[str, Any], found: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    table = pd.DataFrame([(*numbers, *[None] * (6 - len(numbers))) for numbers in found], columns=list(COLUMNS[4:]))
    made = {"row": row, "method": record.get("method", ""), "bits": record.get("bits_quantized")}
    table = table.assign(**made, bits_model=record.get("bits_model"))[list(COLUMNS)]
    return table.astype(dict.fromkeys(("bits", "bits_model", "value", "low", "high", "count"), float))


def _first(model: str, where: Mapping[str, Any]) -> pd.DataFrame:
    return with_tokens(cold_starts(model, **where), **where)


def _metrics(first: pd.DataFrame) -> list[tuple[Any, ...]]:
    values = metric_table(first, select_languages(None), load_english_words()).set_index("metric")["value"]
    return [("first token", name, values[name]) for name in METRICS]


def _keywords(first: pd.DataFrame) -> list[tuple[Any, ...]]:
    masses = keyword_masses(first)
    return [("keyword", *pair) for pair in zip(masses["keyword"], masses["probability"], strict=True)]


def _divergences(name: str, scope: Scope, where: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    tokens = measure(fidelity, name, translations=scope.translations, **where)
    on_tasks = measure(task_fidelity, name, benchmark=scope.benchmark, tasks=scope.tasks, **where)
    for quantity, table in (("text", tokens), ("tasks", on_tasks)):
        for found in _of(fidelity_summary(table), STATISTICS):
            yield quantity, found.statistic, found.value, found.low, found.high, found.tokens
    by_class = fidelity_summary(tokens, ["token_class"])
    for quantity, statistic in (("class kl", "kl_mean_nats"), ("class flips", "flip_fraction")):
        for found in _of(by_class, [statistic]):
            yield quantity, found.token_class, found.value, found.low, found.high, found.tokens
    classes = by_class["token_class"].nunique()
    for found in changes_at_equal_uncertainty(tokens, comparisons=classes).itertuples():
        yield "class ratio", found.group, found.value, found.low, found.high, found.tokens


def _of(summary: pd.DataFrame, statistics: Sequence[str]) -> Iterator[Any]:
    return summary[summary["statistic"].isin(statistics)].itertuples()


def _outcomes(model: str, scope: Scope, where: Mapping[str, Any]) -> pd.DataFrame:
    return measure(executions, model, benchmark=scope.part, max_tokens=scope.max_tokens, **where)


def _programs(outcomes: pd.DataFrame, of_base: pd.DataFrame | None = None) -> Iterator[tuple[Any, ...]]:
    rate, tasks = pass_rates(outcomes).iloc[0], len(outcomes)
    yield "programs", "passed", rate["value"], rate["low"], rate["high"], tasks
    valid = syntax_valid_share(outcomes)
    yield "programs", "valid", valid, *wilson_interval(round(valid * tasks), tasks), tasks
    if of_base is not None:
        flips = paired_flips(of_base, outcomes)
        for name in ("kept", "lost", "gained"):
            yield "programs", name, flips[name], None, None, tasks
