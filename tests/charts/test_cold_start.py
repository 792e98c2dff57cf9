"""Charts of cold starts draw every model they are given, and its numbers."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

from compressed_code.charts.cold_start import (
    context_lines,
    language_heatmap,
    level_panels,
    metric_panels,
    mixture_by_bits,
    mixture_rows,
    share_points,
    top_token_heatmap,
)
from compressed_code.charts.parts import value_heatmap
from compressed_code.charts.style import FAMILY_COLOURS
from compressed_code.charts.tokenizers import rank_ratio_points
from drawn_charts import (
    assert_shown,
    cells,
    column_labels,
    intervals,
    legend,
    points,
    row_labels,
    series,
)

LABELS = {"b": "Model B", "a": "Model A"}


def test_models_stand_by_both_mixtures_in_the_colour_of_their_family():
    rows = [
        ("a", "base", "own", 0.05),
        ("a", "base", "own", 0.07),
        ("b", "fine-tuned", "own", 0.02),
        ("a", "base", "other", 1.0),
        ("absent", "base", "own", 0.3),
    ]
    table = pd.DataFrame(rows, columns=["model", "family", "mixture", "value"])
    figure = mixture_rows(table, LABELS, 0.006, "another one")
    (axis,) = figure.axes
    assert axis.get_xscale() == "log" and "logarithmic" in axis.get_xlabel()
    assert row_labels(axis) == list(LABELS.values())
    assert legend(figure) == ["the mixture it was trained on", "another one", "counting the same rows"]
    own, other = axis.collections
    assert own.get_offsets()[:, 0].tolist() == [0.05, 0.07, 0.02] and other.get_offsets()[:, 0].tolist() == [1.0]
    heights = own.get_offsets()[:, 1]
    assert heights.round().tolist() == [1, 1, 0] and heights[0] != heights[1]  # seeds of one row lie apart
    assert [to_hex(colour).upper() for colour in own.get_facecolors()] == [
        FAMILY_COLOURS[family] for family in ("base", "base", "fine-tuned")
    ]
    assert not len(other.get_facecolors())
    assert_shown(figure)


def test_metrics_stand_around_their_mean_with_noise_and_mixture():
    rows = [("a", "pkp", 0.25), ("a", "pkp", 0.75), ("b", "pkp", 0.125), ("a", "stp", 0.5), ("b", "stp", 0.25)]
    rows += [("mixture", "pkp", 0.625), ("mixture", "stp", 0.375)]
    noise = pd.DataFrame({"metric": ["pkp"], "difference": [0.125]})
    table = pd.DataFrame(rows, columns=["recipe", "metric", "value"])
    figure = metric_panels(table, LABELS, noise, {"a": "mixture"}, y="recipe")
    assert [axis.get_title() for axis in figure.axes] == ["PKP", "STP"]
    assert [axis.get_xlabel() for axis in figure.axes] == ["probability\nof a keyword", "probability\nof a symbol"]
    assert legend(figure) == ["another seed (95 %)", "a training", "its training mixture"]
    pkp, stp = figure.axes
    assert row_labels(pkp) == list(LABELS.values())
    assert [points(line) for line in pkp.lines] == [[(0.125, 0)], [(0.25, 1), (0.75, 1)], [(0.625, 1)]]
    assert [points(line) for line in stp.lines] == [[(0.25, 0)], [(0.5, 1)], [(0.375, 1)]]
    assert intervals(pkp, "x") == [(0, 0.25), (0.375, 0.625)]
    assert intervals(stp, "x") == [(0.25, 0.25), (0.5, 0.5)]  # nothing is known about its noise
    assert_shown(figure)


def test_a_line_a_training_a_panel_a_metric():
    rows = [
        ("a", "base", "document", "pkp", 0.1),
        ("a", "base", "newline", "pkp", 0.2),
        ("b", "distilled", "newline", "pkp", 0.3),
        ("b", "distilled", "document", "pkp", 0.4),
        ("a", "base", "document", "stp", 0.5),
    ]
    metrics = pd.DataFrame(rows, columns=["model", "family", "context", "metric", "value"])
    families = {"distilled": "Distilled", "base": "Base"}
    figure = context_lines(metrics, {"newline": "\\n", "document": "start"}, ["pkp", "stp"], families)
    assert [axis.get_title() for axis in figure.axes] == [
        "PKP,\nprobability of a keyword",
        "STP,\nprobability of a symbol",
    ]
    assert column_labels(figure.axes[0]) == ["\\n", "start"]
    assert legend(figure) == ["Distilled", "Base"]
    assert series(figure.axes[0]) == {"Distilled": [(0, 0.3), (1, 0.4)], "Base": [(0, 0.2), (1, 0.1)]}
    assert series(figure.axes[1]) == {"Base": [(1, 0.5)]}
    assert_shown(figure)


def test_variants_stand_at_their_bits_beside_unquantized_models():
    table = pd.DataFrame({"method": ["rtn", "rtn", "gguf"], "bits": [2.5, 4.5, 3.5], "value": [0.08, 0.04, 0.05]})
    figure = mixture_by_bits(table, {"gguf": "GGUF", "rtn": "RTN"}, {"Zoo XS": 0.09, "Zoo L": 0.035})
    (axis,) = figure.axes
    assert axis.get_yscale() == "log" and "logarithmic" in axis.get_ylabel()
    assert series(axis) == {"GGUF": [(3.5, 0.05)], "RTN": [(2.5, 0.08), (4.5, 0.04)]}
    assert legend(figure) == ["GGUF", "RTN"]
    assert [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "--"] == [0.09, 0.035]
    assert [text.get_text() for text in axis.texts] == ["Zoo XS", "Zoo L"]
    assert_shown(figure)
    assert not series(mixture_by_bits(table[:0], {}, {}).axes[0])


def test_levels_of_two_models_have_axes_of_their_own():
    rows = [("x", "Q2_K", 2, 0.1), ("x", "Q4_0", 4, 0.02), ("y", "Q3_K_S", 3, 0.001), ("y", "Q8_0", 8, 0.00001)]
    table = pd.DataFrame(rows, columns=["panel", "level", "bits", "value"])
    figure = level_panels(table, {"y": "ours", "x": "theirs"}, ["y"])
    ours, theirs = figure.axes
    assert [ours.get_ylabel(), theirs.get_ylabel()] == ["ours", "theirs"]
    assert [ours.get_yscale(), theirs.get_yscale()] == ["log", "linear"]
    assert series(theirs) == {"K type": [(2, 0.1)], "legacy type": [(4, 0.02)]}
    assert series(ours) == {"K type": [(3, 0.001)], "legacy type": [(8, 0.00001)]}
    assert_shown(figure)


def test_shares_as_trained_stand_against_shares_as_told():
    table = pd.DataFrame({"trained": [0.25, 0.5], "told": [0.3, 0.45], "group": ["xs", "s"]})
    axis = share_points(table, {"xs": "Zoo XS", "s": "Zoo S"}).axes[0]
    assert series(axis) == {"Zoo XS": [(0.25, 0.3)], "Zoo S": [(0.5, 0.45)]}
    assert_shown(axis.figure)


@pytest.mark.parametrize("value", [0.0, 30.0, 100.0])
def test_light_cells_have_dark_numbers(value):
    """Contrast of at least 4.5 to 1 (WCAG 2.1, success criterion 1.4.3), wherever the value lies on the scale."""
    figure = value_heatmap(pd.DataFrame([[0.0, value, 100.0]]), "%")
    figure.canvas.draw()

    def luminance(colour):
        channels = np.array(colour[:3])
        linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    cell = luminance(figure.axes[0].collections[0].get_facecolors()[1])
    text = luminance(to_rgb(figure.axes[0].texts[1].get_color()))
    assert (cell + 0.05) / (text + 0.05) >= 4.5


def test_languages_stand_in_columns_in_percent():
    rows = [("a", "go", 0.5), ("a", "python", 0.001), ("b", "python", 0.25)]
    masses = pd.DataFrame(rows, columns=["model", "language", "probability"])
    figure = language_heatmap(masses, LABELS, {"python": "Python", "go": "Go"})
    axis, bar = figure.axes
    assert (row_labels(axis), column_labels(axis)) == (list(LABELS.values()), ["Python", "Go"])
    assert cells(axis) == [["25", ""], ["0.1", "50"]]
    assert bar.get_ylabel() == "PKP (%)"
    assert_shown(figure)


def test_two_ids_that_spell_the_same_are_one_cell():
    top = pd.DataFrame({"model": "m", "token": ["a", "b", "a"], "probability": [0.5, 0.25, 0.125]})
    figure = top_token_heatmap(top, {"m": "M"})
    axis, bar = figure.axes
    assert cells(axis) == [["62", "25"]]
    assert column_labels(axis) == ["a", "b"]
    assert bar.get_ylabel() == "probability (%)"
    assert_shown(figure)


def test_rows_of_several_models_show_their_mean():
    masses = pd.DataFrame({"kind": ["a", "a", "b"], "language": "go", "probability": [0.5, 0.25, 0.125]})
    figure = language_heatmap(masses, {"b": "B", "a": "A"}, {"go": "Go"}, y="kind")
    assert [text.get_text() for text in figure.axes[0].texts] == ["12", "38"]


def test_a_heat_map_selects_orders_and_labels():
    grid = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["a", "b"], columns=["x", "y"])
    axis = value_heatmap(grid, "n", rows={"b": "B", "a": "A"}, columns={"y": "Y"}).axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["B", "A"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["Y"]
    assert [text.get_text() for text in axis.texts] == ["4", "2"]


def test_one_tokenizer_alone_has_no_ratio():
    nothing = pd.DataFrame(columns=["tokenizer", "form", "ratio", "low", "high", "keywords", "later", "words"])
    assert not rank_ratio_points(nothing, {"a": "A"}, "A", {"k": "keywords"}).axes[0].lines[1:]
