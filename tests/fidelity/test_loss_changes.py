"""Changes of loss: by hand, and with texts of one program taken together."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compressed_code.fidelity.loss_changes import document_losses, loss_changes
from compressed_code.statistics.intervals_and_tests import holm


def losses(changes: np.ndarray, pair: str = "a", tokens: int = 10) -> pd.DataFrame:
    """A table of texts: changes[program, language] in nats per token."""
    rows = [
        (pair, f"{language}/{program}", str(program), language, tokens, 5.0, 5.0 + tokens * value)
        for program, row in enumerate(changes)
        for language, value in zip(("c", "go", "rust"), row, strict=False)
    ]
    names = ["pair", "document", "cluster", "language", "tokens", "base_nats", "candidate_nats"]
    return pd.DataFrame(rows, columns=names)


def test_losses_are_summed_over_the_tokens_of_a_text():
    tokens = pd.DataFrame(
        {
            "document": ["c/x", "c/x", "go/x"],
            "cluster": ["x", "x", "x"],
            "language": ["c", "c", "go"],
            "log_probability_base": [-1.0, -2.0, -4.0],
            "log_probability_candidate": [-1.5, -2.5, -3.0],
        }
    )
    found = [list(row) for row in document_losses(tokens).itertuples(index=False)]
    assert found == [["c/x", "x", "c", 2, 3.0, 4.0], ["go/x", "x", "go", 1, 4.0, 3.0]]


def test_change_interval_and_test_take_a_program_with_its_translations_as_one():
    changes = np.random.default_rng(0).normal(0.1, 0.2, (12, 1))
    row = loss_changes(losses(changes)).iloc[0]
    assert row["value"] == pytest.approx(changes.mean()) and (row["texts"], row["clusters"]) == (12, 12)
    assert row["p_value"] == pytest.approx(stats.wilcoxon(changes[:, 0]).pvalue)
    alike = loss_changes(losses(np.repeat(changes, 3, axis=1))).iloc[0]  # three translations that change alike
    assert (alike["texts"], alike["clusters"]) == (36, 12)
    assert alike[["low", "high", "p_value"]].tolist() == pytest.approx(row[["low", "high", "p_value"]].tolist())


def test_tests_of_several_pairs_are_corrected_and_no_change_is_no_evidence():
    rng = np.random.default_rng(1)
    tables = [losses(rng.normal(0.05 * number, 0.1, (10, 2)), name) for number, name in enumerate("abc")]
    found = loss_changes(pd.concat([*tables, losses(np.zeros((10, 2)), "same")]))
    assert found["pair"].tolist() == ["a", "b", "c", "same"]
    assert found["p_holm"].tolist() == holm(found["p_value"].tolist())
    assert found.set_index("pair").loc["same", ["value", "low", "high", "p_value"]].tolist() == [0, 0, 0, 1]
