"""Figures carry their words and data, and equal figures give equal bytes."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from helpers.errors import InputError
from helpers.figures import PALETTE, read_texts, save_figure, save_table, use_style, write_gallery
from helpers.figures.parts import series_style

DATA = pd.DataFrame({"x": [1, 2], "y": [0.1, 1 / 3]})


def draw():
    use_style()
    figure, axis = plt.subplots()
    axis.plot(DATA["x"], DATA["y"], label="a")
    axis.legend()
    return figure


def test_a_figure_is_saved_as_svg_png_and_csv_with_its_words(tmp_path):
    path = save_figure(
        draw(), "09-test", data=DATA, caption="What <is> shown & how.", alt='A "line".', directory=tmp_path
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["09-test.csv", "09-test.png", "09-test.svg"]
    assert read_texts(path) == ("What <is> shown & how.", 'A "line".')
    assert path.with_suffix(".csv").read_text() == "x,y\n1,0.1\n2,0.333333\n"


def test_equal_figures_give_equal_bytes(tmp_path):
    for folder in ("a", "b"):
        save_figure(draw(), "09-test", data=DATA, caption="c", alt="a", directory=tmp_path / folder)
    for name in ("09-test.svg", "09-test.png", "09-test.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(("field", "value"), [("caption", " "), ("alt", "")])
def test_a_figure_without_words_is_refused(tmp_path, field, value):
    words = {"caption": "c", "alt": "a", "data": DATA, field: value}
    with pytest.raises(InputError, match="09-test"):
        save_figure(draw(), "09-test", directory=tmp_path, **words)
    assert list(tmp_path.iterdir()) == []


def test_a_figure_without_data_is_said_and_not_drawn(tmp_path, capsys):
    assert save_figure(draw(), "09-test", data=DATA.head(0), caption="c", alt="a", directory=tmp_path) is None
    assert "09-test: not drawn" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_more_series_than_colours_stay_apart():
    styles = [series_style(number) for number in range(3 * len(PALETTE))]
    assert len(set(styles)) == len(styles)


def test_the_gallery_shows_every_figure_with_its_caption(tmp_path):
    for name in ("02-b", "01-a"):
        save_figure(draw(), name, data=DATA, caption=f"Caption of {name}: __init__.", alt="alt", directory=tmp_path)
    save_table(DATA, "01-table", directory=tmp_path)
    text = write_gallery(tmp_path).read_text()
    assert text.index("![alt](01-a.png)") < text.index("![alt](02-b.png)")
    assert r"Caption of 02-b: \_\_init\_\_." in text and "01-table" not in text


def test_the_palette_stays_apart_for_colour_blind_eyes():
    """Minimum pairwise distance in simulated deuteranopia and protanopia (Viénot et al. 1999, linear RGB)."""
    import itertools

    import numpy as np
    from matplotlib import colors

    rgb = np.array([colors.to_rgb(colour) for colour in PALETTE])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    simulations = {
        "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    }
    for matrix in simulations.values():
        seen = np.clip(linear @ np.array(matrix).T, 0, 1) ** (1 / 2.2)
        nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
        assert nearest > 0.12
