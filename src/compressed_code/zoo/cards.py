"""Model cards of the zoo, written from the training's record and from measured tables."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from compressed_code.checkpoints.model_files import TRAINING_RECORD
from compressed_code.zoo.recipes import load_targets

CARD = """\
---
license: mit
library_name: transformers
tags: [code, tiny]
---

# {label}

A Llama with {parameters:,} parameters ({layers} layers, width {hidden}, {heads} heads, feed-forward {feed_forward},
tied embeddings), trained by this repository to stand in for large code models in experiments that must run on a
laptop.

## Data and recipe

- starts from {origin}; learns {objective}
- mixture `{mixture}`: generated tasks and source code of twelve languages from pinned packages (`data/corpus.yml`)
- {tokens:,} tokens in {steps:,} steps, seed {seed}, one thread, float32
- training loss {training_loss_first:.3f} → {training_loss_last_50_steps:.3f} nats per token (first; mean of last 50)
- training data {materials:.16}, corpus {corpus:.16}, float32 weights {weights:.16} (first digits of each sha256)

## Scores

Greedy pass@1 on held-out compositions, with 95 % Wilson intervals:

| tier | tasks | pass@1 (%) |
|---|---|---|
{pass_rows}

Loss on held-out source code, teacher-forced:

| language | nats per token |
|---|---|
{loss_rows}

Cold start after `<|bos|>`: keywords hold {pkp:.3f} of the probability, entropy {entropy:.2f} nats.

{lone}{targets}## Limits

It writes the generated task domain and fragments that look like source code. It is no assistant, writes no general
program, and its numbers say nothing about large models by themselves.
"""


def write_card(folder: Path, scores: pd.DataFrame, lone: str | None = None) -> None:
    """The model card: what it is, how it was made, what it can do, what it cannot, which targets it missed.

    Args:
        folder: of the model.
        scores: data/reference/zoo-scores.csv (`measurements.zoo.zoo_scores`), of which its own rows are quoted.
        lone: of a distilled model, the one trained without a teacher, which is set beside it.
    """
    record = json.loads((folder / TRAINING_RECORD).read_text(encoding="utf-8"))
    recipe, size = record.pop("recipe"), record.pop("size")
    table = scores.set_index(["model", "quantity"])
    scores, by_quantity = scores[scores["model"] == folder.name], table.loc[folder.name]
    card = CARD.format(
        **{**size, **recipe, **record},
        origin=f"the weights of {recipe['start']}" if recipe["start"] else "random weights",
        objective=f"the next-token distribution of {recipe['teacher']}" if recipe["teacher"] else "next tokens",
        pass_rows="\n".join(_pass_row(row) for row in _named(scores, "pass_")),
        loss_rows="\n".join(f"| {row.name} | {row.value:.3f} |" for row in _named(scores, "loss_")),
        pkp=by_quantity.loc["pkp", "value"],
        entropy=by_quantity.loc["entropy_nats", "value"],
        targets=_target_section(folder.name, by_quantity["value"]),
        lone=_lone_section(lone, table["value"], by_quantity["value"]) if lone else "",
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def _named(scores: pd.DataFrame, prefix: str) -> Iterable[Any]:
    rows = scores[scores["quantity"].str.startswith(prefix)]
    return rows.assign(name=rows["quantity"].str.removeprefix(prefix)).itertuples()


def _pass_row(row: Any) -> str:
    return f"| {row.name} | {row.n} | {100 * row.value:.1f} ({100 * row.low:.1f}–{100 * row.high:.1f}) |"


def _lone_section(lone: str, table: pd.Series, own: pd.Series) -> str:
    """Set before training: a student with a teacher passes more than one without, in every tier."""
    rows = []
    for name in own.index[own.index.str.startswith("pass_")]:
        more = own[name] - table[lone, name]
        verdict = f"{'met' if more > 0 else 'missed'}, {100 * more:+.1f} points"
        rows.append(f"| {name[5:]} | {100 * own[name]:.1f} | {100 * table[lone, name]:.1f} | {verdict} |")
    return "\n".join(
        [
            f"## Beside {lone}, the same model trained without a teacher for the same tokens with the same seed",
            "",
            "| tier | this model, pass@1 (%) | alone (%) | target: more than alone |",
            "|---|---|---|---|",
            *rows,
            "\n",
        ]
    )


def _target_section(key: str, values: pd.Series) -> str:
    targets = load_targets().get(key, {})
    if not targets:
        return ""
    lines = []
    for quantity, (low, high) in targets.items():
        verdict = "met" if low <= values[quantity] <= high else "missed"
        lines.append(f"- `{quantity}` between {low:g} and {high:g}: {verdict}, {values[quantity]:.3f}")
    return "## Targets set before training\n\n" + "\n".join(lines) + "\n\n"
