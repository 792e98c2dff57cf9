"""The tiny models with their scores and cards, and every model and tokenizer that has a name."""

from pathlib import Path

import pandas as pd

from compressed_code.registry.lookup import Registry, load_registry
from site_pages.markup import contents, escape, link, page, table
from site_pages.stage import Stage

# Quantity of the table of scores → how a column shows it.
_SCORES = {
    "pass_standard": ("standard, % right", 100, 1),
    "pass_hard": ("hard, % right", 100, 1),
    "pass_ood": ("unfamiliar, % right", 100, 1),
    "loss_python": ("loss on Python, nats", 1, 3),
    "pkp": ("keywords at the cold start", 1, 3),
    "entropy_nats": ("entropy at the cold start, nats", 1, 2),
}


def write_models(root: Path, stage: Stage) -> None:
    """Write the page of models and tokenizers; the cards are documents of their own."""
    registry = load_registry(root / "data" / "models.yml")
    cards = {path.parent.name: path.relative_to(root) for path in sorted(root.glob("data/zoo/*/README.md"))}
    scores = pd.read_csv(root / "data" / "reference" / "zoo-scores.csv")
    wide = scores.pivot(index="model", columns="quantity", values="value")[list(_SCORES)]
    rows = [
        [link(_label(key, registry), f"/{cards[key].as_posix()}"), *(_shown(row, name) for name in _SCORES)]
        for key, row in wide.iterrows()
        if key in cards
    ]
    intro = "Twelve code models of 0.1 to 3 million parameters were trained for this repository; each has a card."
    header = ["model", *(words for words, _, _ in _SCORES.values())]
    stage.write(
        "models.md",
        page(
            "# Models",
            f"{len(cards)}{intro.removeprefix('Twelve')}",
            table(header, rows),
            "## Every model with a name",
            _named(registry),
            "## Every tokenizer with a name",
            table(["key", "tokenizer"], [[f"`{key}`", escape(row.label)] for key, row in registry.tokenizers.items()]),
            contents(path.with_suffix("").as_posix() for path in cards.values()),
        ),
    )


def _named(registry: Registry) -> str:
    rows = [
        [f"`{key}`", escape(row.label), f"`{row.base_model}`" if row.base_model else ""]
        for key, row in registry.models.items()
    ]
    return table(["key", "model", "base model"], rows)


def _label(key: str, registry: Registry) -> str:
    return registry.models[key].label if key in registry.models else key


def _shown(row: pd.Series, name: str) -> str:
    _, factor, digits = _SCORES[name]
    return f"{row[name] * factor:.{digits}f}"
