"""Where tokens flip: the worst lines of the texts with every changed token marked. A pure function of a table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from compressed_code.cold_start.metrics import readable
from compressed_code.tokenizers.vocabulary import Vocabulary

PASSAGES = 8  # that are shown
LINES = 6  # of a passage, about
FEWEST_TOKENS = 8  # fewer are no passage


@dataclass(frozen=True)
class MarkedToken:
    """One token of a passage.

    Attributes:
        text: what stands in the text.
        flip: one of `fidelity.FLIPS`.
        kl_nats: divergence at this token.
        base, candidate: what each model puts first.
        change: of the actual token's probability, candidate minus base.
    """

    text: str
    flip: str
    kl_nats: float
    base: str
    candidate: str
    change: float


@dataclass(frozen=True)
class Passage:
    """Some lines of a text.

    Attributes:
        document: name of the text.
        first_line: number of the first line, from 1.
        kl_mean_nats: over its tokens.
        flips: tokens whose most probable successor changed.
        tokens: all of them, in order.
    """

    document: str
    first_line: int
    kl_mean_nats: float
    flips: int
    tokens: tuple[MarkedToken, ...]

    @property
    def text(self) -> str:
        """The lines as they stand in the text."""
        return "".join(token.text for token in self.tokens)


def worst_passages(tokens: pd.DataFrame, vocabulary: Vocabulary, count: int = PASSAGES) -> list[Passage]:
    """The passages with the largest mean divergence, the worst first.

    A passage begins with a line, has about `LINES` of them, and belongs to one text. Bytes of one character that are
    several tokens show as replacement characters.

    Args:
        tokens: `fidelity.token_fidelity` of one pair.
        vocabulary: that the texts were cut with.
    """
    numbered = tokens.sort_values(["document", "position"], kind="stable")
    pieces = [_piece(vocabulary, token_id) for token_id in numbered["token_id"]]
    breaks = np.array([piece.count(b"\n") for piece in pieces])
    before = pd.Series(breaks, index=numbered.index).groupby(numbered["document"], observed=True).cumsum() - breaks
    numbered = numbered.assign(line=before, passage=before // LINES)
    grouped = numbered.groupby(["document", "passage"], observed=True)
    means = grouped["kl_nats"].agg(["mean", "size"])
    means = means[means["size"] >= min(FEWEST_TOKENS, means["size"].max())].sort_values("mean", ascending=False)
    return [_passage(grouped.get_group(key), vocabulary) for key in means.index[:count]]


def marked_tokens(rows: pd.DataFrame, vocabulary: Vocabulary) -> tuple[MarkedToken, ...]:
    """Tokens of one text as they are marked, in the order of the rows.

    Args:
        rows: of `fidelity.token_fidelity` of one pair.
        vocabulary: that the text was cut with.
    """
    return tuple(
        MarkedToken(
            text=_piece(vocabulary, row.token_id).decode("utf-8", "replace"),
            flip=str(row.flip),
            kl_nats=float(row.kl_nats),
            base=readable(_piece(vocabulary, row.top_base)),
            candidate=readable(_piece(vocabulary, row.top_candidate)),
            change=float(row.delta_p),
        )
        for row in rows.itertuples()
    )


def _passage(rows: pd.DataFrame, vocabulary: Vocabulary) -> Passage:
    marked = marked_tokens(rows, vocabulary)
    flips = sum(token.flip != "none" for token in marked)
    first = int(rows["line"].iloc[0]) + 1
    return Passage(str(rows["document"].iloc[0]), first, float(rows["kl_nats"].mean()), flips, marked)


def _piece(vocabulary: Vocabulary, token_id: int) -> bytes:
    return (vocabulary.tokens[token_id] if token_id < len(vocabulary) else None) or b""
