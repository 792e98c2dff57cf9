"""Charts of compression say what was measured, and several draws of one row do not hide each other."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from compressed_code.charts.parts import interval_panels
from compressed_code.charts.quantization import divergence_by_bits, trend_panels

POINTS = pd.DataFrame(
    {
        "row": ["a", "a", "a", "b"],
        "panel": "kl",
        "value": [1.0, 2.0, 3.0, 4.0],
        "low": [0.9, 1.9, 2.9, 3.9],
        "high": [1.1, 2.1, 3.1, 4.1],
    }
)


def heights(figure):
    """Places on the vertical axis, series by series."""
    return [line.get_ydata().tolist() for line in figure.axes[0].lines if len(line.get_ydata()) != 2]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_draws_of_one_row_lie_side_by_side_around_its_place():
    (places,) = heights(interval_panels(POINTS.assign(draw=[0, 1, 2, 0]), {"a": "A", "b": "B"}, {"kl": "KL"}))
    assert len(set(places)) == 4
    assert np.mean(places[:3]) == pytest.approx(0) and places[3] == 1
    assert max(places[:3]) - min(places[:3]) < 0.5


def test_without_draws_values_of_one_row_share_its_line():
    (places,) = heights(interval_panels(POINTS, {"a": "A", "b": "B"}, {"kl": "KL"}))
    assert places == [0, 0, 0, 1]


def test_draws_of_two_series_do_not_mix():
    table = pd.concat([POINTS.assign(draw=[0, 1, 2, 0], series=name) for name in ("x", "y")])
    one, other = heights(interval_panels(table, {"a": "A", "b": "B"}, {"kl": "KL"}, {"x": "X", "y": "Y"}))
    assert max(one[:3]) < min(other[:3])


def test_columns_are_taken_by_name_and_only_where_they_are_needed():
    named = POINTS.rename(columns={"row": "model", "panel": "statistic"}).assign(training=[0, 1, 2, 0], low=0.5)
    rows = {"a": "A", "b": "B"}
    plain = interval_panels(POINTS.assign(draw=[0, 1, 2, 0]), rows, {"kl": "KL"})
    assert heights(
        interval_panels(named, rows, {"kl": "KL"}, y="model", panel="statistic", draw="training")
    ) == heights(plain)
    alone = named.drop(columns=["statistic", "low", "high"])
    figure = interval_panels(alone, rows, {"kl": "KL"}, y="model", low=None, high=None)
    assert heights(figure) == [[0, 0, 0, 1]] and not figure.axes[0].collections
    assert heights(interval_panels(alone, {"all": "All"}, {"kl": "KL"}, low=None)) == [[0, 0, 0, 0]]
    split = interval_panels(named, rows, {"kl": "KL"}, {"a": "A", "b": "B"}, y="model", panel="statistic", by="model")
    assert [len(places) for places in heights(split)] == [3, 1]


def test_where_an_end_is_missing_no_interval_is_drawn():
    mixed = pd.concat([POINTS, POINTS[["panel", "value"]].assign(row="c")])  # labels of rows repeat
    figure = interval_panels(mixed, {"a": "A", "b": "B", "c": "C"}, {"kl": "KL"})
    assert heights(figure) == [[0, 0, 0, 1, 2, 2, 2, 2]]
    (lines,) = figure.axes[0].collections
    assert [segment[0][1] for segment in lines.get_segments()] == [0, 0, 0, 1]


def test_one_trend_alone_needs_no_panel():
    table = pd.DataFrame({"parameters": [1e5, 1e6], "value": [3.0, 2.0], "low": [2.9, 1.9], "high": [3.1, 2.1]})
    alone = trend_panels(table, table, {"loss": "loss"}, pd.Series([2.5]), 1e5)
    named = table.assign(quantity="loss")
    same = trend_panels(named, named, {"loss": "loss"}, pd.Series([2.5]), 1e5, panel="quantity")
    drawn = [[line.get_ydata().tolist() for line in figure.axes[0].lines] for figure in (alone, same)]
    assert drawn[0] == drawn[1] == [[3.0, 2.0], [3.0, 2.0], [2.5]]


@pytest.mark.parametrize(("reference", "drawn"), [(1.5, True), (np.nan, False)])
def test_a_reference_that_was_not_measured_is_not_drawn(reference, drawn):
    table = pd.DataFrame({"method": ["rtn"], "bits": [4.0], "value": [0.1], "low": [0.09], "high": [0.11]})
    axis = divergence_by_bits(table, {"rtn": "RTN"}, {"bits": "bits"}, (reference, "another seed")).axes[0]
    texts = [text.get_text() for text in axis.texts]
    assert texts == (["another seed"] if drawn else [])
    assert len(axis.lines) == 1 + drawn
