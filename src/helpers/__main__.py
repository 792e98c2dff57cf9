"""The command line: `python -m helpers COMMAND`. Thin: each command is a module of `helpers.commands`."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from helpers.commands import (
    claims,
    cold_start,
    coverage,
    fidelity,
    generate,
    notebooks,
    quantize,
    robustness,
    score,
    trace,
    verify,
    zoo,
)
from helpers.errors import InputError

BAD_INPUT = 2
INTERRUPTED = 130  # what shells give for Ctrl-C
COMMANDS = (
    coverage,
    cold_start,
    quantize,
    fidelity,
    generate,
    score,
    zoo,
    notebooks,
    claims,
    verify,
    robustness,
    trace,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; bad input (exit code 2) and an interruption (130) are one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has left (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(f"helpers {options.command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (InputError, OSError) as error:  # what the system refuses (permission, full disk) is one line too
        print(f"helpers {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    return 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m helpers", description="Programming tokens of compressed code models."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add_command(commands)
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)  # so that what is half written is removed
    sys.exit(main())
