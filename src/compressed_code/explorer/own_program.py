"""A program of the reader's own, read by two models, with every token marked that they no longer agree on."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from compressed_code.comparison.page import MARKS, shown
from compressed_code.comparison.page_tables import page_table, percent, whole
from compressed_code.comparison.passages import MarkedToken, marked_tokens
from compressed_code.core.errors import InputError
from compressed_code.core.paths import RESULTS
from compressed_code.explorer.markup import answer_page, digits, paragraph, table_markup, told
from compressed_code.measurements.fidelity import text_fidelity
from compressed_code.measurements.subjects.pairs import AGAINST
from compressed_code.measurements.tables import measure
from compressed_code.registry.languages import select_languages
from compressed_code.registry.lookup import Registry, find_tokenizer, load_registry, model_labels, tokenizer_name
from compressed_code.tokenizers.files import open_tokenizer

NAME = "program"


@dataclass(frozen=True)
class OwnProgram:
    """What is asked.

    Attributes:
        base, candidate: names as `registry.lookup.find_model` takes them.
        program: the text that both read.
        language: key of the language that it is in.
    """

    base: str
    candidate: str
    program: str
    language: str = "python"


def answer(asked: OwnProgram, *, registry: Registry | None = None, directory: Path = RESULTS) -> str:
    """The program with its changed tokens, and the numbers by class of token, as HTML.

    Raises:
        InputError: there is no program, the language or a model is unknown, a model is broken, both are one, or their
            vocabularies differ.
        Unavailable: a model cannot be had.
    """
    if not asked.program.strip():
        raise InputError("there is no program; type one")
    if asked.base == asked.candidate:
        raise InputError("both models are the same; choose another variant")
    registry = registry or load_registry()
    select_languages([asked.language])
    texts = [[asked.language, NAME, asked.program, ""]]
    pair = f"{asked.candidate}{AGAINST}{asked.base}"
    with told() as notices:
        tokens = measure(text_fidelity, pair, registry=registry, directory=directory, texts=texts)
    vocabulary = open_tokenizer(find_tokenizer(tokenizer_name(asked.base, registry), registry))
    labels = model_labels([asked.base, asked.candidate], registry)
    marked = marked_tokens(tokens.sort_values("position", kind="stable"), vocabulary)
    parts = _counts(tokens, labels[asked.base], labels[asked.candidate]) + _program(marked) + _legend()
    return answer_page(parts + table_markup(page_table(by_class(tokens), "By class of token", _CLASS_COLUMNS)), notices)


def by_class(tokens: pd.DataFrame) -> pd.DataFrame:
    """Divergence and flips by class of token.

    Args:
        tokens: `fidelity.pair.token_fidelity` of one pair.

    Returns:
        Columns `token_class`, `tokens`, `kl_mean_nats`, `flips` (share of tokens whose most probable one changed),
        `lost` (of them those that were right before), the largest divergence first.
    """
    grouped = tokens.groupby("token_class", observed=True)
    table = pd.DataFrame(
        {
            "tokens": grouped.size(),
            "kl_mean_nats": grouped["kl_nats"].mean(),
            "flips": 1 - grouped["same_top"].mean(),
            "lost": (tokens["flip"] == "right to wrong").groupby(tokens["token_class"], observed=True).mean(),
        }
    )
    return table.sort_values("kl_mean_nats", ascending=False, kind="stable").rename_axis("token_class").reset_index()


_CLASS_COLUMNS = {
    "token_class": ("class", None),
    "tokens": ("tokens", whole),
    "kl_mean_nats": ("KL (nats)", digits),
    "flips": ("other top token", percent),
    "lost": ("right before, wrong now", percent),
}


def _counts(tokens: pd.DataFrame, base: str, candidate: str) -> str:
    changed = (~tokens["same_top"]).sum()
    return paragraph(
        f"{candidate} puts another token first at {changed} of {len(tokens)} places than {base}."
        f" Mean KL({base}‖{candidate}) is {digits(tokens['kl_nats'].mean())} nats per token."
    )


def _program(marked: tuple[MarkedToken, ...]) -> str:
    return f"<pre>{''.join(map(_token, marked))}</pre>"


def _token(token: MarkedToken) -> str:
    if token.flip not in MARKS:
        return escape(token.text)
    kind, meaning = MARKS[token.flip]
    words = (
        f"{meaning}: base {token.base!r}, candidate {token.candidate!r}; KL {token.kl_nats:.3g} nats,"
        f" probability of this token {token.change:+.3g}"
    )
    return f'<mark class="{kind}" title="{escape(words)}">{escape(shown(token))}</mark>'


def _legend() -> str:
    keys = "; ".join(f'<mark class="{kind}">{escape(meaning)}</mark>' for kind, meaning in MARKS.values())
    return f"<p>{keys}. Point at a marked token to see what each model puts first.</p>"
