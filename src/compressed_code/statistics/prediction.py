"""How well one number predicts another: rank correlation given a third, and error on what was left out."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import expit, logit

from compressed_code.statistics.intervals_and_tests import draws_with_replacement, percentile_interval


def partial_rank_correlation(one: ArrayLike, other: ArrayLike, given: ArrayLike) -> float:
    """Spearman's ρ of two numbers given a third: what one says of the other beyond the third.

    (ρ₁₂ − ρ₁₃ ρ₂₃) / √((1 − ρ₁₃²)(1 − ρ₂₃²)) with rank correlations (Kendall and Stuart, The Advanced Theory of
    Statistics, vol. 2, 27.3).

    Returns:
        −1 … 1; NaN where one of them follows the third exactly.
    """
    ranks = [stats.rankdata(values) for values in (one, other, given)]
    (_, both, first), (_, _, second), _ = np.corrcoef(ranks)
    rest = (1 - first**2) * (1 - second**2)
    return float((both - first * second) / np.sqrt(rest)) if rest > 1e-12 else float("nan")


def rank_correlations(
    table: pd.DataFrame, predictors: list[str], outcome: str, given: str, *, seed: int = 0, resamples: int = 2000
) -> pd.DataFrame:
    """Spearman's ρ of each predictor with the outcome, alone and given another column, with bootstrap intervals.

    Rows are drawn with replacement, the same draws for all predictors (percentile, 95 %).

    Returns:
        Columns `predictor`, `quantity` ("alone" or "given"), `value`, `low`, `high`, `rows`; numbers are missing for
        fewer than four rows.
    """
    if len(table) < 4:
        kinds = [(name, kind) for name in predictors for kind in ("alone", "given") if (name, kind) != (given, "given")]
        return pd.DataFrame(kinds, columns=["predictor", "quantity"]).assign(
            value=np.nan, low=np.nan, high=np.nan, rows=len(table)
        )
    draws = draws_with_replacement(len(table), seed=seed, resamples=resamples)
    numbers = {name: table[name].to_numpy(float) for name in {*predictors, outcome, given}}
    rows = []
    for name in predictors:
        kinds = {"alone": _alone} if name == given else {"alone": _alone, "given": partial_rank_correlation}
        for kind, function in kinds.items():
            triple = (numbers[name], numbers[outcome], numbers[given])
            drawn = np.array([function(*(values[draw] for values in triple)) for draw in draws])
            low, high = percentile_interval(drawn)
            rows.append((name, kind, function(*triple), low, high, len(table)))
    return pd.DataFrame(rows, columns=["predictor", "quantity", "value", "low", "high", "rows"])


def rank_correlation_difference(
    table: pd.DataFrame, one: str, other: str, outcome: str, *, seed: int = 0, resamples: int = 2000
) -> tuple[float, float, float]:
    """How much better one predictor orders an outcome than another one: Spearman's ρ of the first minus the second's.

    Rows are drawn with replacement, the same draws for both (percentile, 95 %).

    Returns:
        value, low, high, each −2 … 2; NaN for fewer than four rows.

    Example:
        >>> table = pd.DataFrame({"a": [1, 2, 3, 4, 5], "b": [5, 4, 3, 2, 1], "y": [1, 2, 3, 4, 5]})
        >>> [round(number, 6) for number in rank_correlation_difference(table, "a", "b", "y")]
        [2.0, 2.0, 2.0]
    """
    if len(table) < 4:
        return float("nan"), float("nan"), float("nan")
    first, second, target = (table[name].to_numpy(float) for name in (one, other, outcome))

    def difference(rows: np.ndarray) -> float:
        return _alone(first[rows], target[rows], target) - _alone(second[rows], target[rows], target)

    drawn = [difference(draw) for draw in draws_with_replacement(len(table), seed=seed, resamples=resamples)]
    low, high = percentile_interval(drawn)
    return difference(np.arange(len(table))), float(low), float(high)


def left_out_errors(
    table: pd.DataFrame, predictors: list[str], by: str, *, lost: str, kept: str, linear: Collection[str] = ()
) -> pd.DataFrame:
    """Error of predicting shares of a group of rows from all other groups.

    The log-odds of (lost + ½) / (lost + kept + 1) are fitted by a straight line in the logarithm of the predictor to
    all rows but the group's, and predicted for the group's.

    Args:
        table: one row per variant; predictors that are 0 are set to the smallest positive value.
        by: the column whose groups are left out in turn, a method or a model.
        lost, kept: columns of counts.
        linear: predictors that are taken as they are, without a logarithm.

    Returns:
        Columns `predictor`, the one that `by` names, `rows`, `error` (mean absolute error of the share, in points of
        100) and `bias` (mean of predicted minus measured).
    """
    odds = _log_odds(table[lost], table[kept])
    rows = []
    for name in predictors:
        for group, line, inside in _left_out(table, name, by, odds, is_linear=name in linear):
            apart = 100 * (line.share(table.loc[inside, name]) - expit(odds[inside]))
            rows.append((name, group, int(inside.sum()), apart.abs().mean(), apart.mean()))
    # The last bits of a fit are those of a processor, and would move what is drawn.
    return pd.DataFrame(rows, columns=["predictor", by, "rows", "error", "bias"]).round(9)


@dataclass(frozen=True)
class LogOddsLine:
    """A share's log-odds as a straight line in the logarithm of a predictor, or in the predictor itself.

    Attributes:
        intercept, slope: of the line.
        smallest: what a predictor of 0 counts as; `None` for a line without a logarithm.
    """

    intercept: float
    slope: float
    smallest: float | None

    def log_odds(self, values: "pd.Series | float") -> "pd.Series | float":
        """ln(share / (1 − share)) at some values of the predictor."""
        numbers = values if self.smallest is None else np.log(np.maximum(values, self.smallest))
        return self.intercept + self.slope * numbers

    def share(self, values: "pd.Series | float") -> "pd.Series | float":
        """The share, 0 … 1."""
        return expit(self.log_odds(values))


def log_odds_line(values: pd.Series, lost: pd.Series, kept: pd.Series, *, is_linear: bool = False) -> LogOddsLine:
    """Fit the log-odds of (lost + ½) / (lost + kept + 1) by least squares.

    Args:
        values: of the predictor, at least one of them positive.
        lost, kept: counts.
        is_linear: the predictor is taken as it is, without a logarithm.
    """
    return _fit(values, _log_odds(lost, kept), None if is_linear else values[values > 0].min())


def left_out_residuals(
    table: pd.DataFrame, predictor: str, by: str, *, lost: str, kept: str, is_linear: bool = False
) -> pd.Series:
    """How far each row lies from the line that was fitted without its group.

    What a new group's rows may be expected to miss by (cross-validated residuals: Barber and others, "Predictive
    inference with the jackknife+", 2021, section on CV+).

    Args:
        table, by, lost, kept: as of `left_out_errors`.

    Returns:
        Measured minus predicted log-odds, a row each, in the table's index.
    """
    odds = _log_odds(table[lost], table[kept])
    parts = [
        odds[inside] - line.log_odds(table.loc[inside, predictor])
        for _, line, inside in _left_out(table, predictor, by, odds, is_linear=is_linear)
    ]
    return pd.concat(parts).reindex(table.index)


def _left_out(
    table: pd.DataFrame, predictor: str, by: str, odds: pd.Series, *, is_linear: bool
) -> Iterator[tuple[object, LogOddsLine, pd.Series]]:
    """Each group with the line that was fitted to all others, and which rows are its own."""
    values = table[predictor]
    smallest = None if is_linear else values[values > 0].min()
    for group in table[by].drop_duplicates():
        inside = table[by] == group
        if not inside.all():
            yield group, _fit(values[~inside], odds[~inside], smallest), inside


def _fit(values: pd.Series, odds: pd.Series, smallest: float | None) -> LogOddsLine:
    numbers = values if smallest is None else np.log(values.clip(lower=smallest))
    line = stats.linregress(numbers, odds)
    return LogOddsLine(line.intercept, line.slope, smallest)


def _log_odds(lost: pd.Series, kept: pd.Series) -> pd.Series:
    return logit((lost + 0.5) / (lost + kept + 1))


def _alone(one: np.ndarray, other: np.ndarray, _: np.ndarray) -> float:
    ranks = [stats.rankdata(values) for values in (one, other)]
    return float(np.corrcoef(ranks)[0, 1]) if all(np.ptp(rank) > 0 for rank in ranks) else float("nan")
