"""`run`, `gallery` and `rows`: what the Makefile calls."""

import argparse
import ast
import re
import sys
from pathlib import Path
from typing import Any

from helpers.project import FIGURES

RUN_HELP = "Execute a notebook headless."
GALLERY_HELP = "Write the README of the figures' folder."
ROWS_HELP = "Touch those lists of rows that were read of which a row has changed since."


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = commands.add_parser("run", help=RUN_HELP, description=RUN_HELP)
    command.add_argument("notebook", type=Path)
    command.add_argument("output", type=Path, help="where the executed copy goes once every cell has succeeded")
    command.add_argument(
        "--parameters",
        default={},
        type=_parameters,
        metavar="NAME=VALUE ...",
        help="values of the parameters cell as Python literals, in one argument; the last of equal names counts",
    )
    command.set_defaults(run=run)
    command = commands.add_parser("gallery", help=GALLERY_HELP, description=GALLERY_HELP)
    command.add_argument("--directory", type=Path, default=FIGURES)
    command.set_defaults(run=gallery)
    command = commands.add_parser("rows", help=ROWS_HELP, description=ROWS_HELP)
    command.add_argument("lists", type=Path, nargs="*", help="written by `run` beside executed copies")
    command.set_defaults(run=rows)


def run(options: argparse.Namespace) -> None:
    """Execute a notebook; a failing cell is one line on standard error and exit code 1."""
    from helpers.notebooks import NotebookFailed, run_notebook

    try:
        run_notebook(options.notebook, options.output, options.parameters)
    except NotebookFailed as failure:
        print(f"helpers run: {failure}", file=sys.stderr)
        raise SystemExit(1) from None


def gallery(options: argparse.Namespace) -> None:
    """Write the gallery."""
    from helpers.figures import write_gallery

    write_gallery(options.directory)


def rows(options: argparse.Namespace) -> None:
    """Touch what is stale; make does the rest."""
    from helpers.notebook_dependencies import touch_stale

    touch_stale(options.lists)


def _parameters(text: str) -> dict[str, Any]:
    """`a=1 b=['x', 'y']` as a mapping; a value runs to the next NAME= and what is no Python literal is text."""
    parameters = {}
    for part in re.split(r"\s+(?=[A-Za-z_]\w*=)", text.strip()):
        name, equals, value = part.partition("=")
        if not equals or not name.isidentifier():
            raise argparse.ArgumentTypeError(f"{part!r} is not NAME=VALUE")
        try:
            parameters[name] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            parameters[name] = value.strip()
    return parameters
