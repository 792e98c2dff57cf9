"""How a command introduces itself: what it does, its arguments, and examples that can be typed as they stand."""

import argparse
from collections.abc import Sequence


class _ExamplesAsTheyAre(argparse.RawDescriptionHelpFormatter):
    """Wraps texts as ever, but the lines of examples; by its base the site knows that their lines count."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return text
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


def declare(
    commands: argparse._SubParsersAction, name: str, summary: str, examples: Sequence[str], description: str = ""
) -> argparse.ArgumentParser:
    """A command's parser; its examples stand at the end of `--help`, and a test runs them.

    Args:
        summary: one sentence, for the list of commands.
        examples: what follows the program's name.
        description: for its own help; by default the summary.
    """
    lines = "\n".join(f"  compressed-code {example}" for example in examples)
    return commands.add_parser(
        name,
        help=summary,
        description=description or summary,
        epilog=f"examples:\n{lines}",
        formatter_class=_ExamplesAsTheyAre,
    )
