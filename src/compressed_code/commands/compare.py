"""`compare`: a model beside the ones that were made from it, in one page."""

import argparse
import json
import sys
from pathlib import Path

from compressed_code.commands.parsers import declare
from compressed_code.core.errors import InputError, printable, readable

HELP = "One page about a compressed model: what was changed, whether the file is sound, and what it does to code."
DESCRIPTION = (
    f"{HELP} Every weight is compared with the base's and with what its stored form should cost; then first tokens,"
    " divergence on programs by token class and language, and, with --benchmark, programs that turn. What has been"
    " measured is stored: one more candidate computes only what is new."
)
MODEL_HELP = "registry key, folder, GGUF file, Hub id OWNER/NAME[@REVISION], or MODEL+QUANTIZATION"
BFLOAT16_HELP = (
    "read the texts with the base in bfloat16, too, on the device that COMPRESSED_CODE_DEVICE names: noise beside which"
    " a candidate stands"
)
EXAMPLES = (
    "compare zoo-xs zoo-xs+rtn-4-g8 zoo-xs+rtn-3-g8 --out report.html",
    "compare zoo-xs zoo-xs+rtn-2-rows --only files weights --format json",
)


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = declare(commands, "compare", HELP, EXAMPLES, DESCRIPTION)
    command.add_argument("base", metavar="BASE", help=MODEL_HELP)
    command.add_argument("candidates", nargs="+", metavar="CANDIDATE", help="compressed models, named in the same way")
    command.add_argument(
        "--text", nargs="+", action="extend", type=Path, metavar="FILE", help="default: programs in twelve languages"
    )
    command.add_argument("--language", metavar="NAME", help="key of data/keywords.yml; default: by each file's ending")
    command.add_argument(
        "--benchmark", metavar="NAME|FILE", help="humaneval, zoo-standard … or a file: write and execute programs, too"
    )
    command.add_argument(
        "--only", nargs="+", metavar="STAGE", help="files, weights, cold-start, texts, programs; default: all of them"
    )
    command.add_argument("--bfloat16", action="store_true", help=BFLOAT16_HELP)
    command.add_argument("--format", choices=("json", "table"), default="table")
    command.add_argument("--out", type=Path, metavar="FILE.html", help="write the whole page there")
    command.add_argument("--force", action="store_true", help="replace the file of --out")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the summary, or everything as JSON, and write the page."""
    from compressed_code.comparison.comparison import STAGES, compare
    from compressed_code.core.atomic_files import check_target, written_whole

    if options.out:
        if options.out.suffix not in (".html", ".htm"):
            raise InputError(f"--out {options.out}: the page is HTML; name a file that ends in .html")
        check_target(options.out, [options.base, *options.candidates, *(options.text or ())], "--out", options.force)
    comparison = compare(
        options.base,
        options.candidates,
        texts=options.text,
        language=options.language,
        benchmark=options.benchmark,
        stages=options.only or STAGES,
        bfloat16=options.bfloat16,
        progress=lambda line: print(f"compressed-code compare: {printable(line)}", file=sys.stderr),
    )
    if options.out:
        with written_whole(options.out) as part:
            part.write_text(comparison.to_html(), encoding="utf-8")
    if options.format == "json":
        written = json.dumps(comparison.to_json(), indent=1, ensure_ascii=False)
        print("".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in written))
    else:
        print(readable(comparison.summary()))
    if options.out:
        print(f"compressed-code compare: {printable(str(options.out))}: the whole page", file=sys.stderr)
