"""Charts of tokenizers draw the numbers they are given."""

import numpy as np
import pandas as pd
import pytest

from compressed_code.charts.tokenizers import (
    FORM_TITLES,
    composition_bars,
    coverage_heatmap,
    fertility_panels,
    overlap_heatmap,
    rank_ranges,
    rank_ratio_points,
)
from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS, TOKEN_CLASSES
from drawn_charts import assert_shown, bars, cells, column_labels, in_rows, intervals, legend, row_labels, series

LABELS = {"a": "Tokenizer A", "b": "Tokenizer B"}
LANGUAGES = {"go": "Go", "python": "Python"}


def test_coverage_is_written_in_percent_a_panel_a_form():
    rows = [
        (tokenizer, form, language, covered, 20)
        for number, form in enumerate(KEYWORD_FORMS)
        for tokenizer, language, covered in (("a", "python", number), ("a", "go", 20), ("b", "python", 10))
    ]
    coverage = pd.DataFrame(rows, columns=["tokenizer", "form", "language", "covered", "total"])
    figure = coverage_heatmap(coverage, LABELS, LANGUAGES)
    *panels, bar = figure.axes
    assert [axis.get_title() for axis in panels] == [FORM_TITLES[form] for form in KEYWORD_FORMS]
    nobody = coverage.assign(covered=coverage["covered"].where(coverage["form"] != "newline", 0))
    shown = coverage_heatmap(nobody, LABELS, LANGUAGES).axes[:-1]
    assert [axis.get_title() for axis in shown] == [FORM_TITLES[form] for form in KEYWORD_FORMS if form != "newline"]
    for number, axis in enumerate(panels):
        assert row_labels(axis) == list(LABELS.values())
        assert cells(axis) == [["100", str(5 * number)], ["", "50"]]
        assert axis.collections[0].get_clim() == (0, 100)
    assert column_labels(panels[-1]) == list(LANGUAGES.values())
    assert bar.get_ylabel() == "keywords that are one token (%)"
    assert_shown(figure)


def test_ranks_are_drawn_by_their_quantiles():
    """Ranks 0 to 100 times ten: every percentile is one of them."""
    ranks = pd.DataFrame({"tokenizer": "a", "language": "go", "token_id": 10 * np.arange(101)})
    ranks = pd.concat([ranks, ranks.assign(tokenizer="b", language="python", token_id=ranks["token_id"] * 2)])
    figure = rank_ranges(ranks, LABELS, LANGUAGES)
    (axis,) = figure.axes
    assert (axis.get_ylabel(), axis.get_yscale()) == ("rank of the bare keyword (token id)", "log")
    assert column_labels(axis) == list(LANGUAGES.values())
    assert legend(figure) == list(LABELS.values())
    medians = {label: [y for _, y in drawn] for label, drawn in series(axis).items()}
    assert medians == {"Tokenizer A": [500], "Tokenizer B": [1000]}
    assert intervals(axis, "y") == [
        *[(50, 950), (250, 750)],
        *[(100, 1900), (500, 1500)],
    ]
    assert_shown(figure)


def test_rank_ratios_stand_in_the_row_of_their_form():
    rows = [("b", "k", "bare", 2.0, 1.5, 3.0), ("b", "k", "space", 0.5, 0.25, 1.0), ("b", "w", "bare", 4.0, 3.5, 5.0)]
    ratios = pd.DataFrame(rows, columns=["tokenizer", "words", "form", "ratio", "low", "high"])
    figure = rank_ratio_points(ratios, LABELS, "Tokenizer A", {"k": "keywords", "w": "common words"})
    (axis,) = figure.axes
    assert "ratio to Tokenizer A" in axis.get_xlabel() and axis.get_xscale() == "log"
    assert row_labels(axis) == ["keywords,\nbare", "keywords,\nspace-led", "common words,\nbare"]
    assert legend(figure) == ["Tokenizer B"]  # the reference is not compared with itself
    assert in_rows(series(axis)) == {"Tokenizer B": [(2, 0), (0.5, 1), (4, 2)]}
    assert intervals(axis, "x") == [(1.5, 3), (0.25, 1), (3.5, 5)]
    assert_shown(figure)


def test_one_tokenizer_alone_has_no_ratio():
    nothing = pd.DataFrame(columns=["tokenizer", "form", "ratio", "low", "high", "keywords", "later", "words"])
    assert not rank_ratio_points(nothing, {"a": "A"}, "A", {"k": "keywords"}).axes[0].lines[1:]


def test_a_vocabulary_is_made_up_of_its_classes():
    shares = pd.DataFrame(0.0, index=["b", "a"], columns=pd.Index(TOKEN_CLASSES, name="token_class"))
    shares[["keyword", "word"]] = [[0.25, 0.75], [0.5, 0.5]]
    composition = shares.rename_axis("tokenizer").reset_index().melt("tokenizer", value_name="share")
    figure = composition_bars(composition, LABELS)
    (axis,) = figure.axes
    assert axis.get_xlabel() == "share of the vocabulary (%)"
    assert row_labels(axis) == list(LABELS.values())
    assert bars(axis) == {"keyword": [(0, 50), (0, 25)], "word": [(50, 50), (25, 75)]}
    assert_shown(figure)


def test_overlaps_of_programming_tokens_stand_above_the_diagonal_and_those_of_all_below():
    labels, shared = LABELS | {"c": "Tokenizer C"}, {"all": 0.25, "programming": 0.5}
    rows = [
        (part, one, other, 1.0 if one == other else jaccard)
        for part, jaccard in shared.items()
        for one in labels
        for other in labels
    ]
    figure = overlap_heatmap(pd.DataFrame(rows, columns=["tokens", "first", "second", "jaccard"]), labels)
    axis, bar = figure.axes
    assert axis.get_title() == "above the diagonal: programming tokens; below: all tokens"
    assert cells(axis) == [["", "50", "50"], ["25", "", "50"], ["25", "25", ""]]
    assert row_labels(axis) == column_labels(axis) == list(labels.values())
    assert bar.get_ylabel() == "shared tokens,\n|A∩B| / |A∪B| (%)"
    assert_shown(figure)


@pytest.mark.parametrize("measures", [["tokens per line", "bytes per token"], ["bytes per token", "tokens per line"]])
def test_fertility_stands_in_the_panel_of_its_measure(measures):
    rows = [
        ("a", "python", "bytes per token", 3.0, 2.5, 3.5),
        ("b", "go", "bytes per token", 4.0, 3.5, 4.5),
        ("a", "python", "tokens per line", 9.0, 8.0, 10.0),
    ]
    fertility = pd.DataFrame(rows, columns=["tokenizer", "language", "measure", "value", "low", "high"])
    figure = fertility_panels(fertility, measures, LABELS, LANGUAGES)
    assert [axis.get_xlabel() for axis in figure.axes] == measures
    assert row_labels(figure.axes[0]) == list(LANGUAGES.values())
    assert legend(figure) == list(LABELS.values())
    expected = {
        "bytes per token": {"Tokenizer A": [(3, 1)], "Tokenizer B": [(4, 0)]},
        "tokens per line": {"Tokenizer A": [(9, 1)], "Tokenizer B": []},
    }
    bounds = {"bytes per token": [(2.5, 3.5), (3.5, 4.5)], "tokens per line": [(8, 10)]}
    for axis, measure in zip(figure.axes, measures, strict=True):
        assert in_rows(series(axis)) == expected[measure]
        assert intervals(axis, "x") == bounds[measure]
    assert_shown(figure)
