"""Statistics of two models' logits, position by position, computed in place.

Two models' logits for a block of positions become one number per statistic and position; the buffers are used again for
the next block, so memory does not grow with the text. Everything is computed in the models' precision, sums of squared
differences in a form that loses no digits in it, and stored as float32. In float64 what another processor rounds
otherwise lies far below; in float32 the logits themselves are known to seven digits.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from compressed_code.core.errors import InputError
from compressed_code.fidelity.logit_blocks import block_rows, blocks, log_softmax, product_rows, products
from compressed_code.fidelity.teacher_forcing import Runner
from compressed_code.fidelity.windows import Window

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Side:
    """What one model says of the tokens of a block.

    Attributes:
        log: [tokens, width] log-probabilities, in the models' precision.
        actual: [tokens] of the actual tokens.
        entropy: [tokens] in nats.
        top: [tokens] id of the most probable token.
        order: [tokens, keyword tokens] int32: which of them is least probable, next to least, …
    """

    log: "torch.Tensor"
    actual: "torch.Tensor"
    entropy: "torch.Tensor"
    top: "torch.Tensor"
    order: np.ndarray

    @property
    def nbytes(self) -> int:
        """What it takes in memory, but for numbers that are one per token."""
        return self.log.nbytes + self.order.nbytes


class LogitComparison:
    """Compares two models, the base model first."""

    def __init__(self, runners: Sequence[Runner], width: int, keyword_ids: Collection[int], tokens: int) -> None:
        """Allocate the buffers.

        Args:
            runners: base and candidate, on one device.
            width: rows of the output layers that are compared, from the first.
            keyword_ids: as in `fidelity.token_fidelity`.
            tokens: of all texts, which decides what is kept of the base model.
        """
        import torch

        self._base, self._candidate = runners
        self._device, self._width, self._rows = self._base.device, width, block_rows(width)
        self._dtype = torch.promote_types(self._base.dtype, self._candidate.dtype)
        ids = np.unique(np.fromiter(keyword_ids, np.int64))
        self._keywords = torch.from_numpy(ids[ids < width]).to(self._device)
        self._keeps = self._base.keeps(tokens * width * self._dtype.itemsize)
        self._of_candidate = self._empty(product_rows(width))
        self._of_base = None if self._keeps else self._empty(product_rows(width))
        self._spare = [self._empty(self._rows) for _ in range(4)]

    def batch(self, batch: Sequence[Window]) -> list[dict[str, np.ndarray]]:
        """Statistics of all tokens of a batch, block by block; names and meaning as in `fidelity.token_fidelity`.

        Raises:
            InputError: an id outside of an embedding, or a result that is not finite.
        """
        import torch

        tokens = torch.from_numpy(np.concatenate([window.tokens for window in batch])).to(self._device)
        candidate = self._sides(self._candidate, self._candidate.states(batch), tokens, self._of_candidate)
        cut, columns = blocks(len(tokens), self._rows), []
        with torch.inference_mode():
            for block, p, q in zip(cut, self._base_sides(batch, tokens), candidate, strict=True):
                columns.append(self._columns(tokens[block], p, q))
        return columns

    def _base_sides(self, batch: Sequence[Window], tokens: "torch.Tensor") -> "Iterator[Side]":
        """The base's side of each block: kept, or from hidden states that are kept, or from a pass over the texts."""
        if self._of_base is not None:
            yield from self._sides(self._base, self._base.kept_states(batch), tokens, self._of_base)
            return
        texts = tuple(window.before.tobytes() + window.tokens.tobytes() for window in batch)

        def sides() -> list[Side]:
            log = self._empty(len(tokens))
            return list(self._sides(self._base, self._base.states(batch), tokens, log, in_place=False))

        key = ("sides", texts, self._width, self._keywords.cpu().numpy().tobytes())
        yield from self._base.once(key, sides, lambda sides: sum(side.nbytes for side in sides))

    def _sides(
        self,
        runner: Runner,
        states: "torch.Tensor",
        tokens: "torch.Tensor",
        log: "torch.Tensor",
        in_place: bool = True,
    ) -> "Iterator[Side]":
        """One model's side of each block.

        Args:
            log: where log-probabilities are written, of one product after the other.
            in_place: to the same rows; else one product behind the other.
        """
        for product in products(len(tokens), self._width):
            logits = log[: product.stop - product.start] if in_place else log[product]
            runner.logits(states[product], logits)
            for block in blocks(len(logits), self._rows):
                out = logits[block]
                peaks = log_softmax(out, self._spare[0][: len(out)])
                actual = out.gather(1, tokens[product][block, None])[:, 0]
                order = out[:, self._keywords].cpu().numpy().argsort(axis=1)
                yield Side(out, actual, peaks.entropy, peaks.top, order.astype(np.int32))

    def _columns(self, tokens: "torch.Tensor", p: Side, q: Side) -> dict[str, np.ndarray]:
        columns = {
            "token_id": tokens,
            "log_probability_base": p.actual,
            "log_probability_candidate": q.actual,
            "delta_p": _difference(p.actual, q.actual),
            "entropy_base_nats": p.entropy,
            "entropy_candidate_nats": q.entropy,
            "top_base": p.top,
            "top_candidate": q.top,
            "keyword_rank_correlation": _rank_correlation(p.order, q.order),
        }
        columns |= _divergences(p.log, q.log, *(part[: len(tokens)] for part in self._spare))
        return {name: _compact(name, column) for name, column in columns.items()}

    def _empty(self, rows: int) -> "torch.Tensor":
        import torch

        return torch.empty(rows, self._width, dtype=self._dtype, device=self._device)


def _divergences(
    log_p: "torch.Tensor",
    log_q: "torch.Tensor",
    difference: "torch.Tensor",
    v: "torch.Tensor",
    larger: "torch.Tensor",
    terms: "torch.Tensor",
) -> dict[str, "torch.Tensor"]:
    """KL both ways and Jensen–Shannon of the rows of p and q, both [rows, width].

    Of two nearly equal distributions Σ p ln(p / q) is the small rest of large terms that cancel. Adding Σ q − Σ p = 0
    term by term makes every term non-negative and of second order in d = ln p − ln q, and so are the sums below, which
    lose no digits. With a = |d|, m = max(p, q) and v = e^−a − 1, so that the smaller of p and q is m (1 + v):

    - KL(p‖q) + KL(q‖p) = Σ (p − q) d = −Σ m a v
    - KL(p‖q) − KL(q‖p) = Σ (p + q) d − 2 (p − q) = Σ ± m (2 a + 2 v + a v), with the sign of d
    - JS = (KL(p‖q) + KL(q‖p)) / 4 − Σ (p + q) / 2 · L with L = ln cosh(d / 2) = a / 2 + ln(1 + v / 2)

    Args:
        log_p: is kept.
        log_q, difference, v, larger, terms: overwritten.
    """
    import torch

    torch.maximum(log_p, log_q, out=larger).exp_()
    torch.sub(log_p, log_q, out=difference)
    a = torch.abs(difference, out=log_q)
    torch.neg(a, out=v).expm1_()
    torch.mul(a, v, out=terms)
    both = -_dot(larger, terms)
    terms.add_(a, alpha=2).add_(v, alpha=2).copysign_(difference)
    apart = _dot(larger, terms)
    v *= 0.5
    log_cosh = torch.log1p(v, out=terms).add_(a, alpha=0.5)
    mixed = _dot(larger, v.add_(1).mul_(log_cosh))
    return {
        "kl_nats": ((both + apart) / 2).clamp_(min=0),
        "reverse_kl_nats": ((both - apart) / 2).clamp_(min=0),
        "js_nats": (both / 4 - mixed).clamp_(min=0, max=math.log(2)),
    }


def _difference(log_p: "torch.Tensor", log_q: "torch.Tensor") -> "torch.Tensor":
    """q − p, which keeps its digits where the two are nearly equal."""
    d = log_q - log_p
    return d.abs().neg_().expm1_().mul_(log_p.maximum(log_q).exp_()).copysign_(d)


def _dot(one: "torch.Tensor", other: "torch.Tensor") -> "torch.Tensor":
    import torch

    return torch.linalg.vecdot(one, other)


def _rank_correlation(order_p: np.ndarray, order_q: np.ndarray) -> np.ndarray:
    """Spearman's ρ, row by row: 1 − 6 Σ (difference of ranks)² / (n (n² − 1)); missing for fewer than two elements."""
    count = order_p.shape[1]
    if count < 2:
        return np.full(len(order_p), np.nan)
    places = np.arange(count, dtype=float)
    ranks = np.empty(order_p.shape)
    np.put_along_axis(ranks, order_p, places[None], axis=1)
    moved = np.take_along_axis(ranks, order_q, axis=1) - places
    return 1 - 6 * np.square(moved, out=moved).sum(axis=1) / (count * (count**2 - 1))


def _compact(name: str, column: "torch.Tensor | np.ndarray") -> np.ndarray:
    values = column if isinstance(column, np.ndarray) else column.cpu().numpy()
    if values.dtype == np.int64:
        return values.astype(np.int32)
    if name != "keyword_rank_correlation" and not np.isfinite(values).all():
        raise InputError(f"{name} is not finite; a model's logits hold NaN or infinity")
    return values.astype(np.float32)
