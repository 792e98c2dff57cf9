"""The command line: `python -m helpers COMMAND`. Thin: one function per command, all work is done below."""

import argparse
import ast
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.errors import InputError
from helpers.project import FIGURES

BAD_INPUT = 2
TOKENIZER_HELP = (
    "registry key, path (folder, tokenizer.json[.gz], tiktoken, SentencePiece, tekken or GGUF file)"
    " or Hub id OWNER/NAME[@REVISION]"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; bad input is one line on standard error and exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has left (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (
        InputError,
        OSError,
    ) as error:  # what the system refuses (permission, full disk, name too long) is one line too
        print(f"helpers {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    return 0


def coverage(options: argparse.Namespace) -> None:
    """Which keywords of which language a tokenizer holds as one token."""
    import pandas as pd

    from helpers.coverage import coverage_table
    from helpers.languages import keyword_union, select_languages
    from helpers.registry import find_tokenizer, load_registry
    from helpers.tokenizer_files import open_tokenizer
    from helpers.vocabulary import vocabulary_table

    registry = load_registry()
    languages = select_languages(options.language)
    specs = [find_tokenizer(name, registry) for name in dict.fromkeys(options.tokenizers)]
    tables = []
    for spec in specs:
        vocabulary = vocabulary_table(open_tokenizer(spec), keyword_union(languages))
        tables.append(coverage_table(vocabulary, languages, list(dict.fromkeys(options.form or _forms()))))
        tables[-1].insert(0, "tokenizer", spec.key)
    _print_table(pd.concat(tables, ignore_index=True), options.format)


def run(options: argparse.Namespace) -> None:
    """Execute a notebook headless."""
    from helpers.notebooks import NotebookFailed, run_notebook

    try:
        run_notebook(options.notebook, options.output, options.parameters)
    except NotebookFailed as failure:
        print(f"helpers run: {failure}", file=sys.stderr)
        raise SystemExit(1) from None


def gallery(options: argparse.Namespace) -> None:
    """Write the README of the figures' folder."""
    from helpers.figures import write_gallery

    write_gallery(options.directory)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m helpers", description="Programming tokens of compressed code models."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("coverage", help=coverage.__doc__, description=coverage.__doc__)
    command.add_argument(
        "tokenizers",
        nargs="+",
        metavar="TOKENIZER",
        help=TOKENIZER_HELP,
    )
    command.add_argument(
        "--language", nargs="+", action="extend", metavar="NAME", help="keys of data/keywords.yml; default: all twelve"
    )
    command.add_argument("--form", nargs="+", action="extend", choices=_forms(), help="default: all four")
    command.add_argument("--format", choices=("csv", "json", "table"), default="table")
    command.set_defaults(run=coverage)

    command = commands.add_parser("run", help=run.__doc__, description=run.__doc__)
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

    command = commands.add_parser("gallery", help=gallery.__doc__, description=gallery.__doc__)
    command.add_argument("--directory", type=Path, default=FIGURES)
    command.set_defaults(run=gallery)
    return parser


def _forms() -> tuple[str, ...]:
    from helpers.vocabulary import KEYWORD_FORMS

    return tuple(KEYWORD_FORMS)


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


def _print_table(table: Any, output_format: str) -> None:
    """csv and table join lists with blanks; json keeps them."""
    if output_format == "json":
        print(json.dumps(table.to_dict(orient="records"), indent=1, ensure_ascii=False))
        return
    lists = [column for column in table if table[column].map(lambda value: isinstance(value, list)).any()]
    flat = table.assign(**{column: table[column].map(" ".join) for column in lists})
    if output_format == "csv":
        flat.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        print(flat.to_string(index=False, max_colwidth=60, justify="left"))


if __name__ == "__main__":
    sys.exit(main())
