"""Charts of single keywords draw each of them, and the words beside them say their means."""

import pandas as pd
import pytest

from compressed_code.charts.keywords import STARTS, keyword_panels, leading_alt, leading_caption, leading_panels
from drawn_charts import assert_shown, in_rows, intervals, legend, points, row_labels, series

LABELS = {"b": "Model B", "a": "Model A"}


def test_keywords_are_drawn_by_share_and_by_rank():
    rows = [("def", 0.25, 0.2, 3), ("if", 0.001, 0.0002, 900), ("lambda", 0.0, 1e-8, 950)]
    keywords = pd.DataFrame(rows, columns=["keyword", "share", "probability", "merge_rank"])
    figure = keyword_panels(keywords)
    by_share, by_rank = figure.axes
    assert [by_share.get_xscale(), by_share.get_yscale(), by_rank.get_xscale()] == ["log", "log", "linear"]
    assert "logarithmic" in by_share.get_xlabel() and "logarithmic" in by_share.get_ylabel()
    begins, never, diagonal = (
        "training rows begin with it",
        "no training row begins with it",
        "as often as rows begin with it",
    )
    assert series(by_share) == {begins: [(0.25, 0.2), (0.001, 0.0002)]}
    assert series(by_rank) == {begins: [(3, 0.2), (900, 0.0002)], never: [(950, 1e-8)]}
    (line,) = (line for line in by_share.lines if line.get_label() == diagonal)
    assert points(line) == [(0.001, 0.001), (0.25, 0.25)]
    assert sorted(legend(figure)) == sorted([begins, never, diagonal])
    assert_shown(figure)


def test_keywords_without_a_share_are_drawn_by_rank_alone():
    keywords = pd.DataFrame({"share": [0.0, 0.0], "probability": [0.1, 0.01], "merge_rank": [1, 2]})
    by_share, by_rank = keyword_panels(keywords).axes
    assert not series(by_share) and [len(drawn) for drawn in series(by_rank).values()] == [0, 2]


TESTS = pd.DataFrame(
    [
        ("document", "a", 0.5, 0.125, 0.0625, 0.25, 0.01, 0.03),
        ("alone", "b", 0.25, 0.3125, 0.125, 0.5, 0.6, 1.0),
        ("document", "mean", 0.5, 0.375, 0.25, 0.4375, 0.004, 0.008),
        ("alone", "mean", 0.25, 0.125, 0.0625, 0.375, 0.2, 0.2),
    ],
    columns=["start", "model", "value", "chance", "low", "high", "p_value", "p_holm"],
).assign(cases=40, keywords=30)


def test_leads_are_drawn_in_percent_beside_what_is_dealt():
    entropies = pd.DataFrame([("b", "alone", 2.0, 1.5, 2.5)], columns=["model", "start", "value", "low", "high"])
    figure = leading_panels(TESTS, entropies, LABELS)
    leads, entropy = figure.axes
    assert "%" in leads.get_xlabel() and "nats" in entropy.get_xlabel()
    assert row_labels(leads) == list(LABELS.values())
    chance = "chance: leading tokens dealt at random (lines: 95 %)"
    assert legend(figure) == [*STARTS.values(), chance]
    drawn = series(leads)
    document, alone = (drawn[name][0] for name in STARTS.values())
    assert [in_rows(drawn)[name] for name in STARTS.values()] == [[(50, 1)], [(25, 0)]]
    crosses = [points(line) for line in leads.lines if line.get_marker() == "x"]
    assert crosses == [[(12.5, document[1])], [(31.25, alone[1])]]  # at the height of its point
    assert intervals(leads, "x") == [(6.25, 25), (12.5, 50)]
    assert intervals(entropy, "x") == [(1.5, 2.5)]
    assert_shown(figure)


def test_words_of_the_warm_start_name_its_means():
    caption = leading_caption(TESTS)
    assert "50 % against 38 % (p = 0.008) after the document start" in caption
    assert "25 % against 12 % (p = 0.2) after the keyword alone" in caption
    assert "n = 40 pairs" in caption and "over 30 keywords" in caption
    assert leading_alt(TESTS).endswith("50 % (chance 38 %) for start document; 25 % (chance 12 %) for start alone.")


@pytest.mark.parametrize("start", list(STARTS))
def test_the_mean_is_a_row_like_any_other(start):
    entropies = pd.DataFrame(columns=["model", "start", "value", "low", "high"])
    figure = leading_panels(TESTS, entropies.astype({"value": float, "low": float, "high": float}), {"mean": "mean"})
    assert in_rows(series(figure.axes[0]))[STARTS[start]] == [(50.0 if start == "document" else 25.0, 0)]
