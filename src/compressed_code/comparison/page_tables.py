"""Tables of a page: headings and cells, each with what it is sorted by. Pure functions of a comparison's tables."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from compressed_code.comparison.guidelines import percent as in_percent
from compressed_code.comparison.summary import number, size

WEIGHTS = 40  # rows of the table of weights that are shown


class PageCell(NamedTuple):
    """One cell: what is read, and what it is sorted by where that is a number."""

    text: str
    value: float | None = None


class PageTable(NamedTuple):
    """A table of a page.

    Attributes:
        caption: what it holds.
        headings: of the columns.
        numeric: whether a column holds numbers, which line up right.
        rows: cells of each row.
    """

    caption: str
    headings: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[PageCell]]


Format = Callable[[float], str]

# Statistic → what a reader calls it; the others of `tokens.STATISTICS` keep their names.
STATISTICS = {
    "kl_mean_nats": "KL(base‖candidate), mean, nats",
    "kl_median_nats": "… median",
    "kl_p90_nats": "… 90th percentile",
    "kl_p99_nats": "… 99th percentile",
    "reverse_kl_mean_nats": "KL(candidate‖base), mean, nats",
    "same_top_fraction": "same top token, share",
    "flip_right_to_wrong_fraction": "top token right before, wrong now, share",
    "delta_p_mean": "change of the actual token's probability, mean",
    "delta_p_rms": "… root mean square",
    "perplexity_ratio": "perplexity ratio",
}


def digits(value: float) -> str:
    """Three digits."""
    return number(value, ".3g")


def ratio(value: float) -> str:
    """Four digits, so that what is near to 1 is told from it."""
    return number(value, ".4g")


def any_digits(value: float) -> str:
    """Three digits, of shares and ratios near to 1 four."""
    return ratio(value) if abs(value - 1) < 0.1 else digits(value)


def percent(value: float) -> str:
    """A share in percent."""
    return "–" if pd.isna(value) else f"{100 * value:.1f} %"


def signed(value: float) -> str:
    """Three digits with their sign."""
    return number(value, "+.3g")


def whole(value: float) -> str:
    """A whole number."""
    return "–" if pd.isna(value) else f"{value:,.0f}"


def page_table(table: pd.DataFrame, caption: str, columns: dict[str, tuple[str, Format | None]]) -> PageTable:
    """A table of which some columns are shown.

    Args:
        table: any.
        caption: what it holds.
        columns: column → heading, and how its numbers are written; `None` for text. Those it lacks are left out.
    """
    shown = {name: entry for name, entry in columns.items() if name in table}
    rows = [
        [
            PageCell(_visible(str(row[name])))
            if form is None
            else PageCell(form(row[name]), None if pd.isna(row[name]) else float(row[name]))
            for name, (_, form) in shown.items()
        ]
        for row in table.to_dict(orient="records")
    ]
    headings = [heading for heading, _ in shown.values()]
    return PageTable(caption, headings, [form is not None for _, form in shown.values()], rows)


def overview_table(table: pd.DataFrame) -> PageTable:
    """The first table: `overview.overview`."""
    columns: dict[str, tuple[str, Format | None]] = {
        "label": ("model", None),
        "health": ("weights", None),
        "bits": ("bits a weight", digits),
        "bytes": ("size", size),
        "kl_mean_nats": ("KL (nats)", digits),
        "same_top_fraction": ("same top token", percent),
        "perplexity_ratio": ("perplexity ratio", ratio),
        "bits_per_byte_difference": ("bits per byte, change", signed),
        "first_kl_nats": ("KL of the first token", digits),
        "pass_at_1": ("pass@1", digits),
    }
    kept = {name: entry for name, entry in columns.items() if name in ("label", "health") or table[name].notna().any()}
    return page_table(table, "All models; the base stands first", kept)


def weights_table(weights: pd.DataFrame) -> PageTable:
    """The weights that are not in line, then those with the largest error for their form."""
    order = weights.assign(sound=weights["state"] == "in line", excess=weights["excess"].fillna(0))
    rows = order.sort_values(["sound", "excess"], ascending=[True, False], kind="stable").head(WEIGHTS)
    return page_table(
        rows,
        f"{len(rows)} of {len(weights)} weights, those out of line first",
        {
            "tensor": ("weight", None),
            "candidate_form": ("stored as", None),
            "error": ("error", digits),
            "expected_error": ("usual", digits),
            "cosine": ("cosine", digits),
            "state": ("state", None),
            "detail": ("likely cause", None),
        },
    )


def statistics_table(statistics: pd.DataFrame, group: str, caption: str) -> PageTable:
    """Statistics by group, a row each.

    Args:
        statistics: columns `group`, `statistic`, `value`, `low`, `high`, `tokens`.
    """
    wide = statistics.pivot(index=group, columns="statistic", values="value")
    kl = statistics[statistics["statistic"] == "kl_mean_nats"].set_index(group)
    wide = wide.assign(tokens=kl["tokens"], interval=[_interval(row) for _, row in kl.reindex(wide.index).iterrows()])
    wide = wide.sort_values("kl_mean_nats", ascending=False).rename_axis(group).reset_index()
    return page_table(
        wide,
        caption,
        {
            group: (group.replace("_", " "), None),
            "tokens": ("tokens", whole),
            "kl_mean_nats": ("KL (nats)", digits),
            "interval": ("95 % interval", None),
            "kl_p99_nats": ("99th percentile", digits),
            "same_top_fraction": ("same top", percent),
            "flip_right_to_wrong_fraction": ("right to wrong", percent),
            "perplexity_ratio": ("perplexity ratio", ratio),
        },
    )


def overall_table(
    statistics: pd.DataFrame, noise: pd.DataFrame | None, bfloat16: pd.DataFrame | None = None
) -> PageTable:
    """Every statistic of a candidate, with its interval, and what rounding and bfloat16 on a device give alone."""
    by_name = statistics.set_index("statistic").loc[list(STATISTICS)].reset_index()
    table = by_name.assign(interval=[_interval(row) for _, row in by_name.iterrows()])
    table["name"] = table["statistic"].map(STATISTICS)
    for column, floor in (("floor", noise), ("bfloat16", bfloat16)):
        if floor is not None:
            table[column] = table["statistic"].map(floor.set_index("statistic")["value"])
    device = "" if bfloat16 is None else bfloat16["device"].iloc[0]
    return page_table(
        table,
        f"Over all {statistics['tokens'].iloc[0]:,} tokens of {statistics['documents'].iloc[0]} texts",
        {
            "name": ("statistic", None),
            "value": ("value", any_digits),
            "interval": ("95 % interval", None),
            "floor": ("rounding to bfloat16 alone", any_digits),
            "bfloat16": (f"the base in bfloat16 on {device}", any_digits),
        },
    )


def guidelines_table(guidelines: pd.DataFrame, tested_on: str) -> PageTable:
    """What rules of thumb predict, and what was measured."""
    is_ratio = guidelines["rule"] == "classes"
    table = guidelines.assign(
        prediction=[_shared(row["predicted"], row["low"], row["high"]) for _, row in guidelines.iterrows()],
        found=[
            (_times if ratio else _shared)(row["measured"], row["measured_low"], row["measured_high"])
            for ratio, (_, row) in zip(is_ratio, guidelines.iterrows(), strict=True)
        ],
    )
    columns: dict[str, tuple[str, Format | None]] = {
        "says": ("rule", None),
        "number": ("number", digits),
        "prediction": ("predicted", None),
        "found": ("measured", None),
        "verdict": ("verdict", None),
        "extrapolation": ("an extrapolation, since", None),
    }
    if not table["extrapolation"].any():
        del columns["extrapolation"]
    return page_table(table, f"Rules of thumb, tested on {tested_on}", columns)


def _shared(value: float, low: float, high: float) -> str:
    """A share in percent with its interval; of a bound the interval alone."""
    if pd.isna(low):
        return "–"
    within = f"{in_percent(low)} … {in_percent(high)} %"
    return _unbroken(within if pd.isna(value) else f"{in_percent(value)} % ({within})")


def _times(value: float, low: float, high: float) -> str:
    return _unbroken(f"×{value:.2f} ({low:.2f} … {high:.2f})")


def _unbroken(text: str) -> str:
    """In one line wherever it stands."""
    return text.replace(" ", "\u00a0")


def _interval(row: pd.Series) -> str:
    return "–" if pd.isna(row["low"]) else _unbroken(f"{any_digits(row['low'])} … {any_digits(row['high'])}")


def _visible(text: str) -> str:
    """Text of nothing but blanks as dots, which can be seen and counted."""
    return text if text.strip() else text.replace(" ", "·")
