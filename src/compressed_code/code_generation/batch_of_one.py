"""One program at batch 1, computed as a plain transformers `generate()` computes it. Its answer is the right one."""

import inspect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache
from transformers.utils import ModelOutput

from compressed_code.models.kv_cache import handed_on, takes_transformers_cache

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class BatchOfOne:
    """A row without company: the prompt in one pass, then one token at a time, into transformers' own cache."""

    def __init__(self, model: "PreTrainedModel", input_ids: Sequence[int]) -> None:
        self._model, self._input_ids = model, input_ids
        cache = DynamicCache(config=model.config) if takes_transformers_cache(model) else None
        self._kept: dict[str, Any] = _under_any_name(cache)
        self._seen = self._written = 0
        self._logits: torch.Tensor | None = None

    def logits(self, token_ids: Sequence[int]) -> torch.Tensor:
        """The logits after the prompt and `token_ids`, [vocabulary] float32; longer lists go on where one ended."""
        if self._logits is None:
            self._feed(self._input_ids)
        for token in token_ids[self._written :]:
            self._feed([token])
            self._written += 1
        return self._logits

    def _feed(self, ids: Sequence[int]) -> None:
        before, self._seen = self._seen, self._seen + len(ids)
        ids = torch.tensor([list(ids)], device=self._model.device)
        positions = torch.arange(before, self._seen, device=ids.device)[None]
        output = _output(self._model, ids, None, positions, self._kept)
        self._kept |= handed_on(output)
        self._logits = output.logits[0, -1].float()


def forward(
    model: "PreTrainedModel", ids: torch.Tensor, mask: torch.Tensor | None, positions: torch.Tensor, cache: Cache
) -> torch.Tensor:
    """The logits after the last of `ids`.

    Args:
        ids, positions: [rows, new tokens].
        mask: [rows, cached and new tokens], 0 where a row has nothing; `None` where every row is complete.

    Returns:
        [rows, vocabulary] float32.
    """
    return _output(model, ids, mask, positions, _under_any_name(cache)).logits[:, -1].float()


def forward_of_texts(model: "PreTrainedModel", ids: torch.Tensor, last: int) -> torch.Tensor:
    """The logits after each of the last tokens of whole texts, which are read in one pass.

    Args:
        ids: [rows, tokens]; a text that is shorter ends in any tokens, since none before sees them.
        last: how many of the tokens.

    Returns:
        [rows, last, vocabulary] float32.
    """
    positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    return _output(model, ids, None, positions, {}, last).logits[:, -last:].float()


def precise_logits(model: "PreTrainedModel", ids: Sequence[int]) -> torch.Tensor:
    """The logits after a text as the model computes them, [vocabulary]; of a model in float64 they are float64."""
    read = torch.tensor([list(ids)], device=model.device)
    positions = torch.arange(read.shape[1], device=read.device)[None]
    return _output(model, read, None, positions, _under_any_name(None)).logits[0, -1]


def _under_any_name(cache: Cache | None) -> dict[str, Any]:
    return {"past_key_values": cache, "cache_params": cache}


@torch.inference_mode()
def _output(
    model: "PreTrainedModel",
    ids: torch.Tensor,
    mask: torch.Tensor | None,
    positions: torch.Tensor,
    kept: Mapping[str, Any],
    last: int = 1,
) -> ModelOutput:
    known = _arguments(type(model))
    options = {"position_ids": positions, "logits_to_keep": last, **kept}
    options = {name: value for name, value in options.items() if name in known}  # models differ in what they take
    return model(input_ids=ids, attention_mask=mask, use_cache=True, **options)


@lru_cache(maxsize=8)
def _arguments(model_class: type) -> frozenset[str]:
    return frozenset(inspect.signature(model_class.forward).parameters)
