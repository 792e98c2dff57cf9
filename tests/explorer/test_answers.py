"""Answers of the explorer: numbers against what the library gives, foreign texts as texts, what is missing named."""

import math
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compressed_code.cold_start.metrics import first_tokens as joined
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import ROOT
from compressed_code.explorer import choices, first_tokens, next_tokens, own_program
from compressed_code.explorer.markup import notice, table_markup
from compressed_code.fidelity.summary import FLIPS
from compressed_code.measurements.cold_start import cold_start_probabilities
from compressed_code.registry.languages import load_languages
from compressed_code.registry.lookup import load_registry
from compressed_code.tokenizers.text_classes import TEXT_CLASSES
from compressed_code.tokenizers.vocabulary import Vocabulary, vocabulary_table

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
PROGRAM = f'def total(prices):\n    note = "{HOSTILE}"\n    return sum(prices)\n'


class Reader(HTMLParser):
    """Elements, attributes and texts of a fragment; an element left open is a fault."""

    VOID = ("img", "br", "meta", "path", "use", "rect")

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(markup)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def tables(self) -> list[list[str]]:
        """Texts of the cells, table by table."""
        found: list[list[str]] = []
        for element, text in self.texts:
            if element == "caption":
                found.append([])
            elif element in ("td", "th"):
                found[-1].append(text)
        return found


def test_top_tokens_are_those_of_the_library(tmp_path):
    shown = first_tokens.answer(first_tokens.FirstTokens(("zoo-xs", "zoo-m")), directory=tmp_path)
    cells = Reader(shown).tables()[0]
    headings, rows = cells[:4], np.array(cells[4:]).reshape(-1, 4)
    assert headings == ["token", "class", "Zoo XS (%)", "Zoo M (%)"] and len(rows) == first_tokens.SHOWN
    for column, model in ((2, "zoo-xs"), (3, "zoo-m")):
        tokens = cold_start_probabilities(model, directory=tmp_path)
        by_bytes = tokens.groupby("bytes")["probability"].sum()
        for token, written in zip(rows[:, 0], rows[:, column], strict=True):
            spelled = token.encode().decode("unicode_escape").encode() if token.strip("·") else b" " * len(token)
            assert float(written) == pytest.approx(100 * by_bytes[spelled], rel=6e-3)
    assert rows[0, 0] == "def"


@pytest.mark.parametrize("view", first_tokens.VIEWS)
@pytest.mark.parametrize(("language", "form"), [("", ""), ("python", "space"), ("rust", "tab")])
def test_every_view_has_an_answer(tmp_path_factory, view, language, form):
    asked = first_tokens.FirstTokens(("zoo-xs", "zoo-s"), "document", language, form, view)
    place = tmp_path_factory.getbasetemp() / "explorer"
    Reader(first_tokens.answer(asked, directory=place))


def test_language_and_form_leave_their_keywords():
    vocabulary = Vocabulary((b"def", b" def", b"fn", b"x", b" fn"), frozenset(), {}, lambda text: [])
    words = {word for language in load_languages().values() for word in language.keywords}
    rows = pd.DataFrame({"token_id": range(5), "log_probability": np.log([0.4, 0.3, 0.1, 0.1, 0.1])})
    tokens = joined(rows, vocabulary_table(vocabulary, words)).assign(model="m")
    left = {
        choice: first_tokens.chosen_tokens(tokens, *choice)["token_id"].tolist()
        for choice in [("", ""), ("python", ""), ("rust", ""), ("rust", "space"), ("", "bare"), ("python", "tab")]
    }
    assert left == {
        ("", ""): [0, 1, 2, 3, 4],
        ("python", ""): [0, 1],
        ("rust", ""): [2, 4],
        ("rust", "space"): [4],
        ("", "bare"): [0, 2],
        ("python", "tab"): [],
    }
    best = first_tokens.best_tokens(tokens, 2)
    assert best[["token", "token_class"]].to_numpy().tolist() == [["def", "keyword"], [" def", "keyword"]]
    assert best["m"].tolist() == pytest.approx([40, 30])


def test_a_difference_needs_two_models_and_a_known_view(tmp_path):
    with pytest.raises(InputError, match="two models"):
        first_tokens.answer(first_tokens.FirstTokens(("zoo-xs",), view="difference"), directory=tmp_path)
    with pytest.raises(InputError, match="distribution"):
        first_tokens.answer(first_tokens.FirstTokens(("zoo-xs",), view="no"), directory=tmp_path)


def test_what_cannot_be_had_is_named_beside_the_rest(tmp_path):
    """zoo-m's 344 columns are no multiple of 32, so that this variant of it does not exist."""
    asked = first_tokens.FirstTokens(("zoo-xs", "zoo-m+rtn-3-g32"))
    shown = Reader(first_tokens.answer(asked, directory=tmp_path))
    assert any("344 columns" in text for element, text in shown.texts if element == "div")
    assert "Zoo XS (%)" in shown.tables()[0]
    with pytest.raises(Unavailable, match="344 columns"):
        first_tokens.answer(first_tokens.FirstTokens(("zoo-m+rtn-3-g32",)), directory=tmp_path)


def test_next_tokens_are_those_of_transformers(tmp_path):
    """Weights, tokenizer, softmax and greedy search of the library itself, in float64 as both are given."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path, text = load_registry().models["zoo-xs"].location, "def add(a, b):\n    return"
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64).eval()
    ids = torch.tensor([[model.config.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)]])
    with torch.inference_mode():
        probabilities = model(ids).logits[0, -1].softmax(-1)
        written = model.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
    largest, best = probabilities.topk(next_tokens.SHOWN)
    asked = next_tokens.NextTokens(("zoo-xs",), text, max_tokens=12)
    shown = Reader(next_tokens.answer(asked, directory=tmp_path))
    rows = np.array(shown.tables()[0][2:]).reshape(-1, 2)
    assert rows[:, 1].astype(float) == pytest.approx(100 * largest.numpy(), rel=6e-3)  # three digits
    assert rows[0, 0].strip("·") in repr(tokenizer.decode(best[0]))
    end = tokenizer.decode(written, skip_special_tokens=True)
    assert "".join(text for element, text in shown.texts if element == "pre") == end


def test_where_texts_part_is_marked(tmp_path):
    """Each model's text is shown whole, and what it has in common with the first one's is not marked."""
    models = ("zoo-s", "zoo-l", "zoo-s-distilled")
    shown = next_tokens.answer(next_tokens.NextTokens(models, "class Stack:\n    def"), directory=tmp_path)
    texts = [unescape(part) for part in re.findall(r"<pre>(.*?)</pre>", shown, re.DOTALL)]
    plain = [re.sub(r"</?mark[^>]*>", "", text) for text in texts]
    assert len(texts) == 3 and "mark" not in texts[0]
    for text, whole in zip(texts[1:], plain[1:], strict=True):
        same = text.partition("<mark")[0]
        assert plain[0].startswith(same)
        assert (len(same) == len(whole)) or whole[len(same)] != plain[0][len(same) : len(same) + 1]


def test_nothing_to_read_and_nothing_before_it_is_told(tmp_path):
    with pytest.raises(Unavailable, match="give a text"):
        next_tokens.answer(next_tokens.NextTokens(("zoo-xs",), "", "none"), directory=tmp_path)
    Reader(next_tokens.answer(next_tokens.NextTokens(("zoo-xs",), "", max_tokens=2), directory=tmp_path))


def test_a_program_is_shown_whole_and_hostile_text_is_text(tmp_path):
    asked = own_program.OwnProgram("zoo-l", "zoo-l+rtn-2-g32", PROGRAM)
    shown = own_program.answer(asked, directory=tmp_path)
    reader = Reader(shown)
    assert {tag for tag, _ in reader.elements} <= {
        *("style", "div", "p", "pre", "mark", "table", "caption", "thead", "tbody", "tr", "th", "td")
    }
    assert all(not name.startswith("on") for _, attributes in reader.elements for name in attributes)
    program = "".join(text for element, text in reader.texts if element in ("pre", "mark"))
    assert re.sub("[·→↵]", "", program).replace(" ", "").startswith(PROGRAM.replace(" ", ""))
    changed = int(re.search(r"first at (\d+) of (\d+) places", shown)[1])
    marks = [attributes for tag, attributes in reader.elements if tag == "mark" and "title" in attributes]
    assert changed == len(marks) > 0


def test_classes_of_a_program_by_hand():
    flips = ["none", "right to wrong", "wrong to wrong", "none"]
    tokens = pd.DataFrame(
        {
            "token_class": pd.Categorical([*TEXT_CLASSES[:1] * 3, TEXT_CLASSES[1]], categories=TEXT_CLASSES),
            "kl_nats": [0.1, 0.5, 0.9, 2.0],
            "same_top": [True, False, False, True],
            "flip": pd.Categorical(flips, categories=FLIPS),
        }
    )
    first, second = own_program.by_class(tokens).itertuples(index=False)
    assert (first.token_class, first.tokens, first.kl_mean_nats, first.flips, first.lost) == (
        TEXT_CLASSES[1],
        1,
        2.0,
        0.0,
        0.0,
    )
    assert math.isclose(second.kl_mean_nats, 0.5)
    assert (second.flips, second.lost) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (own_program.OwnProgram("zoo-l", "zoo-l", "x = 1\n"), "the same"),
        (own_program.OwnProgram("zoo-l", "zoo-s", " \n"), "no program"),
        (own_program.OwnProgram("zoo-l", "no-such-model", "x = 1\n"), "no-such-model"),
        (own_program.OwnProgram("zoo-l", "zoo-s", "x = 1\n", "cobol"), "cobol"),
    ],
)
def test_what_is_wrong_with_a_program_is_told(tmp_path, asked, words):
    with pytest.raises(InputError, match=words):
        own_program.answer(asked, directory=tmp_path)


def test_names_of_models_and_variants():
    assert choices.names_of([], "  a/b \n\n c ", ["", "rtn-4-g32"]) == ("a/b", "a/b+rtn-4-g32", "c", "c+rtn-4-g32")
    for nothing in (([], " \n", [""]), (["zoo-s"], "", [])):
        with pytest.raises(InputError, match="is chosen"):
            choices.names_of(*nothing)


def test_a_path_that_the_file_browser_copied_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = choices.typed_model("data/zoo/zoo-s\n")
    assert Path(name).samefile(ROOT / "data/zoo/zoo-s")
    assert choices.names_of([], "data/zoo/zoo-s", ["", "rtn-4-g32"]) == (name, f"{name}+rtn-4-g32")
    (tmp_path / "data/zoo/zoo-s").mkdir(parents=True)  # what lies here comes first
    assert choices.typed_model("data/zoo/zoo-s") == "data/zoo/zoo-s"


def test_what_is_offered_can_be_had():
    registry = load_registry()
    assert [key for _, key in choices.model_options(registry)] == [
        key for key, row in registry.models.items() if row.path and row.location.exists()
    ]
    assert choices.variant_options()[0][1] == choices.AS_IT_IS
    assert [key for _, key in choices.language_options()[1:]] == list(load_languages())


def test_a_table_escapes_its_cells_and_shades_by_size():
    from compressed_code.comparison.page_tables import digits, page_table

    rows = pd.DataFrame({"token": [HOSTILE, "b"], "share": [4.0, 1.0]})
    markup = table_markup(page_table(rows, HOSTILE, {"token": ("t", None), "share": (HOSTILE, digits)}), shaded=True)
    reader = Reader(markup)
    assert "script" not in {tag for tag, _ in reader.elements}
    grounds = [float(a["style"].split(", ")[-1].rstrip(")")) for _, a in reader.elements if "style" in a]
    assert grounds == [0.6, 0.3]
    assert Reader(notice(HOSTILE)).texts == [("div", HOSTILE)]
