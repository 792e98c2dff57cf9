"""States times a stored matrix, block by block of its rows: what a linear layer computes without a whole matrix."""

import numpy as np
import torch

from compressed_code.checkpoints.matrices.matrix import Matrix, row_blocks
from compressed_code.core.errors import InputError


def block_product(matrix: Matrix, states: torch.Tensor, rows: tuple[int, int] | None = None) -> torch.Tensor:
    """`states @ matrix.T`.

    Args:
        matrix: [rows, columns].
        states: [..., columns] finite float32 or float64, which is what the product is computed in.
        rows: (start, stop); by default all. Others are not read.

    Returns:
        [..., rows].

    Raises:
        InputError: the matrix holds NaN or infinity, or numbers too large to multiply.
    """
    columns = matrix.shape[1]
    first, last = rows or (0, matrix.shape[0])
    given = states.reshape(-1, columns)
    if len(given) == 1:
        with np.errstate(over="ignore", invalid="ignore"):
            out = torch.from_numpy(matrix.product(given[0].contiguous().numpy(), [(first, last)]))[None]
    else:
        out = given.new_empty(len(given), last - first)
        for start, stop in row_blocks([(first, last)], columns):
            block = torch.from_numpy(np.require(matrix.decode(start, stop), requirements="CW"))
            out[:, start - first : stop - first] = given @ block.to(given.dtype).T
    if rows is None:
        matrix.tensor.release(0, matrix.tensor.length)  # what was fetched ahead and not let go of by blocks
    elif matrix.width:
        matrix.tensor.release(first * matrix.width, last * matrix.width)
    if not np.isfinite(out.numpy()).all():
        raise InputError(
            f"{matrix.tensor}: holds NaN, infinity or numbers too large to multiply; fetch or write it again"
        )
    return out.reshape(*states.shape[:-1], last - first)
