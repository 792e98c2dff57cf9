"""Charts of a comparison draw what was measured, and their SVG stands inside a page."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from compressed_code.charts.comparison import divergence_by_bytes, divergence_by_group
from compressed_code.comparison.pictures import INK, for_a_page
from drawn_charts import assert_shown, intervals, legend, series

CANDIDATES = pd.DataFrame(
    {
        "label": ["4 bits", "3 bits"],
        "bytes": [2e6, 1e6],
        "value": [0.1, 0.4],
        "low": [0.08, np.nan],
        "high": [0.12, np.nan],
    }
)
GROUPS = pd.DataFrame(
    {
        "model": ["a", "a", "b", "b"],
        "token_class": ["keyword", "string", "keyword", "string"],
        "value": [0.1, 0.2, 0.3, 0.05],
        "low": [0.09, 0.19, 0.29, 0.04],
        "high": [0.11, 0.21, 0.31, 0.06],
    }
)


def test_each_candidate_stands_at_its_size_and_its_divergence():
    figure = divergence_by_bytes(CANDIDATES, noise=0.001, base_bytes=8e6)
    (axis,) = figure.axes
    assert series(axis) == {"4 bits": [(2.0, 0.1)], "3 bits": [(1.0, 0.4)]}
    assert intervals(axis, "y") == [(0.08, 0.12)]
    assert {text.get_text() for text in axis.texts} == {"rounding to bfloat16 alone", "base"}
    assert axis.get_yscale() == "log"
    assert not [label for label in axis.get_yticklabels() if "$" in label.get_text()]  # which a page shows as it is
    assert_shown(figure)


def test_without_a_floor_and_without_a_difference_there_is_no_logarithm_to_take():
    figure = divergence_by_bytes(CANDIDATES.assign(value=0.0, low=0.0, high=0.0), noise=np.nan, base_bytes=8e6)
    assert figure.axes[0].get_yscale() == "linear"
    assert [text.get_text() for text in figure.axes[0].texts] == ["base"]


@pytest.mark.parametrize("size", [1e6, 2e6, 2.05e6])
def test_the_label_of_the_base_touches_no_candidate(size):
    """Of the base's own size, as a fine-tuned model is, or nearly."""
    figure = divergence_by_bytes(CANDIDATES, noise=0.001, base_bytes=size)
    figure.canvas.draw()
    (axis,) = figure.axes
    (label,) = [text for text in axis.texts if text.get_text().strip() == "base"]
    area = label.get_window_extent().padded(4)  # a marker's radius
    points = axis.transData.transform(np.column_stack([CANDIDATES["bytes"] / 1e6, CANDIDATES["value"]]))
    assert not any(area.contains(*point) for point in points)
    assert_shown(figure)


def test_groups_stand_in_the_order_of_their_largest_divergence():
    figure = divergence_by_group(GROUPS, "token_class", {"a": "A", "b": "B"})
    (axis,) = figure.axes
    assert legend(figure) == ["A", "B"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["keyword", "string"]
    places = {name: [round(y) for _, y in found] for name, found in series(axis).items()}
    assert places == {"A": [0, 1], "B": [0, 1]}
    assert intervals(axis, "x") == [(0.09, 0.11), (0.19, 0.21), (0.29, 0.31), (0.04, 0.06)]
    assert_shown(figure)


@pytest.mark.parametrize("label", ["a --> b", "$x$ costs $1", "<script>alert(1)</script>"])
def test_a_label_is_text_in_a_page_too(label):
    """Of whatever name: matplotlib writes comments into an SVG, and reads formulas between dollar signs."""
    import io

    import matplotlib as mpl

    written = io.StringIO()
    with mpl.rc_context({"text.parse_math": False, "text.color": INK, "svg.fonttype": "path"}):
        figure = divergence_by_bytes(CANDIDATES.assign(label=label), 0.001, 8e6)
        figure.savefig(written, format="svg")
    svg = for_a_page(written.getvalue())
    assert svg.startswith("<svg") and INK not in svg and "currentColor" in svg and "<script" not in svg
    root = ElementTree.fromstring(svg)
    assert "viewBox" in root.attrib and "width" not in root.attrib and "height" not in root.attrib


def test_numbers_stand_at_an_axis_of_less_than_a_power_of_ten():
    """From 0.4 to 1.2 nats a power of ten is crossed, at which alone a logarithmic axis would have a number."""
    rows = GROUPS.assign(value=[0.5, 0.6, 0.7, 0.9][: len(GROUPS)], low=0.4, high=1.2)
    figure = divergence_by_group(rows, "token_class", {"a": "A", "b": "B"})
    axis = figure.axes[0]
    inside = [tick for tick in axis.get_xticks() if axis.get_xlim()[0] <= tick <= axis.get_xlim()[1]]
    assert axis.get_xscale() == "log" and len(inside) >= 3
