"""The token that a step gives each program of a batch: the one that it would get alone.

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

Drafts. A program that is expected is read in one pass, and each position's logits decide the token that follows by the
same rule, as far as it is the expected one (Leviathan et al. 2023, with a text in place of a smaller model).

Near-ties. Another machine sums in another order, so it may choose another token where even the logits at batch 1 are
almost equal. Such choices are counted; a program without one is the same program everywhere. Whether a lead lies within
the bound is itself a matter of rounding, so where the same model can be had in float64 every lead near the bound is
computed in it, and every machine counts alike.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from compressed_code.code_generation.batch_of_one import BatchOfOne, precise_logits
from compressed_code.code_generation.requests import Precise, Settings
from compressed_code.code_generation.sampling import choose
from compressed_code.code_generation.sequence import DecodedSequence
from compressed_code.core.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WATCHED_PROGRAMS, WATCHED_TOKENS = 4, 8  # at the beginning, compared with batch 1 whatever their lead
# The error taken into account: the largest one seen on any logit times SAFETY, and at least this part of the largest
# logit (32 units in its last place). On models of 1 to 3 million weights the largest error of a whole run was 1.1 to
# 1.7 times that of the watched tokens, and at most 3.3e-6 of the largest logit.
SAFETY = 4
SMALLEST_ERROR = 2.0**-18
# A choice is a near-tie when an error of this part of the largest logit could turn it. That is the error above with the
# same safety, not a number fitted to one machine: other instruction sets round other sums of the same lengths.
NEAR_TIE = SAFETY * SMALLEST_ERROR
# A lead in float32 of so many times that bound is none in float64 either: float32's error is a part of the bound.
SURELY_CLEAR = 2


class Decider:
    """Chooses tokens, at batch 1 where it must."""

    def __init__(self, model: "PreTrainedModel", settings: Settings, precise: Precise | None = None) -> None:
        self._model, self._settings, self._precise = model, settings, precise
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

    def follow(self, sequence: DecodedSequence, draft: Sequence[int], logits: torch.Tensor) -> None:
        """Give a sequence without tokens those of a draft, as far as greedy decoding gives them, and the one after.

        Args:
            draft: what is expected.
            logits: [len(draft) + 1, vocabulary] float32, after the prompt and after each token of the draft.
        """
        largest = float(logits.abs().max())
        if not np.isfinite(largest):
            return  # it may be what is expected that breaks the model, and not what it writes
        best = logits.topk(2)
        leads, tokens = (best.values[:, 0] - best.values[:, 1]).tolist(), best.indices[:, 0].tolist()
        for expected, token, lead, own in zip([*draft, None], tokens, leads, logits, strict=True):
            if self._settings.batch_invariant:
                self._watch([sequence], own[None])
                self._error = max(self._error, SMALLEST_ERROR * largest)
                if lead <= 2 * (self._error + NEAR_TIE * largest):
                    self._compare(sequence, own)
                    self.decide_at_batch_one(sequence)
                else:
                    sequence.accept(token)
            else:
                self._accept([sequence], own[None])
            if sequence.finish_reason or sequence.token_ids[-1] != expected:
                return

    def decide_at_batch_one(self, sequence: DecodedSequence) -> None:
        """Give a sequence the token it gets at batch 1."""
        sequence.rechecked += 1
        self._accept([sequence], self._logits_at_batch_one(sequence)[None])

    def _accept(self, sequences: Sequence[DecodedSequence], logits: torch.Tensor) -> None:
        """Give sequences the tokens that follow from these logits, and count the near-ties among them."""
        noise = self._noise(sequences, logits)
        tokens = choose(logits, noise, **self._sampling, error=0.0).tokens
        clear = self._clear(logits, noise, SURELY_CLEAR if self._precise else 1)
        for sequence, token, is_clear in zip(sequences, tokens.tolist(), clear, strict=True):
            sequence.near_ties += not (is_clear or (self._precise and self._clear_in_float64(sequence)))
            sequence.accept(token)

    def _clear(self, logits: torch.Tensor, noise: torch.Tensor | None, times: float = 1) -> list[bool]:
        """Whether each row's choice is more than a near-tie, or so many times that."""
        error = times * NEAR_TIE * float(logits.abs().max())
        return choose(logits, noise, **self._sampling, error=error).sure.tolist()

    def _clear_in_float64(self, sequence: DecodedSequence) -> bool:
        logits = precise_logits(self._precise(), sequence.ids)[None]
        return self._clear(logits, self._noise([sequence], logits))[0]

    def _watch(self, sequences: Sequence[DecodedSequence], logits: torch.Tensor) -> None:
        if (room := WATCHED_PROGRAMS - len(self._watched)) > 0:
            self._watched += [sequence for sequence in sequences if sequence not in self._watched][:room]
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
