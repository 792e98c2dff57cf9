"""What becomes of the canonical solutions of published benchmarks: computed here, and kept beside this file."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from compressed_code.benchmarks.scoring import score
from compressed_code.benchmarks.tasks import load_benchmark
from compressed_code.core.paths import ROOT
from working_isolators import working_isolators

KEPT = yaml.safe_load((Path(__file__).parent / "canonical_solutions.yml").read_text(encoding="utf-8"))


def test_the_table_of_the_documents_says_the_same():
    readme = (ROOT / "src/compressed_code/sandbox/README.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")[1:]] for line in readme.splitlines() if line.startswith("| ")]
    rows = {row: (passed, disputed) for row, passed, disputed, *_ in (each for each in cells if len(each) >= 4)}
    for each in KEPT:
        disputed = each.get("disputed", {})
        passed = f"{each['tasks'] - len(disputed)} of {each['tasks']}"
        share = f"{len(disputed) / each['tasks']:.1%}".replace("%", " %")
        said = (
            f"{share} ({', '.join(f'{task}: {reason}' for task, reason in disputed.items())})" if disputed else "none"
        )
        assert rows[each["row"]] == (passed, said)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("each", KEPT, ids=[each["row"] for each in KEPT])
def test_all_pass_but_for_those_that_are_kept(request, tmp_path, each):
    if not working_isolators():
        pytest.skip("nothing isolates programs here")
    name = each["benchmark"]
    if name.endswith((".jsonl", ".gz")):
        name = str(request.getfixturevalue("shared_data") / "benchmarks" / name)
    solutions = [(task.task_id, task.canonical_solution) for task in load_benchmark(name)]
    samples = pd.DataFrame(solutions, columns=["task_id", "completion"])
    scores = score(samples, name, [1], directory=tmp_path / "store")
    assert scores.excluded == {} and len(scores.outcomes) == each["tasks"] == len(solutions)
    assert scores.disputed_tasks == each.get("disputed", {})
    assert scores.extra_excluded == each.get("base_only", {})
    for outcomes in filter(lambda table: table is not None, (scores.outcomes, scores.extra_outcomes)):
        lost = outcomes[~outcomes["passed"]].set_index("task_id").drop(scores.disputed_tasks, errors="ignore")
        assert lost[["outcome", "exception", "reason", "seconds"]].to_dict("index") == {}
    assert scores.pass_rates["value"].tolist() == [1.0]
    assert (scores.extra_outcomes is not None) == ("plus" in each["benchmark"])
