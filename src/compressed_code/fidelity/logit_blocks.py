"""Logits of a vocabulary, a block of positions at a time, and their log-probabilities in place."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compressed_code.models.packed_layers import multiplies, product

if TYPE_CHECKING:
    import torch

# Logits that are worked on at a time: what stays in a core's cache, but at least 8 positions' (1.6 MB of float32 at
# 49,152 entries, of which a comparison holds six). The product with a wide output matrix reads all of that matrix each
# time, and is of more, 80 at 49,152 entries: two models' logits of them take 31 MB for each batch that is read at a
# time, and of 128 it would run 1.1 times as fast. Its columns come in parts, since oneDNN gives each result, and the
# matrix in its order, in memory of its own.
BLOCK_ELEMENTS = 1 << 17
LEAST_ROWS = 8
WIDE = 1 << 12
PRODUCT_ELEMENTS = 1 << 22
LEAST_ROWS_OF_A_PRODUCT = 64
PRODUCT_COLUMNS = 1 << 11


def block_rows(width: int) -> int:
    """How many positions' logits of a width are worked on at a time."""
    return max(LEAST_ROWS, BLOCK_ELEMENTS // width)


def product_rows(width: int) -> int:
    """How many positions' logits are computed at a time at most: one block, or of a wide output matrix several."""
    rows = block_rows(width)
    if width < WIDE:
        return rows
    return max(LEAST_ROWS_OF_A_PRODUCT, PRODUCT_ELEMENTS // width) // rows * rows


def blocks(tokens: int, rows: int) -> list[slice]:
    """Positions of a batch, so many at a time."""
    return [slice(first, min(first + rows, tokens)) for first in range(0, tokens, rows)]


def products(tokens: int, width: int) -> list[slice]:
    """Positions of a batch whose logits are computed at a time: whole blocks, of nearly equal numbers."""
    rows, most = block_rows(width), product_rows(width)
    share = -(-tokens // -(-tokens // most)) if tokens else most
    return blocks(tokens, -(-share // rows) * rows)


def multiply(states: "torch.Tensor", matrix: "torch.Tensor", out: "torch.Tensor") -> None:
    """The products of some positions' states with an output matrix, written to `out`.

    Args:
        states: [rows, hidden].
        matrix: [width, hidden].
        out: [rows, width], on the same device and of the same type.
    """
    import torch

    width = len(matrix)
    by_onednn = multiplies(matrix) and width >= WIDE
    at_a_time = PRODUCT_COLUMNS if by_onednn else width
    for columns in blocks(width, at_a_time):
        if by_onednn:
            out[:, columns] = product(states, matrix[columns])
        else:
            torch.mm(states, matrix[columns].T, out=out[:, columns])


@dataclass(frozen=True)
class Peaks:
    """What `log_softmax` learns of each row on its way.

    Attributes:
        top: [rows] id of the most probable token.
        entropy: [rows] in nats.
    """

    top: "torch.Tensor"
    entropy: "torch.Tensor"


def log_softmax(logits: "torch.Tensor", spare: "torch.Tensor") -> Peaks:
    """The logarithm of the softmax of each row, in place.

    A row's largest entry is taken out of the sum, to which it gives 1: ln(1 + rest) keeps all digits of a nearly
    certain token's log-probability, and of a small entropy.

    Args:
        logits: [rows, width] float32 or float64; overwritten.
        spare: of the same shape; overwritten.
    """
    import torch

    top = _largest(logits)[:, None]
    logits -= logits.gather(1, top)
    others = torch.exp(logits, out=spare).scatter_(1, top, 0.0)
    rest = others.sum(1)
    log_total = rest.log1p()
    logits -= log_total[:, None]
    entropy = (log_total - torch.linalg.vecdot(others, logits)) / (1 + rest)
    return Peaks(top[:, 0], entropy)


def _largest(logits: "torch.Tensor") -> "torch.Tensor":
    """The column of each row's largest entry; numpy finds it in a tenth of torch's time on a processor."""
    import torch

    return torch.from_numpy(logits.numpy().argmax(1)) if logits.device.type == "cpu" else logits.argmax(1)
