"""Charts of quantization draw what was measured, and nothing that was not."""

import numpy as np
import pandas as pd
import pytest

from compressed_code.charts.parts import interval_panels
from compressed_code.charts.quantization import divergence_by_bits, group_sizes
from drawn_charts import assert_shown, intervals, legend, series

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


def test_divergence_is_drawn_against_each_count_of_bits():
    table = pd.DataFrame(
        {
            "method": ["rtn", "rtn", "gptq"],
            "bits": [4.5, 3.5, 3.25],
            "stored": [5.0, 16.0, 4.0],
            "value": [0.01, 0.2, 0.1],
            "low": [0.009, 0.19, 0.08],
            "high": [0.011, 0.22, 0.12],
        }
    )
    labels = {"bits": "effective bits per weight", "stored": "stored bits per weight"}
    figure = divergence_by_bits(table, {"gptq": "GPTQ", "rtn": "RTN"}, labels, (0.05, "another seed"))
    assert legend(figure) == ["GPTQ", "RTN"]
    assert figure.axes[0].get_ylabel() == "KL (nats per token)"
    for axis, (column, title) in zip(figure.axes, labels.items(), strict=True):
        assert (axis.get_xlabel(), axis.get_yscale()) == (title, "log")
        x = table[column].tolist()
        assert series(axis) == {"GPTQ": [(x[2], 0.1)], "RTN": [(x[0], 0.01), (x[1], 0.2)]}
        assert intervals(axis, "y") == [(0.08, 0.12), (0.009, 0.011), (0.19, 0.22)]
    assert_shown(figure)


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


@pytest.mark.parametrize(("reference", "drawn"), [(1.5, True), (np.nan, False)])
def test_a_reference_that_was_not_measured_is_not_drawn(reference, drawn):
    table = pd.DataFrame({"method": ["rtn"], "bits": [4.0], "value": [0.1], "low": [0.09], "high": [0.11]})
    axis = divergence_by_bits(table, {"rtn": "RTN"}, {"bits": "bits"}, (reference, "another seed")).axes[0]
    texts = [text.get_text() for text in axis.texts]
    assert texts == (["another seed"] if drawn else [])
    assert len(axis.lines) == 1 + drawn


def test_groups_stand_at_their_bits_beside_the_ladder_of_whole_bits():
    table = pd.DataFrame({"size": ["64", "32"], "bits_quantized": [3.3, 3.6], "value": [0.2, 0.15]})
    ladder = pd.DataFrame({"bits_quantized": [4.6, 3.6], "value": [0.03, 0.15]})
    figure = group_sizes(table.assign(low=[0.19, 0.14], high=[0.21, 0.16]), ladder)
    (axis,) = figure.axes
    assert series(axis)["three bits, by group"] == [(3.3, 0.2), (3.6, 0.15)]
    assert intervals(axis, "y") == [(0.19, 0.21), (0.14, 0.16)]
    assert [text.get_text() for text in axis.texts] == ["64", "32"]
    assert_shown(figure)
