"""One progress bar for long work: drawn where somebody watches, a terminal or a notebook, and nowhere else.

tqdm takes a notebook's kernel for a file, since its output is no terminal, and stays silent there. In a kernel its
notebook form is taken instead, which shows what is done, what is left and how long that takes. A kernel that nobody
watches, as those that run notebooks headless, says so with tqdm's own variable, TQDM_DISABLE.
"""

import os
import sys
from collections.abc import Iterable
from typing import Any

import tqdm as bars

SILENT_VARIABLE = "TQDM_DISABLE"


def progress_bar(items: Iterable[Any] | None = None, **options: Any) -> bars.tqdm:
    """tqdm's bar in the form that suits the place; it is gone when the work is done.

    Args:
        items: what is gone through; without it, `total` is given and the bar's `update` is called.
        options: of `tqdm.tqdm`; `disable=True` shows none anywhere.
    """
    options = {"leave": False, **options}
    if not in_notebook():
        return bars.tqdm(items, **{"disable": None, **options})
    from tqdm.notebook import tqdm_notebook

    silent = os.environ.get(SILENT_VARIABLE, "") not in ("", "0")
    return tqdm_notebook(items, **{**options, "disable": bool(options.get("disable")) or silent})


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; IPython is not imported to find out."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")
