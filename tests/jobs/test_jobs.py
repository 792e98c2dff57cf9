"""What a profile's jobs are, and one job: its tables are those of `measure`, whatever happens around it."""

import shutil
import time
from dataclasses import replace

import pandas as pd
import pytest

from compressed_code.__main__ import main
from compressed_code.core.errors import InputError
from compressed_code.core.table_store import read_provenance
from compressed_code.jobs import run_job as running
from compressed_code.jobs.job import Job, Wanted, profile_jobs
from compressed_code.jobs.run_job import COMPUTED, MISSING, STORED, run_job
from compressed_code.measurements.cold_start import cold_start
from compressed_code.measurements.tables import measure
from compressed_code.planning.layouts import load_layouts
from compressed_code.planning.profiles import find_profile
from compressed_code.registry.lookup import load_registry

PAPER = find_profile("paper")
STARTS = Job("zoo-xs", (Wanted("cold_start", {"context": "document"}), Wanted("cold_start", {"context": "bos"})))


def jobs(**options) -> dict[str, Job]:
    return {job.model: job for job in profile_jobs(PAPER, load_registry(), load_layouts(), **options)}


def test_every_model_of_a_profile_is_one_job_with_all_its_tables():
    found = jobs()
    assert list(found) == PAPER.every_model()
    contexts = ["document", "bos", "eos", "newline", "space"]
    expected = [("cold_start", {"context": context}) for context in contexts]
    expected += [("generations", {"benchmark": "zoo"}), ("executions", {"benchmark": "zoo"})]
    assert {tuple((table.measurement, str(table.parameters)) for table in job.tables) for job in found.values()} == {
        tuple((name, str(parameters)) for name, parameters in expected)
    }


def test_the_profile_measures_what_its_notebooks_read():
    """The contexts of notebook 02 as it stands."""
    from helpers.notebook_parameters import read_parameters
    from helpers.notebook_runs import find_notebooks

    (notebook,) = find_notebooks(["02"])
    assert PAPER.measured["cold_start"].tables["cold_start"]["context"] == read_parameters(notebook)["contexts"].default


def test_memory_is_what_the_loaded_model_takes():
    """7,615,616,512 weights of Qwen2.5 7B (its published index) in float32; a stream of tensors takes none of it."""
    assert jobs(models=["qwen2.5-7b"])["qwen2.5-7b"].memory == 4 * 7_615_616_512
    assert jobs(models=["qwen2.5-7b"], measurements=["cold_start"])["qwen2.5-7b"].memory == 0
    variant = jobs(models=["zoo-m+rtn-4-g32"])["zoo-m+rtn-4-g32"]
    assert variant.memory == jobs(models=["zoo-m"])["zoo-m"].memory == 8 * 1_053_824
    assert jobs(models=["zoo-m"], gpus=2)["zoo-m"].gpus == 2
    assert jobs(models=["zoo-m"], gpus=2, measurements=["cold_start"])["zoo-m"].gpus == 0


def test_what_a_profile_does_not_have_is_named():
    with pytest.raises(
        InputError, match=r"cold_starts: the profile paper has no such tables; .* cold_start, executions"
    ):
        jobs(measurements=["cold_starts"])


def test_a_job_stores_what_measure_reads(tmp_path):
    first, second = run_job(STARTS, str(tmp_path)), run_job(STARTS, str(tmp_path))
    assert [row.state for row in first] == [COMPUTED, COMPUTED]
    assert [row.state for row in second] == [STORED, STORED]
    assert [row.key for row in first] == [row.key for row in second]
    before = sorted(tmp_path.rglob("*.parquet"))
    table = measure(cold_start, "zoo-xs", context="bos", directory=tmp_path)
    assert sorted(tmp_path.rglob("*.parquet")) == before
    assert {path.name.split(".")[0] for path in before} == {row.key for row in first}
    assert set(table["context"]) == {"bos"}


def test_a_broken_model_costs_its_own_rows_alone(tmp_path, capsys):
    """One whose weights are cut off, one that is not there, one for which a library fails."""
    shard = shutil.copytree(load_registry().models["zoo-xs"].path, tmp_path / "cut") / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    (cut,) = run_job(Job(str(shard.parent), (Wanted("cold_start"),)), str(tmp_path / "tables"))
    assert cut.state == MISSING and not cut.key
    assert "model.safetensors" in cut.note and "\n" not in cut.note
    (nobody,) = run_job(Job("zoo-nobody", (Wanted("cold_start"),)), str(tmp_path / "tables"))
    assert "zoo-nobody" in nobody.note
    assert not list((tmp_path / "tables").rglob("*.parquet"))


def test_an_error_of_a_library_is_told_and_the_next_table_is_made(tmp_path, monkeypatch, capsys):
    def fails(_model, context="document"):
        if context == "document":
            raise RuntimeError("no kernel\nfor this")
        return pd.DataFrame({"token_id": [0]})

    monkeypatch.setattr(running, "known_measurements", lambda: {"cold_start": replace(cold_start, compute=fails)})
    first, second = run_job(STARTS, str(tmp_path))
    assert (first.state, first.note) == (MISSING, "RuntimeError: no kernel for this")
    assert second.state == COMPUTED
    assert "Traceback" in capsys.readouterr().err  # for whoever looks after the worker


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    """Ten years back between two tables, ten years on before the next run: same keys, nothing made twice."""
    real, years = time.time, iter([0, -10, 10, -10, 10] * 1000)
    expected = [row.key for row in run_job(STARTS, str(tmp_path / "expected"))]
    monkeypatch.setattr(time, "time", lambda: real() + next(years) * 31_557_600)
    first, second = run_job(STARTS, str(tmp_path / "found")), run_job(STARTS, str(tmp_path / "found"))
    assert [row.key for row in first] == [row.key for row in second] == expected
    assert [row.state for row in second] == [STORED, STORED]
    assert all(0 <= row.seconds < 3600 for row in (*first, *second))
    made = [read_provenance(path)["seconds"] for path in (tmp_path / "found").rglob("*.parquet")]
    assert all(0 <= seconds < 3600 for seconds in made)


def test_a_damaged_table_is_made_again(tmp_path, capsys):
    run_job(STARTS, str(tmp_path))
    path = sorted(tmp_path.rglob("*.parquet"))[0]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert sorted(row.state for row in run_job(STARTS, str(tmp_path))) == [COMPUTED, STORED]
    assert "damaged" in capsys.readouterr().err
    assert [row.state for row in run_job(STARTS, str(tmp_path))] == [STORED, STORED]


def test_the_command_prints_a_row_for_each_table_and_says_what_is_missing(tmp_path, capsys):
    arguments = ["measure", "--models", "zoo-xs", "--measurements", "cold_start", "--results", str(tmp_path)]
    assert main([*arguments, "--format", "csv"]) == 0
    shown = capsys.readouterr()
    assert shown.out.count("zoo-xs,cold_start,") == 5
    assert "measure: 1/1 zoo-xs: 5 computed" in shown.err
    assert main([*arguments[:3], str(tmp_path / "none"), *arguments[3:]]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err
    assert main(["measure", "--workers", "0"]) == 2
    assert "--workers 0: must be at least 1" in capsys.readouterr().err
