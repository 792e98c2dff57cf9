"""Measurements of the zoo's own models, which its model cards quote."""

from pathlib import Path

import pandas as pd

from helpers.measurements import measurement
from helpers.measurements.models import FolderModelSubject
from helpers.project import DATA

BENCHMARKS = DATA / "benchmarks"
CORPUS = DATA / "corpus.yml"
HELD_OUT_DOCUMENTS = 40  # per language


@measurement(version=1, subject=FolderModelSubject(), inputs=[BENCHMARKS], packages=["torch", "transformers"])
def zoo_pass(folder: Path) -> pd.DataFrame:
    """Greedy outcome of every held-out task (`scoring.score_model`)."""
    from helpers.zoo.scoring import load_tasks, score_model

    return score_model(folder, load_tasks(BENCHMARKS))


@measurement(version=1, subject=FolderModelSubject(), inputs=[CORPUS], packages=["torch", "transformers"])
def zoo_loss(folder: Path) -> pd.DataFrame:
    """Held-out loss by language on the first documents of each (`scoring.held_out_loss`)."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from helpers.zoo.corpus import load_corpus
    from helpers.zoo.scoring import held_out_loss
    from helpers.zoo.training import CONTEXT

    torch.set_num_threads(1)
    texts: dict[str, list[str]] = {}
    for document in load_corpus():
        if document.split == "held-out":
            texts.setdefault(document.language, []).append(document.text)
    chosen = {language: documents[:HELD_OUT_DOCUMENTS] for language, documents in texts.items()}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return held_out_loss(model, AutoTokenizer.from_pretrained(folder), chosen, CONTEXT)


@measurement(version=1, subject=FolderModelSubject(), packages=["numpy", "transformers"])
def zoo_first_token(folder: Path) -> pd.DataFrame:
    """Probability of every token after the start token alone: columns `token_id`, `token`, `probability`."""
    import numpy as np
    from transformers import AutoTokenizer

    from helpers.cold_start import cold_start

    tokenizer = AutoTokenizer.from_pretrained(folder)
    probabilities = np.exp(cold_start(folder, [tokenizer.bos_token_id]).log_probabilities)
    tokens = [tokenizer.decode([token_id]) for token_id in range(len(probabilities))]
    return pd.DataFrame({"token_id": range(len(tokens)), "token": tokens, "probability": probabilities})
