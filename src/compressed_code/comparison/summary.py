"""A comparison in a terminal: at most 25 lines of 80 columns."""

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from compressed_code.comparison.guidelines import in_a_sentence
from compressed_code.comparison.overview import noise_floor_nats, overview
from compressed_code.core.errors import printable
from compressed_code.core.names import cut_in_the_middle

if TYPE_CHECKING:
    from compressed_code.comparison.comparison import ModelComparison

LINES, WIDTH, NAME = 25, 80, 26
MODELS = 9  # that have a row


def number(value: float, form: str = ".3g") -> str:
    """A number in few signs; a dash where there is none."""
    return "–" if pd.isna(value) else f"{value:{form}}"


def size(count: float) -> str:
    """Bytes in a unit that fits.

    Example:
        >>> size(98_362_432), size(2_100)
        ('98.4 MB', '2.1 kB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"


# Column → its heading, and how a value is written.
_COLUMNS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "bits": ("bits", lambda value: number(value, ".2f")),
    "bytes": ("size", size),
    "health": ("weights", lambda value: str(value) or "base"),
    "kl_mean_nats": ("KL", lambda value: number(value, ".2g")),
    "same_top_fraction": ("same top", lambda value: "–" if pd.isna(value) else f"{100 * value:.1f} %"),
    "perplexity_ratio": ("ppl", lambda value: "–" if pd.isna(value) else f"×{value:.3f}"),
    "bits_per_byte_difference": ("bits/byte", lambda value: number(value, "+.3f")),
    "first_kl_nats": ("KL first", lambda value: number(value, ".2g")),
    "pass_at_1": ("pass@1", lambda value: number(value, ".3f")),
}


def summary(comparison: "ModelComparison") -> str:
    """The whole of it: a row per model, the noise floor, and what was found, the gravest first."""
    lines = [*_table(comparison), *_below(comparison)]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], f"… {len(lines) - LINES + 1} more lines: see --out FILE.html or --format json"]
    return "\n".join(lines)


def _table(comparison: "ModelComparison") -> Iterator[str]:
    table = overview(comparison)
    shown = [column for column in _COLUMNS if table[column].notna().any()]
    if "bits_per_byte_difference" in shown and not table["kl_mean_nats"].notna().any():
        shown = [column for column in shown if column not in ("kl_mean_nats", "same_top_fraction", "perplexity_ratio")]
    names = _told_apart([printable(model.name) for model in comparison.models[: MODELS + 1]])
    cells = [[_COLUMNS[column][0] for column in shown]]
    cells += [[_COLUMNS[column][1](row[column]) for column in shown] for _, row in table.head(MODELS + 1).iterrows()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    room = max(map(len, names))
    for name, row in zip(["", *names], cells, strict=True):
        yield f"{name:{room}} " + " ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
    left = len(comparison.models) - MODELS - 1
    if left > 0:
        yield f"… and {left} more models"


def _told_apart(names: list[str]) -> list[str]:
    """Names cut to a width, a wider one where two would look the same."""
    for width in (NAME, NAME + 8, 80):
        cut = [cut_in_the_middle(name, width) for name in names]
        if len(set(cut)) == len(names):
            return cut
    return names


def _below(comparison: "ModelComparison") -> Iterator[str]:
    floor = noise_floor_nats(comparison)
    if not pd.isna(floor):
        yield f"KL in nats a token; rounding activations to bfloat16 alone gives {floor:.2g}"
    if "bfloat16_noise" in comparison.tables:
        device = comparison.tables["bfloat16_noise"]["device"].iloc[0]
        yield f"the base computed in bfloat16 on {device}: {noise_floor_nats(comparison, 'bfloat16_noise'):.2g}"
    for note in comparison.notes:
        yield from _wrapped(f"note: {note}")
    for model in comparison.candidates:
        found = comparison.findings.get(model.name)
        if found:
            yield from _wrapped(f"{model.label}: {found.health}: {'; '.join(found.sentences)}", most=4)
    candidates = comparison.candidates
    predictions = {model.label: in_a_sentence(comparison.of("guidelines", model.name)) for model in candidates}
    for label, sentence in predictions.items():
        yield from _wrapped(f"{label}: {sentence}") if sentence else ()
    if any(predictions.values()):
        yield from _wrapped(f"predictions rest on {comparison.tested_on}; beyond these they are extrapolated")
    for model in comparison.candidates:
        yield from _worst(comparison, model.name, model.label)


def _worst(comparison: "ModelComparison", name: str, label: str) -> Iterator[str]:
    """Which class of tokens suffers most, and which tokens are lost."""
    classes = comparison.of("by_token_class", name)
    if classes.empty:
        return
    kl = classes[classes["statistic"] == "kl_mean_nats"].sort_values("value", ascending=False)
    worst = ", ".join(f"{row.token_class} {row.value:.2g}" for row in kl.head(3).itertuples())
    lost = comparison.of("flipped_tokens", name).head(4)
    words = ", ".join(f"'{row.token}' ({row.lost} of {row.occurrences})" for row in lost.itertuples())
    yield from _wrapped(f"{label}: most divergence at {worst}" + (f"; lost {words}" if words else ""), most=2)


def _wrapped(text: str, most: int = 3) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", max_lines=most, placeholder=" …")
