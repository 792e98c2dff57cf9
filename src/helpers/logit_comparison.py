"""Statistics of two models' logits, position by position, computed in place.

Two models' logits for a block of positions become one number per statistic and position; the buffers are used again for
the next block, so memory does not grow with the text.
"""

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from helpers.errors import InputError
from helpers.teacher_forcing import Runner, Window, block_rows

if TYPE_CHECKING:
    import torch


class Comparison:
    """Compares two models, the parent first."""

    def __init__(self, runners: Sequence[Runner], width: int, keyword_ids: Collection[int]) -> None:
        """Allocate the buffers.

        Args:
            runners: parent and child, on one device.
            width: rows of the output layers that are compared, from the first.
            keyword_ids: as in `fidelity.token_fidelity`.
        """
        import torch

        self._runners = runners
        device = runners[0].device
        self._buffers = [torch.empty(block_rows(width), width, device=device) for _ in range(5)]
        ids = np.unique(np.fromiter(keyword_ids, np.int64))
        self._keywords = torch.from_numpy(ids[ids < width]).to(device)

    def batch(self, batch: Sequence[Window]) -> list[dict[str, np.ndarray]]:
        """Statistics of all tokens of a batch, block by block; names and meaning as in `fidelity.token_fidelity`.

        Raises:
            InputError: an id outside of an embedding, or a result that is not finite.
        """
        import torch

        states = [runner.states(batch) for runner in self._runners]
        tokens = torch.from_numpy(np.concatenate([window.tokens for window in batch])).to(states[0].device)
        step, blocks = len(self._buffers[0]), []
        for first in range(0, len(tokens), step):
            rows = slice(first, min(first + step, len(tokens)))
            with torch.inference_mode():
                blocks.append(self._block([part[rows] for part in states], tokens[rows]))
        return blocks

    def _block(self, states: Sequence["torch.Tensor"], tokens: "torch.Tensor") -> dict[str, np.ndarray]:
        import torch

        spare, log_p, log_q, p, q = (buffer[: len(tokens)] for buffer in self._buffers)
        for runner, part, out in zip(self._runners, states, (log_p, log_q), strict=True):
            runner.logits(part, spare)
            torch.log_softmax(spare, -1, out=out)
        torch.exp(log_p, out=p)
        torch.exp(log_q, out=q)
        actual = [side.gather(1, tokens[:, None])[:, 0] for side in (log_p, log_q)]
        tops = [side.argmax(1) for side in (log_p, log_q)]
        columns = {
            "token_id": tokens,
            "log_probability_parent": actual[0],
            "log_probability_child": actual[1],
            "delta_p": actual[1].exp() - actual[0].exp(),
            "entropy_parent_nats": -_dot(p, log_p),
            "entropy_child_nats": -_dot(q, log_q),
            "top_parent": tops[0],
            "top_child": tops[1],
            "keyword_rank_correlation": self._rank_correlation(log_p, log_q),
        }
        difference = torch.sub(log_p, log_q, out=log_p)
        columns |= _divergences(p, q, difference, spare)
        return {name: _compact(name, column) for name, column in columns.items()}

    def _rank_correlation(self, log_p: "torch.Tensor", log_q: "torch.Tensor") -> np.ndarray:
        """Spearman's ρ over the keyword tokens, row by row: 1 − 6 Σ (difference of ranks)² / (n (n² − 1))."""
        count = len(self._keywords)
        if count < 2:
            return np.full(len(log_p), np.nan)
        one, other = (_ranks(side[:, self._keywords].cpu().numpy()) for side in (log_p, log_q))
        return 1 - 6 * np.square(one - other).sum(axis=1) / (count * (count**2 - 1))


def _divergences(
    p: "torch.Tensor", q: "torch.Tensor", difference: "torch.Tensor", spare: "torch.Tensor"
) -> dict[str, "torch.Tensor"]:
    """KL both ways and Jensen–Shannon of the rows of p and q, with difference = ln p − ln q; `spare` is overwritten.

    In float32 p and q add to 1 only nearly, which the plain sums Σ p ln(p / q) feel in full. Adding Σ q − Σ p makes
    every term of the sum non-negative and the result blind to it to first order.
    With L = ln cosh(difference / 2): JS = (KL(p‖q) + KL(q‖p)) / 4 − Σ (p + q) L / 2.
    """
    import torch

    excess = q.sum(1) - p.sum(1)
    forward, backward = _dot(p, difference), -_dot(q, difference)
    # L = |d| / 2 + ln(1 + e^−|d|) − ln 2, in place
    half = torch.abs(difference, out=difference)
    torch.neg(half, out=spare).exp_().log1p_()
    spare += half.mul_(0.5)
    spare -= torch.log1p(torch.ones((), device=spare.device))
    mixed = (_dot(p, spare) + _dot(q, spare)) / 2
    return {
        "kl_nats": (forward + excess).clamp_(min=0),
        "reverse_kl_nats": (backward - excess).clamp_(min=0),
        "js_nats": ((forward + backward) / 4 - mixed).clamp_(0, math.log(2)),
    }


def _dot(one: "torch.Tensor", other: "torch.Tensor") -> "torch.Tensor":
    import torch

    return torch.linalg.vecdot(one, other)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank of every element in its row, from 0, as float64; numpy sorts several times faster than torch."""
    order = values.argsort(axis=1)
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, np.arange(values.shape[1], dtype=float)[None], axis=1)
    return ranks


def _compact(name: str, column: "torch.Tensor | np.ndarray") -> np.ndarray:
    values = column if isinstance(column, np.ndarray) else column.cpu().numpy()
    if values.dtype == np.int64:
        return values.astype(np.int32)
    if name != "keyword_rank_correlation" and not np.isfinite(values).all():
        raise InputError(f"{name} is not finite; a model's logits hold NaN or infinity")
    return values.astype(np.float32)
