"""`coverage`: which keywords of which language a tokenizer holds as one token."""

import argparse

from compressed_code.commands.parsers import declare
from compressed_code.commands.tables import FORMATS, print_table

HELP = "Which keywords of which language a tokenizer holds as one token."
EXAMPLES = (
    "coverage zoo",
    "coverage zoo --language python rust --form bare --format json",
)
TOKENIZER_HELP = (
    "registry key of a tokenizer or model, path (folder, tokenizer.json[.gz], tiktoken, SentencePiece, tekken or GGUF"
    " file) or Hub id OWNER/NAME[@REVISION]"
)


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS

    command = declare(commands, "coverage", HELP, EXAMPLES)
    command.add_argument("tokenizers", nargs="+", metavar="TOKENIZER", help=TOKENIZER_HELP)
    command.add_argument(
        "--language", nargs="+", action="extend", metavar="NAME", help="keys of data/keywords.yml; default: all twelve"
    )
    command.add_argument("--form", nargs="+", action="extend", choices=tuple(KEYWORD_FORMS), help="default: all four")
    command.add_argument("--format", choices=FORMATS, default="table")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print one row per tokenizer, language and form."""
    from compressed_code.tokenizers.keyword_coverage import coverage
    from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS

    table = coverage(options.tokenizers, options.language, options.form or tuple(KEYWORD_FORMS))
    print_table(table, options.format)
