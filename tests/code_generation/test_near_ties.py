"""Near-ties of written programs, added up; that they are the only programs that another machine may write otherwise."""

import os
import subprocess
import sys

import pandas as pd
import pytest

from compressed_code.code_generation.near_ties import near_tie_summary

OTHER_MACHINE = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
WRITE = """
import sys
from compressed_code.measurements.tables import measure
from compressed_code.measurements.code_generation import generations
measure(generations, [sys.argv[1]], benchmark="zoo-standard").to_json(sys.argv[2], orient="records", lines=True)
"""


def written(**columns):
    names = {
        "task_id": ["a", "a", "b"],
        "sample": [0, 1, 0],
        "tokens": [4, 2, 3],
        "finish_reason": ["end", "stop", "limit"],
    }
    return pd.DataFrame({**names, "near_ties": [0, 2, 1], **columns})


def test_near_ties_are_added_up_and_their_programs_named():
    (row,) = near_tie_summary(written()).to_dict("records")
    assert row == {
        "choices": 10,  # nine tokens and one end of a text
        "near_ties": 3,
        "programs": 3,
        "doubtful_programs": 2,
        "doubtful": "a#1, b#0",
    }
    greedy = written(task_id=["a", "b", "c"], sample=0)
    assert near_tie_summary(greedy)["doubtful"].item() == "b, c"
    (row,) = near_tie_summary(written(near_ties=0)).to_dict("records")
    assert (row["near_ties"], row["doubtful_programs"], row["doubtful"]) == (0, 0, "")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("model", ["zoo-xs", "zoo-s", "zoo-l+rtn-3-g32"])
def test_another_machine_writes_the_same_programs_but_for_those_with_a_near_tie(model, tmp_path):
    tables = []
    for name, settings in (("here", {}), ("there", OTHER_MACHINE)):
        file = tmp_path / f"{name}.jsonl"
        computed = {"COMPRESSED_CODE_COMPUTED": str(tmp_path / name)}
        command = [sys.executable, "-c", WRITE, model, str(file)]
        subprocess.run(command, env={**os.environ, **settings, **computed}, check=True)
        tables.append(pd.read_json(file, lines=True).set_index("task_id"))
    here, there = tables
    assert len(here) == 320 and here.index.equals(there.index)
    differing = here.index[here["raw"] != there["raw"]]
    assert (here.loc[differing, "near_ties"] > 0).all() and (there.loc[differing, "near_ties"] > 0).all()
    same = here.index.difference(differing)
    assert here.loc[same, "near_ties"].equals(there.loc[same, "near_ties"])
    assert near_tie_summary(here.reset_index())["near_ties"].item() < 20  # of 10,000 choices: no empty promise
