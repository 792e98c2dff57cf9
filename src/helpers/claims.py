"""Checks that keep a notebook's prose true: a named statement that stops the headless run when it no longer holds."""

from collections.abc import Collection, Iterable


class ClaimFailed(AssertionError):
    """A sentence of a notebook is not true of the numbers it was run on."""


def check(statement: str, holds: bool, *, given: bool = True) -> None:
    """Print the statement with its verdict.

    Args:
        statement: the claim, as the prose makes it.
        holds: whether the measured numbers bear it out.
        given: whether what the claim speaks of was measured at all; if not, it is named as unchecked.

    Raises:
        ClaimFailed: the claim does not hold.
    """
    if not given:
        print(f"not checked (its subjects were not measured): {statement}")
        return
    if not bool(holds):
        raise ClaimFailed(f"no longer true: {statement}")
    print(f"holds: {statement}")


def report_gaps(requested: Iterable[str], measured: Collection[str]) -> None:
    """Say which of the requested subjects stand in a measured table; a gap is named, never hidden."""
    requested = list(dict.fromkeys(requested))
    present = set(measured)
    missing = [name for name in requested if name not in present]
    found = [name for name in requested if name in present]
    print(f"measured {len(found)} of {len(requested)}: {', '.join(found)}")
    if missing:
        print(f"not available here, without a value in the figures below: {', '.join(missing)}")
