"""The long table of a variant says what the measurements say by themselves."""

import pytest
from scipy.stats import entropy

from compressed_code.core.errors import Unavailable
from compressed_code.measurements.code_generation import executions
from compressed_code.measurements.cold_start import cold_start_probabilities
from compressed_code.measurements.fidelity import fidelity, task_fidelity
from compressed_code.measurements.ladder import BASE, COLUMNS, KEYWORDS, METRICS, Scope, divergences, of_rows, programs
from compressed_code.measurements.tables import measure

MODEL, ROW = "zoo-xs", "rtn-3-rows"
SCOPE = Scope(translations=1, benchmark="zoo-standard", solutions=4, tasks=6, max_tokens=60)


@pytest.mark.slow
def test_divergences_are_those_of_their_measurements(tmp_path):
    table = divergences(MODEL, ROW, SCOPE, directory=tmp_path)
    assert tuple(table) == COLUMNS and set(table["row"]) == {ROW} and set(table["method"]) == {"rtn"}
    value = table.set_index(["quantity", "group"])["value"]
    base, variant = (cold_start_probabilities(name)["probability"] for name in (MODEL, f"{MODEL}+{ROW}"))
    assert value["first token", "kl"] == pytest.approx(entropy(base, variant), rel=1e-4)
    tokens = measure(fidelity, f"{MODEL}+{ROW}", translations=1, directory=tmp_path)
    solutions = measure(task_fidelity, f"{MODEL}+{ROW}", benchmark="zoo-standard", tasks=4, directory=tmp_path)
    for quantity, rows in (("text", tokens), ("tasks", solutions)):
        assert value[quantity, "kl_mean_nats"] == pytest.approx(rows["kl_nats"].mean(), rel=1e-5)
        fall = rows["log_probability_base"] - rows["log_probability_candidate"]
        assert value[quantity, "ln_perplexity_ratio"] == pytest.approx(fall.mean(), rel=1e-4)
    flips = 1 - tokens.groupby("token_class", observed=True)["same_top"].mean()
    assert value["class flips"].to_dict() == pytest.approx(flips.to_dict())
    own = divergences(MODEL, BASE, SCOPE, directory=tmp_path).set_index(["quantity", "group"])["value"]
    assert len(own["keyword"]) == KEYWORDS and set(own["first token"].index) == set(METRICS)
    assert own["keyword"].is_monotonic_decreasing and set(value["keyword"].index) == set(own["keyword"].index)
    assert own["keyword"].sum() <= own["first token", "pkp"] + 1e-12


@pytest.mark.slow
def test_programs_are_those_of_the_chosen_tasks(tmp_path):
    table = of_rows(programs, MODEL, [BASE, ROW], SCOPE, directory=tmp_path).set_index(["row", "group"])["value"]
    every = {row: measure(executions, MODEL + row, benchmark="zoo-standard") for row in ("",)}
    chosen = measure(executions, MODEL, benchmark="zoo-standard:6", max_tokens=60, directory=tmp_path)
    assert len(chosen) == 6 and set(chosen["task_id"]) < set(every[""]["task_id"])
    assert table[BASE, "passed"] == pytest.approx(chosen["passed"].mean())
    assert table[BASE, "empty"] == pytest.approx((chosen["completion"].str.strip() == "").mean())
    assert table[ROW, "kept"] + table[ROW, "lost"] == chosen["passed"].sum()


def test_what_cannot_be_made_is_named_and_without_anything_there_is_no_table(capsys):
    with pytest.raises(Unavailable, match="nothing could be measured of zoo-xs"):
        of_rows(divergences, MODEL, ["rtn-3-g128"], SCOPE)
    assert "left out rtn-3-g128" in capsys.readouterr().err
