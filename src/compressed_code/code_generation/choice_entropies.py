"""How unsure a model was at each token of a program: what says where a small error would turn its choice."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from compressed_code.tokenizers.fertility import token_spans
from compressed_code.tokenizers.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

COLUMNS = ("task_id", "offset", "entropy_nats")


def choice_entropies(
    model: "PreTrainedModel", vocabulary: Vocabulary, programs: Iterable[tuple[str, Sequence[int], str]]
) -> pd.DataFrame:
    """Entropy of the next-token distribution before each token of a program, and behind its last.

    Each program is read alone, so that no batch changes a digit.

    Args:
        model: in the precision that the entropies are computed in.
        vocabulary: its tokenizer; a program is read as that cuts it.
        programs: task id, ids of its prompt (at least one), what was written.

    Returns:
        Columns `COLUMNS`: `offset` is the character of the program at which the token begins, behind the whitespace
        that leads it where more follows (most tokens are words with their blank, and which word was what the model was
        unsure of); for the choice that ends the program its length. Entropies are 0 … ln(vocabulary).
    """
    import torch

    parts = []
    for task_id, prompt, text in programs:
        ids = list(vocabulary.encode(text))
        starts = [_first_character(text.encode(), *span) for span in token_spans(vocabulary, text, ids)]
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, *ids]], device=model.device)).logits[0, len(prompt) - 1 :]
            log_p = torch.log_softmax(logits.double(), dim=-1)
            entropy = -(log_p.exp() * log_p).sum(dim=-1)
        parts.append((task_id, np.array([*starts, len(text)], np.int32), entropy.cpu().numpy()))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    names, offsets, entropies = zip(*parts, strict=True)
    return pd.DataFrame(
        {
            "task_id": np.repeat(names, [len(part) for part in offsets]),
            "offset": np.concatenate(offsets),
            "entropy_nats": np.concatenate(entropies),
        }
    )


def _first_character(content: bytes, start: int, end: int) -> int:
    """In characters, where a token's own text begins."""
    piece = content[start:end]
    led = len(piece) - len(piece.lstrip()) if piece.strip() else 0
    return len(content[: start + led].decode(errors="ignore"))
