"""Write many programs at the same time.

Prompts of one length are read together, without padding. Then all programs grow by one token per step; finished ones
leave and waiting ones take their place, so that the batch stays full.

Strict mode. A matrix product of 64 rows rounds differently from one of a single row, so a batch may choose another
token where two are almost equally good. The answer at batch 1 is the right one: a token whose lead is not clear of
the error is decided by the same program at batch 1 (`alone`). The error is measured: the first programs are watched,
their logits compared with those at batch 1, and every later recheck may raise it.

Near-ties. Another machine sums in another order, so it may choose another token where even the logits at batch 1 are
almost equal. Such choices are counted; a program without one is the same program everywhere.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import DynamicCache

from compressed_code.code_generation.batch_of_one import Alone, forward
from compressed_code.code_generation.kv_cache import SlotCache, fits
from compressed_code.code_generation.requests import Completion, Request, Settings
from compressed_code.code_generation.sampling import choose
from compressed_code.code_generation.sequence import Row
from compressed_code.core.errors import InputError
from compressed_code.tokenizers.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PROMPT_TOKENS = 4096  # most tokens of prompts read in one pass
# Waiting programs are admitted when this part of the slots is free; at 1/2 the standard tier takes 1.5 times as long.
REFILL = 1 / 16
SHRINK = 3 / 4  # when none is waiting, the batch shrinks to its live rows once they fill less than this part of it

WATCHED_PROGRAMS, WATCHED_TOKENS = 4, 8  # at the beginning, compared with batch 1 whatever their lead
# The error taken into account: the largest one seen on any logit times SAFETY, and at least this part of the largest
# logit (32 units in its last place). On models of 1 to 3 million weights the largest error of a whole run was 1.1 to
# 1.7 times that of the watched tokens, and at most 3.3e-6 of the largest logit.
SAFETY = 4
SMALLEST_ERROR = 2.0**-18
# A choice is a near-tie when an error of this part of the largest logit could turn it. That is the error above with the
# same safety, not a number fitted to one machine: other instruction sets round other sums of the same lengths.
NEAR_TIE = SAFETY * SMALLEST_ERROR


def write_programs(
    model: "PreTrainedModel", vocabulary: Vocabulary, requests: Sequence[Request], settings: Settings
) -> Iterator[list[Completion]]:
    """Write the programs that are asked for.

    With `strict`, greedy text is that of a plain `generate()` at batch 1, and neither greedy nor sampled text depends
    on `batch` or on which other programs are asked for. Models with routed experts are excepted: a near-tie of the
    router changes logits by more than rounding. Models with recurrent state are run at batch 1.

    Args:
        model: a causal language model in evaluation mode; its own generation settings are not used.
        vocabulary: what the ids stand for.
        requests: in any order; each (task_id, sample) once.

    Yields:
        Programs as they finish; after the last one every request was answered once.

    Raises:
        InputError: an empty or too long prompt, an id the model does not have, a request given twice, strict mode in
            other than float32, logits that are not finite.
    """
    window = _window(model)
    _check(model, requests, settings, window)
    rows = [Row(request, settings, vocabulary.tokens, window) for request in requests]
    # Longest first: the columns then suffice for every prompt that is admitted later. Equal prompts are neighbours.
    rows.sort(key=lambda row: (-len(row.request.input_ids), row.request.input_ids))
    if fits(model):
        yield from _Batch(model, rows, settings).run()
    else:
        judge = _Judge(model, settings)
        for row in rows:
            while row.finish is None:
                judge.decide_alone(row)
            yield [row.completion()]


class _Judge:
    """Chooses tokens, at batch 1 where it must."""

    def __init__(self, model: "PreTrainedModel", settings: Settings) -> None:
        self._model, self._settings = model, settings
        self._error = 0.0
        self._watched: list[Row] = []

    def decide(self, rows: Sequence[Row], logits: torch.Tensor) -> None:
        """Give every row its next token.

        Args:
            logits: [rows, vocabulary] float32.
        """
        largest = float(logits.abs().max())
        if not np.isfinite(largest):
            raise InputError(f"task {rows[0].request.task_id}: the model's logits are not finite")
        if not self._settings.strict:
            self._accept(rows, logits)
            return
        self._watch(rows, logits)
        self._error = max(self._error, SMALLEST_ERROR * largest)
        # What is sure here is no near-tie at batch 1 either.
        choice = choose(logits, self._noise(rows, logits), **self._sampling, error=self._error + NEAR_TIE * largest)
        for row, token, sure, own in zip(rows, choice.tokens.tolist(), choice.sure.tolist(), logits, strict=True):
            if sure:
                row.accept(token)
            else:
                self._compare(row, own)
                self.decide_alone(row)

    def decide_alone(self, row: Row) -> None:
        """Give a row the token it gets at batch 1."""
        row.rechecked += 1
        self._accept([row], self._logits_alone(row)[None])

    def _accept(self, rows: Sequence[Row], logits: torch.Tensor) -> None:
        """Give rows the tokens that follow from these logits, and count the near-ties among them."""
        noise, doubt = self._noise(rows, logits), NEAR_TIE * float(logits.abs().max())
        tokens = choose(logits, noise, **self._sampling, error=0.0).tokens
        sure = choose(logits, noise, **self._sampling, error=doubt).sure
        for row, token, clear in zip(rows, tokens.tolist(), sure.tolist(), strict=True):
            row.near_ties += not clear
            row.accept(token)

    def _watch(self, rows: Sequence[Row], logits: torch.Tensor) -> None:
        self._watched += rows[: WATCHED_PROGRAMS - len(self._watched)]
        for row, own in zip(rows, logits, strict=True):
            if row in self._watched and len(row.token_ids) < WATCHED_TOKENS:
                self._compare(row, own)

    def _compare(self, row: Row, logits: torch.Tensor) -> None:
        self._error = max(self._error, SAFETY * float((self._logits_alone(row) - logits).abs().max()))

    def _logits_alone(self, row: Row) -> torch.Tensor:
        row.alone = row.alone or Alone(self._model, row.request.input_ids)
        return row.alone.logits(row.token_ids)

    def _noise(self, rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor | None:
        if self._settings.temperature == 0:
            return None
        noise = np.stack([row.noise(logits.shape[1]) for row in rows])
        return torch.from_numpy(noise).to(logits.device)

    @property
    def _sampling(self) -> dict[str, float]:
        return {"temperature": self._settings.temperature, "top_p": self._settings.top_p}


class _Batch:
    """The rows that are being written, each in a slot of the cache, and the ones that wait."""

    def __init__(self, model: "PreTrainedModel", rows: Sequence[Row], settings: Settings) -> None:
        self._model, self._judge = model, _Judge(model, settings)
        self._waiting = deque(rows)
        self._slots: list[Row | None] = [None] * min(settings.batch, len(rows))
        self._cache = SlotCache(len(self._slots), model.device)

    def run(self) -> Iterator[list[Completion]]:
        while self._waiting or any(self._slots):
            if self._waiting and self._slots.count(None) >= min(REFILL * len(self._slots), len(self._waiting)):
                self._admit()
            else:
                self._step()
            finished = [row for row in self._slots if row and row.finish]
            self._slots = [None if row in finished else row for row in self._slots]
            if finished:
                yield [row.completion() for row in finished]

    def _admit(self) -> None:
        """Read the prompts at the head of the queue that have one length; equal prompts are read once."""
        free = [slot for slot, row in enumerate(self._slots) if row is None]
        length = len(self._waiting[0].request.input_ids)
        prompts: dict[tuple[int, ...], int] = {}
        rows: list[Row] = []
        while self._waiting and len(rows) < len(free) and len(self._waiting[0].request.input_ids) == length:
            if len(prompts) >= max(1, PROMPT_TOKENS // length):
                break
            rows.append(self._waiting.popleft())
            prompts.setdefault(rows[-1].request.input_ids, len(prompts))
        numbers = [prompts[row.request.input_ids] for row in rows]
        cache = DynamicCache()  # without the config: sliding windows keep every token too, their masks say what is seen
        ids = torch.tensor(list(prompts), device=self._model.device)
        positions = torch.arange(length, device=ids.device).expand_as(ids)
        logits = forward(self._model, ids, None, positions, cache)
        self._cache.admit(free[: len(rows)], cache, numbers)
        for slot, row in zip(free, rows, strict=False):
            self._slots[slot] = row
        self._judge.decide(rows, logits[numbers])

    def _step(self) -> None:
        """One more token for every live row."""
        self._make_room()
        device = self._model.device
        live = [slot for slot, row in enumerate(self._slots) if row]
        rows = [self._slots[slot] for slot in live]
        ids = torch.tensor([row.token_ids[-1] if row else 0 for row in self._slots], device=device)
        mask, positions = self._cache.next_column(torch.tensor([row is not None for row in self._slots], device=device))
        logits = forward(self._model, ids[:, None], mask, positions, self._cache)
        self._judge.decide(rows, logits if len(rows) == len(logits) else logits[live])

    def _make_room(self) -> None:
        """Drop slots that stay empty, and columns that no row needs, when that is worth a copy."""
        live = [slot for slot, row in enumerate(self._slots) if row]
        shrink = not self._waiting and len(live) < SHRINK * len(self._slots)
        if not (shrink or self._cache.is_full):
            return
        kept = live if shrink else list(range(len(self._slots)))
        used = self._cache.end - int(self._cache.starts[live].min())
        waiting = len(self._waiting[0].request.input_ids) if self._waiting else 0
        self._cache.rebuild(kept, max(used, waiting))
        self._slots = [self._slots[slot] for slot in kept]


def _window(model: "PreTrainedModel") -> int:
    """Most tokens of prompt and completion together."""
    limit = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else 1 << 62


def _check(model: "PreTrainedModel", requests: Sequence[Request], settings: Settings, window: int) -> None:
    if settings.strict and model.dtype != torch.float32:
        raise InputError(f"strict mode needs a model in float32, not {model.dtype}; load it in float32 or turn it off")
    entries = model.get_input_embeddings().weight.shape[0]
    seen = set()
    for request in requests:
        name = f"task {request.task_id}, sample {request.sample}"
        length = len(request.input_ids)
        if (request.task_id, request.sample) in seen:
            raise InputError(f"{name}: asked for twice")
        if not length:
            raise InputError(f"{name}: the prompt has no token; give it a start context")
        if length >= window:
            raise InputError(f"{name}: the prompt has {length} tokens, but the model's window is {window}")
        outside = [token for token in request.input_ids if not 0 <= token < entries]
        if outside:
            raise InputError(f"{name}: the model has no token {outside[0]} (its embedding has {entries} rows)")
        seen.add((request.task_id, request.sample))
