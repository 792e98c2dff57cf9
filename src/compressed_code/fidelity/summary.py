"""Fidelity in numbers: summaries of the table of `fidelity.token_fidelity`. Pure functions on tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from compressed_code.statistics.cluster_intervals import cluster_intervals

# What compression does to the most probable token; "right" is the actual next token.
FLIPS = ("none", "right to wrong", "wrong to right", "wrong to wrong")

# Points of a distribution, by name and percentile.
KL_POINTS: Mapping[str, float] = {
    **{"max": 100, "p99_9": 99.9, "p99": 99, "p95": 95, "p90": 90, "median": 50},
    **{"p10": 10, "p5": 5, "p1": 1, "p0_1": 0.1, "min": 0},
}
DELTA_P_POINTS: Mapping[str, float] = dict(
    sorted({**KL_POINTS, "p75": 75, "p25": 25}.items(), key=lambda point: -point[1])
)

# Statistics that are means over tokens, and the columns of `_token_values` they are means of.
_MEANS: Mapping[str, str] = {
    "kl_mean_nats": "kl_nats",
    "reverse_kl_mean_nats": "reverse_kl_nats",
    "js_mean_nats": "js_nats",
    "entropy_base_mean_nats": "entropy_base_nats",
    "entropy_candidate_mean_nats": "entropy_candidate_nats",
    "delta_p_mean": "delta_p",
    "same_top_fraction": "same_top",
    "flip_fraction": "flip",
    "flip_right_to_wrong_fraction": "right to wrong",
    "flip_wrong_to_right_fraction": "wrong to right",
    "flip_wrong_to_wrong_fraction": "wrong to wrong",
    "top_right_base_fraction": "right_base",
    "top_right_candidate_fraction": "right_candidate",
}


def fidelity_summary(tokens: pd.DataFrame, by: Sequence[str] = (), *, level: float = 0.95) -> pd.DataFrame:
    """Every statistic of fidelity, overall or by group.

    ===============================  ==============================================================================
    statistic                        meaning; P is the base model, Q the candidate, all logarithms natural
    ===============================  ==============================================================================
    perplexity_base, _candidate      exp of the mean −ln p of the actual tokens
    ln_perplexity_ratio              ln(PPL(Q) / PPL(P))
    ln_perplexity_correlation        correlation of −ln p of the actual tokens under both (no interval)
    perplexity_ratio, _difference    PPL(Q) / PPL(P), PPL(Q) − PPL(P)
    kl_mean_nats                     mean of KL(P‖Q) over tokens
    kl_max_nats, kl_p99_9_nats,      largest KL(P‖Q), its percentiles 99.9, 99, 95, 90, median, 10, 5, 1, 0.1 and
    … kl_median_nats, … kl_min_nats  smallest: `KL_POINTS` (no interval)
    reverse_kl_mean_nats             mean of KL(Q‖P)
    js_mean_nats                     mean Jensen–Shannon divergence, 0 … ln 2
    entropy_base_mean_nats,          mean entropy of P and of Q
    entropy_candidate_mean_nats
    delta_p_mean                     mean of Δp = Q(token) − P(token) of the actual token, as a fraction, not in percent
    delta_p_rms                      √ mean Δp²
    delta_p_max, … delta_p_min       points of Δp: `DELTA_P_POINTS` (no interval)
    same_top_fraction                both have the same most probable token
    flip_fraction                    they have not
    flip_right_to_wrong_fraction,    ... and the base model's was the actual token, the candidate's was, or neither was
    _wrong_to_right_fraction,
    _wrong_to_wrong_fraction
    top_right_base_fraction,         the most probable token is the actual one
    top_right_candidate_fraction
    keyword_rank_correlation_mean    mean of Spearman's ρ of the keyword tokens over the positions that have one
    ===============================  ==============================================================================

    `standard_error` is over tokens, by the formulas of llama.cpp (tools/perplexity/perplexity.cpp, `kl_divergence`):
    √((mean x² − mean² x) / (n − 1)), and for functions of means the delta method: the variance of f(mean) is about
    f′(mean)² times that of the mean. Tokens of one text, and texts of one cluster (`pair.EncodedText`), are not
    independent, so it is too small. `low` and `high` are the interval over clusters
    (`cluster_intervals.cluster_intervals`); missing for fewer than `LEAST_CLUSTERS`.

    Args:
        tokens: `fidelity.token_fidelity`, several stacked if `by` tells them apart.
        by: columns that name a group.
        level: coverage of the intervals.

    Returns:
        Columns `by`, `statistic`, `value`, `standard_error`, `low`, `high`, `tokens`, `documents`, `clusters`; groups
        without a token are left out.

    Raises:
        ValueError: the table is empty.
    """
    if tokens.empty:
        raise ValueError("no token to summarise")
    groups = tokens.groupby(list(by), sort=False, observed=True) if by else [((), tokens)]
    tables = []
    for names, rows in groups:
        table = _summary(rows, level)
        for place, (column, name) in enumerate(zip(by, names, strict=True)):
            table.insert(place, column, name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def common_pieces(
    ends_base: np.ndarray, log_base: np.ndarray, ends_candidate: np.ndarray, log_candidate: np.ndarray
) -> pd.DataFrame:
    """Two tokenizations of the same bytes, cut where both have a boundary.

    Args:
        ends_base, ends_candidate: where each token ends, in bytes, [tokens], not decreasing; both end at the same byte.
        log_base, log_candidate: log-probability of each token.

    Returns:
        Columns `start`, `end`, `log_probability_base`, `log_probability_candidate`: one row per piece of at least one
        byte, sums over the tokens inside; a token of no byte counts to the piece it closes, or the first one.

    Raises:
        ValueError: the two do not end at the same byte.

    Example:
        >>> common_pieces([2, 3, 6], [-1, -2, -3], [1, 3, 6], [-4, -5, -6])["log_probability_candidate"].tolist()
        [-9.0, -6.0]
    """
    if not len(ends_base) or not len(ends_candidate) or ends_base[-1] != ends_candidate[-1]:
        raise ValueError("the two tokenizations do not end at the same byte")
    ends = np.intersect1d(ends_base, ends_candidate)
    ends = ends[ends > 0]
    sums = [
        np.bincount(np.searchsorted(ends, own), weights=logs, minlength=len(ends))
        for own, logs in ((ends_base, log_base), (ends_candidate, log_candidate))
    ]
    starts = np.concatenate([[0], ends[:-1]])
    return pd.DataFrame(
        {"start": starts, "end": ends, "log_probability_base": sums[0], "log_probability_candidate": sums[1]}
    )


def bits_per_byte(pieces: pd.DataFrame) -> dict[str, float]:
    """Bits that base model and candidate need per byte of text, from the table of `fidelity.byte_fidelity`.

    Returns:
        `bits_per_byte_base`, `bits_per_byte_candidate`, and `bits_per_byte_difference`, candidate minus base.
    """
    size = (pieces["end"] - pieces["start"]).sum() * np.log(2)
    base, candidate = (-pieces[f"log_probability_{side}"].sum() / size for side in ("base", "candidate"))
    return {
        "bits_per_byte_base": float(base),
        "bits_per_byte_candidate": float(candidate),
        "bits_per_byte_difference": float(candidate - base),
    }


def _summary(rows: pd.DataFrame, level: float) -> pd.DataFrame:
    tokens = _token_values(rows)
    values = _of_means(tokens.mean())
    points = {
        **_points("kl", "_nats", rows["kl_nats"], KL_POINTS),
        **_points("delta_p", "", rows["delta_p"], DELTA_P_POINTS),
        "ln_perplexity_correlation": _correlation(tokens["loss_base"], tokens["loss_candidate"]),
    }
    errors = _standard_errors(tokens, values)
    sums = tokens.assign(count=1.0).groupby(rows["cluster"].to_numpy(), observed=True).sum()
    intervals = cluster_intervals(sums, lambda totals: _of_means(totals.div(totals["count"], axis=0)), level)
    table = pd.DataFrame({"value": pd.Series({**values, **points}, dtype=float)})
    table["standard_error"] = pd.Series(errors, dtype=float)
    table[["low", "high"]] = intervals.reindex(table.index)
    table["tokens"] = len(rows)
    table["documents"], table["clusters"] = rows["document"].nunique(), rows["cluster"].nunique()
    return table.rename_axis("statistic").reset_index()


def _token_values(rows: pd.DataFrame) -> pd.DataFrame:
    """Per token, in float64, everything whose mean decides a statistic."""
    plain = (
        "kl_nats",
        "reverse_kl_nats",
        "js_nats",
        "entropy_base_nats",
        "entropy_candidate_nats",
        "delta_p",
        "same_top",
    )
    values = {name: rows[name].to_numpy(float) for name in plain}
    correlation = rows["keyword_rank_correlation"].to_numpy(float)
    values |= {
        "squared_delta_p": values["delta_p"] ** 2,
        "flip": 1 - values["same_top"],
        "correlation": np.nan_to_num(correlation),
        "has_correlation": np.isfinite(correlation).astype(float),
    }
    values |= {flip: (rows["flip"] == flip).to_numpy(float) for flip in FLIPS[1:]}
    for side in ("base", "candidate"):
        values[f"loss_{side}"] = -rows[f"log_probability_{side}"].to_numpy(float)
        values[f"right_{side}"] = (rows[f"top_{side}"] == rows["token_id"]).to_numpy(float)
    return pd.DataFrame(values)


def _of_means(means: Mapping[str, Any]) -> dict[str, Any]:
    """Statistics that follow from means over tokens; numbers, or arrays with one entry per resample."""
    base, candidate = means["loss_base"], means["loss_candidate"]
    with np.errstate(invalid="ignore", over="ignore"):
        return {
            "perplexity_base": np.exp(base),
            "perplexity_candidate": np.exp(candidate),
            "ln_perplexity_ratio": candidate - base,
            "perplexity_ratio": np.exp(candidate - base),
            "perplexity_difference": np.exp(candidate) - np.exp(base),
            **{statistic: means[column] for statistic, column in _MEANS.items()},
            "delta_p_rms": np.sqrt(means["squared_delta_p"]),
            "keyword_rank_correlation_mean": np.divide(means["correlation"], means["has_correlation"]),
        }


def _standard_errors(tokens: pd.DataFrame, values: Mapping[str, float]) -> dict[str, float]:
    """Of every statistic of `_of_means`: the standard error of the mean of its derivative, token by token."""
    base, candidate = tokens["loss_base"], tokens["loss_candidate"]
    present = tokens["has_correlation"] > 0
    slopes = {
        "perplexity_base": values["perplexity_base"] * base,
        "perplexity_candidate": values["perplexity_candidate"] * candidate,
        "ln_perplexity_ratio": candidate - base,
        "perplexity_ratio": values["perplexity_ratio"] * (candidate - base),
        "perplexity_difference": values["perplexity_candidate"] * candidate - values["perplexity_base"] * base,
        **{statistic: tokens[column] for statistic, column in _MEANS.items()},
        "keyword_rank_correlation_mean": tokens["correlation"][present],
    }
    rms = values["delta_p_rms"]
    slopes["delta_p_rms"] = tokens["squared_delta_p"] / (2 * rms) if rms > 0 else tokens["squared_delta_p"]
    return {name: slope.std(ddof=0) / np.sqrt(len(slope) - 1) for name, slope in slopes.items() if len(slope) > 1}


def _points(name: str, unit: str, values: pd.Series, points: Mapping[str, float]) -> dict[str, float]:
    found = np.percentile(values.to_numpy(float), list(points.values()))
    return {f"{name}_{point}{unit}": value for point, value in zip(points, found, strict=True)}


def _correlation(one: pd.Series, other: pd.Series) -> float:
    spread = one.var(ddof=0) * other.var(ddof=0)
    covariance = ((one - one.mean()) * (other - other.mean())).mean()
    return float(covariance / np.sqrt(spread)) if spread > 0 else np.nan
