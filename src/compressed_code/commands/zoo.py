"""`zoo`: what `make zoo` runs."""

import argparse
from pathlib import Path

HELP = "Train the tiny models of data/zoo.yml that are not there yet, and write their cards."


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments; `--train KEY` is one worker's share."""
    command = commands.add_parser("zoo", help=HELP, description=HELP)
    command.add_argument("--only", metavar="KEY", help="train this model and what it needs")
    command.add_argument("--scores", type=Path, metavar="FILE", help="train nothing; score all models, write the table")
    command.add_argument("--study", action="store_true", help="the further models of the study, into build/study")
    command.add_argument("--train", metavar="KEY", help=argparse.SUPPRESS)
    command.add_argument("--position", type=int, default=0, help=argparse.SUPPRESS)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Build the zoo, score it, or do one worker's share."""
    from compressed_code.core.paths import require_checkout
    from compressed_code.zoo.build import build_study, build_zoo, train_one, write_scores

    if not options.scores:
        require_checkout("training the zoo")
    if options.scores:
        write_scores(options.scores)
    elif options.train:
        train_one(options.train, options.position)
    else:
        trained = (build_study if options.study else build_zoo)(options.only)
        print(f"trained: {', '.join(trained)}" if trained else "every model is up to date, nothing to train")
