"""Charts of written programs draw the numbers they are given."""

import pandas as pd

from compressed_code.charts.code_generation import outcome_bars, pass_by_bits, unsolved_at_k
from drawn_charts import assert_shown, bands, bars, column_labels, intervals, legend, points, row_labels, series


def test_outcomes_are_stacked_to_a_hundred():
    shares = pd.DataFrame(
        {"wrong answer": [30.0, 57.0], "passed": [70.0, 40.0], "timeout": [0.0, 3.0], "memory": [0.0, 0.0]},
        index=["base", "3 bits"],
    )
    figure = outcome_bars(shares)
    (axis,) = figure.axes
    assert axis.get_xlabel() == "programs (%)" and axis.get_xlim() == (0, 100)
    assert row_labels(axis) == ["base", "3 bits"]
    assert bars(axis) == {
        "passed": [(0, 70), (0, 40)],
        "wrong answer": [(70, 30), (40, 57)],
        "timeout": [(100, 0), (97, 3)],
    }
    assert legend(figure) == ["passed", "wrong answer", "timeout"]  # memory never ran out
    assert [text.get_text() for text in axis.texts] == ["70", "40", "30", "57", "", ""]
    assert_shown(figure)


def test_pass_rates_stand_in_the_panel_of_their_method_and_tier():
    rows = [
        ("base", "easy", 16.0, 0.9, 0.85, 0.95),
        ("rtn", "easy", 4.5, 0.8, 0.7, 0.9),
        ("rtn", "easy", 3.5, 0.4, 0.3, 0.5),
        ("gptq", "hard", 3.5, 0.1, 0.0, 0.2),
    ]
    table = pd.DataFrame(rows, columns=["method", "tier", "bits", "value", "low", "high"])
    figure = pass_by_bits(table, {"rtn": "RTN", "gptq": "GPTQ"}, {"easy": "Easy", "hard": "Hard"})
    (rtn_easy, rtn_hard, gptq_easy, gptq_hard) = figure.axes
    assert [axis.get_title() for axis in figure.axes] == ["Easy", "Hard", "", ""]
    assert [axis.get_ylabel() for axis in figure.axes] == ["RTN\npass@1", "", "GPTQ\npass@1", ""]
    assert figure.get_supxlabel() == "effective bits per weight"
    drawn = [[points(line) for line in axis.lines] for axis in figure.axes]
    assert drawn == [[[(3.5, 0.4), (4.5, 0.8)]], [[]], [[]], [[(3.5, 0.1)]]]
    assert intervals(rtn_easy, "y") == [(0.3, 0.5), (0.7, 0.9)]
    assert intervals(gptq_hard, "y") == [(0.0, 0.2)]
    assert bands(rtn_easy, "y") == bands(gptq_easy, "y") == [(0.85, 0.95)]  # the base model
    assert bands(rtn_hard, "y") == bands(gptq_hard, "y") == []
    assert_shown(figure)


def test_unsolved_tasks_are_drawn_as_shares_and_pairs_as_points():
    rows = [("base", 10, 1.0, 0.9, 1.0), ("base", 1, 0.5, 0.4, 0.6), ("rtn", 1, 0.25, 0.125, 0.375)]
    rates = pd.DataFrame(rows, columns=["series", "k", "value", "low", "high"]).assign(tasks=100)
    gaps = pd.DataFrame([("rtn", 1, -0.25, -0.5, 0.125)], columns=["pair", "k", "value", "low", "high"])
    figure = unsolved_at_k(rates, {"rtn": "RTN", "base": "as trained"}, gaps, {"rtn": "RTN − as trained"})
    left, right = figure.axes
    assert [axis.get_xlabel() for axis in figure.axes] == ["k (samples per task)"] * 2
    assert left.get_xscale() == left.get_yscale() == "log"
    assert column_labels(left) == column_labels(right) == ["1", "10"]
    assert legend(figure) == ["RTN", "as trained", "RTN − as trained"]
    assert series(left) == {"RTN": [(1, 0.75)], "as trained": [(1, 0.5), (10, 0.005)]}  # no task left: half of one
    assert bands(left, "y") == [(0.625, 0.875), (0.005, 0.6)]
    assert series(right)["RTN − as trained"] == [(1, 25)]
    assert intervals(right, "y") == [(-12.5, 50)]
    assert_shown(figure)
