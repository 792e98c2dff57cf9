"""`python -m helpers COMMAND`: what the Makefile calls. Heavy packages are imported inside each command."""

import argparse
import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compressed_code.core.command_line import Subcommands, run_command
from compressed_code.core.paths import FIGURES, ROOT

FAULT = 1  # exit code: a notebook failed, a number differs, a claim does not hold


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    return run_command("python -m helpers", "The notebooks and what became of them.", [_declare], arguments)


def _declare(commands: Subcommands) -> None:
    def add(name: str, run: Any, words: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=words)
        command.set_defaults(run=run)
        return command

    command = add("run", run, "Execute a notebook headless.")
    command.add_argument("notebook", type=Path)
    command.add_argument("output", type=Path, help="where the executed copy goes once every cell has succeeded")
    command.add_argument(
        "--parameters",
        default={},
        type=_parameters,
        metavar="NAME=VALUE ...",
        help="values of the parameters cell as Python literals, in one argument; the last of equal names counts",
    )

    command = add("gallery", gallery, "Write the README of the figures' folder.")
    command.add_argument("--directory", type=Path, default=FIGURES)

    command = add("rows", rows, "Touch those lists of rows that were read of which a row has changed since.")
    command.add_argument("lists", type=Path, nargs="*", help="written by `run` beside executed copies")

    command = add("claims", claims, "Print what the claims of executed notebooks came to, and what was left out.")
    command.add_argument("executed", type=Path, nargs="+", help="executed copies, whether or not they are there")

    command = add("verify", verify, "Compute everything anew and compare it with what is committed, number by number.")
    command.add_argument(
        "--notebook", nargs="+", action="extend", default=[], metavar="NN", help="these notebooks only; default: all"
    )
    command.add_argument("--resume", action="store_true", help="keep what an interrupted verification has computed")

    command = add(
        "robustness",
        robustness,
        "Run the notebooks under settings that imitate other machines, and say which claims hold and what moves.",
    )
    command.add_argument("--short", action="store_true", help="two reduced notebooks under two settings, in minutes")

    add("start", start, "Write the page that JupyterLab opens on, and print where it is.")
    command = add("profile", profile, "Run the notebooks of a profile of data/profiles.yml with its models.")
    command.add_argument("name")
    command = add("published", published, "Measure what data/reference/published.csv lacks; stopped, it goes on later.")
    command = add("pack", pack, "Pack the tables that executed notebooks read into one archive, the stored tier.")
    command.add_argument("archive", type=Path, help="file to write")
    command.add_argument("tables", type=Path, nargs="+", help="lists that `run` wrote beside executed copies")

    command = add("unpack", unpack, "Unpack an archive of stored tables and print its folder.")
    command.add_argument("archive", metavar="PATH-OR-URL", help="`#sha256=HEX` behind it is checked")

    command = add("trace", trace, "Print the way back from a figure: key, tables, models, packages, machine, commit.")
    command.add_argument("figure", help="name of a figure or table, or a file of it: figures/03-calibration.svg")


def run(options: argparse.Namespace) -> None:
    """Execute a notebook; a failing cell is one line on standard error and exit code 1."""
    from helpers.run import NotebookFailed, run_notebook

    try:
        run_notebook(options.notebook, options.output, options.parameters)
    except NotebookFailed as failure:
        print(f"helpers run: {failure}", file=sys.stderr)
        raise SystemExit(FAULT) from None


def gallery(options: argparse.Namespace) -> None:
    """Write the gallery."""
    from helpers.figures import write_gallery

    write_gallery(options.directory)


def rows(options: argparse.Namespace) -> None:
    """Touch what is stale; make does the rest."""
    from helpers.notebook_dependencies import touch_stale

    touch_stale(options.lists)


def claims(options: argparse.Namespace) -> None:
    """Print the closing table; exit code 1 where a notebook did not run to its end, whatever its claims came to."""
    from compressed_code.reproduction.closing_table import closing_table

    text, failures = closing_table(options.executed)
    print(text)
    if failures:
        raise SystemExit(FAULT)


def verify(options: argparse.Namespace) -> None:
    """Print the report; exit code 1 where anything differs."""
    from compressed_code.reproduction.verification import report
    from helpers.verification import VERIFY, verify

    found = verify(options.notebook, resume=options.resume, say=_say)
    recorded = VERIFY / "recorded.csv"
    found.recorded.to_csv(recorded, index=False, lineterminator="\n")
    print(f"\n{report(found)}\n\nevery recorded number of the authors, with its verdict: {recorded}")
    if not found.agrees:
        raise SystemExit(FAULT)


def robustness(options: argparse.Namespace) -> None:
    """Print tables of claims, columns and files; exit code 1 where a run failed, or the short form finds a fault."""
    from compressed_code.reproduction.robustness import report
    from helpers.robustness import ROBUSTNESS_FILE, robustness, short_robustness

    found, faults = short_robustness(_say) if options.short else (robustness(_say), [])
    print(f"\n{report(found, faults)}")
    if not options.short:
        print(f"written: {ROBUSTNESS_FILE}")
    if found.failed or faults:
        raise SystemExit(FAULT)


def profile(options: argparse.Namespace) -> None:
    """Print a line for each model that is left out, and the closing table; exit code 1 where a notebook failed."""
    from compressed_code.reproduction.closing_table import closing_table
    from helpers.profile_runs import run_profile

    text, failures = closing_table(run_profile(options.name, _say))
    print(text)
    if failures:
        raise SystemExit(FAULT)


def published(options: argparse.Namespace) -> None:
    """Say what was measured as it is written."""
    from compressed_code.reproduction.published import write_published

    write_published(say=_say)


def pack(options: argparse.Namespace) -> None:
    """Write the archive and say what it is."""
    from compressed_code.core.paths import RESULTS
    from compressed_code.core.table_archive import pack
    from helpers.notebook_dependencies import read_tables

    digest = pack(read_tables(options.tables), RESULTS, options.archive, _version())
    print(f"{options.archive}: {options.archive.stat().st_size / 1e6:.1f} MB, sha256 {digest}")


def unpack(options: argparse.Namespace) -> None:
    """Print the folder, for COMPRESSED_CODE_COMPUTED."""
    from compressed_code.core.paths import BUILD
    from compressed_code.core.table_archive import unpack

    print(unpack(options.archive, BUILD / "stored", _version()))


def trace(options: argparse.Namespace) -> None:
    """Print the lines."""
    from compressed_code.reproduction.trace import trace

    print(trace(options.figure))


def start(options: argparse.Namespace) -> None:
    """Write the page."""
    from compressed_code.core.paths import require_checkout
    from helpers.start_page import START_PAGE, write_start_page

    require_checkout("the page that lists the notebooks")
    write_start_page()
    print(START_PAGE)


def _version() -> str:
    """Of the project, as its checkout says, whatever version is installed."""
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def _say(line: str) -> None:
    print(line, flush=True)


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


if __name__ == "__main__":
    sys.exit(main())
