"""What models expect after a text of the reader's own, and what each would write."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from compressed_code.cold_start.metrics import readable
from compressed_code.comparison.page_tables import page_table
from compressed_code.core.paths import RESULTS
from compressed_code.explorer.markup import answer_page, digits, side_by_side, table_markup, told
from compressed_code.measurements.continuations import continuation
from compressed_code.measurements.tables import measure
from compressed_code.registry.lookup import Registry, load_registry, model_labels

SHOWN = 8  # tokens that are named
_ENDS = {"end": "ended by itself", "stop": "ended at a stop", "limit": "cut here"}


@dataclass(frozen=True)
class NextTokens:
    """What is asked.

    Attributes:
        models: names as `registry.lookup.find_model` takes them; the others are held against the first.
        text: what they read.
        context: one of `start_contexts.CONTEXTS`, before the text.
        max_tokens: most tokens that are written.
    """

    models: tuple[str, ...]
    text: str
    context: str = "document"
    max_tokens: int = 48


def answer(asked: NextTokens, *, registry: Registry | None = None, directory: Path = RESULTS) -> str:
    """The answer as HTML; a model that cannot be had is named in it.

    Raises:
        InputError: a model is unknown or broken.
        Unavailable: none of the models can be had.
    """
    registry = registry or load_registry()
    settings = {"text": asked.text, "context": asked.context, "max_tokens": asked.max_tokens}
    with told() as notices:
        tokens = measure(continuation, asked.models, registry=registry, directory=directory, **settings)
    labels = model_labels(dict.fromkeys(tokens["model"]), registry)
    return answer_page(side_by_side(_sections(tokens, labels)), notices)


def where_they_part(first: str, other: str) -> int:
    """How many signs two texts have in common at their beginning.

    Example:
        >>> where_they_part("return a", "return b")
        7
    """
    signs = zip(first, other, strict=False)
    return next((place for place, (one, two) in enumerate(signs) if one != two), min(len(first), len(other)))


def _sections(tokens: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """For each model its most probable tokens and what it writes; from where it leaves the first model, marked."""
    parts = []
    written = tokens.groupby("model", sort=False)["written"].first()
    for model, label in labels.items():
        rows = tokens[tokens["model"] == model]
        rows = rows.head(SHOWN)
        best = pd.DataFrame({"token": [readable(token) for token in rows["bytes"]], "share": 100 * rows["probability"]})
        columns = {"token": ("next token", None), "share": ("probability (%)", digits)}
        text, same = written[model], where_they_part(written.iloc[0], written[model])
        end = _ENDS.get(rows["finish_reason"].iloc[0], "")
        apart = f'<mark class="apart">{escape(text[same:])}</mark>' if same < len(text) else ""
        parts.append(
            table_markup(page_table(best, label, columns))
            + f"<div>{escape(label)} writes, {escape(end)}:</div><pre>{escape(text[:same])}{apart}</pre>"
        )
    return parts
