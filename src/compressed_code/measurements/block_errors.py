"""How a variant's rounding errors lie in blocks of a row, which matters where the base model was quantized in blocks.

A file that was quantized to 4 bits holds 16 levels per block. Rounding it anew, to 4 bits in the same blocks and with
an integer zero point, finds the same step but another offset: all weights of a block move by the same amount. Each of
them moves no further than usual, but their errors add up where independent ones would cancel.
"""

import re

import numpy as np
import pandas as pd

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.measurements.subjects.pairs import Pair, PairSubject
from compressed_code.measurements.tables import measurement

_LAYER = re.compile(r".+\.layers\.(\d+)\..+_proj\.weight")


@measurement(version=1, subject=PairSubject(), packages=["numpy", "gguf"])
def block_errors(pair: Pair, block: int = 32, every: int = 10) -> pd.DataFrame:
    """Errors of the matrices of every so-many-th layer.

    Args:
        block: weights of a row that are looked at together; rows must divide into them.
        every: layers from one that is read to the next.

    Returns:
        Columns `matrix`, `relative_error` (root mean square over that of the weights), `common_share` (of the squared
        error: what is the same for all weights of a block; 1 / `block` is expected of independent errors, 1 is a shift
        of whole blocks; missing where nothing changed), `levels` (most distinct values in a block of the base model).
        Matrices whose rows do not divide into blocks are left out.
    """
    base, candidate = (open_checkpoint(path) for path in (pair.base, pair.candidate))
    layers = ((name, _LAYER.fullmatch(name)) for name in sorted(base.names))
    chosen = [name for name, match in layers if match and int(match[1]) % every == 0]
    rows = [(name, *_errors(base.weight(name), candidate.weight(name), block)) for name in chosen]
    columns = ["matrix", "relative_error", "common_share", "levels"]
    return pd.DataFrame(rows, columns=columns).dropna(subset="relative_error").reset_index(drop=True)


def _errors(before: np.ndarray, after: np.ndarray, block: int) -> tuple[float, float, int]:
    if before.shape[1] % block:
        return np.nan, np.nan, 0
    weights = before.astype(np.float64).reshape(-1, block)
    errors = after.astype(np.float64).reshape(-1, block) - weights
    whole, common = np.square(errors).sum(), block * np.square(errors.mean(1)).sum()
    ordered = np.sort(weights, axis=1)
    levels = 1 + int((np.diff(ordered, axis=1) > 0).sum(1).max())
    return np.sqrt(whole / np.square(weights).sum()), common / whole if whole > 0 else np.nan, levels
