"""What the tables of one candidate mean, in sentences: is it sound, and what else was changed. Pure functions."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import pandas as pd

from compressed_code.comparison.causes import MORE_THAN_ROUNDING, OTHER_WEIGHTS
from compressed_code.comparison.changes import EVERYWHERE

NAMED = 3  # weights of one cause that are named
ALL_OF_THEM = 0.9  # share of the matrices from which on a cause is the whole file's

Health = Literal["sound", "changed", "suspect", "broken", "not compared"]


class Findings(NamedTuple):
    """What was found of a candidate.

    Attributes:
        health: "sound": every weight has the error that its form costs. "changed": trained further, or made from
            another base. "suspect": settings or tokenizer are not the base's. "broken": weights are out of line or
            missing. "not compared": another size or family.
        sentences: why, the gravest first.
    """

    health: Health
    sentences: tuple[str, ...]


def findings(weights: pd.DataFrame, changes: pd.DataFrame) -> Findings:
    """The state of one candidate.

    Args:
        weights: `health.weight_health` of one pair.
        changes: `changes.changes` of the same.
    """
    told = [*_settings(changes)]
    states = weights["state"].value_counts()
    shared = weights[weights["error"].notna()]
    matrices = shared[shared["rows"] > 1]
    if len(shared) < len(weights) / 2:
        # Of the settings nearly all differ with the size, which needs no proof.
        return Findings("not compared", (_other_size(weights), *_settings(changes[changes["part"] != "settings"])))
    broken = [*_out_of_line(weights, len(matrices)), *_absent(weights)]
    if broken:
        return Findings("broken", (*broken, *told))
    if states.get("changed", 0):
        median = weights.loc[weights["state"] == "changed", "error"].median()
        count = (
            f"{states['changed']} of {len(shared)} weights differ by {median:.2g} in the median, more than their form"
        )
        return Findings(
            "changed", (f"{count} costs: trained further, or made from other weights than this base", *told)
        )
    cost = matrices["error"].median()
    sound = f"all {len(shared)} weights have the error that their stored form costs"
    sound += f", {cost:.2g} in the median of the matrices" if cost > 0 else "; none differs"
    further = shared.loc[shared["detail"] == MORE_THAN_ROUNDING, "excess"]
    if len(further):
        most = further.max()
        sound += f"; {len(further)} up to {most:.1f} times that of rounding, as calibration on text moves them"
    return Findings("suspect" if told else "sound", (*told, sound))


def _settings(changes: pd.DataFrame) -> Iterator[str]:
    """Differences that change what is computed or read."""
    for row in changes.itertuples():
        if row.effect == EVERYWHERE or row.part != "settings":
            yield f"{row.part}: {row.field} is {row.candidate}, the base has {row.base} ({row.effect})"


def _out_of_line(weights: pd.DataFrame, matrices: int) -> Iterator[str]:
    bad = weights[weights["state"] == "out of line"]
    groups = sorted(bad.groupby("cause", sort=False), key=lambda group: -len(group[1]))
    for cause, rows in groups:
        if len(rows) >= ALL_OF_THEM * matrices and cause in ("unrelated", OTHER_WEIGHTS):
            yield (
                f"nearly all weights ({len(rows)}) are another model's: nothing of this base is in them, unless they"
                " were rotated together (QuaRot, SpinQuant)"
            )
            continue
        names = ", ".join(rows["tensor"][:NAMED])
        more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
        first = rows.iloc[0]
        cost = f"error {first['error']:.2g} where {first['expected_error']:.2g} is usual"
        yield f"{cause}: {names}{more}: {first['detail']} ({cost})"


def _absent(weights: pd.DataFrame) -> Iterator[str]:
    for state, words in (("missing", "is missing"), ("other shape", "has another shape")):
        rows = weights[weights["state"] == state]
        if len(rows):
            more = f", and {len(rows) - 1} more" if len(rows) > 1 else ""
            detail = f" ({rows['detail'].iloc[0]})" if rows["detail"].iloc[0] else ""
            yield f"{rows['tensor'].iloc[0]} {words}{detail}{more}"


def _other_size(weights: pd.DataFrame) -> str:
    counts = weights["state"].value_counts()
    parts = [f"{counts[state]} {state}" for state in ("missing", "surplus", "other shape") if state in counts]
    return f"another size or family ({', '.join(parts)}): weights cannot be compared one by one"
