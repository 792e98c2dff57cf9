"""A row of damage holds what each measurement says by itself."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy

from compressed_code.measurements.code_generation import executions
from compressed_code.measurements.cold_start import cold_start_probabilities
from compressed_code.measurements.damage import COLUMNS, COLUMNS_OUT, damages, with_lost_share
from compressed_code.measurements.fidelity import fidelity, task_fidelity
from compressed_code.measurements.tables import measure
from compressed_code.statistics.intervals_and_tests import wilson_interval

BASE, VARIANT = "zoo-xs", "zoo-xs+rtn-3-rows"


@pytest.mark.slow
@pytest.mark.long
def test_a_row_is_what_its_parts_say():
    table = damages(BASE, [VARIANT, "zoo-xs+rtn-3-g128"])  # whose groups divide no row: named and left out
    assert list(table) == [*COLUMNS, *COLUMNS_OUT] and table["model"].tolist() == [VARIANT]
    row = table.iloc[0]
    assert (row["method"], row["base"]) == ("rtn", BASE) and row["bits"] > 3
    base, variant = (cold_start_probabilities(name)["probability"] for name in (BASE, VARIANT))
    assert row["first_token_kl"] == pytest.approx(entropy(base, variant), rel=1e-4)
    for column, of in (("text_kl", fidelity), ("task_kl", task_fidelity)):
        assert row[column] == pytest.approx(measure(of, VARIANT)["kl_nats"].mean(), rel=1e-5)
    both = [measure(executions, name, benchmark="zoo").set_index("task_id") for name in (BASE, VARIANT)]
    before, after = (table.loc[table["tier"] != "ood", "passed"] for table in both)
    counts = (before & after).sum(), (before & ~after).sum(), (~before & after).sum()
    assert tuple(row[["kept", "lost", "gained"]]) == counts
    assert row[list(COLUMNS_OUT)].sum() <= 320


@pytest.mark.slow
def test_solutions_are_read_behind_their_prompts():
    tokens = measure(task_fidelity, VARIANT, benchmark="zoo-standard", tasks=4)
    assert tokens["document"].nunique() == tokens["cluster"].nunique() == 4
    assert tokens["position"].min() > 10 and (tokens.groupby("document", observed=True).size() > 3).all()


def test_the_share_of_lost_programs_has_its_interval_and_none_where_nothing_passed():
    table = pd.DataFrame({"lost": [2, 0], "kept": [8, 0], "ood_lost": [1, 1], "ood_kept": [1, 3]})
    found = with_lost_share(table)
    assert found.loc[0, ["share", "low", "high"]].tolist() == [0.2, *wilson_interval(2, 10)]
    assert np.isnan(found.loc[1, ["share", "low", "high"]].to_numpy(float)).all()
    assert with_lost_share(table, "ood_")["share"].tolist() == [0.5, 0.25]
