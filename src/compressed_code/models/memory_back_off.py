"""When a GPU's memory does not suffice for a batch: smaller ones, which is said, and none as large again."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from compressed_code.core.errors import InputError
from compressed_code.models.devices import DEVICE_VARIABLE

Item = TypeVar("Item")
Result = TypeVar("Result")


class BackOff:
    """Works on batches whole, or in parts that are smaller than every one that did not fit."""

    def __init__(self, what: str) -> None:
        """`what` a batch is made of, in the plural."""
        self._what, self._most = what, sys.maxsize

    def results(self, work: Callable[[Sequence[Item]], Result], batch: Sequence[Item]) -> list[Result]:
        """What `work` gives for the batch, or for its parts, in their order.

        Raises:
            InputError: the memory does not suffice for one item.
        """
        import torch

        while True:
            size = min(len(batch), self._most)
            try:
                return [work(batch[first : first + size]) for first in range(0, len(batch), size)]
            except torch.OutOfMemoryError:
                pass  # behind this block, where nothing holds on to what was allocated
            self._most = smaller_batch(size, self._what)


def smaller_batch(size: int, what: str) -> int:
    """Half of a batch that did not fit, for the next try; what was allocated for it is given back.

    Raises:
        InputError: it was one item.
    """
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if size <= 1:
        raise InputError(
            f"the GPU's memory does not suffice for the model and a single one of the {what}; take one with more, or "
            f"several with {DEVICE_VARIABLE}=auto, or unset it to compute on the processor"
        )
    sys.stderr.write(f"out of memory with {size} {what} at a time; going on with {-(-size // 2)}\n")
    return -(-size // 2)
