"""Charts of cold starts draw every model they are given, and numbers in cells stay short."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.charts.cold_start import (
    language_heatmap,
    leading_alt,
    leading_caption,
    metric_panels,
    rank_scatter,
    top_token_heatmap,
)
from compressed_code.charts.parts import cell_text, value_heatmap
from compressed_code.charts.tokenizers import rank_ratio_points


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_every_model_has_its_scatter_plot(count):
    models = [f"m{number}" for number in range(count)]
    keywords = pd.DataFrame(
        [(model, "def", rank, 10.0**-rank) for model in models for rank in range(1, 5)],
        columns=["model", "keyword", "merge_rank", "probability"],
    )
    rows = [(model, before, -1.0, -1.0, -1.0, 4) for model in models for before in (3, np.inf)]
    correlations = pd.DataFrame(rows, columns=["model", "before", "value", "low", "high", "pairs"])
    figure = rank_scatter(keywords, {model: model.upper() for model in models}, correlations, 3)
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title().splitlines()[0] for axis in shown] == [model.upper() for model in models]
    assert all(len(axis.get_title().splitlines()) == 3 for axis in shown)  # all, and before the edge
    assert all([len(line.get_xdata()) for line in axis.lines[:2]] == [2, 2] for axis in shown)


def test_two_ids_that_spell_the_same_are_one_cell():
    top = pd.DataFrame({"model": "m", "token": ["a", "b", "a"], "probability": [0.5, 0.25, 0.125]})
    figure = top_token_heatmap(top, {"m": "M"})
    assert [text.get_text() for text in figure.axes[0].texts] == ["62", "25"]


def test_rows_of_several_models_show_their_mean():
    masses = pd.DataFrame({"kind": ["a", "a", "b"], "language": "go", "probability": [0.5, 0.25, 0.125]})
    figure = language_heatmap(masses, {"b": "B", "a": "A"}, {"go": "Go"}, y="kind")
    assert [text.get_text() for text in figure.axes[0].texts] == ["12", "38"]


def test_trainings_of_one_recipe_share_its_row():
    metrics = pd.DataFrame({"model": ["a", "b"], "recipe": "a", "metric": "pkp", "value": [0.25, 0.5]})
    noise = pd.DataFrame({"metric": ["pkp"], "difference": [0.1]})
    metrics = pd.concat([metrics, metrics.assign(metric="stp")])
    (points,) = metric_panels(metrics, {"a": "A"}, noise, y="recipe").axes[0].lines
    assert (points.get_xdata().tolist(), points.get_ydata().tolist()) == ([0.25, 0.5], [0, 0])


def test_words_of_the_warm_start_name_its_means():
    starts = {"start": ["document", "alone"], "value": [0.5, 0.25], "chance": [0.375, 0.125]}
    shares = pd.DataFrame({**starts, "cases": 40, "keywords": 30})
    columns = ["model", "contrast", "value", "low", "high"]
    rows = [("mean", "document", 0.1, 0.0, 0.2), ("mean", "alone", 0.02, -0.1, 0.15), ("m", "alone", 0, 0, 0)]
    caption = leading_caption(shares, pd.DataFrame(rows, columns=columns))
    assert "10 (0 to 20) points after the document start, 2 (-10 to 15) after the keyword alone" in caption
    assert "n = 40 pairs" in caption and "over 30 keywords" in caption
    assert "25 % (chance 12 %) for start alone; 50 % (chance 38 %) for start document." in leading_alt(shares)


def test_a_heat_map_selects_orders_and_labels():
    grid = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["a", "b"], columns=["x", "y"])
    axis = value_heatmap(grid, "n", rows={"b": "B", "a": "A"}, columns={"y": "Y"}).axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["B", "A"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["Y"]
    assert [text.get_text() for text in axis.texts] == ["4", "2"]


def test_one_tokenizer_alone_has_no_ratio():
    nothing = pd.DataFrame(columns=["tokenizer", "form", "ratio", "low", "high", "keywords", "later"])
    assert not rank_ratio_points(nothing, {"a": "A"}, "A").axes[0].lines[1:]


@given(st.floats(-100, 100))
def test_cells_are_short_and_right_to_a_digit(value):
    text = cell_text(value)
    assert len(text) <= 7
    assert float(text) == pytest.approx(value, rel=0.5, abs=1e-300)
