"""`list`: the names that other commands know."""

import argparse

from compressed_code.commands.parsers import declare
from compressed_code.commands.tables import FORMATS, print_table

HELP = "The names that other commands know: models, tokenizers, ways to quantize, languages, benchmarks."
PARTS = ("models", "tokenizers", "quantizations", "languages", "benchmarks")
EXAMPLES = ("list models", "list quantizations --format csv")


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = declare(commands, "list", HELP, EXAMPLES)
    command.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default: all of them")
    command.add_argument("--format", choices=FORMATS, default="table")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print a row per name."""
    import pandas as pd

    from compressed_code.core.errors import InputError

    for part in options.parts:
        if part not in PARTS:
            raise InputError(f"{part}: there is no such list; there are {', '.join(PARTS)}")
    rows = [(part, *row) for part in options.parts or PARTS for row in _names(part)]
    print_table(pd.DataFrame(rows, columns=["list", "name", "label"]), options.format)


def _names(part: str) -> list[tuple[str, str]]:
    from compressed_code.benchmarks.tasks import ZOO_TIERS
    from compressed_code.registry.languages import load_languages
    from compressed_code.registry.lookup import load_registry
    from compressed_code.registry.quantizations import load_quantizations

    if part == "benchmarks":
        return [
            ("humaneval", "HumanEval"),
            ("zoo", "all tasks of the zoo"),
            *((f"zoo-{tier}", f"its tier {tier}") for tier in ZOO_TIERS),
        ]
    rows = {"quantizations": load_quantizations, "languages": load_languages}
    found = rows[part]() if part in rows else getattr(load_registry(), part)
    return [(key, row.label) for key, row in found.items()]
