"""Factors that writers move between weights without changing the model, as AWQ and SmoothQuant do.

A norm's outputs are divided by a factor each, and the columns of the matrices that read them are multiplied by it; or
the rows of a matrix are divided, and the columns of the one behind it multiplied. Where a candidate's weights are
rescaled so, they are compared with those factors taken out again.
Source: Lin et al. 2023, arXiv 2306.00978, section 3.2; Xiao et al. 2022, arXiv 2211.10438, section 4.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from compressed_code.checkpoints.matrices.matrix import Matrix

# Norm of a Llama-like layer → the matrices that read it; matrix → the one that reads its rows, element by element.
NORMS = {
    "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
}
FOLLOWING = {"self_attn.v_proj": "self_attn.o_proj", "mlp.up_proj": "mlp.down_proj"}
UNCHANGED = 0.01  # factors nearer to 1 are rounding
UNDONE = 0.3  # share of a factor that may be left, in the median, where the matrix behind undoes it

Open = Callable[[str], Matrix | None]


@dataclass(frozen=True)
class Factors:
    """What a candidate's weight is multiplied with to be compared.

    Attributes:
        rows, columns: [rows], [columns]; `None` for 1.
        because: the weight that undoes it.
    """

    rows: np.ndarray | None
    columns: np.ndarray | None
    because: str


class Rescaled(Matrix):
    """A matrix with factors on its rows and columns."""

    def __init__(self, matrix: Matrix, factors: Factors) -> None:
        """Nothing is decoded yet."""
        super().__init__(matrix.tensor, matrix.dimensions, 0)
        self._matrix, self._factors = matrix, factors

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        values = self._matrix.decode(start, stop)
        if self._factors.columns is not None:
            values = values * self._factors.columns
        return values if self._factors.rows is None else values * self._factors.rows[start:stop, None]


def moved_factors(layer: str, base: Open, candidate: Open) -> Iterator[tuple[str, Factors]]:
    """The weights of a layer that are rescaled, and by what.

    Args:
        layer: beginning of its names, "model.layers.0".
        base, candidate: name → weight; `None` where a model has none of this name.
    """
    columns: dict[str, Factors] = {}
    for norm, readers in NORMS.items():
        name, first = f"{layer}.{norm}.weight", f"{layer}.{readers[0]}.weight"
        factor = _norm_factor(base(name), candidate(name))
        if factor is not None and _is_undone(factor, base(first), candidate(first)):
            yield name, Factors(None, 1 / factor, ", ".join(readers))
            columns |= {reader: Factors(None, factor, name) for reader in readers}
    # No writer moves factors between matrices alone, and looking for them decodes four matrices of each layer.
    for first, second in FOLLOWING.items() if columns else ():
        sides = [tuple(side(f"{layer}.{module}.weight") for module in (first, second)) for side in (base, candidate)]
        before = columns.get(first)
        rows = _row_factor(*sides, before)
        if rows is not None:
            columns[first] = Factors(1 / rows, before.columns if before else None, f"{layer}.{second}.weight")
            columns[second] = Factors(None, rows, f"{layer}.{first}.weight")
    for module, factors in columns.items():
        yield f"{layer}.{module}.weight", factors


def _norm_factor(base: Matrix | None, candidate: Matrix | None) -> np.ndarray | None:
    if base is None or candidate is None or base.dimensions != candidate.dimensions:
        return None
    one, other = base.decode(0, 1)[0], candidate.decode(0, 1)[0]
    if not (np.isfinite(other).all() and one.all() and other.all()):
        return None
    factor = other / one
    return factor if np.abs(factor - 1).max() > UNCHANGED else None


def _row_factor(
    base: tuple[Matrix | None, Matrix | None], candidate: tuple[Matrix | None, Matrix | None], before: Factors | None
) -> np.ndarray | None:
    """What the rows of the first of two matrices are multiplied by, where the columns of the second undo it."""
    if any(matrix is None for matrix in (*base, *candidate)) or base[0].shape[0] != base[1].shape[1]:
        return None
    if any(one.dimensions != other.dimensions for one, other in zip(base, candidate, strict=True)):
        return None
    first = candidate[0] if before is None else Rescaled(candidate[0], before)
    rows = _fitted(base[0], first, axis=1)
    if not np.isfinite(rows).all() or not (rows > 0).all():
        return None
    return rows if _is_undone(rows, base[1], candidate[1]) else None


def _is_undone(factor: np.ndarray, base: Matrix | None, candidate: Matrix | None) -> bool:
    """Whether the columns of the matrix behind take most of a factor back."""
    if base is None or candidate is None or base.dimensions != candidate.dimensions:
        return False
    if base.shape[1] != len(factor) or np.median(np.abs(factor - 1)) < UNCHANGED:
        return False
    left = np.abs(factor * _fitted(base, candidate, axis=0) - 1)
    return bool(np.median(left) < UNDONE * np.median(np.abs(factor - 1)))


def _fitted(base: Matrix, candidate: Matrix, axis: int) -> np.ndarray:
    """By which the base's rows (axis 1) or columns (axis 0) come nearest to the candidate's."""
    one, other = (matrix.decode(0, matrix.shape[0]) for matrix in (base, candidate))
    product, square = (one * other).sum(axis=axis), (one * one).sum(axis=axis)
    return np.divide(product, square, out=np.ones_like(product), where=square > 0)
