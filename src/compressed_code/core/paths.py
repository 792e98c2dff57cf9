"""Where the project keeps its things. Every function that reads or writes takes its directory as an argument;
these are the defaults.

In a checkout everything lies in it. From a wheel, what is read lies inside the package, where the build has copied it,
and what is written goes to the user's cache.
"""

import os
from pathlib import Path

from platformdirs import user_cache_path

from compressed_code.core.errors import InputError

_CHECKOUT = Path(__file__).resolve().parents[3]
_SHIPPED = Path(__file__).resolve().parents[1] / "_shipped"
ROOT = _SHIPPED if _SHIPPED.is_dir() else _CHECKOUT  # what paths of rows start from
_WRITTEN = user_cache_path("compressed-code") if _SHIPPED.is_dir() else _CHECKOUT


def require_checkout(what: str) -> None:
    """Say that something works in a checkout of the repository only; it writes or runs files that a wheel has not.

    Args:
        what: the command or thing, as the user names it.

    Raises:
        InputError: this is no checkout.
    """
    if _SHIPPED.is_dir():
        raise InputError(
            f"{what}: needs a checkout of the repository, and this is an installed package ({_SHIPPED.parent}); "
            "clone the repository and run it there"
        )


DATA = ROOT / "data"
FIGURES = _WRITTEN / "figures"
NOTEBOOKS = ROOT / "notebooks"
BUILD = _WRITTEN / "build"
CUSTOM_FIGURES = BUILD / "custom"  # of runs with other parameters, and of JupyterLab

# What was computed, tables and compressed models. A whole process tree can be given another, empty place for it: that
# is how `make verify` and `make robustness` compute everything anew beside what is there.
COMPUTED_VARIABLE = "COMPRESSED_CODE_COMPUTED"
_computed = os.environ.get(COMPUTED_VARIABLE)
RESULTS = Path(_computed).resolve() / "results" if _computed else _WRITTEN / "data" / "results"
VARIANTS = Path(_computed).resolve() / "variants" if _computed else BUILD / "variants"
