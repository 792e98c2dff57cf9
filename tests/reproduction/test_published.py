"""The long measurement goes on where it was stopped, and what is committed is what the settings ask for."""

import pandas as pd
import pytest

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.measurements.ladder import BASE, COLUMNS
from compressed_code.reproduction import published as subject
from compressed_code.reproduction.published import MADE, load_published, load_settings, write_published

SETTINGS = """model: zoo-xs
quantizations: [rtn-4-rows, rtn-3-g128, rtn-3-rows]
written: [rtn-3-rows]
translations: 1
benchmark: zoo-standard
solutions: 4
tasks: 6
written_tasks: 9
max_tokens: 60
"""


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "published.yml"
    path.write_text(SETTINGS)
    return path


def rows_of(kind):
    """In place of a measurement: one number a row; one row cannot be made, and the third time is the last."""

    def measured(base, row, scope):
        assert (scope.solutions, scope.tasks) == (4, 9)
        if row == "rtn-3-g128":
            raise Unavailable("its groups divide no row")
        rows_of.calls.append((row, kind))
        if len(rows_of.calls) == rows_of.limit:
            raise KeyboardInterrupt
        return pd.DataFrame([{**dict.fromkeys(COLUMNS), "row": row, "quantity": kind, "group": "x", "value": 0.5}])

    return measured


def test_it_goes_on_where_it_was_stopped_and_names_what_is_left_out(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "KINDS", {kind: rows_of(kind) for kind in ("divergences", "programs")})
    path, said = tmp_path / "table.csv", []
    rows_of.calls, rows_of.limit = [], 3
    with pytest.raises(KeyboardInterrupt):
        write_published(path, settings, said.append)
    assert load_published(path)["row"].tolist() == [BASE, "rtn-4-rows"]
    rows_of.limit = 0
    write_published(path, settings, said.append)
    whole = [(BASE, "divergences"), ("rtn-4-rows", "divergences"), ("rtn-3-rows", "divergences")]
    whole += [(BASE, "programs"), ("rtn-3-rows", "programs")]
    assert rows_of.calls == [*whole[:3], *whole[2:]]  # the third was begun twice
    table = load_published(path)
    assert list(zip(table["row"], table["kind"], strict=True)) == whole and list(table) == [*MADE, *COLUMNS]
    assert table["value"].eq(0.5).all() and set(table["model"]) == {"zoo-xs"}
    assert sum("left out rtn-3-g128, divergences: its groups divide no row" in line for line in said) == 2


def test_a_table_of_another_model_is_not_gone_on_with(settings, tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame([{**dict.fromkeys([*MADE, *COLUMNS]), "model": "zoo-m"}]).to_csv(path, index=False)
    with pytest.raises(InputError, match="is of another model; remove it to measure zoo-xs"):
        write_published(path, settings)


def test_an_unknown_row_is_named(settings):
    settings.write_text(SETTINGS.replace("rtn-4-rows", "rtn-9"))
    with pytest.raises(InputError, match=r"there is no row 'rtn-9' in quantizations.yml"):
        load_settings(settings)


def test_the_committed_table_is_of_the_committed_settings():
    settings, table = load_settings(), load_published()
    assert set(table["model"]) <= {settings.model}
    done = set(zip(table["row"], table["kind"], strict=True))
    assert done <= set(settings.steps)
    first = table[table["group"].eq("kl") & table["row"].ne(BASE)]
    # One id has nothing else to look at; and the file was published in Q4_1.
    same = first["row"].str.endswith("-query-key") | first["row"].eq("gguf-q4_1")
    assert (first["value"] > 0).equals(~same) and first.loc[same, "value"].eq(0).all()
    assert table["processor"].ne("").all()


def test_without_a_table_there_is_no_row(tmp_path):
    assert load_published(tmp_path / "none.csv").empty
