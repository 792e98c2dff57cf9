"""An embedding's table that reads a row when it is looked up.

Which rows those are only the look-up itself knows: some classes are handed ids, others an attention mask from which
they count positions. Whatever else is done with the table reads all of it, so nothing sees a row that was not read.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn.functional import embedding

from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.core.errors import InputError


class EmbeddingRows(torch.Tensor):
    """The table, [rows, columns]; memory of rows that nobody looks up is never touched."""

    _matrix: Matrix
    _plain: torch.Tensor
    _is_whole: bool

    @staticmethod
    def of(matrix: Matrix, dtype: torch.dtype) -> "EmbeddingRows":
        """A table of which nothing is read yet."""
        kind = np.float64 if dtype == torch.float64 else np.float32
        plain = torch.from_numpy(np.zeros(matrix.shape, kind))  # the system gives zeros page by page when they are used
        table = plain.as_subclass(EmbeddingRows)
        table._matrix, table._plain, table._is_whole = matrix, plain, False
        return table

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Have what is needed read, and go on with plain tensors."""
        given = kwargs or {}
        for table in (part for part in (*args, *given.values()) if isinstance(part, EmbeddingRows)):
            if func is embedding:
                table._read(torch.unique(args[0] if args else given["input"]).tolist())
            elif getattr(func, "__name__", "") != "__get__":  # shape, device … say nothing of numbers
                table._read_all()
        with torch._C.DisableTorchFunctionSubclass():
            plain = [part._plain if isinstance(part, EmbeddingRows) else part for part in args]
            named = {name: part._plain if isinstance(part, EmbeddingRows) else part for name, part in given.items()}
            return func(*plain, **named)

    def _read(self, rows: Iterable[int]) -> None:
        for row in rows:
            values = self._matrix.row(row)
            if not np.isfinite(values).all():
                raise InputError(f"{self._matrix.tensor}: row {row} holds NaN or infinity; fetch or write it again")
            self._plain[row] = torch.from_numpy(np.array(values))

    def _read_all(self) -> None:
        if not self._is_whole:
            self._plain.copy_(torch.from_numpy(self._matrix.whole().reshape(self._matrix.shape)))
            self._is_whole = True
