"""A claim shows its number against its bound, names what was not measured, and stops nothing."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from compressed_code.reproduction.claims import CLAIM_MIME, Claim
from helpers.claims import Claims, digits_off, report_gaps

ARGUMENTS = {"quantity": "ratio", "because": "1 is no change"}


def verdict(capsys, values, given=True, **bound) -> str:
    capsys.readouterr()
    Claims(given)("a sentence", values, **ARGUMENTS, **bound)
    line = capsys.readouterr().out
    return line.split(":")[0].split(" (")[0]


@pytest.mark.parametrize(
    ("values", "bound", "expected"),
    [
        (2.0, {"above": 1}, "holds"),
        (1.0, {"above": 1}, "does not hold"),
        (1.0, {"at_least": 1}, "holds"),
        ([1.5, 0.5], {"above": 1}, "does not hold"),
        ([3.0, 4.0], {"at_least": 3, "at_most": 4}, "holds"),
        ([3.0, 4.1], {"at_least": 3, "at_most": 4}, "does not hold"),
        (0, {"equals": 0}, "holds"),
        (2.0, {"above": 1, "interval": (0.9, 3.0)}, "does not hold"),
        ([2.0, 3.0], {"above": 1, "interval": ([1.1, 1.2], [3.0, 4.0])}, "holds"),
        ([], {"above": 1}, "not checked"),
        (math.nan, {"above": 1}, "not checked"),
        ([2.0, math.nan], {"above": 1}, "not checked"),
        (2.0, {"above": 1, "interval": (math.nan, 3.0)}, "not checked"),
    ],
)
def test_verdicts(capsys, values, bound, expected):
    assert verdict(capsys, values, **bound) == expected


def test_a_run_that_the_prose_does_not_speak_of_checks_only_what_holds_of_any(capsys):
    assert verdict(capsys, 0.5, given=False, above=1) == "not checked"
    assert verdict(capsys, 0.5, given=False, above=1, always=True) == "does not hold"


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("draws", [True, False])
@pytest.mark.parametrize("always", [True, False])
def test_a_sentence_speaks_where_all_that_it_needs_is_given(given, draws, always, capsys):
    claims = Claims(given, draws=draws)
    claims.condition(rows=True)
    claims("a sentence", 2, above=1, needs=["draws", "rows"], always=always, **ARGUMENTS)
    spoke = capsys.readouterr().out.startswith("holds")
    assert spoke == claims.speaks("draws", "rows", always=always) == ((given or always) and draws)


def test_a_condition_of_no_such_name_is_a_mistake():
    with pytest.raises(ValueError, match="no such condition: drawn; there are: draws"):
        Claims(draws=True)("it grows", 2.0, above=1, needs=["drawn"], **ARGUMENTS)


def test_a_line_carries_number_interval_bound_and_reason(capsys):
    Claims()("it grows", [1.5, 2.25], interval=([1.2, 2.0], [1.8, 2.5]), above=1, **ARGUMENTS)
    said = "holds: it grows · ratio 1.5 … 2.25 (2 values), interval 1.2 … 2.5, above 1 (1 is no change)\n"
    assert capsys.readouterr().out == said


def test_a_claim_without_a_bound_is_a_mistake():
    with pytest.raises(ValueError, match="without a bound: it grows"):
        Claims()("it grows", 2.0, **ARGUMENTS)


@given(some.lists(some.floats(-1e6, 1e6), min_size=1, max_size=5), some.floats(-1e6, 1e6))
def test_exactly_one_of_a_bound_and_its_opposite_holds_of_the_tightest_value(values, limit):
    made = []
    claims = Claims()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("helpers.claims._show", made.append)
        claims("all lie above", values, above=limit, **ARGUMENTS)
        claims("the lowest does not", min(values), at_most=limit, **ARGUMENTS)
    assert {claim.verdict for claim in made} == {"holds", "does not hold"}


def test_a_notebook_gets_the_claim_as_data_and_as_text_that_no_markup_escapes_from():
    claim = Claim("a < b", "holds", "ratio <i>", "2", "above 1", "1 is no change")
    shown = claim._repr_mimebundle_()
    assert json.loads(json.dumps(shown[CLAIM_MIME]))["statement"] == "a < b"
    assert "<i>" not in shown["text/html"] and "a &lt; b" in shown["text/html"]
    assert shown["text/plain"] == "holds: a < b · ratio <i> 2, above 1 (1 is no change)"


def test_numpy_and_pandas_values_are_numbers(capsys):
    assert verdict(capsys, np.float32(2), above=1) == "holds"
    assert verdict(capsys, np.array([[2.0, 3.0]]), above=1) == "holds"


def test_gaps_are_named(capsys):
    report_gaps(["a", "b"], {"a"})
    said = capsys.readouterr().out
    assert "measured 1 of 2: a" in said and "without a value in the figures below: b" in said


@given(some.floats(0.001, 1e4), some.integers(0, 4))
def test_a_rounded_number_is_at_most_half_a_digit_off(value, digits):
    off = digits_off({f"{value:,.{digits}f}": value})
    assert off.shape == (1,) and off[0] <= 0.5 + 1e-6
    assert digits_off({f"{value + 10.0**-digits:,.{digits}f}": value})[0] >= 0.5 - 1e-6
    assert math.isnan(digits_off({"1.0": math.nan})[0])
