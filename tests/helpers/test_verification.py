"""What is committed is compared number by number: an altered number, file or definition is caught, noise is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressed_code.core.errors import InputError
from compressed_code.core.paths import FIGURES, ROOT
from compressed_code.core.reference_files import REFERENCES, check_references, declare, load_references
from helpers.recorded_verdicts import recorded_verdicts
from helpers.table_comparison import compare_tables, load_tolerances, read_cells
from helpers.verification import compare_figures
from helpers.verification_report import by_file

TOLERANCES = load_tolerances()
NUMBERS = ["01", "02", "03", "04", "05", "06"]


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


@pytest.fixture
def copied(tmp_path) -> Path:
    """A copy of the committed figures' data."""
    folder = tmp_path / "figures"
    folder.mkdir()
    for path in [*FIGURES.glob("*.csv"), *FIGURES.glob("*.svg")]:
        shutil.copy2(path, folder / path.name)
    return folder


def test_the_committed_figures_agree_with_themselves(copied):
    comparison = compare_figures(FIGURES, copied, NUMBERS, TOLERANCES)
    assert comparison.different == 0 and comparison.deviations.empty
    assert set(comparison.files["verdict"]) == {"identical"}
    assert len(by_file(comparison)) == len(list(FIGURES.glob("*.csv")))


def test_one_altered_and_one_deleted_file_are_caught(copied):
    changed = copied / "01-coverage.csv"
    lines = changed.read_text().splitlines()
    cells = lines[5].split(",")
    cells[3] = str(int(cells[3]) + 1)
    changed.write_text("\n".join([*lines[:5], ",".join(cells), *lines[6:], ""]))
    comparison = compare_figures(FIGURES, copied, NUMBERS, TOLERANCES)
    assert comparison.different == 1
    assert comparison.deviations[["file", "column"]].to_numpy().tolist() == [["01-coverage.csv", "covered"]]
    changed.unlink()
    comparison = compare_figures(FIGURES, copied, NUMBERS, TOLERANCES)
    assert by_file(comparison).set_index("file").loc["01-coverage.csv", "note"] == "missing"
    assert compare_figures(copied, FIGURES, ["01"], TOLERANCES).different == 1  # surplus, seen from the other side
    assert compare_figures(FIGURES, copied, ["02"], TOLERANCES).different == 0


def test_a_file_that_is_no_table_is_one_line(tmp_path):
    (tmp_path / "01-x.csv").write_text("")
    with pytest.raises(InputError, match=r"01-x\.csv: is no CSV table"):
        read_cells(tmp_path / "01-x.csv")


def test_every_file_of_reference_is_declared_and_is_what_was_declared():
    assert check_references() == []
    assert {"recorded", "recomputed"} <= {reference.kind for reference in load_references().values()}


def test_an_altered_deleted_or_undeclared_reference_is_named(tmp_path):
    folder = Path(shutil.copytree(REFERENCES, tmp_path / "reference"))
    scores = folder / "zoo-scores.csv"
    scores.write_text(scores.read_text().replace("0.996875", "0.996876", 1))
    (folder / "authors-cold-start.csv").unlink()
    (folder / "new.csv").write_text("a\n1\n")
    problems = "\n".join(check_references(folder))
    assert len(problems.splitlines()) == 3
    assert "zoo-scores.csv: is not the declared file (recomputed: make zoo)" in problems
    assert "authors-cold-start.csv: is missing (recorded:" in problems
    assert "new.csv: is not declared in references.yml" in problems
    declare(scores, "recomputed", "make zoo")
    assert not [line for line in check_references(folder) if "zoo-scores" in line]
    assert load_references(folder)["authors-tokenizers.yml"] == load_references()["authors-tokenizers.yml"]
    declare(folder / "new.csv", "machine", "make new")
    assert load_references(folder)["new.csv"].kind == "machine"
    assert [line.split(": ")[0].split("/")[-1] for line in check_references(folder)] == ["authors-cold-start.csv"]


def test_every_number_of_the_authors_has_a_verdict_and_a_reason_where_it_is_not_reproduced():
    verdicts = recorded_verdicts(FIGURES)
    recorded = pd.read_csv(FIGURES / "01-recorded-counts.csv")
    levels, models = (len(pd.read_csv(REFERENCES / f"authors-{name}.csv")) for name in ("cold-start", "humaneval"))
    assert len(verdicts) == len(recorded) + 3 * levels + models
    assert set(verdicts["verdict"]) == {"reproduced", "differs", "not testable here"}
    assert (verdicts["why"].ne("") == verdicts["verdict"].ne("reproduced")).all()
    tested = verdicts[verdicts["verdict"] != "not testable here"]
    assert tested["verdict"].value_counts().to_dict() == recorded["verdict"].value_counts().to_dict()


@pytest.fixture
def project(tmp_path, write_notebook):
    """Both packages with one tiny notebook, whose committed table rests on a definition of theirs."""
    copy = tmp_path / "project"
    ignored = shutil.ignore_patterns("results", "zoo", "*.egg-info", "__pycache__")
    for folder in ("src", "data"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    (copy / "notebooks").mkdir()
    source = (
        "import pandas as pd\n"
        "from helpers.claims import Claims\n"
        "from helpers.figures import save_table\n"
        "from compressed_code.statistics.intervals_and_tests import wilson_interval\n"
        "low, high = wilson_interval(8, 10)\n"
        "Claims()('a proportion is uncertain', high - low, above=0, quantity='width', because='theory')\n"
        "from pathlib import Path\n"
        "save_table(pd.DataFrame({'low': [low], 'high': [high]}), '08-table', directory=Path(figures))"
    )
    write_notebook(copy / "notebooks" / "08-x.ipynb", "figures = '../build/custom'", source)
    (copy / "figures").mkdir()
    (copy / "figures" / "08-table.csv").write_text("low,high\n0.490162,0.943318\n")  # Wilson 1927, 8 of 10
    return copy


def verify(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "helpers", "verify", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, env=environment)


@pytest.mark.slow
def test_verify_passes_and_catches_a_number_a_claim_and_a_definition(project):
    passed = verify(project, "--notebook", "08")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert passed.stdout.count("agrees: 2 identical") == 1 and "Claims: 1 holds" in passed.stdout
    committed = project / "figures" / "08-table.csv"
    committed.write_text("low,high\n0.490162,0.943918\n")
    altered = verify(project, "--resume", "--notebook", "8")
    assert altered.returncode == 1 and "differs: 1 identical, 0 within, 1 different" in altered.stdout
    assert "08-x: done" not in altered.stdout, "what an interrupted verification has is kept"
    committed.write_text("low,high\n0.490162,0.943318\n")
    definition = project / "src" / "compressed_code" / "statistics" / "intervals_and_tests.py"
    definition.write_text(
        definition.read_text().replace("level: float = 0.95) -> tuple", "level: float = 0.9) -> tuple")
    )
    changed = verify(project, "--resume", "--notebook", "08")
    assert changed.returncode == 1 and "0 identical, 0 within, 2 different" in changed.stdout
    assert "08-x: done" in changed.stdout, "the definition is newer than the executed copy"


@pytest.mark.slow
def test_a_claim_that_fails_and_a_notebook_that_stops_are_errors(project):
    notebook = project / "notebooks" / "08-x.ipynb"
    source = notebook.read_text()
    notebook.write_text(source.replace("above=0", "above=1"))
    refuted = verify(project, "--notebook", "08")
    assert refuted.returncode == 1 and "Claims: 1 does not hold" in refuted.stdout
    notebook.write_text(source.replace("wilson_interval(8, 10)", "wilson_interval(8, 0)"))
    stopped = verify(project, "--notebook", "08")
    assert stopped.returncode == 1 and "08-x: failed:" in stopped.stdout and "ValueError" in stopped.stdout


@pytest.mark.slow
def test_bad_input_is_one_line(project):
    refused = verify(project, "--notebook", "77")
    assert refused.returncode == 2 and "no notebook 77; there are 08" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    (project / "data" / "tolerances.yml").write_text("arithmetic: {relativ: 1}\n")
    refused = verify(project)
    assert refused.returncode == 2 and "tolerances.yml: arithmetic" in refused.stderr
