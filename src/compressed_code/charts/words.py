"""What charts say in words: parts of captions and of alternative texts that do not depend on what was found."""

from collections.abc import Iterable, Mapping

import pandas as pd

OVER_PROGRAMS = "95 % bootstrap-t intervals over programs"
WILSON = "95 % Wilson intervals"

_COUNTS = ("", "", "Two ", "Three ", "Four ", "Five ", "Six ")


def joined(labels: Mapping[str, str] | Iterable[str]) -> str:
    """Labels in one line, separated so that they may hold commas.

    Example:
        >>> joined({"a": "alone, same tokens", "b": "alone,\\nsame time"})
        'alone, same tokens; alone, same time'
    """
    labels = labels.values() if isinstance(labels, Mapping) else labels
    return "; ".join(label.replace("\n", " ") for label in labels)


def interval_alt(
    rows: Mapping[str, str] | str,
    panels: Mapping[str, str],
    series: Mapping[str, str] | None = None,
    *,
    exact: bool = False,
) -> str:
    """What `parts.interval_panels` shows, for a reader who cannot see it; ends with a full stop.

    Args:
        rows, panels, series: as the chart takes them; rows may be a word for all of them where there are many.
        exact: whether values are drawn without intervals.

    Example:
        >>> interval_alt({"a": "A", "b": "B"}, {"kl": "KL\\n(nats)", "top": "same token"}, {"x": "X", "y": "Y"})
        'Two panels of points with intervals: KL (nats); same token. Rows: A; B. Series: X; Y.'
        >>> interval_alt("variants", {"kl": "KL (nats)"}, exact=True)
        'Points: KL (nats). Rows: variants.'
    """
    points = "points" if exact else "points with intervals"
    count = len(panels)
    counted = f"{_COUNTS[count] if count < len(_COUNTS) else f'{count} '}panels of {points}"
    sentences = [
        f"{counted if count > 1 else points.capitalize()}: {joined(panels)}",
        f"Rows: {rows if isinstance(rows, str) else joined(rows)}",
        *([f"Series: {joined(series)}"] if series else []),
    ]
    return " ".join(f"{sentence}." for sentence in sentences)


def ranges(
    groups: Iterable[tuple[str, pd.Series]], form: str = ".2g", labels: Mapping[str, str] | None = None, unit: str = ""
) -> str:
    """From where to where the values of each group go.

    Args:
        groups: name and values of each, as `groupby(...)["value"]` or `.items()` of a table give them.
        form: of a number.
        labels: name → label, in the order that is wanted; without them all groups are named as they are.
        unit: what follows each pair of numbers.

    Example:
        >>> ranges({"pkp": pd.Series([0.5, 0.25]), "stp": pd.Series([0.125, 0.75])}.items(), labels={"pkp": "PKP"})
        'PKP 0.25 to 0.5'
    """
    found = dict(list(groups))
    labels = {name: name for name in found} if labels is None else labels
    return joined(
        f"{label} {found[name].min():{form}} to {found[name].max():{form}}{unit}"
        for name, label in labels.items()
        if name in found
    )


def each(values: pd.Series, form: str = ".2g", labels: Mapping[str, str] | None = None, unit: str = "") -> str:
    """Every value with its name, or with its label.

    Example:
        >>> each(pd.Series({"a": 1.25, "b": 1200.0}), ",.1f", {"a": "A"}, " s")
        'A 1.2 s; b 1,200.0 s'
    """
    labels = labels or {}
    return joined(f"{labels.get(name, name)} {value:{form}}{unit}" for name, value in values.items())


def seed_band(noise: pd.DataFrame, measured: Iterable[str]) -> str:
    """What a band of seed noise is; said, too, where there is none.

    Args:
        noise: `seed_noise.seed_noise` rows.
        measured: labels of the recipes that were trained several times.

    Example:
        >>> seed_band(pd.DataFrame({"freedom": [4]}), ["A", "B"])[:57]
        'how far another seed of a recipe may lie (95 %, Student),'
        >>> seed_band(pd.DataFrame({"freedom": []}), [])
        'not drawn, since none of these models was trained with several seeds'
    """
    if noise.empty:
        return "not drawn, since none of these models was trained with several seeds"
    return (
        f"how far another seed of a recipe may lie (95 %, Student), measured on {' and '.join(measured)},"
        f" {noise['freedom'].max():.0f} degrees of freedom, and assumed for other models"
    )


def texts_read(table: pd.DataFrame) -> str:
    """On how much text statistics of fidelity rest.

    Args:
        table: columns `tokens` and `clusters`; the largest of each counts.

    Example:
        >>> texts_read(pd.DataFrame({"tokens": [7431, 312], "clusters": [17, 12]}))
        '7,431 tokens of 17 held-out programs'
    """
    return f"{table['tokens'].max():,.0f} tokens of {table['clusters'].max():.0f} held-out programs"
