"""Charts of notebook 07 show every variant where it lies."""

import pandas as pd

from compressed_code.charts.guidelines import damage_scatter, lost_by_bits
from drawn_charts import assert_shown, intervals, legend, series

TABLE = pd.DataFrame(
    {
        "method": ["rtn", "rtn", "gptq"],
        "bits": [3.5, 4.5, 3.5],
        "text_kl": [0.15, 0.03, 0.08],
        "task_kl": [0.009, 0.0006, 0.006],
        "share": [0.05, 0.003, 0.04],
        "low": [0.03, 0.001, 0.02],
        "high": [0.07, 0.01, 0.06],
    }
)
METHODS = {"rtn": "RTN", "gptq": "GPTQ"}


def test_lost_programs_stand_against_each_number():
    figure = damage_scatter(TABLE, {"text_kl": "KL, generic code", "task_kl": "KL, task solutions"}, METHODS)
    left, right = figure.axes
    assert series(left) == {"RTN": [(0.15, 0.05), (0.03, 0.003)], "GPTQ": [(0.08, 0.04)]}
    assert series(right)["GPTQ"] == [(0.006, 0.04)]
    assert left.get_xscale() == left.get_yscale() == "log" and left.get_xlabel() == "KL, generic code"
    assert legend(figure) == ["RTN", "GPTQ"]
    assert_shown(figure)


def test_intervals_stand_at_their_bits_beside_the_limit():
    figure = lost_by_bits(TABLE, METHODS, 0.05)
    (axis,) = figure.axes
    assert series(axis)["RTN"] == [(3.5, 0.05), (4.5, 0.003)]
    assert (0.03, 0.07) in intervals(axis, "y") and len(intervals(axis, "y")) == 3
    assert [text.get_text() for text in axis.texts] == ["5 %"]
    assert_shown(figure)
