"""Why a weight is not what it should be: each likely cause is undone, and one that leaves little of the error is named.

A cause explains an error where undoing it brings the weight in line, or takes three quarters of the error away.
Matrices are [rows, columns] float32; of very large ones the first rows are looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from compressed_code.comparison.tensor_errors import TensorError

LOOKED_AT = 1 << 26  # numbers of a matrix, 256 MB
MATCHED = 64  # rows whose place is looked for
WIDTH = 1024  # columns by which it is looked for
DAMAGED = 0.95  # error of a row that has nothing of the base left
UNRELATED = 0.2  # cosine of two matrices that have nothing in common
EXPLAINED, HALVED = 0.25, 0.5


@dataclass(frozen=True)
class Cause:
    """What is likely to have happened to a weight.

    Attributes:
        name: the same for all weights of one cause.
        detail: what was found of this one, in words.
    """

    name: str
    detail: str = ""


OTHER_WEIGHTS = "other weights"
MADE_FROM_OTHERS = "made from other weights than this base, or changed after it was made"  # their detail
MORE_THAN_ROUNDING = "further than rounding, as calibration moves it"  # a detail of weights in line


@dataclass(frozen=True)
class Suspect:
    """A weight that is out of line.

    Attributes:
        name: of the weight.
        base, candidate: its numbers, [rows, columns] float32.
        found: how far they are apart.
        limit: error that would be in line.
        group: weights of a row that share a scale in the candidate; 0 for none.
        calibrated: as of `stored_forms.StoredForm`.
        head_size: width of an attention head; 0 where it is not known.
    """

    name: str
    base: np.ndarray
    candidate: np.ndarray
    found: TensorError
    limit: float
    group: int
    calibrated: bool
    head_size: int

    def explained(self, remaining: float) -> bool:
        """Whether so much error is little enough for the cause that left it."""
        return remaining <= max(self.limit, EXPLAINED * self.found.error) and remaining < HALVED * self.found.error


def cause_of(suspect: Suspect, exchanged_with: str = "") -> Cause:
    """The first cause that explains a weight.

    Args:
        suspect: finite or not.
        exchanged_with: what `nearest_other` has found.
    """
    found = suspect.found
    if not found.finite:
        return Cause("not finite", "holds NaN or infinity")
    if not suspect.candidate.any():
        return Cause("zeroed", "all numbers are 0")
    zeros = _zeroed_rows(suspect)
    if zeros:
        return zeros
    if exchanged_with:
        return Cause("exchanged", exchanged_with)
    return next(filter(None, _undone(suspect)), None) or _rest(suspect)


def nearest_other(name: str, base: Mapping[str, np.ndarray], candidate: Mapping[str, np.ndarray], limit: float) -> str:
    """Which other weight of the base a candidate's weight holds, in words; empty where none explains it.

    Args:
        name: the weight.
        base, candidate: name → sketch, of weights of its dimensions.
        limit: error that would be in line.
    """
    own = _error(candidate[name], base[name])
    distances = {other: _error(candidate[name], sketch) for other, sketch in base.items() if other != name}
    if not distances:
        return ""
    nearest = min(distances, key=lambda other: distances[other])
    if distances[nearest] > max(limit, EXPLAINED * own) or distances[nearest] >= HALVED * own:
        return ""
    turned = nearest in candidate and _error(candidate[nearest], base[name]) <= max(limit, EXPLAINED * own)
    return f"{'exchanged with' if turned else 'holds the numbers of'} {nearest}"


def _undone(suspect: Suspect) -> Iterator[Cause | None]:
    """What is left when each cause is undone, the plainest first."""
    base, candidate = suspect.base, suspect.candidate
    yield _scaled(suspect)
    if base.shape[0] == base.shape[1] and suspect.explained(_error(candidate.T, base)):
        yield Cause("transposed", "rows and columns are exchanged")
    if base.shape[0] > 1:
        yield _rotary(suspect)
        yield _ordered(suspect, base, candidate, "rows")
        yield _ordered(suspect, base.T, candidate.T, "columns")
    yield _zero_points(suspect)
    yield _by_line(suspect, axis=1)
    yield _by_line(suspect, axis=0)
    yield _group_scales(suspect)
    yield _damaged_rows(suspect)


def _rest(suspect: Suspect) -> Cause:
    if suspect.base.shape[0] > 1 and abs(suspect.found.cosine) < UNRELATED:
        return Cause("unrelated", "the numbers of another model or of another kind of weight")
    return Cause(OTHER_WEIGHTS, MADE_FROM_OTHERS)


def damaged_rows(found: TensorError, limit: float, *, calibrated: bool) -> np.ndarray:
    """Numbers of the rows that have nothing of the base left, or nothing but zeros.

    Args:
        limit: error of the whole weight that would be in line.
        calibrated: rows may have been moved far to spare a layer's output; those that are still the base's are whole.
    """
    with np.errstate(invalid="ignore"):
        lost = (found.row_errors > max(DAMAGED, 1.5 * limit)) | (found.row_errors == 1)
    return np.flatnonzero(lost & ~found.rows_kept if calibrated else lost)


def _zeroed_rows(suspect: Suspect) -> Cause | None:
    rows = np.flatnonzero(~suspect.candidate.any(axis=1) & suspect.base.any(axis=1))
    if len(rows) and _others_in_line(suspect, rows):
        return Cause("rows zeroed", f"{_where(rows, len(suspect.base))} hold nothing but 0")
    return None


def _damaged_rows(suspect: Suspect) -> Cause | None:
    rows = damaged_rows(suspect.found, suspect.limit, calibrated=suspect.calibrated)
    if len(rows) and _others_in_line(suspect, rows):
        return Cause("rows damaged", f"{_where(rows, len(suspect.found.row_errors))} hold other numbers")
    return None


def _others_in_line(suspect: Suspect, rows: np.ndarray) -> bool:
    others = np.delete(suspect.found.row_errors, rows)
    return len(others) > 0 and bool(np.nanmedian(others) <= suspect.limit)


def _where(rows: np.ndarray, count: int) -> str:
    where = f"row {rows[0]}" if len(rows) == 1 else f"{len(rows)} rows between {rows[0]} and {rows[-1]}"
    return f"{where} of {count}"


def _scaled(suspect: Suspect) -> Cause | None:
    scale, cosine = suspect.found.scale, suspect.found.cosine
    if scale == 0 or not suspect.explained(_error(suspect.candidate / scale, suspect.base)):
        return None
    if cosine < 0:
        return Cause(
            "sign", "all numbers have the other sign" + ("" if abs(scale + 1) < 0.1 else f", times {-scale:.4g}")
        )
    return Cause("scale", f"{scale:.4g} times the base's numbers")


def _rotary(suspect: Suspect) -> Cause | None:
    """Rows of a head in the order of the other convention: halves apart (Hugging Face), or pairs together (GGUF)."""
    rows, size = len(suspect.base), suspect.head_size
    if not size or size % 2 or rows % size or not suspect.name.endswith(("q_proj.weight", "k_proj.weight")):
        return None
    by_head = np.arange(rows).reshape(-1, size)
    orders = (
        by_head.reshape(-1, 2, size // 2).swapaxes(1, 2).reshape(-1),
        by_head.reshape(-1, size // 2, 2).swapaxes(1, 2).reshape(-1),
    )
    if any(suspect.explained(_error(suspect.candidate, suspect.base[order])) for order in orders):
        return Cause("rotary order", "rows of each head in the other rotary order: halves apart or pairs together")
    return None


def _ordered(suspect: Suspect, base: np.ndarray, candidate: np.ndarray, what: str) -> Cause | None:
    """Rows that are all there, at other places."""
    places = np.unique(np.linspace(0, len(base) - 1, MATCHED).astype(int))
    columns = np.unique(np.linspace(0, base.shape[1] - 1, WIDTH).astype(int))
    some, all_of_them = _units(candidate[places][:, columns]), _units(base[:, columns])
    origins = (some @ all_of_them.T).argmax(axis=1)
    if (origins == places).all() or not suspect.explained(_error(candidate[places], base[origins])):
        return None
    size = suspect.head_size
    in_heads = size and len(base) % size == 0 and (origins % size == places % size).mean() > 0.9
    first = int(np.flatnonzero(origins != places)[0])
    moved = f"{what[:-1]} {places[first]} is the base's {what[:-1]} {origins[first]}"
    if in_heads and suspect.name.rpartition(".")[0].endswith(("q_proj", "k_proj", "v_proj", "o_proj")):
        heads = f"head {places[first] // size} is the base's head {origins[first] // size}"
        return Cause("heads exchanged", heads)
    return Cause(f"{what} out of order", moved)


def _zero_points(suspect: Suspect) -> Cause | None:
    """A shift of each group's own: its zero point is not the one that its codes have."""
    base, candidate = _in_groups(suspect)
    shift = (candidate - base).mean(axis=2, keepdims=True)
    if base.shape[2] > 1 and suspect.explained(_error(candidate - shift, base)):
        return Cause("zero points", f"each group of {base.shape[2]} is shifted by a number of its own")
    return None


def _group_scales(suspect: Suspect) -> Cause | None:
    """A factor of each group's own: its scale is another group's."""
    base, candidate = _in_groups(suspect)
    if suspect.group and suspect.explained(_error(candidate, _factors(base, candidate, axis=2) * base)):
        return Cause("group scales", f"each group of {base.shape[2]} has a factor of its own")
    return None


def _in_groups(suspect: Suspect) -> tuple[np.ndarray, np.ndarray]:
    """Base and candidate as [rows, groups, weights of a group]; without groups a row is one."""
    rows, columns = suspect.base.shape
    size = suspect.group if suspect.group and columns % suspect.group == 0 else columns
    return suspect.base.reshape(rows, -1, size), suspect.candidate.reshape(rows, -1, size)


def _by_line(suspect: Suspect, axis: int) -> Cause | None:
    """A factor of each row's (axis 1) or column's (axis 0) own."""
    what = "row" if axis else "column"
    if suspect.base.shape[axis] == 1 or suspect.base.shape[0] == 1:
        return None
    factor = _factors(suspect.base, suspect.candidate, axis)
    if suspect.explained(_error(suspect.candidate, factor * suspect.base)):
        low, high = np.percentile(factor, [5, 95])
        return Cause(f"{what} scales", f"each {what} has a factor of its own, {low:.3g} to {high:.3g}")
    return None


def _factors(base: np.ndarray, candidate: np.ndarray, axis: int) -> np.ndarray:
    """By which the base's numbers along an axis come nearest to the candidate's."""
    product, square = ((base * other).sum(axis=axis, keepdims=True) for other in (candidate, base))
    return np.divide(product, square, out=np.ones_like(product), where=square > 0)


def _units(rows: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(size > 0, size, 1)


def _error(one: np.ndarray, other: np.ndarray) -> float:
    """‖one − other‖ / ‖other‖; infinite where the other is nothing but zeros."""
    size = float(np.linalg.norm(other))
    return float(np.linalg.norm(one - other)) / size if size > 0 else float("inf")
