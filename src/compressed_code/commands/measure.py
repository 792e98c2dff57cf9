"""`measure`: make the tables that a profile wants, one job for each model, here or on many machines."""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from compressed_code.commands.parsers import declare
from compressed_code.commands.tables import FORMATS, print_table
from compressed_code.core.errors import InputError, Unavailable

if TYPE_CHECKING:
    from compressed_code.jobs.run_job import Outcome

_NOT_IN_TABLE = ["key", "host", "note"]  # which would not fit a terminal
HELP = "Measure the models of a profile, one job each, here or through Dask; what is stored is not measured again."
EXAMPLES = (
    "measure --models zoo-xs zoo-s --measurements cold_start",
    "measure --models zoo-xs --measurements cold_start --results shared-tables",
)
DESCRIPTION = (
    f"{HELP} With --workers N so many processes of this machine work side by side. With --scheduler ADDRESS workers "
    "of a Dask cluster do, which are started with: dask worker ADDRESS --nthreads 1 --resources 'memory=64e9,GPU=1'"
)


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = declare(commands, "measure", HELP, EXAMPLES, DESCRIPTION)
    command.add_argument("--profile", default="paper", metavar="NAME", help="of data/profiles.yml; default: paper")
    command.add_argument("--models", nargs="+", default=[], metavar="MODEL", help="these alone; default: the profile's")
    command.add_argument("--measurements", nargs="+", default=[], metavar="NAME", help="these alone; default: all")
    where = command.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster: HOST:PORT")
    where.add_argument("--workers", type=int, metavar="N", help="so many processes here; default: this process alone")
    command.add_argument(
        "--results", metavar="PLACE", help="a folder that all machines see, or an object store, s3://BUCKET/PREFIX"
    )
    command.add_argument("--gpus", type=int, default=0, metavar="N", help="that each loaded model needs; default: 0")
    command.add_argument("--format", choices=FORMATS, default="table")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print a row for each table, and a line for each job on standard error; exit code 2 where a table is missing."""
    import pandas as pd

    from compressed_code.core.shared_store import SharedStore
    from compressed_code.jobs.engines import connected, run_here, run_on_dask
    from compressed_code.jobs.job import profile_jobs
    from compressed_code.jobs.run_job import MISSING, is_address
    from compressed_code.planning.layouts import load_layouts
    from compressed_code.planning.profiles import find_profile
    from compressed_code.registry.lookup import load_registry

    if options.workers is not None and options.workers < 1:
        raise InputError(f"--workers {options.workers}: must be at least 1")
    profile, chosen = find_profile(options.profile), (options.models, options.measurements)
    jobs = profile_jobs(profile, load_registry(), load_layouts(), *chosen, gpus=max(options.gpus, 0))
    place = options.results
    if place and is_address(place):
        SharedStore(place)  # says now what would be said of every job
    elif place:
        place = str(Path(place).resolve())
    rows = []

    def told(parts: "Iterable[list[Outcome]]") -> None:
        """Keep the rows, and a line for each job as it ends."""
        for number, outcomes in enumerate(parts, 1):
            rows.extend(outcomes)
            states = pd.Series([row.state for row in outcomes]).value_counts()
            counts = ", ".join(f"{count} {state}" for state, count in states.items())
            seconds = sum(row.seconds for row in outcomes)
            notes = "".join(f"; {note}" for note in dict.fromkeys(row.note for row in outcomes if row.note))
            line = f"measure: {number}/{len(jobs)} {outcomes[0].model}: {counts}, {seconds:.1f} s{notes}"
            print(line, file=sys.stderr)

    if options.scheduler or options.workers:
        with connected(options.scheduler, options.workers) as client:
            told(run_on_dask(client, jobs, place))
    else:
        told(run_here(jobs, place))
    order = {job.model: number for number, job in enumerate(jobs)}
    table = pd.DataFrame([asdict(row) for row in rows]).sort_values(
        "model", key=lambda of: of.map(order), kind="stable"
    )
    print_table(table.drop(columns=_NOT_IN_TABLE) if options.format == "table" else table, options.format)
    missing = table[table["state"] == MISSING]
    if len(missing):
        raise Unavailable(f"{len(missing)} of {len(table)} tables are missing, for the reasons in their rows")
