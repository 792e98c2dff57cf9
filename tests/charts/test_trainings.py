"""Charts of repeated trainings show each training, the means and what so many of them see."""

import pandas as pd
import pytest

from compressed_code.charts.trainings import effect_rows, training_points, trend_panels
from drawn_charts import assert_shown, bands, intervals, legend, points, series

TRAININGS = pd.DataFrame(
    {"family": ["a", "a", "b", "longer"], "quantity": "loss", "value": [3.0, 3.2, 2.8, 2.9]},
)
MEANS = pd.DataFrame(
    {
        "family": ["a", "b", "longer"],
        "quantity": "loss",
        "value": [3.1, 2.8, 2.9],
        "low": [1.8, None, None],
        "high": [4.4, None, None],
    }
)


def test_every_training_stands_below_the_mean_of_its_recipe():
    figure = training_points(
        TRAININGS, MEANS, {"a": "A", "b": "B"}, {"loss": "loss (nats)"}, {"longer": "longer"}, zero=["loss"]
    )
    (axis,) = figure.axes
    (scatter,) = [part for part in axis.collections if len(part.get_offsets()) > 1]
    places = scatter.get_offsets().tolist()
    assert [x for x, _ in places] == [3.0, 3.2]  # what was trained once is its own mean
    assert places[0][1] != places[1][1] and all(0 < y < 0.5 for _, y in places)
    assert intervals(axis, "x")[0] == (1.8, 4.4)
    assert [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"] == [2.9]
    assert 0 in [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == "-" and len(line.get_xdata())]
    assert set(legend(figure)) == {"a training", "mean over seeds, 95 %", "longer"}
    assert axis.get_xlabel() == "loss (nats)"
    assert_shown(figure)


def test_effects_stand_in_their_group_beside_what_is_seen():
    effects = pd.DataFrame({"quantity": ["kl", "pass"], "value": [3.0, 0.5], "low": [2.0, -0.5], "high": [4.0, 1.5]})
    groups = {"trained for": {"kl": "KL"}, "elsewhere": {"pass": "pass@1", "gone": "not measured"}}
    figure = effect_rows(effects, groups, 1.3, better="closer")
    (axis,) = figure.axes
    assert intervals(axis, "x") == [(2.0, 4.0), (-0.5, 1.5)]
    assert bands(axis, "x")[0] == pytest.approx((-1.3, 1.3))
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["KL", "pass@1", "not measured"]
    assert legend(figure) == ["trained for", "elsewhere"] and "closer" in axis.get_xlabel()
    assert series(axis) == {"trained for": [(3.0, 0)], "elsewhere": [(0.5, 1)]}
    assert_shown(figure)


def test_a_trend_runs_through_its_points_however_size_is_counted():
    sizes = [1e5, 1e6, 1e7]
    table = pd.DataFrame({"value": [0.3, 0.2, 0.1]}).eval("low = value - 0.05\nhigh = value + 0.05")
    fits = pd.DataFrame({"value": [0.31, 0.2, 0.09], "low": 0.05, "high": 0.4})
    panels = {"all": "parameters", "own": "parameters without embeddings"}
    table, fits = (
        pd.concat([rows.assign(panel=panel, parameters=[size / part for size in sizes]) for panel, part in counted])
        for rows, counted in ((table, [("all", 1), ("own", 2)]), (fits, [("all", 1), ("own", 2)]))
    )
    repeats = pd.DataFrame({"panel": ["all", "own"], "parameters": [1e6, 5e5], "value": [0.22, 0.22]})
    figure = trend_panels(table, fits, panels, "KL (nats per token)", repeats)
    assert [axis.get_xlabel() for axis in figure.axes] == list(panels.values())
    for axis, part in zip(figure.axes, (1, 2), strict=True):
        trend, measured, seeds = (points(line) for line in axis.lines)
        assert axis.get_xscale() == "log"
        assert trend == [(1e5 / part, 0.31), (1e6 / part, 0.2), (1e7 / part, 0.09)]
        assert measured == [(1e5 / part, 0.3), (1e6 / part, 0.2), (1e7 / part, 0.1)]
        assert seeds == [(1e6 / part, 0.22)]
        assert intervals(axis, "y") == [(0.25, 0.35), (0.15, 0.25), (0.05, 0.15)]
        assert bands(axis, "y") == [(0.05, 0.4)]
    assert_shown(figure)
