"""Figures carry their words and data, and equal figures give equal bytes."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from compressed_code.charts.style import PALETTE, series_style, use_style
from compressed_code.core import table_store as store
from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT, VARIANTS
from compressed_code.core.table_store import TableRead, note_read, short_key, write_table
from compressed_code.reproduction import figure_origins as origins
from compressed_code.reproduction.figure_origins import read_origin, read_provenance_of
from compressed_code.reproduction.trace import trace
from helpers.__main__ import main as notebooks_main
from helpers.figures import beside_boundary, read_texts, save_figure, save_table, write_gallery

DATA = pd.DataFrame({"x": [1, 2], "y": [0.1, 1 / 3]})


@pytest.fixture(autouse=True)
def session(monkeypatch):
    """A session that has read and saved nothing."""
    monkeypatch.setattr(store, "_READ", {})
    monkeypatch.setattr(origins, "_SAVED", {})


def draw():
    use_style()
    figure, axis = plt.subplots()
    axis.plot(DATA["x"], DATA["y"], label="a")
    axis.legend()
    return figure


def test_a_figure_is_saved_as_svg_png_and_csv_with_its_words(tmp_path):
    figure = draw()
    words = {"caption": "What <is> shown & how.", "alt": 'A "line".'}
    assert save_figure(figure, "09-test", data=DATA, directory=tmp_path, **words) is figure
    assert not plt.fignum_exists(figure.number), "a notebook would show it a second time"
    path = tmp_path / "09-test.svg"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["09-test.csv", "09-test.png", "09-test.svg"]
    assert read_texts(path) == ("What <is> shown & how.", 'A "line".')
    assert path.with_suffix(".csv").read_text() == "x,y\n1,0.1\n2,0.333333\n"


def test_a_title_is_drawn_above_the_figure(tmp_path):
    words = {"data": DATA, "caption": "c", "alt": "a", "directory": tmp_path}
    plain = save_figure(draw(), "09-plain", **words)
    titled = save_figure(draw(), "09-titled", title="Half of it grows", **words)
    assert [text.get_text() for text in titled.texts] == ["Half of it grows"] and not plain.texts
    assert titled.get_figheight() > plain.get_figheight()


def test_equal_figures_give_equal_bytes(tmp_path):
    for folder in ("a", "b"):
        save_figure(draw(), "09-test", data=DATA, caption="c", alt="a", directory=tmp_path / folder)
    for name in ("09-test.svg", "09-test.png", "09-test.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_last_bit_of_a_coordinate_changes_no_byte(tmp_path):
    """As another processor computes it: matplotlib names clips by all bits and writes six digits."""
    for folder, left in (("a", 0.1), ("b", np.nextafter(0.1, 1))):
        figure = draw()
        figure.set_layout_engine("none")
        figure.axes[0].set_position([left, 0.1, 0.8, 0.8])
        save_figure(figure, "09-test", data=DATA, caption="c", alt="a", directory=tmp_path / folder)
    one, other = ((tmp_path / folder / "09-test.svg").read_text() for folder in ("a", "b"))
    assert one == other
    used = set(re.findall(r"""(?:href="#|url\(#)([^")]+)""", one))
    assert used and used <= set(re.findall(r' id="([^"]+)"', one))


@pytest.mark.parametrize(("field", "value"), [("caption", " "), ("alt", ""), ("title", "a b c d e f g h i j k")])
def test_a_figure_without_words_is_refused(tmp_path, field, value):
    words = {"caption": "c", "alt": "a", "data": DATA, field: value}
    with pytest.raises(InputError, match="09-test"):
        save_figure(draw(), "09-test", directory=tmp_path, **words)
    assert list(tmp_path.iterdir()) == []


def test_a_figure_without_data_is_said_and_not_drawn(tmp_path, capsys):
    assert save_figure(draw(), "09-test", data=DATA.head(0), caption="c", alt="a", directory=tmp_path) is None
    assert "09-test: not drawn" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def save(name, directory):
    save_figure(draw(), name, data=DATA, caption="A caption.", alt="alt", directory=directory)
    return directory / f"{name}.svg"


TABLES = [TableRead("fidelity", f"zoo-s+rtn-{bits}", {"translations": 4}, f"{bits}" * 64) for bits in (2, 3, 4)]


def test_a_caption_ends_with_the_key_of_the_tables_read_so_far(tmp_path):
    for table in TABLES[:2]:
        note_read(table)
    caption, _ = read_texts(save("09-first", tmp_path))
    assert caption == f"A caption. Key {short_key(TABLES[:2])}."
    note_read(TABLES[2])
    save_table(DATA, "09-table", directory=tmp_path)
    for name, count in (("09-first", 2), ("09-table", 3)):
        origin = read_origin(name, tmp_path)
        assert (origin.tables, origin.key) == (TABLES[:count], short_key(TABLES[:count]))
    assert (tmp_path / "09-tables.json").is_file() and not (tmp_path / "provenance.json").exists()


def test_the_list_of_tables_is_the_same_for_another_folder_and_a_repeated_save(tmp_path):
    note_read(TABLES[0])
    for folder, times in (("a", 1), ("b", 2)):
        for _ in range(times):
            save("09-test", tmp_path / folder)
    assert (tmp_path / "a" / "09-tables.json").read_bytes() == (tmp_path / "b" / "09-tables.json").read_bytes()


def test_no_place_of_this_checkout_is_written_down(tmp_path):
    for number, subject in enumerate((f"{VARIANTS}/f5c0 against zoo-m", f"{ROOT / 'data' / 'zoo' / 'zoo-m'}", "zoo-m")):
        note_read(TableRead("fidelity", subject, {}, f"{number}" * 64))
    save("09-test", tmp_path)
    subjects = [table.subject for table in read_origin("09-test", tmp_path).tables]
    assert subjects == ["variants/f5c0 against zoo-m", "data/zoo/zoo-m", "zoo-m"]


def test_no_committed_figure_names_a_machine():
    for path in (ROOT / "figures").glob("*.json"):
        assert not re.search(r'"[^"]*(/home/|/root/|/tmp/|/build/variants/)', path.read_text()), path.name


def test_machine_and_commit_stand_apart_and_with_the_committed_figures_only(tmp_path, monkeypatch):
    monkeypatch.setattr(origins, "FIGURES", tmp_path / "figures")
    monkeypatch.setattr(origins, "RESULTS", tmp_path / "results")
    note_read(TABLES[0])
    for name in ("10-b", "09-a"):
        save(name, tmp_path / "figures")
    save("09-a", tmp_path / "custom")
    made = read_provenance_of("09-a", tmp_path / "figures")
    assert set(made) == {"machine", "packages", "commit"} and made["packages"]["numpy"]
    assert read_provenance_of("09-a", tmp_path / "custom") is None
    assert (tmp_path / "figures" / "provenance.json").read_text().index('"09"') < (
        tmp_path / "figures" / "provenance.json"
    ).read_text().index('"10"')


def test_where_a_figure_goes_is_said_unless_it_is_the_repositorys_own_folder(tmp_path, monkeypatch, capsys):
    save("09-test", tmp_path / "custom")
    assert capsys.readouterr().out == f"figure 09-test: {tmp_path / 'custom' / '09-test.svg'}\n"
    monkeypatch.setattr("helpers.figures.FIGURES", tmp_path / "figures")
    save("09-test", tmp_path / "figures")
    assert capsys.readouterr().out == ""


def test_the_way_back_names_tables_models_packages_machine_and_commit(tmp_path):
    for table in TABLES[:2]:
        note_read(table)
    made = {"version": 2, "seconds": 1.5, "subject": {"base": {"model.safetensors": "ab" * 32}}, "inputs": {}}
    made |= {"python": "3.11.7", "packages": {"torch": "2.13.0"}, "machine": {"cores": 2}, "commit": "c0ffee"}
    path = write_table(tmp_path / "results", "fidelity", TABLES[0].key, DATA, made)
    svg = save("09-test", tmp_path)
    text = trace(svg, tmp_path / "results")
    assert trace(svg.with_suffix(""), tmp_path / "results") == text
    for words in (
        f"key      {short_key(TABLES[:2])}: 2 tables",
        "table    fidelity of zoo-s+rtn-2 (translations 4)",
        f"stored   {path}",
        "subject  base/model.safetensors abababababababab\n",
        "packages python 3.11.7, torch 2.13.0",
        "machine  cores 2",
        "commit   c0ffee",
        f"key {TABLES[1].key}: not stored on this machine",
    ):
        assert words in text


def test_a_name_without_a_way_back_is_one_line(tmp_path, capsys):
    assert notebooks_main(["trace", str(tmp_path / "09-none.svg")]) == 2
    save_table(DATA, "09-old", directory=tmp_path)  # rests on no measured table
    assert notebooks_main(["trace", str(tmp_path / "09-old")]) == 2
    absent, unknown = capsys.readouterr().err.splitlines()
    assert "no such figure" in absent and "09-tables.json: no such file" in unknown


def test_numbers_beside_a_rounding_boundary_are_counted(tmp_path):
    data = pd.DataFrame({"x": [0.1234565, 1 / 3, 2.5, float("nan"), 1234565.0], "n": [1, 2, 3, 4, 5]})
    assert beside_boundary(data) == 2
    assert beside_boundary(data, 1e-15) <= 2 and beside_boundary(data.head(0)) == 0
    note_read(TABLES[0])
    save_table(data, "09-x", directory=tmp_path)
    assert read_origin("09-x", tmp_path).beside_boundary == 2


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
