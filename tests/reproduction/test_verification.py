"""A verification agrees when nothing is wrong, and each kind of fault alone is enough that it does not."""

import pandas as pd
import pytest

from compressed_code.reproduction.figure_comparison import Comparison
from compressed_code.reproduction.verification import Verification


def found(**changed) -> Verification:
    """A verification without fault but for what is given: of cells, of files, of claims, or of its own fields."""
    cells = pd.DataFrame({"file": ["08-a.csv"], "column": ["n"], "identical": [3], "within": [1], "different": [0]})
    files = pd.DataFrame({"file": ["08-a.csv", "08-a.svg"], "verdict": ["identical", "missing"]})  # an SVG may differ
    cells["different"] = changed.pop("different", 0)
    files.loc[0, "verdict"] = changed.pop("file", "identical")
    claims = pd.DataFrame({"verdict": ["holds", "not checked", changed.pop("claim", "holds")]})
    comparison = Comparison(cells, pd.DataFrame(), files)
    fields = {"failed": {}, "references": (), "recorded": pd.DataFrame(), "beside_boundary": 0, **changed}
    return Verification(comparison, claims, **fields)


def test_it_agrees_when_nothing_is_wrong():
    assert found().agrees and found(file="differs").agrees  # whose cells are all within their tolerance


@pytest.mark.parametrize(
    "fault",
    [
        {"different": 1},
        {"file": "missing"},
        {"file": "surplus"},
        {"claim": "does not hold"},
        {"failed": {"08-x": "ValueError"}},
        {"references": ["scores.csv: is not as declared"]},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_one_fault_is_enough(fault):
    assert not found(**fault).agrees
