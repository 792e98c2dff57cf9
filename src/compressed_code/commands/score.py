"""`score`: run samples against a benchmark's tests in the sandbox, and estimate pass@k."""

import argparse
import json
from pathlib import Path
from typing import Any

HELP = "Run samples against a benchmark's tests in a sandbox and estimate pass@k with intervals."
BENCHMARK_HELP = "humaneval, zoo, zoo-standard, zoo-hard, zoo-ood, or a .jsonl[.gz] file in HumanEval's or MBPP's form"
SAMPLES_HELP = ".jsonl[.gz] file; a line holds task_id and completion (follows the prompt) or solution (whole program)"
SECONDS_HELP = (
    "most seconds of a sample, at work or asleep, default 3; it gets fewer, but a third of them at least, where 20 runs"
    " of the task's own solution take less"
)
PARTIAL_HELP = "score the tasks that have samples where others have none"
PACKAGES_HELP = (
    "installed packages that programs and tests may import besides the standard library; default: what the tests import"
)
UNSAFE_HELP = "run the programs without isolation: they can read and delete your files and use the network"


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = commands.add_parser("score", help=HELP, description=HELP)
    command.add_argument("--benchmark", required=True, metavar="NAME|FILE", help=BENCHMARK_HELP)
    command.add_argument("--samples", required=True, type=Path, metavar="FILE", help=SAMPLES_HELP)
    command.add_argument("--k", type=_ks, default=(1, 10, 100), metavar="K,...", help="default: 1,10,100")
    command.add_argument("--format", choices=("json", "table"), default="table")
    command.add_argument("--outcomes", type=Path, metavar="FILE", help="write one line per sample to this .jsonl[.gz]")
    command.add_argument("--workers", type=_count, metavar="N", help="default: one per usable core")
    command.add_argument("--seconds", type=_seconds, default=3.0, metavar="S", help=SECONDS_HELP)
    command.add_argument("--partial", action="store_true", help=PARTIAL_HELP)
    command.add_argument("--packages", type=_names, default=None, metavar="NAME,...", help=PACKAGES_HELP)
    command.add_argument("--unsafe", action="store_true", help=UNSAFE_HELP)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the summary; per-sample outcomes go to a file where one is named."""
    from compressed_code.benchmarks.scoring import score
    from compressed_code.core.atomic_files import check_target
    from compressed_code.core.json_lines import write_rows

    if options.outcomes:
        check_target(options.outcomes, [options.samples, options.benchmark], "--outcomes")
    scores = score(
        options.samples,
        options.benchmark,
        options.k,
        partial=options.partial,
        seconds=options.seconds,
        workers=options.workers,
        packages=options.packages,
        isolation="none" if options.unsafe else "auto",
    )
    if options.outcomes:
        fields = ["task_id", "sample", "passed", "outcome", "exception", "reason", "seconds"]
        write_rows(options.outcomes, scores.outcomes[fields].to_dict(orient="records"))
    summary = scores.summary()
    print(json.dumps(summary, indent=1) if options.format == "json" else _table(summary))


def _table(summary: dict[str, Any]) -> str:
    from compressed_code.benchmarks.samples import named

    lines = [f"{summary['n_samples']} samples of {summary['n_tasks']} tasks, isolation: {summary['isolation']}"]
    for name, rate in summary.items():
        if name.startswith("pass@"):
            bounds = f"95 % interval {rate['low']:.4f} … {rate['high']:.4f}, {rate['interval']}"
            disputed = f"; {rate['upper']:.4f} with the disputed" if rate["upper"] > rate["value"] else ""
            lines.append(f"{name:<10} {rate['value']:.4f}  ({bounds}{disputed})")
    if summary["disputed_tasks"]:
        rates = ", ".join(f"{name} {value:.4f}" for name, value in summary["plain"].items())
        tasks = named([f"{task_id}: {reason}" for task_id, reason in summary["disputed_tasks"].items()])
        count = len(summary["disputed_tasks"])
        lines.append(f"of {count} tasks only the plain run counts, which can be forged: {rates} ({tasks})")
    for name, tasks in summary["too_few_samples"].items():
        lines.append(f"{name:<10} left out: {len(tasks)} tasks have too few samples ({named(tasks)})")
    lines += [f"{count:>7}  {outcome}" for outcome, count in summary["outcomes"].items()]
    lines += [f"{count:>7}    {exception}" for exception, count in summary["exceptions"].items()]
    if summary["disputed"]:
        rows = named([f"{row['task_id']} #{row['sample']}: {row['reason']}" for row in summary["disputed"]])
        lines.append(f"disputed, since they pass in one process with their tests, and not apart from them: {rows}")
    if summary["missing"]:
        lines.append(f"{len(summary['missing'])} tasks have no sample and do not count: {named(summary['missing'])}")
    if summary["excluded"]:
        problems = named([f"{task_id}: {problem}" for task_id, problem in summary["excluded"].items()])
        lines.append(f"excluded, since they cannot be scored here: {problems}")
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    """A line without what a terminal would act upon: task ids are anyone's text."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line)


def _ks(text: str) -> tuple[int, ...]:
    try:
        ks = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        ks = ()
    if not ks or min(ks) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers from 1, such as 1,10,100")
    return ks


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0 and below 3600")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)
