"""`coverage`: which keywords of which language a tokenizer holds as one token."""

import argparse

from compressed_code.commands.tables import FORMATS, print_table

HELP = "Which keywords of which language a tokenizer holds as one token."
TOKENIZER_HELP = (
    "registry key, path (folder, tokenizer.json[.gz], tiktoken, SentencePiece, tekken or GGUF file)"
    " or Hub id OWNER/NAME[@REVISION]"
)


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS

    command = commands.add_parser("coverage", help=HELP, description=HELP)
    command.add_argument("tokenizers", nargs="+", metavar="TOKENIZER", help=TOKENIZER_HELP)
    command.add_argument(
        "--language", nargs="+", action="extend", metavar="NAME", help="keys of data/keywords.yml; default: all twelve"
    )
    command.add_argument("--form", nargs="+", action="extend", choices=tuple(KEYWORD_FORMS), help="default: all four")
    command.add_argument("--format", choices=FORMATS, default="table")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print one row per tokenizer, language and form."""
    import pandas as pd

    from compressed_code.registry.languages import keyword_union, select_languages
    from compressed_code.registry.lookup import find_tokenizer, load_registry
    from compressed_code.tokenizers.coverage import coverage_table
    from compressed_code.tokenizers.files import open_tokenizer
    from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS, vocabulary_table

    registry = load_registry()
    languages = select_languages(options.language)
    specs = [find_tokenizer(name, registry) for name in dict.fromkeys(options.tokenizers)]
    tables = []
    for spec in specs:
        vocabulary = vocabulary_table(open_tokenizer(spec), keyword_union(languages))
        tables.append(coverage_table(vocabulary, languages, list(dict.fromkeys(options.form or KEYWORD_FORMS))))
        tables[-1].insert(0, "tokenizer", spec.key)
    print_table(pd.concat(tables, ignore_index=True), options.format)
