"""The parts that charts share draw the numbers they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.charts.parts import cell_text, class_bars, headline, interval_panels, legend_above, value_heatmap
from compressed_code.core.errors import Unavailable
from compressed_code.tokenizers.vocabulary import TOKEN_CLASSES
from drawn_charts import assert_shown, bands, bars, cells, column_labels, intervals, legend, row_labels, series

POINTS = pd.DataFrame(
    {
        "row": ["a", "a", "a", "b"],
        "panel": "kl",
        "value": [1.0, 2.0, 3.0, 4.0],
        "low": [0.9, 1.9, 2.9, 3.9],
        "high": [1.1, 2.1, 3.1, 4.1],
    }
)
ROWS = {"a": "A", "b": "B"}


# --- stacked bars ----------------------------------------------------------------------------------------------------


def test_bars_of_classes_are_stacked_and_labelled():
    grid = pd.DataFrame(0.0, index=["first", "second"], columns=list(TOKEN_CLASSES))
    grid[["keyword", "operator", "word"]] = [[50.0, 48.0, 2.0], [10.0, 0.0, 90.0]]
    figure = class_bars(grid, "share (%)")
    (axis,) = figure.axes
    assert axis.get_xlabel() == "share (%)" and axis.get_xlim() == (0, 100)
    assert row_labels(axis) == ["first", "second"]
    assert bars(axis) == {
        "keyword": [(0, 50), (0, 10)],
        "operator": [(50, 48), (10, 0)],
        "word": [(98, 2), (10, 90)],
    }
    assert legend(figure) == ["keyword", "operator", "word"]  # what no row has is not explained
    assert [text.get_text() for text in axis.texts] == ["50.0", "10.0", "48.0", "", "", "90.0"]  # slivers stay empty
    assert_shown(figure)


# --- legends ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "lines"), [(0, 0), (3, 1), (8, 2)])
def test_a_legend_wider_than_the_page_has_two_lines(count, lines):
    figure, axis = plt.subplots(figsize=(7, 3))
    for number in range(count):
        axis.plot([number], [number], "o", label=f"a long label {number:02}")
    legend_above(figure, axis)
    assert legend(figure) == [f"a long label {number:02}" for number in range(count)]
    assert_shown(figure)
    heights = {round(text.get_window_extent().y0) for found in figure.legends for text in found.get_texts()}
    assert len(heights) == lines


# --- intervals -------------------------------------------------------------------------------------------------------


def heights(figure):
    """Places on the vertical axis, series by series."""
    return [[y for _, y in drawn] for drawn in series(figure.axes[0]).values()]


def test_values_and_intervals_stand_in_their_panel_and_row():
    other = POINTS.assign(panel="js", value=POINTS["value"] / 10, low=POINTS["low"] / 10, high=POINTS["high"] / 10)
    table = pd.concat([POINTS, other, POINTS.assign(row="not asked for")])
    figure = interval_panels(table, ROWS, {"js": "JS (nats)", "kl": "KL (nats)"}, noise={"kl": (1.5, 2.5)})
    assert [axis.get_xlabel() for axis in figure.axes] == ["JS (nats)", "KL (nats)"]
    assert row_labels(figure.axes[0]) == ["A", "B"]
    assert legend(figure) == []  # one series needs none
    for axis, factor in zip(figure.axes, (0.1, 1), strict=True):
        assert series(axis) == {"": [(round(factor * x, 9), y) for x, y in [(1, 0), (2, 0), (3, 0), (4, 1)]]}
        bounds = [(0.9, 1.1), (1.9, 2.1), (2.9, 3.1), (3.9, 4.1)]
        assert np.array(intervals(axis, "x")) == pytest.approx(factor * np.array(bounds))
    assert [bands(axis, "x") for axis in figure.axes] == [[], [(1.5, 2.5)]]
    assert_shown(figure)


def test_series_of_a_logarithmic_panel_lie_side_by_side():
    table = pd.concat([POINTS.assign(series="x"), POINTS[:1].assign(series="y", value=1000.0, high=2000.0)])
    names = {"x": "first", "y": "second"}
    figure = interval_panels(table, ROWS, {"kl": "KL (nats)"}, names, logarithmic=["kl"])
    assert figure.axes[0].get_xscale() == "log"
    assert legend(figure) == ["first", "second"]
    one, other = heights(figure)
    assert max(one[:3]) < 0 < min(other) < one[3]
    assert_shown(figure)


def test_draws_of_one_row_lie_side_by_side_around_its_place():
    (places,) = heights(interval_panels(POINTS.assign(draw=[0, 1, 2, 0]), ROWS, {"kl": "KL"}))
    assert len(set(places)) == 4
    assert np.mean(places[:3]) == pytest.approx(0) and places[3] == 1
    assert max(places[:3]) - min(places[:3]) < 0.5


def test_draws_of_two_series_do_not_mix():
    table = pd.concat([POINTS.assign(draw=[0, 1, 2, 0], series=name) for name in ("x", "y")])
    one, other = heights(interval_panels(table, ROWS, {"kl": "KL"}, {"x": "X", "y": "Y"}))
    assert max(one[:3]) < min(other[:3])


# --- tables of values ------------------------------------------------------------------------------------------------

GRID = pd.DataFrame([[25.0, 0.04], [np.nan, 4.0]], index=["r", "s"], columns=["one", "two"])


def test_cells_of_a_table_hold_its_values_and_its_colours_their_square_root():
    figure = value_heatmap(GRID, "PKP (%)", root=True)
    axis, bar = figure.axes
    assert (row_labels(axis), column_labels(axis)) == (["r", "s"], ["one", "two"])
    assert cells(axis) == [["25", "0.04"], ["", "4"]]
    np.testing.assert_allclose(axis.collections[0].get_array().filled(np.nan), np.sqrt(GRID))
    assert bar.get_ylabel() == "PKP (%)"
    ticks = {text.get_text(): place for place, text in zip(bar.get_yticks(), bar.get_yticklabels(), strict=True)}
    assert ticks == pytest.approx({"0.1": 0.1**0.5, "1": 1, "5": 5**0.5, "10": 10**0.5, "20": 20**0.5})
    assert_shown(figure)


@given(st.floats(-100, 100))
def test_cells_are_short_and_right_to_a_digit(value):
    text = cell_text(value)
    assert len(text) <= 7
    assert float(text) == pytest.approx(value, rel=0.5, abs=1e-300)


# --- titles ----------------------------------------------------------------------------------------------------------


def test_a_headline_stands_above_everything_and_moves_nothing_together():
    figure = interval_panels(POINTS, ROWS, {"kl": "KL"}, {"kl": "one", "top": "other"}, by="panel")
    figure.supxlabel("below")
    figure.canvas.draw()
    axis = figure.axes[0]
    before, height = axis.get_window_extent().height, figure.get_figheight()
    headline(figure, "What was found")
    figure.canvas.draw()
    assert figure.get_figheight() > height
    assert axis.get_window_extent().height == pytest.approx(before, abs=1)
    (title,) = (text for text in figure.texts if text.get_text() == "What was found")
    bottom = title.get_window_extent().y0
    assert bottom > figure.legends[0].get_window_extent().y1 > figure.legends[0].get_window_extent().y0
    assert figure.legends[0].get_window_extent().y0 > axis.get_window_extent().y1
    assert_shown(figure)


def test_nothing_to_draw_is_a_gap_and_no_fault():
    with pytest.raises(Unavailable, match="nothing was measured"):
        interval_panels(pd.DataFrame({"value": []}), {"a": "A"}, {})
