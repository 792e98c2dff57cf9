"""Where the project keeps its things. Every function that reads or writes takes its directory as an argument;
these are the defaults.

In a checkout everything lies in it. From a wheel, what is read lies inside the package, where the build has copied it,
and what is written goes to the user's cache.
"""

import os
from pathlib import Path

from platformdirs import user_cache_path

_CHECKOUT = Path(__file__).resolve().parents[3]
_SHIPPED = Path(__file__).resolve().parents[1] / "_shipped"
ROOT = _SHIPPED if _SHIPPED.is_dir() else _CHECKOUT  # what paths of rows start from
_WRITTEN = user_cache_path("compressed-code") if _SHIPPED.is_dir() else _CHECKOUT

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
