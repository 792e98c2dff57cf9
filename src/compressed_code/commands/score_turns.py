"""What turned between two files of samples: part of the command `score`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressed_code.commands.figures import write_figure
from compressed_code.core.errors import InputError, printable

if TYPE_CHECKING:
    import pandas as pd

    from compressed_code.benchmarks.scoring import Scores

TURNS = ("kept", "lost", "gained", "neither")


def turns(before: "Scores", after: "Scores") -> dict[str, Any]:
    """`pass_rates.paired_flips` of two files' samples, by the tests that decide.

    Raises:
        InputError: they hold other samples.
    """
    from compressed_code.benchmarks.pass_rates import paired_flips

    try:
        return {"samples": before.samples, **paired_flips(deciding(before), deciding(after))}
    except ValueError:
        raise InputError(
            f"--against {before.samples}: holds other samples than {after.samples}; both need the same number for every"
            " task"
        ) from None


def deciding(scores: "Scores") -> "pd.DataFrame":
    """Outcomes of base and extra tests where there are extra tests."""
    return scores.outcomes if scores.extra_outcomes is None else scores.extra_outcomes


def in_a_line(found: dict[str, Any]) -> str:
    """What a terminal shows of `turns`."""
    return (
        f"against {found['samples']}: {found['lost']} lost and {found['gained']} gained of {found['pairs']} samples,"
        f" exact McNemar p = {found['p_value']:.3g}"
    )


def draw(before: "Scores", after: "Scores", found: dict[str, Any], path: Path) -> None:
    """How the samples of both end, and what turned."""
    import pandas as pd

    from compressed_code.charts.code_generation import outcome_and_turn_bars

    names = [printable(Path(side.samples).name) for side in (before, after)]
    if len(set(names)) == 1:
        names = [printable(str(side.samples)) for side in (before, after)]
    ends = [deciding(side)["outcome"].value_counts(normalize=True).mul(100) for side in (before, after)]
    shares = pd.DataFrame(ends, index=names).fillna(0.0)
    counts = {name: found[name] for name in TURNS}
    turned = pd.DataFrame([counts], index=["turned"]) * (100 / found["pairs"])
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    write_figure(lambda: outcome_and_turn_bars(shares, turned), path, f"From {names[0]} to {names[1]}: {words}.")
