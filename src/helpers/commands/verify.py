"""`verify`: what `make verify` runs."""

import argparse

HELP = "Compute everything anew and compare it with what is committed, number by number."
DIFFERS = 1


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = commands.add_parser("verify", help=HELP, description=HELP)
    command.add_argument(
        "--notebook", nargs="+", action="extend", default=[], metavar="NN", help="these notebooks only; default: all"
    )
    command.add_argument("--resume", action="store_true", help="keep what an interrupted verification has computed")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the report; exit code 1 where anything differs."""
    from helpers.verification import VERIFY, verify
    from helpers.verification_report import report

    found = verify(options.notebook, resume=options.resume, say=lambda line: print(line, flush=True))
    recorded = VERIFY / "recorded.csv"
    found.recorded.to_csv(recorded, index=False, lineterminator="\n")
    print(f"\n{report(found)}\n\nevery recorded number of the authors, with its verdict: {recorded}")
    if not found.agrees:
        raise SystemExit(DIFFERS)
