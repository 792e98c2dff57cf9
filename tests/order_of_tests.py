"""In which order tests are handed to several workers: files with slow tests begin, so that none is left for the end."""

from collections.abc import Sequence
from itertools import chain
from typing import TypeVar

One = TypeVar("One")


def dealt(first: Sequence[Sequence[One]], rest: Sequence[One], workers: int) -> list[One]:
    """One list of which every worker's share begins with groups that are dealt out in turn.

    A share is what `--dist=worksteal` sends to a worker to begin with: what nobody has yet, divided by the workers that
    have none. Whoever is done first steals from the end of another one's share.

    Args:
        first: groups that stay together.
        rest: fills each share behind its groups.
        workers: how many there are, at least 1.
    """
    left, waiting, order = sum(map(len, first)) + len(rest), list(rest), []
    for worker in range(workers):
        share = left // (workers - worker)
        begun = list(chain(*first[worker::workers]))
        missing = max(0, share - len(begun))
        order += [*begun, *waiting[:missing]]
        del waiting[:missing]
        left -= share
    return [*order, *waiting]
