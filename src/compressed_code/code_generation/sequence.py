"""One program while it is written: its tokens, and the one rule that ends it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from compressed_code.benchmarks.completions import truncate
from compressed_code.code_generation.requests import Completion, FinishReason, Request, Settings
from compressed_code.code_generation.sampling import random_stream

if TYPE_CHECKING:
    from compressed_code.code_generation.batch_of_one import BatchOfOne


class DecodedSequence:
    """A program in the making.

    Attributes:
        request: what it answers.
        token_ids: written so far, without an end-of-text token.
        finish_reason: why it is finished; `None` while it is not.
        batch_of_one: the same program at batch 1, once a token of it was doubtful.
        rechecked: tokens decided at batch 1.
        near_ties: choices that rounding could have turned.
        limit: most tokens that it may get.
    """

    def __init__(self, request: Request, settings: Settings, tokens: Sequence[bytes | None], window: int) -> None:
        self.request = request
        self.token_ids: list[int] = []
        self.finish_reason: FinishReason | None = None
        self.batch_of_one: BatchOfOne | None = None
        self.rechecked = self.near_ties = 0
        self._settings, self._tokens = settings, tokens
        self.limit = min(settings.max_tokens, window - len(request.input_ids))
        self._stops = [stop.encode() for stop in settings.stop]
        self._longest_stop = max(map(len, self._stops), default=1)
        self._written = bytearray()

    @property
    def ids(self) -> tuple[int, ...]:
        """All that the model has read of it, or is to read: the prompt and what was written."""
        return (*self.request.input_ids, *self.token_ids)

    def accept(self, token: int) -> None:
        """Take the next token. Only the bytes it adds, and what a stop string may have begun before, are searched."""
        if token in self._settings.end_ids:
            self.finish_reason = "end"
            return
        self.token_ids.append(token)
        unseen = max(0, len(self._written) - self._longest_stop + 1)
        self._written += (self._tokens[token] if token < len(self._tokens) else None) or b""
        if any(self._written.find(stop, unseen) >= 0 for stop in self._stops):
            self.finish_reason = "stop"
        elif len(self.token_ids) >= self.limit:
            self.finish_reason = "limit"

    def noise(self, width: int) -> np.ndarray:
        """Random numbers for the next token, see `sampling.random_stream`."""
        request = self.request
        return random_stream(self._settings.seed, request.task_id, request.sample, len(self.token_ids), width)

    def completion(self) -> Completion:
        """The finished program. Its bytes are decoded in one piece: a token alone may end inside a character."""
        raw = self._written.decode("utf-8", "replace")
        text, request = truncate(raw, self._settings.stop), self.request
        counts = {"rechecked": self.rechecked, "near_ties": self.near_ties}
        return Completion(
            request.task_id, request.sample, text, raw, tuple(self.token_ids), self.finish_reason, **counts
        )
