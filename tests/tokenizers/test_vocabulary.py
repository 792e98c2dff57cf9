"""Token classes partition every vocabulary; keyword forms are exact bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.registry.languages import keyword_union, load_languages
from compressed_code.registry.lookup import load_registry
from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS, TOKEN_CLASSES, Vocabulary, classify, vocabulary_table

KEYWORDS = keyword_union(load_languages().values())


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (b"def", ("keyword", "def", "bare")),
        (b" def", ("keyword", "def", "space")),
        (b"\ndef", ("keyword", "def", "newline")),
        (b"\tdef", ("keyword", "def", "tab")),
        (b"    def", ("keyword", "def", "other")),
        (b"defer", ("keyword", "defer", "bare")),  # Go
        (b"Def", ("word", None, None)),
        (b"def ", ("mixed", None, None)),
        (b"define", ("word", None, None)),
        (" größe".encode(), ("word", None, None)),
        ("漢字".encode(), ("word", None, None)),
        (b"    \n", ("whitespace", None, None)),
        (b"):\n", ("operator", None, None)),
        (b" +=", ("operator", None, None)),
        ("→".encode(), ("operator", None, None)),
        (b"2024", ("digits", None, None)),
        (b" 7", ("digits", None, None)),
        (b"x1", ("mixed", None, None)),
        (b".append", ("mixed", None, None)),
        (b"__init__", ("mixed", None, None)),
        (b"__", ("mixed", None, None)),
        (b"\xe6\xbc", ("incomplete", None, None)),
        (b"\x00", ("control", None, None)),
        (b"", ("mixed", None, None)),
        (None, ("padding", None, None)),
    ],
)
def test_classes_of_single_tokens(token, expected):
    assert classify(token, KEYWORDS) == expected


@given(st.binary(max_size=12))
def test_every_byte_string_has_exactly_one_class(token):
    token_class, keyword, form = classify(token, KEYWORDS)
    assert token_class in TOKEN_CLASSES
    assert (token_class == "keyword") == (keyword is not None) == (form is not None)
    if form in KEYWORD_FORMS:
        assert token == (KEYWORD_FORMS[form] + keyword).encode()


@given(st.lists(st.none() | st.binary(max_size=6), min_size=1, max_size=40), st.sets(st.integers(0, 39)))
def test_classes_partition_a_vocabulary(tokens, added):
    vocabulary = Vocabulary(tuple(tokens), frozenset(added), {}, list)
    table = vocabulary_table(vocabulary, KEYWORDS)
    assert table["token_class"].value_counts().sum() == len(tokens)
    assert table["token_id"].tolist() == list(range(len(tokens)))
    blank = [bool(token) and token.decode("utf-8", "replace").isspace() for token in tokens]
    expected = ["whitespace" if white else "control" for white in blank]
    assert all(table["token_class"][i] == expected[i] for i in table.index[table["added"]])


def test_the_shortcut_for_words_agrees_with_the_general_pattern():
    from compressed_code.tokenizers.vocabulary import _SHAPE

    for text in ("word", " Wort", "漢字", "naïve", "ª", "ʰ", "\u0301", "a\u0301"):
        match = _SHAPE.fullmatch(text)
        assert (match.lastgroup if match else "mixed") == classify(text.encode(), ())[0]


@pytest.mark.parametrize("key", list(load_registry().tokenizers))
def test_classes_partition_every_registered_tokenizer(open_packaged, key):
    vocabulary = open_packaged(key)
    table = vocabulary_table(vocabulary, KEYWORDS)
    assert table["token_class"].value_counts().sum() == len(vocabulary)
    assert not table["token_class"].isin(["padding"]).any()
