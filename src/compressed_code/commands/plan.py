"""`plan`: what a profile would compute and what is missing for it here, without downloading anything."""

import argparse
import sys

from compressed_code.commands.parsers import declare
from compressed_code.commands.tables import FORMATS, print_table

HELP = "What a profile would compute: bytes, memory and hours of its models, and what is missing here; no downloads."
_NOT_IN_TABLE = ["stored_as", "revision", "licence"]  # which would not fit a terminal
EXAMPLES = ("plan --profile paper", "plan --profile paper --format csv")


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = declare(commands, "plan", HELP, EXAMPLES)
    command.add_argument("--profile", default="paper", metavar="NAME", help="of data/profiles.yml; default: paper")
    command.add_argument("--format", choices=FORMATS, default="table")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print a row for each model and measurement, and what they come to on standard error."""
    from compressed_code.planning.costs import load_costs
    from compressed_code.planning.layouts import load_layouts
    from compressed_code.planning.machine import has_gpu, this_machine
    from compressed_code.planning.plan import NOT_LOCKED, plan
    from compressed_code.planning.profiles import find_profile
    from compressed_code.registry.lookup import load_registry

    profile, machine = find_profile(options.profile), this_machine()
    table = plan(profile, load_registry(), load_layouts(), load_costs(), machine)
    shown = table.drop(columns=_NOT_IN_TABLE) if options.format == "table" else table
    print_table(shown.round({"fetched_gb": 1, "memory_gb": 1, "hours": 2}), options.format)
    ready, models = table[table["missing"] == ""], table.drop_duplicates("model")
    unlocked = models["revision"].eq(NOT_LOCKED).sum()
    lines = [
        f"{len(models)} models, {table['fetched_gb'].sum():,.0f} GB to fetch, {table['hours'].sum():,.0f} hours on one "
        f"core as measured on the zoo; {len(ready)} of {len(table)} measurements can start here",
        f"no hub: {machine.no_hub}" if machine.no_hub else "",
        "" if has_gpu() else "no GPU here: everything runs on the processor",
        f"{unlocked} models are not locked; compressed-code lock-models writes their commits" if unlocked else "",
    ]
    for line in filter(None, lines):
        print(f"plan: {line}", file=sys.stderr)
