"""Where the project keeps its things. Every function that reads or writes takes its directory as an argument;
these are the defaults."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "data"
FIGURES = ROOT / "figures"
NOTEBOOKS = ROOT / "notebooks"
BUILD = ROOT / "build"
CUSTOM_FIGURES = BUILD / "custom"  # of runs with other parameters, and of JupyterLab

# What was computed, tables and compressed models. A whole process tree can be given another, empty place for it: that
# is how `make verify` and `make robustness` compute everything anew beside what is there.
COMPUTED_VARIABLE = "COMPRESSED_CODE_COMPUTED"
_computed = os.environ.get(COMPUTED_VARIABLE)
RESULTS = Path(_computed).resolve() / "results" if _computed else DATA / "results"
VARIANTS = Path(_computed).resolve() / "variants" if _computed else BUILD / "variants"
