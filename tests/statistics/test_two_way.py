"""Sums of squares by hand and by properties."""

import numpy as np
import pandas as pd
import pytest

from compressed_code.statistics.two_way import spread_shares


def test_by_hand():
    # mean 3; rows −1, +1; columns −1.5, +1.5; rest ±0.5: squares 4 · (1, 2.25, 0.25)
    shares = spread_shares(pd.DataFrame([[1.0, 3.0], [2.0, 6.0]]))
    assert shares.to_dict() == pytest.approx({"rows": 1 / 3.5, "columns": 2.25 / 3.5, "interaction": 0.25 / 3.5})


def test_factors_that_only_add_have_no_interaction():
    rows, columns = np.array([[0.0], [1.0], [5.0]]), np.array([[2.0, 7.0, 3.0, 3.5]])
    shares = spread_shares(pd.DataFrame(rows + columns))
    assert shares["interaction"] == pytest.approx(0, abs=1e-12) and shares.sum() == pytest.approx(1)
    assert spread_shares(pd.DataFrame(rows @ np.array([[1.0, -1.0]])))["columns"] > 0


def test_shares_are_those_of_a_linear_model():
    generator = np.random.default_rng(0)
    grid = pd.DataFrame(generator.normal(size=(4, 3)))
    values = grid.to_numpy()
    row, column = np.indices(values.shape)
    dummies = [row == number for number in range(4)] + [column == number for number in range(1, 3)]
    design = np.stack([dummy.ravel() for dummy in dummies], axis=1).astype(float)
    rest = np.linalg.lstsq(design, values.ravel(), rcond=None)[1].item()
    assert spread_shares(grid)["interaction"] == pytest.approx(rest / ((values - values.mean()) ** 2).sum())


@pytest.mark.parametrize("grid", [[[1.0, 2.0]], [[1.0, np.nan], [2.0, 3.0]], [[1.0, 1.0], [1.0, 1.0]]])
def test_what_has_no_decomposition_is_refused(grid):
    with pytest.raises(ValueError, match=r"need at least two|all numbers"):
        spread_shares(pd.DataFrame(grid))
