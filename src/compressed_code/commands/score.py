"""`score`: run samples against a benchmark's tests in the sandbox, and estimate pass@k."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressed_code.commands.figures import add_figure, check_figure, write_figure
from compressed_code.commands.parsers import declare
from compressed_code.commands.score_turns import draw, in_a_line, turns
from compressed_code.core.errors import InputError, printable

if TYPE_CHECKING:
    from compressed_code.benchmarks.scoring import Scores

HELP = "Run samples against a benchmark's tests in a sandbox and estimate pass@k with intervals."
DESCRIPTION = (
    f"{HELP} HumanEval+ and MBPP+ give two numbers, for the base tests and for base and extra tests. Canonical"
    " solutions run first; a task whose solution fails here is left out by name."
)
EXAMPLES = (
    "score --benchmark zoo-standard --samples programs.jsonl --partial",
    "score --benchmark zoo-ood --samples sampled.jsonl --partial --format json",
)
BENCHMARK_HELP = (
    "humaneval, zoo, zoo-standard, zoo-hard, zoo-ood, or a .jsonl[.gz] file in the form of HumanEval, MBPP (full,"
    " sanitized) or EvalPlus (HumanEval+ and MBPP+ as EvalPlus publishes them)"
)
SAMPLES_HELP = ".jsonl[.gz] file; a line holds task_id and completion (follows the prompt) or solution (whole program)"
SECONDS_HELP = (
    "most seconds of a sample, at work or asleep, default 3; it gets fewer, but a sixth of them at least, where 20 runs"
    " of the task's own solution take less"
)
OUTCOMES_HELP = (
    "write one line per sample to this .jsonl[.gz] as it is scored; the same command goes on where an earlier one was"
    " stopped"
)
AGAINST_HELP = "samples of the model before: say which tasks were lost and gained since"
CHALLENGE_HELP = "MBPP: count the tests of challenge_test_list, too; by default those of test_list count"
PARTIAL_HELP = "score the tasks that have samples where others have none"
PACKAGES_HELP = (
    "installed packages that programs and tests may import besides the standard library; default: what the tests import"
)
UNSAFE_HELP = "run the programs without isolation: they can read and delete your files and use the network"


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = declare(commands, "score", HELP, EXAMPLES, DESCRIPTION)
    command.add_argument("--benchmark", required=True, metavar="NAME|FILE", help=BENCHMARK_HELP)
    command.add_argument("--samples", required=True, type=Path, metavar="FILE", help=SAMPLES_HELP)
    command.add_argument("--k", type=_ks, default=(1, 10, 100), metavar="K,...", help="default: 1,10,100")
    command.add_argument("--format", choices=("json", "table"), default="table")
    command.add_argument("--outcomes", type=Path, metavar="FILE", help=OUTCOMES_HELP)
    command.add_argument("--against", type=Path, metavar="FILE", help=AGAINST_HELP)
    add_figure(command, "how the samples end; with --against, what turned, too")
    command.add_argument("--force", action="store_true", help="replace the file of --figure")
    command.add_argument("--workers", type=_count, metavar="N", help="default: one per usable core")
    command.add_argument("--seconds", type=_seconds, default=3.0, metavar="S", help=SECONDS_HELP)
    command.add_argument("--partial", action="store_true", help=PARTIAL_HELP)
    command.add_argument("--challenge", action="store_true", help=CHALLENGE_HELP)
    command.add_argument("--packages", type=_names, default=None, metavar="NAME,...", help=PACKAGES_HELP)
    command.add_argument("--unsafe", action="store_true", help=UNSAFE_HELP)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the summary, also of what was scored before an interruption."""
    from compressed_code.benchmarks.outcome_files import FullDisk, places_of
    from compressed_code.benchmarks.scoring import score
    from compressed_code.core.atomic_files import check_target

    inputs = [options.samples, options.benchmark, *([options.against] if options.against else [])]
    check_figure(options.figure, inputs, force=options.force)
    if options.against is not None and options.against.resolve() == options.samples.resolve():
        raise InputError(f"--against {options.against}: is the file of --samples; name the other model's")
    if options.outcomes:
        for place in places_of(options.outcomes):
            check_target(place, inputs, "--outcomes")
    how = {
        "partial": options.partial,
        "seconds": options.seconds,
        "workers": options.workers,
        "packages": options.packages,
        "isolation": "none" if options.unsafe else "auto",
        "challenge": options.challenge,
    }
    try:
        scores = score(options.samples, options.benchmark, options.k, outcomes=options.outcomes, **how)
    except (KeyboardInterrupt, FullDisk) as stop:
        scores = getattr(stop, "scores", None)
        if scores is not None:
            _print(scores, options.format)
        print(_how_to_go_on(scores, options.outcomes), file=sys.stderr)
        raise
    before = None if options.against is None else score(options.against, options.benchmark, options.k, **how)
    turned = None if before is None else turns(before, scores)
    _print(scores, options.format, turned)
    if options.figure and before is not None and turned is not None:
        draw(before, scores, turned, options.figure)
    elif options.figure:
        _draw(scores, options.figure)


def _draw(scores: "Scores", path: Path) -> None:
    """Shares of the outcomes, a bar for each set of tests."""
    import pandas as pd

    from compressed_code.charts.code_generation import outcome_bars

    named = "base tests" if scores.extra_outcomes is not None else printable(Path(scores.samples).name)
    bars = {named: scores.outcomes}
    if scores.extra_outcomes is not None:
        bars["base + extra tests"] = scores.extra_outcomes
    shares = {name: table["outcome"].value_counts(normalize=True).mul(100) for name, table in bars.items()}
    grid = pd.DataFrame(shares).T.fillna(0.0)
    each = "; ".join(f"{outcome} {share:.0f} %" for outcome, share in next(iter(shares.values())).items())
    write_figure(lambda: outcome_bars(grid), path, f"How the samples end: {each}.")


def _print(scores: "Scores", form: str, turned: dict[str, Any] | None = None) -> None:
    summary = scores.summary()
    if form == "json":
        print(json.dumps(summary | ({} if turned is None else {"against": turned}), indent=1), flush=True)
    else:
        print("\n".join([_table(summary), *([] if turned is None else [printable(in_a_line(turned))])]), flush=True)


def _how_to_go_on(scores: "Scores | None", outcomes: Path | None) -> str:
    done = 0 if scores is None else len(scores.outcomes)
    if outcomes is None:
        return f"{done} samples were scored; a run that names a file with --outcomes can be continued"
    place = printable(str(outcomes))
    return f"{done} samples were scored and are kept for {place}; the same command goes on from there"


def _table(summary: dict[str, Any]) -> str:
    from compressed_code.benchmarks.samples import named

    extra = summary.get("base + extra tests")
    lines = [f"{summary['n_samples']} samples of {summary['n_tasks']} tasks, isolation: {summary['isolation']}"]
    if summary["unscored"]:
        lines.append(f"{summary['unscored']} more samples are not scored yet")
    if extra is not None:
        lines.append("base tests")
    lines += _rates(summary)
    if extra is not None:
        lines += ["base + extra tests", *_rates(extra)]
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
    if summary["refused_inputs"]:
        counts = named([f"{task_id}: {count}" for task_id, count in summary["refused_inputs"].items()])
        lines.append(f"inputs that a task's contract refuses are no tests: {counts}")
    if summary["larger_limits"]:
        lines.append(f"scored with larger limits, which their solutions need: {named(summary['larger_limits'])}")
    if summary["excluded_extra_tests"]:
        problems = named([f"{task_id}: {problem}" for task_id, problem in summary["excluded_extra_tests"].items()])
        lines.append(f"extra tests that the task's own solution fails do not count, its base tests do: {problems}")
    if summary["void_extra_tests"]:
        lines.append(f"extra tests let every answer pass, the base tests decide: {named(summary['void_extra_tests'])}")
    return "\n".join(map(printable, lines))


def _rates(summary: dict[str, Any]) -> list[str]:
    lines = []
    for name, rate in summary.items():
        if name.startswith("pass@"):
            bounds = f"95 % interval {rate['low']:.4f} … {rate['high']:.4f}, {rate['interval']}"
            disputed = f"; {rate['upper']:.4f} with the disputed" if rate["upper"] > rate["value"] else ""
            lines.append(f"{name:<10} {rate['value']:.4f}  ({bounds}{disputed})")
    return lines


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
