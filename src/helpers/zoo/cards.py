"""Model cards of the zoo, written from the training's record and from measured tables."""

import json
from pathlib import Path

import pandas as pd

from helpers.statistics import wilson_interval
from helpers.zoo.export import TRAINING_FILE

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

| tier | passed | tasks | pass@1 (%) |
|---|---|---|---|
{pass_rows}

Held-out loss on source code:

| language | nats per token | bits per byte |
|---|---|---|
{loss_rows}

Cold start after `<|bos|>`: keywords of the twelve languages hold {pkp:.3f} of the probability. Most probable first
tokens: {first_tokens}.

## Limits

It writes the generated task domain and fragments that look like source code. It is no assistant, writes no general
program, and its numbers say nothing about large models by themselves.
"""


def write_card(folder: Path, passed: pd.DataFrame, loss: pd.DataFrame, first_tokens: pd.DataFrame, pkp: float) -> None:
    """The model card: what it is, how it was made, what it can do, what it cannot.

    Args:
        passed: `zoo_pass` rows of this model.
        loss: `zoo_loss` rows of this model.
        first_tokens: the most probable first tokens, columns `token` and `probability`.
        pkp: probability that the first token is a keyword of one of the twelve languages.
    """
    record = json.loads((folder / TRAINING_FILE).read_text(encoding="utf-8"))
    recipe, size = record.pop("recipe"), record.pop("size")
    card = CARD.format(
        **{**size, **recipe, **record},
        origin=f"the weights of {recipe['start']}" if recipe["start"] else "random weights",
        objective=f"the next-token distribution of {recipe['teacher']}" if recipe["teacher"] else "next tokens",
        pass_rows="\n".join(_pass_row(tier, rows["passed"]) for tier, rows in passed.groupby("tier", sort=False)),
        loss_rows="\n".join(
            f"| {row.language} | {row.nats_per_token:.3f} | {row.bits_per_byte:.3f} |" for row in loss.itertuples()
        ),
        pkp=pkp,
        first_tokens=", ".join(f"`{row.token!r}` {row.probability:.3f}" for row in first_tokens.itertuples()),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def _pass_row(tier: str, passed: pd.Series) -> str:
    low, high = wilson_interval(int(passed.sum()), len(passed))
    interval = f"{100 * passed.mean():.1f} ({100 * low:.1f}–{100 * high:.1f})"
    return f"| {tier} | {passed.sum()} | {len(passed)} | {interval} |"
