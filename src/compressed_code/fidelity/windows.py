"""Cut given texts into what a model reads at once, and put windows of about equal length together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Window:
    """A document, or the part of a long one that a model sees at once.

    Attributes:
        document: place among the documents.
        first: place of its first token in the document.
        tokens: [tokens] ids that are predicted.
        before: [at least 1] ids that they follow: the start ids, or without them the token before.
    """

    document: int
    first: int
    tokens: np.ndarray
    before: np.ndarray


def unpredicted(start_ids: Sequence[int]) -> int:
    """How many tokens at the beginning of a document have nothing that predicts them."""
    return 0 if len(start_ids) else 1


def cut_windows(documents: Sequence[np.ndarray], length: int, start_ids: Sequence[int]) -> list[Window]:
    """Cut documents into windows of at most `length` tokens, every one to be read after the start ids.

    Without start ids a window follows the token before it, so that the first token of each document is not predicted.
    """
    start = np.asarray(start_ids, np.int64)
    return [
        Window(number, first, tokens[first : first + length], start if len(start) else tokens[first - 1 : first])
        for number, tokens in enumerate(documents)
        for first in range(unpredicted(start_ids), len(tokens), length)
    ]


def batches(windows: Sequence[Window], start: int, batch_tokens: int) -> Iterator[list[Window]]:
    """Windows of about equal length together, the longest first.

    Args:
        start: number of ids before each.
        batch_tokens: input tokens of a batch, padding included; one window may be longer.
    """
    waiting = sorted(windows, key=lambda window: -len(window.tokens))
    while waiting:
        count = max(1, batch_tokens // (start + len(waiting[0].tokens)))
        yield waiting[:count]
        waiting = waiting[count:]


def largest_length(models: Sequence["PreTrainedModel"], start: int, wanted: int) -> int:
    """Tokens of a window: `wanted`, or what every model was made for less the ids before it."""
    limits = [getattr(model.config, "max_position_embeddings", None) or wanted + start for model in models]
    return max(1, min(wanted, min(limits) - start))
