"""Write many programs at the same time.

Prompts of one length are read together, without padding. Then all programs grow by one token per step; finished ones
leave and waiting ones take their place, so that the batch stays full.

What a program is expected to be, because the model that this one was quantized from wrote it, is read first, in one
pass; a program goes on token by token from where it departs. Of a model at four bits and more 93 % of the tokens are
those of its base.

Which token a step gives each of them is decided by `batch_invariance`.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from compressed_code.code_generation.batch_invariance import Decider
from compressed_code.code_generation.batch_of_one import forward, forward_of_texts
from compressed_code.code_generation.requests import Completion, Precise, Request, Settings
from compressed_code.code_generation.sequence import DecodedSequence
from compressed_code.core.errors import InputError
from compressed_code.models.kv_cache import SlotCache, fits
from compressed_code.models.memory_back_off import smaller_batch
from compressed_code.tokenizers.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PROMPT_TOKENS = 4096  # most tokens of prompts read in one pass
DRAFT_LOGITS = 1 << 24  # most logits of drafts in one pass, 64 MB
# Drafts are read on while this part of their ids is right: reading takes the time of writing half of them.
DRAFTS_RIGHT = 1 / 2
# Waiting programs are admitted when this part of the slots is free; at 1/2 the standard tier takes 1.5 times as long.
REFILL = 1 / 16
SHRINK = 3 / 4  # when none is waiting, the batch shrinks to its live sequences once they fill less than this part of it


def write_programs(
    model: "PreTrainedModel",
    vocabulary: Vocabulary,
    requests: Sequence[Request],
    settings: Settings,
    drafts: Mapping[tuple[str, int], Sequence[int]] | None = None,
    precise: Precise | None = None,
) -> Iterator[list[Completion]]:
    """Write the programs that are asked for.

    With `batch_invariant`, greedy text is that of a plain `generate()` at batch 1, and neither greedy nor sampled text
    depends on `batch` or on which other programs are asked for. Models with routed experts are excepted: a near-tie of
    the router changes logits by more than rounding. Models with recurrent state are run at batch 1.

    Args:
        model: a causal language model in evaluation mode; its own generation settings are not used.
        vocabulary: what the ids stand for.
        requests: in any order; each (task_id, sample) once.
        drafts: (task_id, sample) → ids that a greedy program is expected to begin with, whatever follows. They decide
            how long it takes, and nothing else. Of recurrent models and where tokens are drawn they are not read.
        precise: gives the same model in float64; with it, every machine counts the same near-ties.

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
            for finished in _written(model, vocabulary, left, chosen, window, drafts or {}, precise):
                yield finished
                answered = {(completion.task_id, completion.sample) for completion in finished}
                left = [request for request in left if (request.task_id, request.sample) not in answered]
        except torch.OutOfMemoryError:
            pass  # behind this block, where nothing holds on to the cache; what was begun is written anew
        if left:
            batch = smaller_batch(min(batch, len(left)) if fits(model) else 1, "programs")


def _written(
    model: "PreTrainedModel",
    vocabulary: Vocabulary,
    requests: Sequence[Request],
    settings: Settings,
    window: int,
    drafts: Mapping[tuple[str, int], Sequence[int]],
    precise: Precise | None,
) -> Iterator[list[Completion]]:
    """Programs as they finish, `settings.batch` at a time where the model's cache allows it."""
    sequences = [DecodedSequence(request, settings, vocabulary.tokens, window) for request in requests]
    decider = Decider(model, settings, precise)
    if fits(model):
        if settings.temperature == 0:
            _read_drafts(model, decider, sequences, drafts)
        if finished := [sequence.completion() for sequence in sequences if sequence.finish_reason]:
            yield finished
        left = [sequence for sequence in sequences if not sequence.finish_reason]
        left.sort(key=lambda sequence: -len(sequence.ids))  # stable: equal prompts stay neighbours
        yield from _Batch(model, decider, left, settings).run()
        return
    for sequence in sequences:
        while sequence.finish_reason is None:
            decider.decide_at_batch_one(sequence)
        yield [sequence.completion()]


def _read_drafts(
    model: "PreTrainedModel",
    decider: Decider,
    sequences: Sequence[DecodedSequence],
    drafts: Mapping[tuple[str, int], Sequence[int]],
) -> None:
    """Give sequences that have a draft the tokens of it that they would get, and the one after."""
    entries = model.get_input_embeddings().weight.shape[0]
    texts: list[tuple[DecodedSequence, list[int]]] = []
    for sequence in sequences:
        draft = drafts.get((sequence.request.task_id, sequence.request.sample), ())[: sequence.limit - 1]
        if draft := list(takewhile(lambda token: 0 <= token < entries, draft)):
            texts.append((sequence, draft))
    texts.sort(key=lambda text: len(text[0].ids) + len(text[1]))
    read = right = 0
    while texts and right >= DRAFTS_RIGHT * read:
        # The last one is the longest; with it go as many as one pass may hold.
        longest = len(texts[-1][0].ids) + len(texts[-1][1])
        rows = max(1, min(PROMPT_TOKENS // longest, DRAFT_LOGITS // (longest * entries)))
        chosen, texts = texts[-rows:], texts[:-rows]
        ids = torch.zeros(len(chosen), longest, dtype=torch.long)
        for row, (sequence, draft) in zip(ids, chosen, strict=True):
            row[: len(sequence.ids) + len(draft)] = torch.tensor([*sequence.ids, *draft])
        first = min(len(sequence.ids) for sequence, _ in chosen) - 1
        logits = forward_of_texts(model, ids.to(model.device), longest - first)
        for own, (sequence, draft) in zip(logits, chosen, strict=True):
            begin = len(sequence.ids) - 1 - first
            decider.follow(sequence, draft, own[begin : begin + len(draft) + 1])
            read += len(draft)
            right += len(sequence.token_ids)


class _Batch:
    """The sequences that are being written, each in a slot of the cache, and the ones that wait."""

    def __init__(
        self, model: "PreTrainedModel", decider: Decider, sequences: Sequence[DecodedSequence], settings: Settings
    ) -> None:
        self._model, self._judge = model, decider
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
        """Read what the head of the queue has so far, as far as it has one length; equal prompts are read once."""
        free = [slot for slot, sequence in enumerate(self._slots) if sequence is None]
        length = len(self._waiting[0].ids)
        prompts: dict[tuple[int, ...], int] = {}
        sequences: list[DecodedSequence] = []
        while self._waiting and len(sequences) < len(free) and len(self._waiting[0].ids) == length:
            if len(prompts) >= max(1, PROMPT_TOKENS // length):
                break
            sequences.append(self._waiting.popleft())
            prompts.setdefault(sequences[-1].ids, len(prompts))
        numbers = [prompts[sequence.ids] for sequence in sequences]
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
        waiting = len(self._waiting[0].ids) if self._waiting else 0
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
