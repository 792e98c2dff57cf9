"""`trace`: the way back from a figure to what it was made of."""

import argparse

HELP = "Print the way back from a figure: key, tables, models, packages, machine, commit."


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = commands.add_parser("trace", help=HELP, description=HELP)
    command.add_argument("figure", help="name of a figure or table, or a file of it: figures/03-calibration.svg")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the lines."""
    from helpers.trace import trace

    print(trace(options.figure))
