"""Matrices that are another matrix seen otherwise: rows in another order, transposed, less a number."""

from collections.abc import Sequence

import numpy as np

from compressed_code.checkpoints.matrices.matrix import Matrix


class Assembled(Matrix):
    """Rows of one matrix or of several of the same width, in an order of one's own."""

    def __init__(
        self,
        matrices: Sequence[Matrix],
        rows: np.ndarray,
        sources: np.ndarray | None = None,
        dimensions: tuple[int, ...] | None = None,
    ) -> None:
        """Nothing is decoded yet.

        Args:
            matrices: whose rows they are.
            rows: number of each row in its matrix.
            sources: which matrix each row is of; by default the first.
            dimensions: of the weight; by default those of a matrix.
        """
        super().__init__(matrices[0].tensor, dimensions or (len(rows), matrices[0].shape[1]), 0)
        self._matrices, self._rows = matrices, rows
        self._sources = np.zeros(len(rows), int) if sources is None else sources

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        rows, sources = self._rows[start:stop], self._sources[start:stop]
        values = np.empty((stop - start, self.shape[1]), np.float32)
        for number in np.unique(sources):
            chosen = sources == number
            values[chosen] = _decoded(self._matrices[number], rows[chosen])
        return values


def chosen_rows(matrix: Matrix, rows: np.ndarray, dimensions: tuple[int, ...] | None = None) -> Matrix:
    """Some rows of one matrix."""
    return Assembled([matrix], rows, dimensions=dimensions)


def one_after_the_other(matrices: Sequence[Matrix]) -> Matrix:
    """Matrices of the same width, one below the other."""
    heights = [matrix.shape[0] for matrix in matrices]
    rows = np.concatenate([np.arange(height) for height in heights])
    return Assembled(matrices, rows, np.repeat(np.arange(len(heights)), heights))


def _decoded(matrix: Matrix, rows: np.ndarray) -> np.ndarray:
    """Rows of a matrix; those that lie near each other are decoded together."""
    first, last = int(rows.min()), int(rows.max()) + 1
    if last - first <= 2 * len(rows):
        return matrix.decode(first, last)[rows - first]
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return np.concatenate([matrix.decode(int(run[0]), int(run[-1]) + 1) for run in runs])


class Alternating(Matrix):
    """Two matrices of one shape, column by column in turns: the even columns are the first's."""

    def __init__(self, even: Matrix, odd: Matrix) -> None:
        """Nothing is decoded yet."""
        *before, columns = even.dimensions
        super().__init__(even.tensor, (*before, 2 * columns), 0)
        self._pair = (even, odd)

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        both = np.stack([matrix.decode(start, stop) for matrix in self._pair], axis=-1)
        return both.reshape(stop - start, self.shape[1])


class Reshaped(Matrix):
    """The same numbers with other dimensions of the same rows and columns (a vector as a matrix of one row)."""

    def __init__(self, matrix: Matrix, dimensions: tuple[int, ...]) -> None:
        """Nothing is decoded yet."""
        super().__init__(matrix.tensor, dimensions, 0)
        self._matrix = matrix

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        return self._matrix.decode(start, stop)


class Transposed(Matrix):
    """The last two dimensions exchanged."""

    def __init__(self, matrix: Matrix) -> None:
        """Nothing is decoded yet; the matrix has two or more dimensions."""
        *before, rows, columns = matrix.dimensions
        super().__init__(matrix.tensor, (*before, columns, rows), 0)
        self._matrix, self._size = matrix, (rows, columns)

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32; of each matrix that they touch, all rows are decoded."""
        rows, columns = self._size
        parts = []
        for number in range(start // columns, -(-stop // columns)):
            values = self._matrix.decode(number * rows, (number + 1) * rows).T
            parts.append(values[max(start - number * columns, 0) : stop - number * columns])
        return np.concatenate(parts)

    def whole(self) -> np.ndarray:
        """The weight in all its dimensions."""
        return np.ascontiguousarray(self._matrix.whole().swapaxes(-1, -2))


class Shifted(Matrix):
    """All numbers less a number (norms that are stored with 1 added)."""

    def __init__(self, matrix: Matrix, less: float) -> None:
        """Nothing is decoded yet; `less` is subtracted."""
        super().__init__(matrix.tensor, matrix.dimensions, 0)
        self._matrix, self._less = matrix, np.float32(less)

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        return self._matrix.decode(start, stop) - self._less
