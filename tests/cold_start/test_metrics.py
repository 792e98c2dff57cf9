"""Metrics against a distribution worked out by hand, and properties that must hold for any."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.cold_start.metrics import (
    class_masses,
    entropy,
    first_tokens,
    keyword_masses,
    language_masses,
    load_english_words,
    metric_table,
    tokens_holding,
    top_tokens,
)
from compressed_code.core.errors import InputError
from compressed_code.registry.languages import keyword_union, select_languages
from compressed_code.tokenizers.vocabulary import Vocabulary, vocabulary_table

LANGUAGES = select_languages(["python", "go"])
KEYWORDS = keyword_union(LANGUAGES)
# id: token, probability
TOKENS = [
    (b"<s>", 0.02),
    (b"def", 0.30),
    (b" def", 0.05),
    (b"func", 0.08),
    (b"#", 0.25),
    (b"\n", 0.10),
    (b"The", 0.03),
    (b" the", 0.02),
    (b"zebra", 0.05),
    (b"x_", 0.06),
]
PADDING = 0.04


@pytest.fixture
def tokens():
    vocabulary = Vocabulary(tuple(token for token, _ in TOKENS), frozenset({0}), {}, lambda text: [])
    probabilities = [p for _, p in TOKENS] + [PADDING / 2] * 2
    distribution = pd.DataFrame({"token_id": range(12), "log_probability": np.log(np.float32(probabilities))})
    return first_tokens(distribution, vocabulary_table(vocabulary, KEYWORDS))


def test_metrics_by_hand(tokens):
    table = metric_table(tokens, LANGUAGES, {"the", "of"}).set_index("metric")
    expected = {
        "pkp": 0.43,
        "pkp_bare": 0.38,
        "stp": 0.35,
        "stp_punctuation": 0.25,
        "kap": 0.43 / len(KEYWORDS),
        "nlp": 0.05,
        "padding": 0.04,
        "control": 0.02,
        "keyword_tokens_80": 2,  # .30 + .08 of .43
        "keyword_tokens_90": 3,
        "symbol_tokens_80": 2,
        "symbol_tokens_85": 2,
    }
    assert table["value"][list(expected)].to_dict() == pytest.approx(expected, abs=1e-7)
    kept = 1 - 0.06
    assert table.loc["pkp", "renormalised"] == pytest.approx(0.43 / kept, abs=1e-7)
    probabilities = [p for _, p in TOKENS] + [PADDING / 2] * 2
    assert table.loc["entropy_nats", "value"] == pytest.approx(-sum(p * math.log(p) for p in probabilities), abs=1e-6)
    renormalised = [p / kept for token, p in TOKENS if token != b"<s>"]
    by_hand = -sum(p * math.log(p) for p in renormalised)
    assert table.loc["entropy_nats", "renormalised"] == pytest.approx(by_hand, abs=1e-6)


def test_masses_by_class_language_and_keyword(tokens):
    classes = class_masses(tokens).set_index("token_class")["probability"]
    assert classes.sum() == pytest.approx(1, abs=1e-6)
    assert classes["keyword"] == pytest.approx(0.43) and classes["padding"] == pytest.approx(0.04)
    masses = language_masses(tokens, LANGUAGES).set_index(["language", "form"])
    assert masses.loc[("python", "bare"), "probability"] == pytest.approx(0.30)
    assert masses.loc[("python", "space"), "probability"] == pytest.approx(0.05)
    assert masses.loc[("go", "bare")].tolist() == pytest.approx([0.08, 1])
    assert masses.loc[("go", "tab")].tolist() == [0, 0]
    assert keyword_masses(tokens).to_dict("list")["keyword"] == ["def", "func"]
    assert top_tokens(tokens, 3)[["rank", "bytes"]].to_numpy().tolist() == [[1, b"def"], [2, b"#"], [3, b"\n"]]


def test_a_tokenizer_wider_than_the_logits_is_refused():
    vocabulary = vocabulary_table(Vocabulary((b"a", b"b", b"c"), frozenset(), {}, lambda text: []), KEYWORDS)
    distribution = pd.DataFrame({"token_id": [0, 1], "log_probability": np.log(np.float32([0.5, 0.5]))})
    with pytest.raises(InputError, match="3 entries but the output layer 2 rows"):
        first_tokens(distribution, vocabulary)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.01, 1))
def test_tokens_holding_is_the_smallest_number_that_reaches_the_share(weights, share):
    values = np.array(weights)
    count = tokens_holding(values, share)
    ordered = np.sort(values)[::-1]
    if values.sum() == 0:
        assert count == 0
    else:
        assert ordered[:count].sum() >= share * values.sum() * (1 - 1e-12)
        assert count == 1 or ordered[: count - 1].sum() <= share * values.sum() * (1 + 1e-12)


@given(st.integers(1, 50))
def test_entropy_of_equal_probabilities_is_the_logarithm_of_their_number(count):
    assert entropy(np.full(count, 1 / count)) == pytest.approx(math.log(count), abs=1e-12)
    assert entropy(np.array([1.0, 0.0])) == 0


def test_the_control_words_are_english_and_no_keyword(tmp_path):
    words = load_english_words()
    assert len(words) == 128 and {"the", "what"} <= words
    assert not words & keyword_union(select_languages(None))
    (tmp_path / "words.txt").write_text("# nothing\n")
    with pytest.raises(InputError, match="holds no word"):
        load_english_words(tmp_path / "words.txt")
