"""Scores of the zoo's own models, which their cards quote."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from compressed_code.cold_start.metrics import load_english_words, metric_table
from compressed_code.core.paths import DATA
from compressed_code.measurements.code_generation import executions
from compressed_code.measurements.cold_start import cold_starts, with_tokens
from compressed_code.measurements.subjects.models import ModelSubject
from compressed_code.measurements.tables import for_each, measure, measurement
from compressed_code.models.load import load_model
from compressed_code.registry.languages import select_languages
from compressed_code.statistics.intervals_and_tests import wilson_interval

SCORES_FILE = DATA / "reference" / "zoo-scores.csv"
CORPUS = DATA / "corpus.yml"
HELD_OUT_DOCUMENTS = 40  # per language


@measurement(version=1, subject=ModelSubject(), inputs=[CORPUS], packages=["torch", "transformers"])
def zoo_loss(model: Path) -> pd.DataFrame:
    """Held-out loss by language on the first held-out documents of each (`zoo.held_out.held_out_loss`)."""
    from transformers import AutoTokenizer

    from compressed_code.training_data.corpus import load_corpus
    from compressed_code.zoo.dataset import CONTEXT
    from compressed_code.zoo.held_out import held_out_loss

    texts: dict[str, list[str]] = {}
    for document in load_corpus():
        if document.split == "held-out":
            texts.setdefault(document.language, []).append(document.text)
    chosen = {language: documents[:HELD_OUT_DOCUMENTS] for language, documents in texts.items()}
    return held_out_loss(load_model(model), AutoTokenizer.from_pretrained(model), chosen, CONTEXT)


def zoo_scores(models: Iterable[str]) -> pd.DataFrame:
    """Everything a card says about what models can do.

    Returns:
        Columns `model`, `quantity` ("pass_standard" …: greedy pass@1; "loss_python" …: nats per token on held-out code;
        "pkp", "entropy_nats": cold start), `value`, `low`, `high` (95 % Wilson interval of pass rates, else the value),
        `n` (tasks, tokens, or 1).
    """
    models = list(models)
    passed = measure(executions, models, benchmark="zoo")
    rows = []
    for (model, tier), outcomes in passed.groupby(["model", "tier"], sort=False):
        count, total = int(outcomes["passed"].sum()), len(outcomes)
        rows.append((model, f"pass_{tier}", count / total, *wilson_interval(count, total), total))
    for row in measure(zoo_loss, models).itertuples():
        rows.append((row.model, f"loss_{row.language}", row.nats_per_token, *[row.nats_per_token] * 2, row.tokens))
    tokens = with_tokens(cold_starts(models))
    metrics = for_each(tokens, "model", metric_table, select_languages(None), load_english_words())
    for row in metrics[metrics["metric"].isin(["pkp", "entropy_nats"])].itertuples():
        rows.append((row.model, row.metric, row.value, row.value, row.value, 1))
    return pd.DataFrame(rows, columns=["model", "quantity", "value", "low", "high", "n"])
