"""Logits of a vocabulary, a block of positions at a time, and their log-probabilities in place."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Logits that are worked on at a time: what stays in a core's cache, but at least 8 positions' (1.6 MB of float32 at
# 49,152 entries, of which a comparison holds six). The product with a wide output matrix reads all of that matrix each
# time, and is of many more, 256 at 49,152 entries at most: of 128 it runs at 86 % of the speed of 256, and two models'
# logits of 256 positions take 100 MB. A part of that matrix at a time stays in a core's cache (1.2 times the speed).
BLOCK_ELEMENTS = 1 << 17
LEAST_ROWS = 8
WIDE = 1 << 12
PRODUCT_ELEMENTS = 12 << 20
LEAST_ROWS_OF_A_PRODUCT = 128
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
    at_a_time = PRODUCT_COLUMNS if width >= WIDE and out.device.type == "cpu" else width
    for columns in blocks(width, at_a_time):
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

    top = logits.argmax(1, keepdim=True)
    logits -= logits.gather(1, top)
    others = torch.exp(logits, out=spare).scatter_(1, top, 0.0)
    rest = others.sum(1)
    log_total = rest.log1p()
    logits -= log_total[:, None]
    entropy = (log_total - torch.linalg.vecdot(others, logits)) / (1 + rest)
    return Peaks(top[:, 0], entropy)
