"""What the zoo is trained on: rows of packed documents, each row starting at the start of a document.

A row is `<bos> document <eos> <bos> document <eos> …`, cut at the row's length, so that the first position of every row
is a document start: the cold start is trained, not accidental. A row holds either tasks or source code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

# Share of rows that hold tasks; the others hold source code of the twelve languages. "instruct" shows tasks in the one
# format of the benchmark, all others under varied openings; "tasks-N" are the base mixture with another share.
MIXTURES: Mapping[str, float] = {
    "base": 0.5,
    "instruct": 0.85,
    "tasks-0": 0.0,
    "tasks-25": 0.25,
    "tasks-85": 0.85,
}

CONTEXT = 256  # tokens a row

# Half of the source rows begin with the opening of a file, the others with any document.
OPENING_SHARE = 0.5


class Encoder(Protocol):
    """What is needed of a tokenizers.Tokenizer."""

    def encode_batch(self, texts: list[str], add_special_tokens: bool = ...) -> list: ...


@dataclass(frozen=True)
class TokenPool:
    """Encoded documents of one kind.

    Attributes:
        tokens: all documents one after the other, each as `<bos> … <eos>`, uint16.
        starts: where each begins; one more entry for the end, [documents + 1].
        weights: running sum of the probabilities of drawing each, [documents]; the last entry is 1.
    """

    tokens: np.ndarray
    starts: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One document, drawn by weight."""
        number = min(int(np.searchsorted(self.weights, rng.random(), side="right")), len(self) - 1)
        return self.tokens[self.starts[number] : self.starts[number + 1]]


@dataclass(frozen=True)
class Dataset:
    """Everything a training draws from; `batch` depends on its arguments alone.

    Attributes:
        varied_tasks: tasks under varied openings, for base models.
        plain_tasks: tasks in the one format of the benchmark, for instruct models.
        documents, openings: source code; openings are the beginnings of files.
    """

    varied_tasks: TokenPool
    plain_tasks: TokenPool
    documents: TokenPool
    openings: TokenPool

    def batch(self, mixture: str, seed: int, step: int, rows: int, length: int) -> np.ndarray:
        """Rows of token ids, int64 [rows, length]."""
        rng = np.random.default_rng([seed, step])
        tasks = self.plain_tasks if mixture == "instruct" else self.varied_tasks
        out = np.empty((rows, length), dtype=np.int64)
        for row in out:
            is_task = rng.random() < MIXTURES[mixture]
            first = tasks if is_task else (self.openings if rng.random() < OPENING_SHARE else self.documents)
            _fill(row, first, tasks if is_task else self.documents, rng)
        return out


def build_pool(
    encoder: Encoder, texts: Iterable[str], bos: int, eos: int, weights: Iterable[float] | None = None
) -> TokenPool:
    """Encode documents; without weights every document is drawn equally often."""
    texts = list(texts)
    pieces = [[bos, *encoding.ids, eos] for encoding in encoder.encode_batch(texts, add_special_tokens=False)]
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    share = np.ones(len(texts)) if weights is None else np.array(list(weights), dtype=float)
    return TokenPool(
        tokens=np.concatenate([np.array(piece, dtype=np.uint16) for piece in pieces]),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        weights=np.cumsum(share / share.sum()),
    )


def _fill(row: np.ndarray, first: TokenPool, others: TokenPool, rng: np.random.Generator) -> None:
    filled, pool = 0, first
    while filled < len(row):
        document = pool.draw(rng)[: len(row) - filled]
        row[filled : filled + len(document)] = document
        filled, pool = filled + len(document), others
