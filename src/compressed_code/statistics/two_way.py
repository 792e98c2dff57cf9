"""Two factors and their interaction: how much of a table's spread each of them accounts for."""

import numpy as np
import pandas as pd


def spread_shares(grid: pd.DataFrame) -> pd.Series:
    """Shares of the sum of squares of a table without repetition: rows, columns, and what is in neither (interaction).

    A cell is the grand mean plus what its row adds, what its column adds, and a rest. The rest is the interaction:
    above zero where the columns do not move every row alike (Fisher 1925, analysis of variance of a two-way table).

    Args:
        grid: one number per row and column, none missing, at least two of each, not all equal.

    Returns:
        Index `rows`, `columns`, `interaction`; adds to 1.

    Raises:
        ValueError: a missing number, one row or column only, or no spread.
    """
    values = grid.to_numpy(float)
    if min(values.shape) < 2 or np.isnan(values).any():
        raise ValueError(f"need at least two rows and columns without a gap; got {values.shape}")
    centred = values - values.mean()
    if not centred.any():
        raise ValueError("all numbers are equal")
    rows, columns = centred.mean(axis=1, keepdims=True), centred.mean(axis=0, keepdims=True)
    parts = {"rows": rows + 0 * centred, "columns": columns + 0 * centred, "interaction": centred - rows - columns}
    return pd.Series({name: (part**2).sum() for name, part in parts.items()}) / (centred**2).sum()
