"""A picture of what a command prints."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from compressed_code.core.atomic_files import check_target, written_whole
from compressed_code.core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png", ".pdf")


def add_figure(command: argparse.ArgumentParser, shows: str) -> None:
    """Declare `--figure`.

    Args:
        shows: what is drawn, for the help.
    """
    command.add_argument("--figure", type=Path, metavar="FILE", help=f"draw {shows}: FILE.svg, .png or .pdf")


def check_figure(path: Path | None, inputs: Iterable[str | Path], *, force: bool) -> None:
    """Say before the work that a figure cannot be written.

    Raises:
        InputError: another kind of file, or one that cannot be written (`check_target`).
    """
    if path is None:
        return
    if path.suffix not in FORMATS:
        raise InputError(f"--figure {path}: no picture of this kind; {', '.join(FORMATS)} are")
    check_target(path, inputs, "--figure", force)


def write_figure(draw: "Callable[[], Figure]", path: Path, alt: str) -> None:
    """Draw in the style of the repository's figures and write the file whole.

    Args:
        draw: of `compressed_code.charts`.
        alt: what a reader who cannot see it needs to know; it is the title inside an SVG.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from compressed_code.charts.style import STYLE

    metadata = {".svg": {"Date": None, "Title": alt}, ".png": {"Title": alt}, ".pdf": {"Title": alt}}[path.suffix]
    with mpl.rc_context({**STYLE, "text.parse_math": False}):
        figure = draw()
        with written_whole(path) as part:
            figure.savefig(part, format=path.suffix[1:], metadata=metadata)
        plt.close(figure)
