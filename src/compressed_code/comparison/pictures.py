"""Charts as SVG that stands inside a page and takes the page's own colour for ink, light or dark."""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from compressed_code.comparison.overview import noise_floor_nats, overview

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from compressed_code.comparison.comparison import ModelComparison

INK = "#010203"  # what is written and ruled, replaced by the colour of the page's text
_RULED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")


class Picture(NamedTuple):
    """A chart in a page.

    Attributes:
        svg: to stand in HTML.
        alt: for a reader who cannot see it.
        caption: what it shows.
    """

    svg: str
    alt: str
    caption: str


def pictures(comparison: "ModelComparison") -> dict[str, Picture]:
    """The charts of what was measured: `bytes`, `token_class`, `language`."""
    from compressed_code.charts.comparison import divergence_by_bytes, divergence_by_group

    table = overview(comparison).rename(columns={"kl_mean_nats": "value"})
    base, candidates = table.iloc[0], table.iloc[1:].dropna(subset=["value"])
    if candidates.empty:
        return {}
    labels = dict(zip(candidates["model"], candidates["label"], strict=True))
    floor = noise_floor_nats(comparison)
    points = "; ".join(
        f"{row.label}: {row.bytes / 1e6:.3g} MB, {row.value:.2g} nats" for row in candidates.itertuples()
    )
    found = {
        "bytes": Picture(
            _drawn(lambda: divergence_by_bytes(candidates, floor, base["bytes"])),
            f"Points: {points}. The base has {base['bytes'] / 1e6:.3g} MB.",
            "Mean KL(base‖candidate) per token against the size of the weights; 95 % bootstrap-t intervals over texts.",
        )
    }
    for group, words in (("token_class", "class of the token"), ("language", "language")):
        rows = comparison.tables[f"by_{group}"]
        rows = rows[rows["statistic"] == "kl_mean_nats"]
        worst = rows.loc[rows.groupby("model", sort=False)["value"].idxmax()]
        most = "; ".join(
            f"{labels[row.model]} most at {getattr(row, group)}, {row.value:.2g}" for row in worst.itertuples()
        )
        some = rows["low"].notna().any()
        found[group] = Picture(
            _drawn(lambda rows=rows, group=group: divergence_by_group(rows, group, labels)),
            f"Points{' with intervals' if some else ''}, mean KL by {words}: {most}.",
            f"Mean KL(base‖candidate) by {words}; "
            + ("95 % bootstrap-t intervals over texts." if some else "too few texts of each for an interval."),
        )
    return found


def _drawn(draw: "Callable[[], Figure]") -> str:
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from compressed_code.charts.style import STYLE

    inks = dict.fromkeys(_RULED, INK)
    page = {"grid.color": "#88888855", "savefig.transparent": True, "text.parse_math": False}
    with mpl.rc_context({**STYLE, **inks, **page}):
        figure = draw()
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
        plt.close(figure)
    return for_a_page(written.getvalue())


def for_a_page(svg: str) -> str:
    """An SVG file without what belongs to a file, as wide as its place, its ink in the colour of the text."""
    content = svg[svg.index("<svg") :]
    content = re.sub(r"<metadata>.*?</metadata>", "", content, flags=re.DOTALL)
    content = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", content, count=1)
    content = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r'\1 role="presentation"', content, count=1)
    return content.replace(INK, "currentColor")
