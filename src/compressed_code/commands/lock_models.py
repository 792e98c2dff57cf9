"""`lock-models`: the commits of the Hub's models, written into the registry."""

import argparse

from compressed_code.commands.parsers import declare
from compressed_code.core.errors import Unavailable
from compressed_code.core.paths import require_checkout

HELP = "Write the commit that each model's revision means now into data/models.yml."
EXAMPLES = ("lock-models", "lock-models qwen2.5-coder-7b qwen2.5-coder-7b-instruct")


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = declare(commands, "lock-models", HELP, EXAMPLES)
    command.add_argument(
        "models", nargs="*", metavar="MODEL", help="rows to lock, or to lock anew; default: all that are not locked"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print a line for each row: its commit, or why it has none; exit code 2 where one has none."""
    from compressed_code.checkpoints.hub_access import no_hub
    from compressed_code.planning.locking import lock_models
    from compressed_code.registry.lookup import REGISTRY_FILE, load_registry

    require_checkout("writing commits into data/models.yml")
    if reason := no_hub():
        raise Unavailable(f"no Hub answers: {reason}; nothing was locked, connect and run it again")
    told = lock_models(REGISTRY_FILE, options.models)
    for name, answer in told.items():
        print(f"{name}: {answer}")
    rows = load_registry().models
    open_ones = [name for name in told if not rows[name].locked]
    if open_ones:
        raise Unavailable(f"{len(open_ones)} of {len(told)} models stay not locked, for the reasons above")
