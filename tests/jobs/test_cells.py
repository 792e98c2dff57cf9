"""Every measurement that a job can name gives on Dask's workers the keys and cells of this process, one thread each."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_limits

from compressed_code.jobs.engines import connected, run_here, run_on_dask
from compressed_code.jobs.job import Job, Wanted
from compressed_code.jobs.run_job import COMPUTED, STORED, known_measurements

pytest.importorskip("distributed", reason="needs dask and distributed, of the extra `cluster`")
pytestmark = pytest.mark.long

VARIANT = "zoo-xs+rtn-4-g8"  # is a model, and a pair with its base
FEW, TEXTS = (
    {"benchmark": "zoo:4", "max_tokens": 40},
    [["python", "one", "def first(items):\n    return items[0]\n", "one"]],
)
OF_THE_VARIANT = {
    "cold_start": {"context": "bos"},
    "warm_start": {"kept": 5},
    "generations": FEW,
    "executions": FEW,
    "uncertainty": FEW,
    "batch_noise": {**FEW, "batches": [1, 4]},
    "fidelity": {"translations": 1},
    "task_fidelity": {"benchmark": "zoo:8", "tasks": 4},
    "text_fidelity": {"texts": TEXTS},
    "text_bytes": {"texts": TEXTS},
    "noise_floor": {"texts": TEXTS},
    "variant_record": {},
    "stored_size": {},
    "fidelity_statistics": {"translations": 1, "by": ["token_class"]},
    "task_statistics": {"benchmark": "zoo:8", "tasks": 4},
    "losses_by_document": {"translations": 1},
    "changes_by": {"translations": 1},
}
OF_THE_TOKENIZER = {"vocabulary": {}}
# Seconds, which no two runs share: all cells of one measurement, a column of another, what programs took.
TIMES, TIMED = {"footprint"}, {"executions": ["seconds"]}
JOBS = [
    Job(VARIANT, tuple(Wanted(name, given) for name, given in OF_THE_VARIANT.items())),
    Job("zoo", tuple(Wanted(name, given) for name, given in OF_THE_TOKENIZER.items())),
    Job("zoo-s", (Wanted("generations", FEW), Wanted("cold_start"))),
]


@pytest.fixture
def one_thread():
    """As Dask gives each of its workers."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


def tables(place: Path) -> dict[tuple[str, str], pd.DataFrame]:
    """Measurement and key → its cells."""
    found = {(path.parent.name, path.name.split(".")[0]): pd.read_parquet(path) for path in place.rglob("*.parquet")}
    return {
        (name, key): table.drop(columns=TIMED.get(name, []))
        for (name, key), table in found.items()
        if name in known_measurements()
    }


def test_every_measurement_gives_the_local_cells_on_dask(one_thread, tmp_path):
    assert {*OF_THE_VARIANT, *OF_THE_TOKENIZER, *TIMES} == set(known_measurements()), "a measurement is not compared"
    here = [row for part in run_here(JOBS, str(tmp_path / "here")) for row in part]
    with connected(None, 2, {"memory": 1e9}) as client:
        assert set(client.run(torch.get_num_threads).values()) == {torch.get_num_threads()} == {1}
        there = [row for part in run_on_dask(client, JOBS, str(tmp_path / "there")) for row in part]
    for rows in (here, there):
        assert not [row for row in rows if row.state not in (COMPUTED, STORED)], rows
    assert {(row.measurement, row.key) for row in here} == {(row.measurement, row.key) for row in there}
    assert len({row.host for row in there}) == 2 and not {row.host for row in here} & {row.host for row in there}
    ours, theirs = tables(tmp_path / "here"), tables(tmp_path / "there")
    assert ours.keys() == theirs.keys() and {name for name, _ in ours} >= {*OF_THE_VARIANT, *OF_THE_TOKENIZER}
    for key, table in ours.items():
        pd.testing.assert_frame_equal(table, theirs[key], check_exact=True, obj=key[0])
