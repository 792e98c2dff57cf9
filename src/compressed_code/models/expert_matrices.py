"""A stack of experts that multiplies by one of them as it is stored, without decoding it into the stack first.

transformers' experts take one matrix of the stack at a time and multiply by it (`linear(states, stack[expert])`). Where
the checkpoint stores that matrix by itself, or as some rows of a larger one, it is multiplied block by block, as any
other linear layer. Whatever else is done with the stack sees the chosen experts decoded, and zeros for the others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import linear

from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.core.errors import InputError
from compressed_code.models.block_products import block_product


@dataclass(frozen=True)
class StoredRows:
    """Rows `start … stop` of a stored matrix."""

    matrix: Matrix
    start: int
    stop: int

    def times(self, states: torch.Tensor) -> torch.Tensor:
        """`states @ rows.T`, [..., rows]."""
        return block_product(self.matrix, states, (self.start, self.stop))

    def decoded(self) -> torch.Tensor:
        """The rows, float32.

        Raises:
            InputError: they hold NaN or infinity.
        """
        values = torch.from_numpy(self.matrix.decode(self.start, self.stop).copy())
        if not torch.isfinite(values).all():
            raise InputError(
                f"{self.matrix.tensor}: rows {self.start} to {self.stop - 1} hold NaN or infinity"
                "; fetch or write it again"
            )
        return values


Expert = Sequence[StoredRows]  # one below the other


class ExpertStack(torch.Tensor):
    """[experts, rows, columns]."""

    _experts: Sequence[Expert]
    _plain: torch.Tensor
    _unread: set[int]

    @staticmethod
    def of(experts: Sequence[Expert], shape: Sequence[int], chosen: Iterable[int], dtype: torch.dtype) -> "ExpertStack":
        """A stack of which nothing is read yet.

        Args:
            chosen: the experts that are decoded where more is done than to multiply by one.
        """
        kind = np.float64 if dtype == torch.float64 else np.float32
        plain = torch.from_numpy(np.zeros(tuple(shape), kind))  # the system gives zeros page by page when they are used
        stack = plain.as_subclass(ExpertStack)
        stack._experts, stack._plain, stack._unread = experts, plain, set(chosen)
        return stack

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """One expert is handed on unread; anything else goes on with plain tensors."""
        given = kwargs or {}
        is_one = func is torch.Tensor.__getitem__ and isinstance(args[0], ExpertStack) and _is_number(args[1])
        if is_one:
            return OneExpert.of(args[0]._experts[int(args[1])], args[0]._plain[0])
        with torch._C.DisableTorchFunctionSubclass():
            reads = getattr(func, "__name__", "") != "__get__"  # shape, device … say nothing of numbers
            return func(*(_plain(part, reads) for part in args), **{k: _plain(v, reads) for k, v in given.items()})

    def _read(self) -> None:
        for expert in self._unread:
            self._plain[expert] = torch.cat([part.decoded() for part in self._experts[expert]]).to(self._plain.dtype)
        self._unread = set()


class OneExpert(torch.Tensor):
    """The matrix of one expert, [rows, columns]."""

    _parts: Expert
    _like: torch.Tensor

    @staticmethod
    def of(parts: Expert, like: torch.Tensor) -> "OneExpert":
        """One that is read when it is used; it has the shape and type of another."""
        expert = like.as_subclass(OneExpert)
        expert._parts, expert._like = parts, like
        return expert

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """States times the expert are computed from what is stored; anything else decodes it."""
        given = kwargs or {}
        if func is linear and isinstance(args[1], OneExpert):
            bias = args[2] if len(args) > 2 else given.get("bias")
            products = torch.cat([part.times(args[0]) for part in args[1]._parts], dim=-1)
            return products if bias is None else products + bias
        with torch._C.DisableTorchFunctionSubclass():
            reads = getattr(func, "__name__", "") != "__get__"
            return func(*(_plain(part, reads) for part in args), **{k: _plain(v, reads) for k, v in given.items()})


def _plain(part: Any, reads: bool) -> Any:
    if isinstance(part, ExpertStack):
        if reads:
            part._read()
        return part._plain
    if isinstance(part, OneExpert):
        return torch.cat([rows.decoded() for rows in part._parts]).to(part._like.dtype) if reads else part._like
    return part


def _is_number(index: Any) -> bool:
    return isinstance(index, int) or (isinstance(index, torch.Tensor) and index.ndim == 0)
