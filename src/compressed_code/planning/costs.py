"""How long a measurement takes on one core, from runs that were measured (data/run-costs.csv).

A cold start takes a time of its own and one for every byte it reads; a token that is written takes one of its own and
one for every weight it is multiplied by. Both lines are fitted by non-negative least squares of relative errors (Lawson
and Hanson 1974, as scipy has it), so that small and large runs count alike.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA

COSTS_FILE = DATA / "run-costs.csv"
_COLUMNS = {"measurement", "weights", "work", "seconds"}


def load_costs(path: Path = COSTS_FILE) -> pd.DataFrame:
    """Measured runs: `measurement`, `weights` of the model, `work` (bytes read, or tokens written), `seconds`.

    Raises:
        InputError: the file is missing, or lacks a column.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); restore it from the repository") from None
    if missing := sorted(_COLUMNS - set(table)):
        raise InputError(f"{path}: lacks the column {missing[0]}; restore it from the repository")
    return table


def fitted(runs: pd.DataFrame, measurement: str) -> tuple[float, float]:
    """The two costs of a measurement: seconds of a cold start and per byte; or per token, and per token and weight.

    Args:
        runs: `load_costs`.
        measurement: "cold_start" or "generations".

    Raises:
        InputError: fewer than two runs of it were measured.
    """
    own = runs[runs["measurement"] == measurement]
    if len(own) < 2:
        raise InputError(f"{measurement}: {len(own)} measured runs; two sizes at least are needed")
    by_byte = measurement == "cold_start"
    seconds = own["seconds"] / (1 if by_byte else own["work"])
    slope = own["work"] if by_byte else own["weights"]
    columns = np.column_stack([1 / seconds, slope / seconds])
    scale = columns.max(axis=0)  # the two columns differ by nine orders of magnitude
    (fixed, growing), _ = nnls(columns / scale, np.ones(len(own)))
    return float(fixed / scale[0]), float(growing / scale[1])


def cold_start_seconds(costs: tuple[float, float], read: int) -> float:
    """Seconds of one cold start that reads so many bytes, from a disk."""
    fixed, per_byte = costs
    return fixed + per_byte * read


def generation_seconds(costs: tuple[float, float], weights: int, tokens: int) -> float:
    """Seconds to write so many tokens with a model of so many active weights."""
    per_token, per_weight = costs
    return tokens * (per_token + per_weight * weights)
