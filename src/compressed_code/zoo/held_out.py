"""Loss of a model on held-out documents."""

import math
from collections.abc import Iterable, Mapping

import pandas as pd
import torch
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase


def held_out_loss(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Mapping[str, Iterable[str]], context: int
) -> pd.DataFrame:
    """Teacher-forced loss per language on held-out documents, each one alone after the start token.

    Args:
        texts: language → documents.
        context: tokens kept of each document.

    Returns:
        Columns `language`, `nats_per_token`, `bits_per_byte`, `tokens`, `bytes` (of the text the kept tokens spell).
    """
    rows = []
    for language, documents in texts.items():
        nats = tokens = size = 0.0
        for text in documents:
            ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=context)["input_ids"]
            with torch.no_grad():
                logits = model(input_ids=ids).logits[0, :-1].float()
            nats += functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
            tokens += ids.shape[1] - 1
            size += len(tokenizer.decode(ids[0, 1:]).encode())
        rows.append((language, nats / tokens, nats / size / math.log(2), int(tokens), int(size)))
    return pd.DataFrame(rows, columns=["language", "nats_per_token", "bits_per_byte", "tokens", "bytes"])
