"""Run models over given texts, many documents at a time, and hand out hidden states and logits block by block.

Each document stands alone after the model's start ids, never after another document; without start ids its first token
is read and not predicted. Padding follows a document's last token, where a causal model cannot see it. Logits exist
for a block of positions at a time only (`logit_blocks`).
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from compressed_code.core.errors import InputError
from compressed_code.core.progress import progress_bar
from compressed_code.fidelity.logit_blocks import block_rows, blocks, log_softmax, multiply, product_rows, products
from compressed_code.fidelity.windows import Window, batches, cut_windows, largest_length
from compressed_code.models.memory_back_off import BackOff

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# Input tokens of one forward pass, padding included; a longer window is a batch of its own. So many keep a core busy
# (products of 512 rows run at 98 % of the speed of 2,048). Of more, unequal texts are filled up (19 % of 17 programs,
# not 2 %), and each layer's results are so large that malloc gives their memory back to the system and gets it again
# page by page.
BATCH_TOKENS = 512
# What a `KeepingRunner` holds at most: 512 MB, 23,000 tokens' float64 log-probabilities of 2,600 entries, or hidden
# states of 54,000 tokens of a float32 model 2,300 wide.
KEPT_BYTES = 1 << 29

_Made = TypeVar("_Made")


class Runner:
    """One model: hidden states of a batch, and logits of some of them.

    Attributes:
        model: what runs.
        rows: rows of the output matrix, padding rows included.
        is_plain: logits are hidden states times the output matrix. Some models scale or cap theirs; those are taken
            as they come, whole.
        batch_tokens: input tokens of one forward pass.
    """

    def __init__(self, model: "PreTrainedModel", start_ids: Sequence[int]) -> None:
        """Look at the model.

        Raises:
            InputError: a start id outside of the embedding.
        """
        self.model, self._start = model, tuple(start_ids)
        self._head = model.get_output_embeddings()
        self._entries = model.get_input_embeddings().weight.shape[0]
        self.rows = self._head.weight.shape[0]
        self._check_ids(np.array(self._start, np.int64))
        self.is_plain = self._is_plain()
        self.batch_tokens = BATCH_TOKENS if self.is_plain else 1
        self._products = None
        self._back_off = BackOff("windows of text")

    @property
    def dtype(self) -> "torch.dtype":
        """What the model computes in."""
        return self._head.weight.dtype

    @property
    def device(self) -> "torch.device":
        """Where the results are: of a model on several devices, where its output matrix is."""
        return self._head.weight.device

    def states(self, batch: Sequence[Window]) -> "torch.Tensor":
        """What the output matrix is multiplied with: [all tokens of the batch, hidden], in the order of the windows.

        Row i belongs to the prediction *of* token i. A batch that a GPU's memory does not suffice for is read in parts.

        Raises:
            InputError: an id outside of the embedding, or no memory for a single window.
        """
        import torch

        parts = self._back_off.results(self._states, batch)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _states(self, batch: Sequence[Window]) -> "torch.Tensor":
        import torch

        lengths = [len(window.tokens) for window in batch]
        for window in batch:
            self._check_ids(window.tokens)
            self._check_ids(window.before)
        first = len(batch[0].before) - 1
        ids = np.full((len(batch), first + max(lengths)), batch[0].before[0], np.int64)
        for row, window in zip(ids, batch, strict=True):
            row[: first + 1] = window.before
            row[first + 1 : first + len(window.tokens)] = window.tokens[:-1]
        with torch.inference_mode():
            inputs = torch.from_numpy(ids).to(self.model.device)
            body = self.model.base_model if self.is_plain else self.model
            output = body(input_ids=inputs, use_cache=False)
            states = output.last_hidden_state if self.is_plain else output.logits
            rows = [row[first : first + length] for row, length in zip(states, lengths, strict=True)]
            return torch.cat(rows).to(self.device)

    def kept_states(self, batch: Sequence[Window]) -> "torch.Tensor":
        """As `states`; see `KeepingRunner`."""
        return self.states(batch)

    def logits(self, states: "torch.Tensor", out: "torch.Tensor") -> None:
        """Logits of some rows of `states`, computed in the model's precision and written to `out`, [rows, width].

        `out` may be on another device. A width below `rows` leaves out the last rows of the output matrix.
        """
        import torch

        rows, width = out.shape
        with torch.inference_mode():
            if not self.is_plain:
                out.copy_(states[:, :width])
                return
            alike = out.dtype == states.dtype and out.device == states.device
            logits = out if alike else self._buffer(rows, width)
            multiply(states, self._head.weight[:width], logits)
            if logits is not out:
                out.copy_(logits)
            if self._head.bias is not None:
                out += self._head.bias[:width].to(out.device)

    def once(self, key: Hashable, make: "Callable[[], _Made]", size: "Callable[[_Made], int]") -> "_Made":
        """What `make` gives; see `KeepingRunner`.

        Args:
            key: what else than the model decides it.
            size: of the result in bytes.
        """
        return make()

    def keeps(self, size: int) -> bool:
        """Whether so many bytes about all of the texts are kept."""
        return False

    def _buffer(self, rows: int, width: int) -> "torch.Tensor":
        """Place for logits in the model's precision; memory that is allocated anew costs more than the product."""
        import torch

        if self._products is None or self._products.shape[1] != width or len(self._products) < rows:
            self._products = torch.empty(rows, width, dtype=self._head.weight.dtype, device=self.device)
        return self._products[:rows]

    def _check_ids(self, ids: np.ndarray) -> None:
        outside = ids[(ids < 0) | (ids >= self._entries)]
        if len(outside):
            raise InputError(f"input id {outside[0]} lies outside of the embedding ({self._entries} rows)")

    def _is_plain(self) -> bool:
        """Whether logits are hidden states times the output matrix, tried on the start ids, or on the first id."""
        import torch

        if self.model.base_model is self.model:  # transformers knows no part below the output matrix (Llama 4's text)
            return False
        inputs = torch.tensor([self._start or (0,)], device=self.model.device)
        with torch.inference_mode():
            expected = self.model(input_ids=inputs, use_cache=False).logits[0]
            states = self.model.base_model(input_ids=inputs, use_cache=False).last_hidden_state[0]
            if states.shape[-1] != self._head.weight.shape[1]:
                return False
            own = self._head(states.to(self.device))
            return torch.allclose(own, expected.to(self.device), rtol=1e-3, atol=1e-4)


class KeepingRunner(Runner):
    """A runner for a base of many candidates: what is known of a batch it has read before is not computed again.

    That is its log-probabilities, where it computes in float64 (small models) and those of all texts fit; else hidden
    states, which take a hundredth or less, and from which logits are a fraction of a pass.
    """

    def __init__(self, model: "PreTrainedModel", start_ids: Sequence[int], kept_bytes: int = KEPT_BYTES) -> None:
        """Look at the model.

        Beyond `kept_bytes` nothing more is kept; which batches are read again then, and the last digits of float32 with
        it, depends on the order in which they were done.
        """
        super().__init__(model, start_ids)
        self._kept: dict[Hashable, Any] = {}
        self._limit = self._left = kept_bytes
        self._counting = threading.Lock()  # batches may be read side by side

    def once(self, key: Hashable, make: "Callable[[], _Made]", size: "Callable[[_Made], int]") -> "_Made":
        """As `Runner.once`, and the same object again when the key comes back, if there was room for it."""
        if key in self._kept:
            return self._kept[key]
        made = make()
        with self._counting:
            if size(made) <= self._left:
                self._kept[key] = made
                self._left -= size(made)
        return made

    def kept_states(self, batch: Sequence[Window]) -> "torch.Tensor":
        """As `states`, read once for each window: whoever reads some of the texts again asks for no pass."""
        import torch

        keys = [("states", window.before.tobytes(), window.tokens.tobytes()) for window in batch]
        # One text may stand there twice.
        new = {key: window for key, window in zip(keys, batch, strict=True) if key not in self._kept}
        lengths = [len(window.tokens) for window in new.values()]
        read = dict(zip(new, self.states([*new.values()]).split(lengths), strict=True)) if new else {}
        return torch.cat([self.once(key, lambda key=key: read[key], lambda states: states.nbytes) for key in keys])

    def keeps(self, size: int) -> bool:
        """As `Runner.keeps`."""
        return size <= self._limit and self._head.weight.itemsize == 8


def log_probabilities(
    model: "PreTrainedModel",
    documents: Sequence[np.ndarray],
    start_ids: Sequence[int],
    length: int = 1024,
    *,
    progress: str = "",
) -> list[np.ndarray]:
    """The log-probability of every token of every document, natural logarithm.

    Args:
        documents: ids of each, [tokens], without start ids.
        start_ids: what each document follows, at least one id.
        length: longer documents are cut into windows of so many tokens, each after the start ids.
        progress: label of the progress bar (`core.progress`); empty for none.

    Returns:
        [tokens] float32 for each document.

    Raises:
        InputError: no start id, or an id outside of the embedding.
    """
    import torch

    if not len(start_ids):
        raise InputError("no start ids; give at least one")
    runner = Runner(model, start_ids)
    found = [np.empty(len(tokens), np.float32) for tokens in documents]
    buffer, spare = (
        torch.empty(rows, runner.rows, dtype=runner.dtype, device=runner.device)
        for rows in (product_rows(runner.rows), block_rows(runner.rows))
    )
    windows = cut_windows(documents, largest_length([model], len(start_ids), length), start_ids)
    count = sum(len(window.tokens) for window in windows)
    with progress_bar(total=count, desc=progress, unit=" tokens", disable=not progress or None) as bar:
        for batch in batches(windows, len(start_ids), runner.batch_tokens):
            states = runner.states(batch)
            tokens = torch.from_numpy(np.concatenate([window.tokens for window in batch]).astype(np.int64))
            values = torch.empty(len(tokens), dtype=runner.dtype, device=runner.device)
            tokens = tokens.to(runner.device)
            for product in products(len(tokens), runner.rows):
                logits = buffer[: product.stop - product.start]
                with torch.inference_mode():
                    runner.logits(states[product], logits)
                    for block in blocks(len(logits), len(spare)):
                        log_softmax(logits[block], spare[: len(logits[block])])
                    values[product] = logits.gather(1, tokens[product, None])[:, 0]
            parts = np.split(values.cpu().numpy(), np.cumsum([len(window.tokens) for window in batch])[:-1])
            for window, part in zip(batch, parts, strict=True):
                found[window.document][window.first : window.first + len(part)] = part
            bar.update(len(tokens))
    return found
