"""Fertility against a fixture counted by hand, and alignment on random text."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.core.errors import Unavailable
from compressed_code.registry.languages import load_languages, load_programs
from compressed_code.statistics.intervals_and_tests import ratio_interval
from compressed_code.tokenizers.fertility import (
    FERTILITY_MEASURES,
    fertility_table,
    program_counts,
    relative_cost,
    split_text,
    token_spans,
)
from compressed_code.tokenizers.vocabulary import Vocabulary


def vocabulary_of(pieces, lead=b""):
    """A tokenizer that always cuts its text into the given pieces."""
    tokens = (lead + pieces[0], *pieces[1:])
    return Vocabulary(tokens, frozenset(), {}, lambda text: list(range(len(tokens))))


PROGRAM = "def run(value):\n    # if\n    return val_1 + 'def'\n\n"
PIECES = (
    b"def",
    b" r",
    b"un",
    b"(",
    b"value",
    b"):\n",
    b"   ",
    b" # if\n",
    b"    ",
    b"ret",
    b"urn",
    b" val",
    b"_1",
    b" + 'def'",
    b"\n",
    b"\n",
)


def test_program_counted_by_hand():
    counts = program_counts(vocabulary_of(PIECES), load_languages()["python"], PROGRAM)
    assert counts == {
        "bytes": len(PROGRAM),
        "lines": 3,
        "tokens": 16,
        "indentation_tokens": 2,  # "   " and "    "; " # if" holds more than whitespace
        "keywords": 2,  # def and return; the words in the comment and the string do not count
        "keyword_tokens": 3,
        "whole_keywords": 1,
        "identifiers": 3,  # run, value, val_1
        "identifier_tokens": 5,
        "whole_identifiers": 1,  # value
    }


def test_a_blank_put_before_the_text_is_cut_off():
    plain, led = vocabulary_of(PIECES), vocabulary_of(PIECES, lead=b" ")
    np.testing.assert_array_equal(token_spans(plain, PROGRAM), token_spans(led, PROGRAM))


def test_a_tokenizer_that_rewrites_its_text_is_refused():
    with pytest.raises(Unavailable, match="rewrites"):
        token_spans(vocabulary_of((b"DEF",)), "def")


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=20))
def test_spans_cover_the_text_without_gaps(pieces):
    text = b"".join(pieces).decode("latin-1")  # ASCII or not, every character is some bytes
    cut = [piece.decode("latin-1").encode() for piece in pieces]
    spans = token_spans(vocabulary_of(tuple(cut)), text)
    assert spans[0, 0] == 0 and spans[-1, 1] == len(text.encode())
    assert (spans[1:, 0] == spans[:-1, 1]).all()


def test_a_one_token_per_byte_tokenizer_costs_what_bytes_cost():
    vocabulary = Vocabulary(tuple(bytes([b]) for b in range(256)), frozenset(), {}, lambda text: list(text.encode()))
    for language in load_languages().values():
        for text in load_programs(language).values():
            counts = program_counts(vocabulary, language, text)
            assert counts["tokens"] == counts["bytes"] == len(text.encode())
            assert counts["keyword_tokens"] >= counts["keywords"]
            assert counts["lines"] == sum(bool(line.strip()) for line in text.splitlines())
            indents = sum(len(line) - len(line.lstrip()) for line in text.splitlines() if line.strip())
            assert counts["indentation_tokens"] == indents


def test_every_language_has_the_same_programs_and_its_keywords_are_found():
    languages = load_languages().values()
    names = {language.key: list(load_programs(language)) for language in languages}
    assert len(set(map(tuple, names.values()))) == 1
    assert len(names["python"]) >= 15
    byte_tokenizer = Vocabulary(
        tuple(bytes([b]) for b in range(256)), frozenset(), {}, lambda text: list(text.encode())
    )
    for language in languages:
        counts = [program_counts(byte_tokenizer, language, text) for text in load_programs(language).values()]
        assert sum(count["keywords"] for count in counts) >= 40, language.key
        assert sum(count["identifiers"] for count in counts) >= 300, language.key


def test_fertility_is_a_ratio_of_sums():
    numbers = {"tokens": [10, 30] * 4, "lines": [5, 5] * 4, "bytes": [40, 80] * 4}
    counts = pd.DataFrame({"tokenizer": "t", "language": "x", **numbers})
    for column in {name for pair in FERTILITY_MEASURES.values() for name in pair} - set(counts):
        counts[column] = [1, 2] * 4
    table = fertility_table(counts, ["tokenizer", "language"]).set_index("measure")
    assert list(table.index) == list(FERTILITY_MEASURES)
    assert table.loc["tokens per line", "value"] == 4
    assert table.loc["bytes per token", "value"] == 3
    # departures (10 − 4·5)/5 and (30 − 4·5)/5: −2 and 2; deviation 2·√(8/7), error that over √8; t(0.975) at seven
    # degrees of freedom 2.3646, and so even a table does not ask for much more
    low, high = table.loc["tokens per line", ["low", "high"]]
    student = 2.3646 * 2 / 7**0.5
    assert low + high == pytest.approx(8)
    assert student <= (high - low) / 2 < 1.3 * student
    assert (table["programs"] == 8).all()


def test_costs_are_compared_on_the_same_programs():
    rows = [("a", "x", 10), ("b", "x", 20), ("a", "y", 30), ("b", "y", 60), ("b", "z", 7)]  # z: a is missing
    counts = pd.DataFrame(rows, columns=["tokenizer", "program", "tokens"]).assign(language="go")
    (row,) = relative_cost(counts, "a", ["language"]).to_dict("records")
    assert (row["tokenizer"], row["language"], row["programs"]) == ("b", "go", 2)
    assert row["value"] == 2  # twice in each program, however long it is
    assert np.isnan([row["low"], row["high"]]).all()  # of two programs
    (whole,) = relative_cost(counts, "a", []).to_dict("records")
    assert (whole["tokenizer"], whole["value"], whole["programs"]) == ("b", 2, 2)
    assert relative_cost(counts, "c", []).empty


def test_a_text_is_cut_where_its_tokens_end():
    vocabulary = Vocabulary((b"de", b"f", b" \xc3", b"\xa9"), frozenset(), {}, lambda text: [0, 1, 2, 3])
    assert split_text(vocabulary, "def é") == ["de", "f", " �", "�"]


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        below = rng.poisson(20, size=200) + 1
        above = rng.poisson(2.0 * below)
        _, low, high = ratio_interval(above, below, seed=0, resamples=400)
        covered += low <= 2.0 <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_interval_refuses_what_has_no_ratio():
    for above, below in (([], []), ([1], [0]), ([1, 2], [1])):
        with pytest.raises(ValueError, match=r"denominators"):
            ratio_interval(above, below, seed=0)
    assert ratio_interval([3], [2], seed=0) == (1.5, 1.5, 1.5)
