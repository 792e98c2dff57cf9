"""First tokens, flips and passages by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from compressed_code.cold_start.metrics import first_tokens
from compressed_code.comparison.first_tokens import divergences, first_token_table, moved_tokens
from compressed_code.comparison.passages import worst_passages
from compressed_code.comparison.tokens import by_confidence, flipped_tokens
from compressed_code.fidelity.summary import FLIPS
from compressed_code.tokenizers.text_classes import TEXT_CLASSES
from compressed_code.tokenizers.vocabulary import Vocabulary, vocabulary_table

TOKENS = (b"def", b" x", b"\n", b"(", b"\xff", b"the")
VOCABULARY = Vocabulary(TOKENS, frozenset(), {}, lambda text: [])


def distribution(model: str, probabilities: list[float]) -> pd.DataFrame:
    rows = pd.DataFrame({"token_id": range(len(probabilities)), "log_probability": np.log(probabilities)})
    return first_tokens(rows, vocabulary_table(VOCABULARY, {"def"})).assign(model=model, context="document")


BASE, CANDIDATE = [0.5, 0.1, 0.1, 0.1, 0.1, 0.1], [0.2, 0.1, 0.1, 0.1, 0.1, 0.4]


def test_first_tokens_by_hand():
    both = pd.concat([distribution("base", BASE), distribution("candidate", CANDIDATE)])
    table = first_token_table(both, ["base", "candidate"]).set_index("model")
    assert table.loc["base", ["pkp", "kl_nats", "reverse_kl_nats"]].tolist() == pytest.approx([0.5, 0, 0])
    kl = 0.5 * math.log(0.5 / 0.2) + 0.1 * math.log(0.1 / 0.4)
    reverse = 0.2 * math.log(0.2 / 0.5) + 0.4 * math.log(0.4 / 0.1)
    assert table.loc["candidate", ["pkp", "kl_nats", "reverse_kl_nats"]].tolist() == pytest.approx([0.2, kl, reverse])
    moved = moved_tokens(both, "base", "candidate", 2)
    assert moved["token"].tolist() == ["def", "the"]  # both by 0.3; the order of the tokens decides
    assert moved["change"].tolist() == pytest.approx([-0.3, 0.3])


def test_a_wider_output_layer_is_compared_on_the_rows_that_both_have():
    wider = distribution("candidate", [*(0.9 * p for p in BASE), 0.1])
    found = divergences(distribution("base", BASE), wider)
    assert found["kl_nats"] == pytest.approx(0, abs=1e-9) == found["reverse_kl_nats"]


def test_other_tokens_have_no_divergence():
    other = distribution("candidate", CANDIDATE)
    other.loc[1, "bytes"] = b" y"
    assert math.isnan(divergences(distribution("base", BASE), other)["kl_nats"])


def rows(*tokens: tuple) -> pd.DataFrame:
    """Of (document, token_id, kl, flip, top_base, top_candidate, entropy)."""
    columns = ["document", "token_id", "kl_nats", "flip", "top_base", "top_candidate", "entropy_base_nats"]
    table = pd.DataFrame(tokens, columns=columns)
    table["position"] = table.groupby("document").cumcount()
    table["flip"] = pd.Categorical(table["flip"], categories=FLIPS)
    table["token_class"] = pd.Categorical(["keyword"] * len(table), categories=TEXT_CLASSES)
    return table.assign(same_top=table["flip"] == "none", delta_p=-0.25)


LOST = ("a", 0, 3.0, "right to wrong", 0, 5, 0.01)
KEPT = ("a", 1, 0.5, "none", 1, 1, 0.3)
BREAK = ("a", 2, 0.0, "none", 2, 2, 5.0)


def test_flipped_tokens_by_hand():
    table = flipped_tokens(rows(LOST, KEPT, LOST, BREAK, ("a", 0, 0.1, "none", 0, 0, 0.0)), VOCABULARY)
    (row,) = table.itertuples(index=False)
    assert tuple(row) == ("def", "keyword", 3, 2, "the", 3.0)
    confidence = by_confidence(rows(LOST, KEPT, BREAK)).set_index("confidence")
    assert confidence["tokens"].to_dict() == {"certain": 1, "sure": 1, "guessing": 1}
    assert confidence["flip_fraction"].tolist() == [1, 0, 0]


def test_passages_are_whole_lines_and_the_worst_comes_first():
    calm, line = [KEPT] * 9, [BREAK]
    document = calm + line * 6 + [LOST, *calm] + line * 6 + [("b", 1, 0.1, "none", 1, 1, 0.3)] * 20
    passages = worst_passages(rows(*document), VOCABULARY)
    assert [(one.document, one.first_line, one.flips) for one in passages] == [("a", 7, 1), ("a", 1, 0), ("b", 1, 0)]
    worst = passages[0]
    assert worst.text == "def" + " x" * 9 + "\n" * 6
    assert worst.kl_mean_nats == pytest.approx((3 + 9 * 0.5) / 16)
    assert (worst.tokens[0].base, worst.tokens[0].candidate, worst.tokens[0].flip) == ("def", "the", "right to wrong")


def test_tokens_that_are_no_text_by_themselves_are_shown_as_such():
    (passage,) = worst_passages(rows(*[("a", 4, 1.0, "wrong to right", 4, 4, 1.0)] * 9), VOCABULARY)
    assert passage.text == "\N{REPLACEMENT CHARACTER}" * 9
