"""The frame of a command line: what a user meets is the same in every command of every program here.

Bad input is one line on standard error and exit code 2, an interruption leaves nothing half written and ends with 130,
a reader of our output that leaves early (`| head`) is no error, and signs that an encoding lacks are escaped.
"""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from compressed_code.core.errors import InputError, in_one_line, printable

BAD_INPUT = 2
INTERRUPTED = 130  # what shells give for Ctrl-C

Subcommands = argparse._SubParsersAction


def run_command(
    program: str,
    description: str,
    declarations: Iterable[Callable[[Subcommands], None]],
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse a command line and run the command it names.

    Args:
        program: as the user types it.
        description: of the whole program, for `--help`.
        declarations: each adds a parser (or several) whose default `run` takes the parsed options.
        arguments: by default those of the process.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # no output fails on what an encoding lacks
            stream.reconfigure(errors="backslashreplace")
    name = program.removeprefix("python -m ")
    before = signal.signal(signal.SIGTERM, _interrupt)  # so that what is half written is removed
    try:
        parser = _Parser(prog=program, description=description)
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        for declare in declarations:  # which reads modules, and so takes half a second
            declare(commands)
        options = parser.parse_args(arguments)
        name = f"{name} {options.command}"
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has left (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (InputError, OSError) as error:  # what the system refuses (permission, full disk) is one line too
        print(f"{name}: {in_one_line(error, 10_000)}", file=sys.stderr)
        return BAD_INPUT
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with arguments, among which may be names of others' files, in one line."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
