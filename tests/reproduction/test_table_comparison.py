"""A table is compared number by number: an altered one is caught, noise is not."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressed_code.core.errors import InputError
from compressed_code.reproduction.figure_comparison import compare_figures
from compressed_code.reproduction.table_comparison import compare_tables, load_tolerances, read_cells
from compressed_code.reproduction.verification import by_file

TOLERANCES = load_tolerances()


def table(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns).astype(str)


def compared(committed: pd.DataFrame, found: pd.DataFrame) -> tuple[dict[str, int], list]:
    counts, deviations = compare_tables(committed, found, TOLERANCES)
    return counts.drop(columns="column").sum().to_dict(), deviations


printed = st.floats(0.1, 1e6).map(lambda value: f"{value:.6g}")
names = st.text("abcdef", min_size=1, max_size=3)
tables = st.lists(st.tuples(names, printed, st.integers(0, 10**9).map(str)), min_size=1, max_size=12).map(
    lambda rows: pd.DataFrame(rows, columns=["row", "value", "count"])
)


few = settings(max_examples=30, deadline=None)


@few
@given(tables)
def test_a_table_is_identical_to_itself(committed):
    counts, deviations = compared(committed, committed.copy())
    assert counts == {"identical": committed.size, "within": 0, "different": 0, "not_compared": 0}
    assert deviations == []


@few
@given(tables, st.data(), st.floats(1.01e-4, 1).flatmap(lambda size: st.sampled_from([size, -size])))
def test_one_number_that_is_altered_is_one_difference(committed, data, change):
    row = data.draw(st.integers(0, len(committed) - 1))
    value = float(committed.loc[row, "value"]) * (1 + change)
    found = committed.copy()
    found.loc[row, "value"] = repr(value)
    counts, (deviation,) = compared(committed, found)
    assert counts["different"] == 1 and counts["identical"] == committed.size - 1
    assert (deviation.column, deviation.committed, deviation.verdict) == (
        "value",
        committed.loc[row, "value"],
        "different",
    )


@few
@given(tables, st.data())
def test_a_count_must_be_equal_and_a_sum_may_round(committed, data):
    row = data.draw(st.integers(0, len(committed) - 1))
    found = committed.copy()
    found.loc[row, "count"] = str(int(found.loc[row, "count"]) + 1)
    assert compared(committed, found)[0]["different"] == 1
    rounded = committed.copy()
    rounded.loc[row, "value"] = repr(float(committed.loc[row, "value"]) * (1 + 3e-5) + 1e-9)
    counts, _ = compared(committed, rounded)
    assert (counts["within"], counts["different"]) == (1, 0)


@few
@given(tables, st.data())
def test_a_row_or_column_that_is_missing_or_surplus_is_different(committed, data):
    fewer = committed.drop(index=data.draw(st.integers(0, len(committed) - 1)))
    for old, new in ((committed, fewer), (fewer, committed)):
        counts, deviations = compared(old, new)
        assert counts["different"] >= len(committed.columns) and deviations
    without = committed.drop(columns="value")
    for old, new in ((committed, without), (without, committed)):
        assert compared(old, new)[0]["different"] == len(committed)


def test_texts_are_exact_and_an_altered_one_is_one_difference():
    committed = table(row=["a", "b", "c"], verdict=["reproduced", "differs", "differs"], value=[1.5, 2.5, 3.5])
    found = committed.assign(verdict=["reproduced", "reproduced", "differs"])
    counts, (deviation,) = compared(committed, found)
    assert counts["different"] == 1
    assert (deviation.row, deviation.committed, deviation.found) == ("b · differs", "differs", "reproduced")


def test_a_row_that_is_missing_in_the_middle_does_not_shift_the_others():
    committed = table(row=list("abcde"), value=[1.5, 2.5, 3.5, 4.5, 5.5])
    counts, deviations = compared(committed, committed.drop(index=2))
    assert counts == {"identical": 8, "within": 0, "different": 2, "not_compared": 0}
    assert {deviation.row for deviation in deviations} == {"c"}


def test_what_is_near_zero_is_held_against_the_floor():
    committed = table(row=["a", "b"], value=["0", "1e-08"])
    assert compared(committed, table(row=["a", "b"], value=["4e-07", "-3e-07"]))[0]["within"] == 2
    assert compared(committed, table(row=["a", "b"], value=["4e-06", "1e-05"]))[0]["different"] == 2


@pytest.mark.parametrize("row", ["gptqmodel-3-g32", "auto-gptq 4", "GPTQModel"])
def test_the_libraries_rows_have_the_band_of_their_draws(row):
    committed = table(row=[row], value=[0.08], lost=[32], p_value=[0.017])
    counts, _ = compared(committed, table(row=[row], value=[0.085], lost=[37], p_value=[0.064]))
    assert counts == {"identical": 1, "within": 2, "different": 0, "not_compared": 1}
    assert compared(committed, table(row=[row], value=[0.16], lost=[32], p_value=[0.017]))[0]["different"] == 1
    ours = table(row=["gptq-3-g32"], value=[0.08], lost=[32], p_value=[0.017])
    assert compared(ours, table(row=["gptq-3-g32"], value=[0.085], lost=[37], p_value=[0.064]))[0]["different"] == 3


def test_times_are_named_and_not_compared(tmp_path):
    for folder, seconds in (("a", "1.5"), ("b", "2.5")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "03-speed.csv").write_text(f"row,load_seconds\nx,{seconds}\n")
    comparison = compare_figures(tmp_path / "a", tmp_path / "b", ["03"], TOLERANCES)
    assert comparison.different == 0
    assert by_file(comparison)["note"].item() == "not compared: load_seconds"


def test_a_file_that_is_no_table_is_one_line(tmp_path):
    (tmp_path / "01-x.csv").write_text("")
    with pytest.raises(InputError, match=r"01-x\.csv: is no CSV table"):
        read_cells(tmp_path / "01-x.csv")
