"""The command line, `compressed-code COMMAND` or `python -m compressed_code COMMAND`: one module of `commands` each."""

import sys
from collections.abc import Sequence

from compressed_code.commands import (
    cold_start,
    compare,
    coverage,
    fidelity,
    generate,
    keys,
    lock_models,
    measure,
    plan,
    quantize,
    score,
    zoo,
)
from compressed_code.core.command_line import run_command
from compressed_code.core.lean_imports import import_leanly
from compressed_code.core.memory import keep_freed_memory

COMMANDS = (keys, coverage, cold_start, quantize, compare, fidelity, generate, score, plan, measure, lock_models, zoo)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0, 2 for bad input, 130 for an interruption.
    """
    description = "What compression does to the programming tokens of code models."
    return run_command("compressed-code", description, [command.add_command for command in COMMANDS], arguments)


def program() -> int:
    """Run the command of this process, which does nothing else."""
    import_leanly()
    keep_freed_memory()
    return main()


if __name__ == "__main__":
    sys.exit(program())
