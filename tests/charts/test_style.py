"""Series are told apart by colour or marker."""

import matplotlib as mpl

from compressed_code.charts.style import MARKERS, PALETTE, STYLE, series_style


def test_no_two_series_look_alike_before_every_pair_was_used():
    pairs = [series_style(number) for number in range(len(PALETTE) * len(MARKERS))]
    assert len(set(pairs)) == len(pairs)
    assert [colour for colour, _ in pairs[: len(PALETTE)]] == list(PALETTE)


def test_the_style_is_applied_to_every_figure():
    """By the fixture that all charts are drawn in."""
    lists = {name: [value] for name, value in STYLE.items() if name == "font.family"}
    assert {name: mpl.rcParams[name] for name in STYLE} == STYLE | lists
