"""Charts of cold starts draw every model they are given, and its numbers."""

import numpy as np
import pandas as pd
import pytest

from compressed_code.charts.cold_start import (
    blind_spot_panels,
    class_mass_bars,
    context_points,
    language_heatmap,
    leading_alt,
    leading_caption,
    leading_panels,
    level_lines,
    metric_panels,
    rank_scatter,
    top_token_heatmap,
)
from compressed_code.charts.parts import value_heatmap
from compressed_code.charts.tokenizers import rank_ratio_points
from compressed_code.tokenizers.vocabulary import TOKEN_CLASSES
from drawn_charts import (
    assert_shown,
    bands,
    bars,
    cells,
    column_labels,
    in_rows,
    intervals,
    legend,
    points,
    row_labels,
    series,
)

LABELS = {"b": "Model B", "a": "Model A"}


def test_metrics_stand_around_their_mean_with_the_noise_of_seeds():
    rows = [("a", "pkp", 0.25), ("a", "pkp", 0.75), ("b", "pkp", 0.125), ("a", "stp", 0.5), ("b", "stp", 0.25)]
    noise = pd.DataFrame({"metric": ["pkp"], "difference": [0.125]})
    figure = metric_panels(pd.DataFrame(rows, columns=["model", "metric", "value"]), LABELS, noise)
    assert [axis.get_title() for axis in figure.axes] == ["PKP", "STP"]
    assert [axis.get_xlabel() for axis in figure.axes] == ["probability\nof a keyword", "probability\nof a symbol"]
    pkp, stp = figure.axes
    assert row_labels(pkp) == list(LABELS.values())
    assert [points(line) for line in pkp.lines] == [[(0.125, 0)], [(0.25, 1), (0.75, 1)]]
    assert [points(line) for line in stp.lines] == [[(0.25, 0)], [(0.5, 1)]]
    assert intervals(pkp, "x") == [(0, 0.25), (0.375, 0.625)]
    assert intervals(stp, "x") == [(0.25, 0.25), (0.5, 0.5)]  # nothing is known about its noise
    assert_shown(figure)


def test_class_masses_are_stacked_in_percent():
    masses = pd.DataFrame(0.0, index=["a", "b"], columns=pd.Index(TOKEN_CLASSES, name="token_class"))
    masses[["keyword", "whitespace"]] = [[0.25, 0.75], [1.0, 0.0]]
    masses = masses.rename_axis("model").reset_index().melt("model", value_name="probability")
    figure = class_mass_bars(masses, LABELS)
    (axis,) = figure.axes
    assert axis.get_xlabel() == "probability of the first token (%)"
    assert row_labels(axis) == list(LABELS.values())
    assert bars(axis) == {"keyword": [(0, 100), (0, 25)], "whitespace": [(100, 0), (25, 75)]}
    assert_shown(figure)


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


def test_contexts_stand_in_rows_a_panel_a_metric():
    rows = [
        ("a", "document", "pkp", 0.1),
        ("a", "newline", "pkp", 0.2),
        ("b", "newline", "pkp", 0.3),
        ("b", "document", "stp", 0.4),
    ]
    metrics = pd.DataFrame(rows, columns=["model", "context", "metric", "value"])
    figure = context_points(metrics, LABELS, ["document", "newline"], ["pkp", "stp"])
    assert [axis.get_xlabel() for axis in figure.axes] == ["PKP\np of a keyword", "STP\np of a symbol"]
    assert row_labels(figure.axes[0]) == ["document", "newline"]
    assert legend(figure) == list(LABELS.values())
    assert [in_rows(series(axis)) for axis in figure.axes] == [
        {"Model B": [(0.3, 1)], "Model A": [(0.1, 0), (0.2, 1)]},
        {"Model B": [(0.4, 0)], "Model A": []},
    ]
    assert_shown(figure)


def test_perplexities_are_written_beside_their_points():
    rows = [
        ("base", "pkp", 0.5, 0.4, 0.6),
        ("none", "pkp", 0.5, 0.4, 0.6),
        ("base", "perplexity", 12.4, 11.0, 13.0),
        ("none", "perplexity", 1200.0, 1100.0, 1300.0),
    ]
    table = pd.DataFrame(rows, columns=["row", "panel", "value", "low", "high"])
    panels = {"pkp": "PKP", "perplexity": "perplexity of code"}
    figure = blind_spot_panels(table, {"base": "as trained", "none": "no attention"}, panels)
    pkp, perplexity = figure.axes
    assert [axis.get_xscale() for axis in figure.axes] == ["linear", "log"]
    assert [axis.get_xlabel() for axis in figure.axes] == list(panels.values())
    assert row_labels(pkp) == ["as trained", "no attention"]
    assert series(perplexity) == {"": [(12.4, 0), (1200, 1)]}
    assert intervals(perplexity, "x") == [(11, 13), (1100, 1300)]
    assert [text.get_text() for text in perplexity.texts] == ["12", "1200"]
    assert_shown(figure)


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_every_model_has_its_scatter_plot(count):
    models = [f"m{number}" for number in range(count)]
    keywords = pd.DataFrame(
        [(model, "def", rank, 10.0**-rank) for model in models for rank in range(1, 5)],
        columns=["model", "keyword", "merge_rank", "probability"],
    )
    rows = [(model, before, -0.5, -0.75, 0.25, 4) for model in models for before in (3, np.inf)]
    correlations = pd.DataFrame(rows, columns=["model", "before", "value", "low", "high", "pairs"])
    figure = rank_scatter(keywords, {model: model.upper() for model in models}, correlations, 3)
    shown = [axis for axis in figure.axes if axis.get_visible()]
    written = "ρ -0.50 (-0.75 … 0.25)"
    titles = [[model.upper(), f"all 4: {written}", f"4 before: {written}"] for model in models]
    assert [axis.get_title().splitlines() for axis in shown] == titles
    sides = {"merged before rank 3": [(1, 0.1), (2, 0.01)], "merged from rank 3 on": [(3, 0.001), (4, 0.0001)]}
    assert all(series(axis) == sides for axis in shown)
    assert legend(figure) == list(sides)
    assert figure.get_supxlabel() == "merge rank of the bare keyword"
    assert figure.get_supylabel() == "first-token probability"
    if count > 1:  # the legend is wider than a single panel
        assert_shown(figure)


def test_leads_are_drawn_in_percent_beside_chance():
    columns = ["model", "start", "value", "low", "high"]
    measured = [("a", "document", 0.5, 0.25, 0.75), ("b", "alone", 0.25, 0.125, 0.5)]
    shares = pd.DataFrame(measured, columns=columns).assign(chance=[0.125, 0.0625])
    contrasts = pd.DataFrame(
        [("a", "document", 0.25, 0.125, 0.5), ("a", "document − alone", 0.5, 0.25, 0.75)],
        columns=["model", "contrast", "value", "low", "high"],
    )
    entropies = pd.DataFrame([("b", "alone", 2.0, 1.5, 2.5)], columns=columns)
    figure = leading_panels(shares, contrasts, entropies, LABELS)
    leads, beyond, entropy = figure.axes
    assert ["%" in leads.get_xlabel(), "points" in beyond.get_xlabel(), "nats" in entropy.get_xlabel()] == [True] * 3
    assert row_labels(leads) == list(LABELS.values())
    names = ["document start, keyword", "keyword alone"]
    assert legend(figure) == names
    drawn = series(leads)
    assert [in_rows(drawn)[name] for name in names] == [[(50, 1)], [(25, 0)]]
    chance = [points(line) for line in leads.lines if line.get_marker() == "x"]
    assert chance == [[(12.5, drawn[names[0]][0][1])], [(6.25, drawn[names[1]][0][1])]]  # at the height of its point
    assert intervals(leads, "x") == [(25, 75), (12.5, 50)]
    assert intervals(beyond, "x") == [(12.5, 50)]  # the other contrast is no start
    assert intervals(entropy, "x") == [(1.5, 2.5)]
    assert_shown(figure)


def test_levels_stand_in_rows_with_the_noise_around_the_trained_model():
    rows = [
        ("as trained", "pkp", 0.5, "GPTQ"),
        ("4 bits", "pkp", 0.25, "GPTQ"),
        ("4 bits", "pkp", 0.75, "published"),
        ("as trained", "stp", 0.125, "GPTQ"),
    ]
    table = pd.DataFrame(rows, columns=["level", "metric", "value", "source"])
    figure = level_lines(table, ["as trained", "4 bits"], pd.Series({"pkp": 0.125}))
    pkp, stp = figure.axes
    assert pkp.get_xlabel() == "PKP, probability of a keyword"
    assert stp.get_xlabel() == "STP, probability of a symbol"
    assert row_labels(pkp) == ["as trained", "4 bits"]
    assert legend(figure) == ["GPTQ", "published"]
    assert series(pkp) == {"GPTQ": [(0.5, 0), (0.25, 1)], "published": [(0.75, 1)]}
    assert bands(pkp, "x") == [(0.375, 0.625)] and bands(stp, "x") == []
    assert_shown(figure)


def test_rows_of_several_models_show_their_mean():
    masses = pd.DataFrame({"kind": ["a", "a", "b"], "language": "go", "probability": [0.5, 0.25, 0.125]})
    figure = language_heatmap(masses, {"b": "B", "a": "A"}, {"go": "Go"}, y="kind")
    assert [text.get_text() for text in figure.axes[0].texts] == ["12", "38"]


def test_trainings_of_one_recipe_share_its_row():
    metrics = pd.DataFrame({"model": ["a", "b"], "recipe": "a", "metric": "pkp", "value": [0.25, 0.5]})
    noise = pd.DataFrame({"metric": ["pkp"], "difference": [0.1]})
    metrics = pd.concat([metrics, metrics.assign(metric="stp")])
    (drawn,) = metric_panels(metrics, {"a": "A"}, noise, y="recipe").axes[0].lines
    assert (drawn.get_xdata().tolist(), drawn.get_ydata().tolist()) == ([0.25, 0.5], [0, 0])


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
