"""pass@k with intervals, outcome counts and paired comparisons.

Pure functions on outcome tables: one row per sample with `task_id`, `sample`, `passed`, `outcome`, `exception`
(`execution.execute_samples`).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compressed_code.statistics.intervals_and_tests import (
    holm,
    mcnemar_exact,
    ratio_interval,
    smallest_detectable_loss,
    wilson_interval,
)

NORMAL_975 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution
# What `paired_flips` says of a pair of models.
_FLIPS = ("pairs", "kept", "lost", "gained", "neither", "difference", "low", "high", "p_value", "detectable")


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Unbiased estimate of the chance that one of k samples passes (Chen et al. 2021, eq. 1).

    1 − C(n − c, k) / C(n, k), as the product 1 − Π (1 − k / i) over i = n − c + 1 … n, which stays in range for any n.

    Args:
        samples: n, how many were drawn for the task.
        passed: c, how many of them passed.
        k: 1 … n.

    Raises:
        ValueError: fewer than k samples, or more passed than drawn.

    Example:
        >>> round(pass_at_k(5, 2, 2), 12)
        0.7
    """
    if not 1 <= k <= samples or not 0 <= passed <= samples:
        raise ValueError(f"pass@{k} of {passed} passed among {samples} samples is not defined")
    if samples - passed < k:
        return 1.0
    return float(1 - np.prod(1 - k / np.arange(samples - passed + 1, samples + 1)))


def pass_rates(outcomes: pd.DataFrame, ks: Sequence[int] = (1,), *, seed: int = 0) -> pd.DataFrame:
    """pass@k averaged over tasks, each with the same weight, with 95 % intervals.

    Where every task has one sample (greedy text) pass@1 is a proportion of tasks with its Wilson interval; else whole
    tasks are resampled (percentile bootstrap, `statistics.ratio_interval`). Tasks that all have the same pass@k, or a
    single one, give a bootstrap nothing to vary and would get an interval of no width; they get Wilson's, which is
    too wide rather than too narrow for shares.

    Returns:
        Columns `k`, `value`, `low`, `high`, `tasks`, `interval` (`"Wilson"` or `"bootstrap"`). A k that a task has too
        few samples for is left out; `too_few_samples` says which.
    """
    tasks = outcomes.groupby("task_id", sort=False)["passed"].agg(["size", "sum"])
    rows = []
    for k in ks if len(tasks) else ():
        if tasks["size"].min() < k:
            continue
        values = [pass_at_k(size, count, k) for size, count in zip(tasks["size"], tasks["sum"], strict=True)]
        if tasks["size"].max() == 1 or len(set(values)) == 1:
            passed = math.fsum(values)
            rows.append((k, passed / len(tasks), *wilson_interval(passed, len(tasks)), len(tasks), "Wilson"))
        else:
            interval = ratio_interval(values, np.ones(len(values)), seed=seed)
            rows.append((k, *map(float, interval), len(tasks), "bootstrap"))
    return pd.DataFrame(rows, columns=["k", "value", "low", "high", "tasks", "interval"])


def gap_at_k(worse: pd.DataFrame, better: pd.DataFrame, k: int, *, seed: int = 0) -> tuple[float, float, float]:
    """pass@k of one model less that of another on the same tasks.

    Args:
        worse, better: outcome tables of the same tasks, at least k samples each.
        k: samples that a task is given.

    Returns:
        value (worse minus better, a share of tasks), low, high: 95 % bootstrap over tasks, which stay paired
        (`statistics.ratio_interval`).

    Raises:
        ValueError: other tasks, or too few samples.
    """
    counts = [table.groupby("task_id")["passed"].agg(["size", "sum"]) for table in (worse, better)]
    if not counts[0].index.equals(counts[1].index):
        raise ValueError("both tables must hold the same tasks")
    rates = [
        np.array([pass_at_k(size, passed, k) for size, passed in count.itertuples(index=False)]) for count in counts
    ]
    return ratio_interval(rates[0] - rates[1], np.ones(len(rates[0])), seed=seed)


def with_disputed(outcomes: pd.DataFrame) -> pd.DataFrame:
    """The outcomes if every disputed sample had passed: what the usual scorer would say, and the most that is true."""
    return outcomes.assign(passed=outcomes["passed"] | (outcomes["outcome"] == "disputed"))


def disputed_samples(outcomes: pd.DataFrame) -> pd.DataFrame:
    """The samples that pass in one process with their tests, and whose judge does not confirm it.

    Returns:
        Columns `task_id`, `sample`, `reason`.
    """
    rows = outcomes.loc[outcomes["outcome"] == "disputed", ["task_id", "sample", "reason"]]
    return rows.reset_index(drop=True)


def too_few_samples(outcomes: pd.DataFrame, ks: Sequence[int]) -> dict[int, list[str]]:
    """The k that cannot be estimated, each with the tasks that have fewer than k samples."""
    sizes = outcomes.groupby("task_id", sort=False).size()
    short = {k: sizes.index[sizes < k].tolist() for k in ks}
    return {k: tasks for k, tasks in short.items() if tasks}


def outcome_counts(outcomes: pd.DataFrame) -> pd.DataFrame:
    """How the samples ended, most frequent first; exceptions by type.

    Returns:
        Columns `outcome`, `exception` (empty except for the outcome `"exception"`), `samples`, `share`.
    """
    exception = outcomes["exception"].where(outcomes["outcome"] == "exception", "").fillna("")
    counts = outcomes.assign(exception=exception).groupby(["outcome", "exception"], sort=True).size()
    table = counts.rename("samples").reset_index().sort_values("samples", ascending=False, kind="stable")
    return table.assign(share=table["samples"] / len(outcomes)).reset_index(drop=True)


def syntax_valid_share(outcomes: pd.DataFrame) -> float:
    """Share of samples whose program the interpreter could compile."""
    return float((outcomes["outcome"] != "syntax error").mean())


def difference_interval(lost: int, gained: int, pairs: int) -> tuple[float, float]:
    """95 % score interval of a difference of paired shares, (gained − lost) / pairs.

    Tango 1998, Equivalence test and confidence interval for the difference in proportions for the paired-sample design
    (Statistics in Medicine 17): all differences δ that the score test does not reject, of which
    (gained − lost − nδ)² ≤ z² n (2q + δ(1 − δ)), where q is the likeliest share of lost pairs if δ is true. Unlike the
    standard error's interval it keeps its coverage where few pairs or none turn.

    Args:
        lost, gained: pairs that turned from yes to no, and from no to yes.
        pairs: n, all of them.

    Returns:
        low, high, −1 … 1.

    Raises:
        ValueError: more pairs turned than there are, or there is none.
    """
    from scipy.optimize import brentq

    if min(lost, gained) < 0 or lost + gained > pairs or pairs < 1:
        raise ValueError(f"{lost} and {gained} of {pairs} are no counts")

    def beyond(difference: float) -> float:
        spread = difference * (1 - difference)
        b = (2 * pairs - gained + lost) * difference - gained - lost
        likeliest = (math.sqrt(max(0.0, b**2 + 8 * pairs * lost * spread)) - b) / (4 * pairs)
        variance = pairs * (2 * likeliest + spread)
        return (gained - lost - pairs * difference) ** 2 - NORMAL_975**2 * variance

    value, step = (gained - lost) / pairs, 1e-9
    low = -1.0 if lost == pairs else brentq(beyond, -1, value - step)
    high = 1.0 if gained == pairs else brentq(beyond, value + step, 1)
    return float(low), float(high)


def paired_flips(base: pd.DataFrame, variant: pd.DataFrame, comparisons: int = 1) -> dict[str, float]:
    """What changed between a base model and a variant on the same samples of the same tasks.

    Args:
        base, variant: outcome tables with the same pairs of `task_id` and `sample`, in any order. The exact test
            takes pairs as independent, which holds for one (greedy) sample per task.
        comparisons: how many are made together; `detectable` is at 0.05 divided by it.

    Returns:
        `pairs`; `kept`, `lost`, `gained`, `neither` (counts: passed in both, only in the base, only in the variant,
        in none); `difference` (variant minus base, share of pairs) with `low`, `high` (`difference_interval`);
        `p_value` (exact McNemar, which asks whether the turns balance, not whether there are any);
        `detectable` (smallest one-way change, as a share of the pairs, that the test finds with power 0.8:
        `statistics.smallest_detectable_loss`).

    Raises:
        ValueError: the tables hold other samples.
    """
    keys = ["task_id", "sample"]
    before, after = (table.set_index(keys)["passed"].astype(bool).sort_index() for table in (base, variant))
    if not before.index.equals(after.index):
        raise ValueError("base and variant must hold the same samples of the same tasks")
    lost, gained = int((before & ~after).sum()), int((~before & after).sum())
    low, high = difference_interval(lost, gained, len(before))
    return {
        "pairs": len(before),
        "kept": int((before & after).sum()),
        "lost": lost,
        "gained": gained,
        "neither": int((~before & ~after).sum()),
        "difference": (gained - lost) / len(before),
        "low": low,
        "high": high,
        "p_value": mcnemar_exact(lost, gained),
        "detectable": smallest_detectable_loss(len(before), 0.05 / comparisons),
    }


def compare_with_bases(outcomes: Mapping[str, pd.DataFrame], bases: Mapping[str, str]) -> pd.DataFrame:
    """`paired_flips` of every variant against its base model, with p-values adjusted over all of them (Holm).

    Args:
        outcomes: model → outcome table.
        bases: variant → its base model, both among `outcomes`.

    Returns:
        Columns `model`, `base`, those of `paired_flips`, `p_holm`.
    """
    rows = [
        {"model": model, "base": base, **paired_flips(outcomes[base], outcomes[model], len(bases))}
        for model, base in bases.items()
    ]
    table = pd.DataFrame(rows, columns=["model", "base", *_FLIPS])
    return table.assign(p_holm=holm(table["p_value"].tolist()))


def over_draws(comparisons: pd.DataFrame, by: str) -> pd.DataFrame:
    """Differences of variants that differ by a draw alone: their mean and range; of a single one its own interval.

    Args:
        comparisons: what `compare_with_bases` returned, and `by`.
        by: column that draws have in common.

    Returns:
        Indexed by `by`: `difference`, `low`, `high`, `draws`.
    """
    grouped = comparisons.groupby(by, sort=False)
    table = grouped["difference"].agg(difference="mean", low="min", high="max", draws="size")
    single = table["draws"] == 1
    table.loc[single, ["low", "high"]] = grouped[["low", "high"]].first()[single]
    return table
