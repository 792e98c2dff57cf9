"""Write many programs at the same time.

Prompts of one length are read together, without padding. Then all programs grow by one token per step; finished ones
leave and waiting ones take their place, so that the batch stays full.

Batch-invariant decoding. A matrix product of 64 sequences rounds differently from one of a single sequence, so a batch
may choose another token where two are almost equally good. The answer at batch 1 is the right one:

1. The first programs are watched: for a few tokens each, their logits in the batch are compared with those at batch 1.
   The error E is SAFETY times the largest difference seen on any logit, at least SMALLEST_ERROR of the largest logit.
2. A step gives each sequence a row of logits. Its best token is sure when its lead over the second best is more than
   2 E: even if the best were E too high and the second E too low, the order would stay (`sampling.choose`; when tokens
   are drawn, noise is added to the logits first, and a token may leave or enter the nucleus within E, too). E is taken
   with the margin of near-ties, below, on top, so that what is sure in a batch is no near-tie at batch 1 either.
3. A token that is not sure is decided by the same program at batch 1 (`batch_of_one`), and the difference found there
   may raise E for all that follow.

Example: with E = 0.0001, logits 7.10310 and 7.10280 (lead 0.0003) are sure; 7.10310 and 7.10295 (lead 0.00015) are
not, and the program is read again alone.

Near-ties. Another machine sums in another order, so it may choose another token where even the logits at batch 1 are
almost equal. Such choices are counted; a program without one is the same program everywhere.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import DynamicCache

from compressed_code.code_generation.batch_of_one import BatchOfOne, forward
from compressed_code.code_generation.requests import Completion, Request, Settings
from compressed_code.code_generation.sampling import choose
from compressed_code.code_generation.sequence import DecodedSequence
from compressed_code.core.errors import InputError
from compressed_code.models.kv_cache import SlotCache, fits
from compressed_code.models.memory_back_off import smaller_batch
from compressed_code.tokenizers.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PROMPT_TOKENS = 4096  # most tokens of prompts read in one pass
# Waiting programs are admitted when this part of the slots is free; at 1/2 the standard tier takes 1.5 times as long.
REFILL = 1 / 16
SHRINK = 3 / 4  # when none is waiting, the batch shrinks to its live sequences once they fill less than this part of it

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

    With `batch_invariant`, greedy text is that of a plain `generate()` at batch 1, and neither greedy nor sampled text
    depends on `batch` or on which other programs are asked for. Models with routed experts are excepted: a near-tie of
    the router changes logits by more than rounding. Models with recurrent state are run at batch 1.

    Args:
        model: a causal language model in evaluation mode; its own generation settings are not used.
        vocabulary: what the ids stand for.
        requests: in any order; each (task_id, sample) once.

    Yields:
        Programs as they finish; after the last one every request was answered once.

    Raises:
        InputError: an empty or too long prompt, an id the model does not have, a request given twice, batch-invariant
            decoding in other than float32, logits that are not finite.
    """
    window = _window(model)
    _check(model, requests, settings, window)
    # Longest first: the columns then suffice for every prompt that is admitted later. Equal prompts are neighbours.
    left = sorted(requests, key=lambda request: (-len(request.input_ids), request.input_ids))
    batch = settings.batch
    while left:
        chosen = replace(settings, batch=batch)
        try:
            for finished in _written(model, vocabulary, left, chosen, window):
                yield finished
                answered = {(completion.task_id, completion.sample) for completion in finished}
                left = [request for request in left if (request.task_id, request.sample) not in answered]
        except torch.OutOfMemoryError:
            pass  # behind this block, where nothing holds on to the cache; what was begun is written anew
        if left:
            batch = smaller_batch(min(batch, len(left)) if fits(model) else 1, "programs")


def _written(
    model: "PreTrainedModel", vocabulary: Vocabulary, requests: Sequence[Request], settings: Settings, window: int
) -> Iterator[list[Completion]]:
    """Programs as they finish, `settings.batch` at a time where the model's cache allows it."""
    sequences = [DecodedSequence(request, settings, vocabulary.tokens, window) for request in requests]
    if fits(model):
        yield from _Batch(model, sequences, settings).run()
        return
    decider = _Decider(model, settings)
    for sequence in sequences:
        while sequence.finish_reason is None:
            decider.decide_at_batch_one(sequence)
        yield [sequence.completion()]


class _Decider:
    """Chooses tokens, at batch 1 where it must."""

    def __init__(self, model: "PreTrainedModel", settings: Settings) -> None:
        self._model, self._settings = model, settings
        self._error = 0.0
        self._watched: list[DecodedSequence] = []

    def decide(self, sequences: Sequence[DecodedSequence], logits: torch.Tensor) -> None:
        """Give every sequence its next token.

        Args:
            logits: [sequences, vocabulary] float32.
        """
        largest = float(logits.abs().max())
        if not np.isfinite(largest):
            raise InputError(f"task {sequences[0].request.task_id}: the model's logits are not finite")
        if not self._settings.batch_invariant:
            self._accept(sequences, logits)
            return
        self._watch(sequences, logits)
        self._error = max(self._error, SMALLEST_ERROR * largest)
        # What is sure here is no near-tie at batch 1 either.
        choice = choose(
            logits, self._noise(sequences, logits), **self._sampling, error=self._error + NEAR_TIE * largest
        )
        for sequence, token, sure, own in zip(
            sequences, choice.tokens.tolist(), choice.sure.tolist(), logits, strict=True
        ):
            if sure:
                sequence.accept(token)
            else:
                self._compare(sequence, own)
                self.decide_at_batch_one(sequence)

    def decide_at_batch_one(self, sequence: DecodedSequence) -> None:
        """Give a sequence the token it gets at batch 1."""
        sequence.rechecked += 1
        self._accept([sequence], self._logits_at_batch_one(sequence)[None])

    def _accept(self, sequences: Sequence[DecodedSequence], logits: torch.Tensor) -> None:
        """Give sequences the tokens that follow from these logits, and count the near-ties among them."""
        noise, doubt = self._noise(sequences, logits), NEAR_TIE * float(logits.abs().max())
        tokens = choose(logits, noise, **self._sampling, error=0.0).tokens
        sure = choose(logits, noise, **self._sampling, error=doubt).sure
        for sequence, token, clear in zip(sequences, tokens.tolist(), sure.tolist(), strict=True):
            sequence.near_ties += not clear
            sequence.accept(token)

    def _watch(self, sequences: Sequence[DecodedSequence], logits: torch.Tensor) -> None:
        self._watched += sequences[: WATCHED_PROGRAMS - len(self._watched)]
        for sequence, own in zip(sequences, logits, strict=True):
            if sequence in self._watched and len(sequence.token_ids) < WATCHED_TOKENS:
                self._compare(sequence, own)

    def _compare(self, sequence: DecodedSequence, logits: torch.Tensor) -> None:
        self._error = max(self._error, SAFETY * float((self._logits_at_batch_one(sequence) - logits).abs().max()))

    def _logits_at_batch_one(self, sequence: DecodedSequence) -> torch.Tensor:
        sequence.batch_of_one = sequence.batch_of_one or BatchOfOne(self._model, sequence.request.input_ids)
        return sequence.batch_of_one.logits(sequence.token_ids)

    def _noise(self, sequences: Sequence[DecodedSequence], logits: torch.Tensor) -> torch.Tensor | None:
        if self._settings.temperature == 0:
            return None
        noise = np.stack([sequence.noise(logits.shape[1]) for sequence in sequences])
        return torch.from_numpy(noise).to(logits.device)

    @property
    def _sampling(self) -> dict[str, float]:
        return {"temperature": self._settings.temperature, "top_p": self._settings.top_p}


class _Batch:
    """The sequences that are being written, each in a slot of the cache, and the ones that wait."""

    def __init__(self, model: "PreTrainedModel", sequences: Sequence[DecodedSequence], settings: Settings) -> None:
        self._model, self._judge = model, _Decider(model, settings)
        self._waiting = deque(sequences)
        self._slots: list[DecodedSequence | None] = [None] * min(settings.batch, len(sequences))
        self._cache = SlotCache(len(self._slots), model.device)

    def run(self) -> Iterator[list[Completion]]:
        while self._waiting or any(self._slots):
            if self._waiting and self._slots.count(None) >= min(REFILL * len(self._slots), len(self._waiting)):
                self._admit()
            else:
                self._step()
            finished = [sequence for sequence in self._slots if sequence and sequence.finish_reason]
            self._slots = [None if sequence in finished else sequence for sequence in self._slots]
            if finished:
                yield [sequence.completion() for sequence in finished]

    def _admit(self) -> None:
        """Read the prompts at the head of the queue that have one length; equal prompts are read once."""
        free = [slot for slot, sequence in enumerate(self._slots) if sequence is None]
        length = len(self._waiting[0].request.input_ids)
        prompts: dict[tuple[int, ...], int] = {}
        sequences: list[DecodedSequence] = []
        while self._waiting and len(sequences) < len(free) and len(self._waiting[0].request.input_ids) == length:
            if len(prompts) >= max(1, PROMPT_TOKENS // length):
                break
            sequences.append(self._waiting.popleft())
            prompts.setdefault(sequences[-1].request.input_ids, len(prompts))
        numbers = [prompts[sequence.request.input_ids] for sequence in sequences]
        cache = DynamicCache()  # without the config: sliding windows keep every token too, their masks say what is seen
        ids = torch.tensor(list(prompts), device=self._model.device)
        positions = torch.arange(length, device=ids.device).expand_as(ids)
        logits = forward(self._model, ids, None, positions, cache)
        self._cache.admit(free[: len(sequences)], cache, numbers)
        for slot, sequence in zip(free, sequences, strict=False):
            self._slots[slot] = sequence
        self._judge.decide(sequences, logits[numbers])

    def _step(self) -> None:
        """One more token for every live sequence."""
        self._make_room()
        device = self._model.device
        live = [slot for slot, sequence in enumerate(self._slots) if sequence]
        sequences = [self._slots[slot] for slot in live]
        ids = torch.tensor([sequence.token_ids[-1] if sequence else 0 for sequence in self._slots], device=device)
        mask, positions = self._cache.next_column(
            torch.tensor([sequence is not None for sequence in self._slots], device=device)
        )
        logits = forward(self._model, ids[:, None], mask, positions, self._cache)
        self._judge.decide(sequences, logits if len(sequences) == len(logits) else logits[live])

    def _make_room(self) -> None:
        """Drop slots that stay empty, and columns that no sequence needs, when that is worth a copy."""
        live = [slot for slot, sequence in enumerate(self._slots) if sequence]
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
    if settings.batch_invariant and model.dtype != torch.float32:
        raise InputError(
            f"batch-invariant decoding needs a model in float32, not {model.dtype}; load it in float32 or turn it off"
        )
    entries = model.get_input_embeddings().weight.shape[0]
    seen = set()
    for request in requests:
        name = f"task {request.task_id}, sample {request.sample}"
        length = len(request.input_ids)
        if (request.task_id, request.sample) in seen:
            raise InputError(f"{name}: asked for twice")
        if not length:
            raise InputError(f"{name}: the prompt has no token; choose what stands before it (--context document)")
        if length >= window:
            raise InputError(f"{name}: the prompt has {length} tokens, but the model's window is {window}")
        outside = [token for token in request.input_ids if not 0 <= token < entries]
        if outside:
            raise InputError(f"{name}: the model has no token {outside[0]} (its embedding has {entries} sequences)")
        seen.add((request.task_id, request.sample))
