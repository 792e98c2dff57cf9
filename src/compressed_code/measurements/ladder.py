"""What each way of compressing does to one model: everything that is measured of a variant, in one long table.

One variant's rows rest on nothing but the model and the variant, so a long list of variants can be measured one by one,
stored, and gone on with. Where the base model solves almost no task, lost programs say nothing; the log-likelihood of
the canonical solutions says how much less probable the right programs became.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from compressed_code.benchmarks.pass_rates import paired_flips, pass_rates, syntax_valid_share
from compressed_code.cold_start.metrics import divergence, keyword_masses, load_english_words, metric_table
from compressed_code.core.errors import Unavailable
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
KEYWORDS = 20
BASE = ""  # in place of a quantization's name


@dataclass(frozen=True)
class Scope:
    """How much is read and written.

    Attributes:
        translations: in how many languages each of the parallel programs is read (`measurements.fidelity.fidelity`).
        benchmark: whose canonical solutions are read, and whose tasks programs are written for.
        solutions: how many of its tasks' solutions are read.
        tasks: for how many of its tasks programs are written.
        max_tokens: most new tokens of a program.
    """

    translations: int = 1
    benchmark: str = "humaneval"
    solutions: int = 10
    tasks: int = 20
    max_tokens: int = 200


def divergences(base: str, row: str, scope: Scope, **where: Any) -> pd.DataFrame:
    """How far one variant of a model predicts something else than the model.

    Args:
        base: name of the model.
        row: of data/quantizations.yml; the variant is `BASE+ROW`. `BASE` stands for the model itself.
        where: `registry` and `directory`, as of `measure`.

    Returns:
        Columns `COLUMNS`. `row` is `BASE` for the model itself, whose `bits` are missing. Quantities:

        - "first token": `METRICS` after the document start, and "kl" from the base model (nats)
        - "keyword": first-token probability of the model's `KEYWORDS` most probable keywords, all their forms
        - "text" and "tasks": `STATISTICS` on parallel programs and on canonical solutions, with intervals
          over programs and tasks; `count` is tokens
        - "class kl", "class flips": mean KL and changed top tokens by token class; "class ratio": changed ones over
          those expected at equal uncertainty, corrected for the classes (`fidelity.equal_uncertainty`)

    Raises:
        InputError: the model or a row is unknown.
        Unavailable: a variant cannot be made here.
    """
    first = _first(base, where)
    leading = keyword_masses(first)["keyword"].head(KEYWORDS)
    if row == BASE:
        return _table(base, row, [*_metrics(first), *_keywords(first, leading)], where)
    name = f"{base}+{row}"
    own = _first(name, where)
    found = [("first token", "kl", divergence(first["probability"], own["probability"]))]
    found += [*_metrics(own), *_keywords(own, leading), *_divergences(name, scope, where)]
    return _table(base, row, found, where)


def programs(base: str, row: str, scope: Scope, **where: Any) -> pd.DataFrame:
    """What one variant of a model writes, or the model itself; arguments and columns as of `divergences`.

    Returns:
        Quantity "programs": "passed", "valid" (no syntax error) and "empty" (nothing was written before the first stop;
        shares of tasks, Wilson), and of a variant "kept", "lost", "gained" (`pass_rates.paired_flips`); `count` is
        tasks.

    Raises:
        InputError: the model or row is unknown, or no task can be scored here.
        Unavailable: the variant cannot be made, or nothing isolates programs here.
    """
    outcomes = _outcomes(base, scope, where)
    if row == BASE:
        return _table(base, row, list(_programs(outcomes)), where)
    own = _outcomes(f"{base}+{row}", scope, where)
    return _table(base, row, list(_programs(own, outcomes)), where)


def of_rows(
    kind: Callable[..., pd.DataFrame], base: str, rows: Iterable[str], scope: Scope, **where: Any
) -> pd.DataFrame:
    """`divergences` or `programs` of several rows, stacked; what cannot be made here is named and left out.

    Raises:
        InputError: as they do.
        Unavailable: none of the rows could be measured.
    """
    tables = []
    for row in rows:
        try:
            tables.append(kind(base, row, scope, **where))
        except Unavailable as gap:
            print(f"{kind.__name__}: left out {row or base}: {gap}", file=sys.stderr)
    if not tables:
        raise Unavailable(f"{kind.__name__}: nothing could be measured of {base}")
    return pd.concat(tables, ignore_index=True)


def _table(base: str, row: str, found: Sequence[tuple[Any, ...]], where: Mapping[str, Any]) -> pd.DataFrame:
    record = measure(variant_record, f"{base}+{row}", **where).iloc[0] if row != BASE else {}
    table = pd.DataFrame([(*numbers, *[None] * (6 - len(numbers))) for numbers in found], columns=list(COLUMNS[4:]))
    made = {"row": row, "method": record.get("method", ""), "bits": record.get("bits_quantized")}
    table = table.assign(**made, bits_model=record.get("bits_model"))[list(COLUMNS)]
    return table.astype(dict.fromkeys(("bits", "bits_model", "value", "low", "high", "count"), float))


def _first(model: str, where: Mapping[str, Any]) -> pd.DataFrame:
    return with_tokens(cold_starts(model, **where), **where)


def _metrics(first: pd.DataFrame) -> list[tuple[Any, ...]]:
    values = metric_table(first, select_languages(None), load_english_words()).set_index("metric")["value"]
    return [("first token", name, values[name]) for name in METRICS]


def _keywords(first: pd.DataFrame, leading: Iterable[str]) -> list[tuple[Any, ...]]:
    masses = keyword_masses(first).set_index("keyword")["probability"]
    return [("keyword", keyword, masses[keyword]) for keyword in leading]


def _divergences(name: str, scope: Scope, where: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    tokens = measure(fidelity, name, translations=scope.translations, **where)
    on_tasks = measure(task_fidelity, name, benchmark=scope.benchmark, tasks=scope.solutions, **where)
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
    part = f"{scope.benchmark}:{scope.tasks}"
    return measure(executions, model, benchmark=part, max_tokens=scope.max_tokens, **where)


def _programs(outcomes: pd.DataFrame, of_base: pd.DataFrame | None = None) -> Iterator[tuple[Any, ...]]:
    rate, tasks = pass_rates(outcomes).iloc[0], len(outcomes)
    yield "programs", "passed", rate["value"], rate["low"], rate["high"], tasks
    empty = float((outcomes["completion"].str.strip() == "").mean())  # the function's body was left out
    for name, share in (("valid", syntax_valid_share(outcomes)), ("empty", empty)):
        yield "programs", name, share, *wilson_interval(round(share * tasks), tasks), tasks
    if of_base is not None:
        flips = paired_flips(of_base, outcomes)
        for name in ("kept", "lost", "gained"):
            yield "programs", name, flips[name], None, None, tasks
