"""Keep what libraries say to themselves off the terminal and out of notebooks."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide a library's progress bars, warnings and advice; errors are raised as ever."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    silent = io.StringIO()
    try:
        with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent), _without_transformers_bars():
            yield
    finally:
        logging.disable(previous)


@contextlib.contextmanager
def _without_transformers_bars() -> Iterator[None]:
    """In a notebook its bars are widgets, which no stream carries; afterwards they are as the user had them."""
    library = sys.modules.get("transformers.utils.logging")
    shown = library is not None and library.is_progress_bar_enabled()
    if shown:
        library.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            library.enable_progress_bar()
