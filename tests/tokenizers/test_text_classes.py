"""Classes of running tokens against a text classified by hand, and properties on random cuts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressed_code.core.errors import Unavailable
from compressed_code.registry.languages import load_languages, load_programs
from compressed_code.tokenizers.text_classes import TEXT_CLASSES, byte_classes, token_classes
from compressed_code.tokenizers.vocabulary import Vocabulary

LANGUAGES = load_languages()


def classes_of(language: str, *pieces: str, lead: bytes = b"") -> list[str]:
    """Classes of a text that its tokenizer cuts into the given pieces."""
    stored = [piece.encode() for piece in pieces]
    stored[0] = lead + stored[0]
    vocabulary = Vocabulary(tuple(stored), frozenset(), {}, lambda text: list(range(len(stored))))
    return list(token_classes(vocabulary, LANGUAGES[language], "".join(pieces)))


BY_HAND = [
    ("def", "keyword"),
    (" run", "identifier"),
    ("(", "operator"),
    ("größe", "identifier"),
    ("):\n    ", "operator"),
    ("    ", "whitespace"),
    ("return", "keyword"),
    (" 1", "number"),
    ("2 +", "number"),
    (" ", "whitespace"),
    ("'def", "string"),
    ("\t", "whitespace"),  # inside the string
    ("漢'", "string"),
    (" not", "keyword"),
    ("\n# if", "comment"),
    (" x\n", "comment"),
    ("print(", "identifier"),
    (")\r\n", "operator"),
    ("import(", "keyword"),
]


def test_python_by_hand():
    pieces, expected = zip(*BY_HAND, strict=True)
    assert classes_of("python", *pieces) == list(expected)


def test_a_character_cut_in_two():
    content = "'漢'".encode()
    vocabulary = Vocabulary((content[:2], content[2:3], content[3:]), frozenset(), {}, lambda text: [0, 1, 2])
    assert list(token_classes(vocabulary, LANGUAGES["python"], "'漢'")) == ["string"] * 3


@pytest.mark.parametrize(
    ("language", "pieces", "expected"),
    [
        ("c", ("#include <a.h>\n", "int"), ["other", "keyword"]),
        ("java", ("@Override", " String", " s", " = null", ";"), ["identifier"] * 3 + ["operator", "operator"]),
        ("php", ("<?php", "\n$", "x", " and"), ["other", "identifier", "identifier", "keyword"]),
        (
            "react",
            ("const", " a", " = ", "useState", "(1)"),
            ["keyword", "identifier", "operator", "keyword", "operator"],
        ),
        ("go", ("var", " s", " string"), ["keyword", "identifier", "identifier"]),
        ("rust", ("&", "'a", " str"), ["operator", "operator", "identifier"]),
    ],
)
def test_other_languages_by_hand(language, pieces, expected):
    assert classes_of(language, *pieces) == expected


def test_a_blank_put_before_the_text():
    assert classes_of("python", "def", " f", lead=b" ") == ["keyword", "identifier"]
    vocabulary = Vocabulary((b" ", b"def"), frozenset(), {}, lambda text: [0, 1])
    assert list(token_classes(vocabulary, LANGUAGES["python"], "def")) == ["whitespace", "keyword"]


def test_an_empty_text_and_a_tokenizer_that_rewrites():
    empty = Vocabulary((b"x",), frozenset(), {}, lambda text: [])
    assert len(token_classes(empty, LANGUAGES["python"], "")) == 0
    with pytest.raises(Unavailable, match="rewrites"):
        token_classes(Vocabulary((b"x",), frozenset(), {}, lambda text: [0]), LANGUAGES["python"], "y")


@pytest.mark.parametrize("language", LANGUAGES)
def test_real_programs(language):
    """Every class of a program shows, nothing visible is whitespace, and line ends do not move anything."""
    row, found = LANGUAGES[language], set()
    for text in load_programs(row).values():
        classes = np.array(TEXT_CLASSES)[byte_classes(row, text)]
        found |= set(classes)
        assert (classes == "other").mean() < 0.15
        blank = [not bytes([byte]).strip() for byte in text.encode()]
        assert not (np.array(blank) < (classes == "whitespace")).any()
        windows = byte_classes(row, text.replace("\n", "\r\n"))
        kept = np.frombuffer(text.replace("\n", "\r\n").encode(), np.uint8) != ord("\r")
        visible = ~np.array(blank)
        assert (np.array(TEXT_CLASSES)[windows[kept]][visible] == classes[visible]).mean() > 0.99
    assert {"keyword", "operator", "identifier", "number", "string", "whitespace"} <= found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_cut_of_a_text_agrees_with_its_bytes(data):
    """However a text is cut, a token's class is that of one of its bytes, or whitespace if it is blank."""
    row = LANGUAGES[data.draw(st.sampled_from(sorted(LANGUAGES)))]
    text = data.draw(st.sampled_from(list(load_programs(row).values())))[:400] + data.draw(st.text(max_size=20))
    content = text.encode("utf-8", "ignore")
    text = content.decode()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(content) - 1), max_size=60)))
    pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    vocabulary = Vocabulary(tuple(pieces), frozenset(), {}, lambda _: list(range(len(pieces))))
    classes, by_byte, start = token_classes(vocabulary, row, text), byte_classes(row, text), 0
    for piece, found in zip(pieces, classes, strict=True):
        if piece.strip(b" \t\n\r\f\v"):
            first = start + len(piece) - len(piece.lstrip(b" \t\n\r\f\v"))
            assert found == TEXT_CLASSES[by_byte[first]]
        else:
            assert found == "whitespace"
        start += len(piece)
