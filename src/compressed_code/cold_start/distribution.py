"""First-token distribution straight from a checkpoint, layer by layer.

The next-token distribution of a model that has seen one token needs one pass over part of the weights: the embedding's
row, per layer the value and output projections and the feed-forward network, and the output matrix. Queries and keys
cannot change it (see `architectures`). Each matrix is read from disk when its turn comes and forgotten at once, so a
checkpoint of any size needs a few megabytes. Arithmetic is float32 whatever the weights are stored in, or float64 on
request; results are float32.

Models the engine does not know, and contexts of several ids, go through transformers' own modules, whose weights are
read the same way (`models.streamed_model`), and the result says so; that needs the whole checkpoint on this machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from compressed_code.checkpoints.architectures import UnsupportedArchitecture, understand
from compressed_code.checkpoints.checkpoint import Checkpoint, open_checkpoint
from compressed_code.cold_start.layerwise_engine import FirstToken, log_softmax
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.models.precision import Precision


@dataclass(frozen=True)
class ColdStart:
    """A next-token distribution and how it was had.

    Attributes:
        log_probabilities: [vocabulary rows, padding included] float32, natural logarithm.
        input_ids: what the model was given.
        engine: "layerwise", or "transformers" for models the engine does not know.
        bytes_read: of the checkpoint.
        reason: why transformers was needed; empty otherwise.
    """

    log_probabilities: np.ndarray
    input_ids: tuple[int, ...]
    engine: Literal["layerwise", "transformers"]
    bytes_read: int
    reason: str = ""


def cold_start(path: Path, input_ids: Sequence[int], precision: Precision = "float32") -> ColdStart:
    """The next-token distribution after `input_ids`.

    Args:
        path: a checkpoint folder (config.json and safetensors) or a GGUF file.
        input_ids: the start context; the layer-by-layer engine takes one token, longer ones take transformers.
        precision: of the arithmetic (`compressed_code.models.precision`).

    Raises:
        InputError: a broken checkpoint (the message names file and tensor), an input id outside of the embedding, an
            unsupported quantization, or a config that names code to execute for a model not known here.
    """
    ids = _checked(path, input_ids)
    try:
        _require_one_token(ids)
        return _layerwise(open_checkpoint(path), ids, precision)
    except UnsupportedArchitecture as limit:
        return _with_transformers(path, ids, precision, str(limit))


def cold_start_from(checkpoint: Checkpoint, input_ids: Sequence[int], precision: Precision = "float32") -> ColdStart:
    """The same from an open checkpoint, which may lie on a server (`hub.open_remote_checkpoint`).

    Raises:
        Unavailable: only transformers knows this model, and it needs the whole checkpoint on this machine; or a server
            does not deliver.
        InputError: as `cold_start`.
    """
    ids = _checked(checkpoint.path, input_ids)
    try:
        _require_one_token(ids)
        return _layerwise(checkpoint, ids, precision)
    except UnsupportedArchitecture as limit:
        raise Unavailable(
            f"{checkpoint.path}: needs the whole checkpoint ({limit}); download it and give its folder"
        ) from None


def cold_start_log_probabilities(
    checkpoint: Checkpoint, input_ids: Sequence[int], precision: Precision = "float32"
) -> np.ndarray:
    """The same, layer by layer from an open checkpoint, for exactly one input token.

    Returns:
        [vocabulary rows] float32.

    Raises:
        UnsupportedArchitecture: the engine does not know this model.
        InputError: as `cold_start`.
    """
    (token,) = input_ids
    network = FirstToken(checkpoint, understand(checkpoint.config), precision)
    # A vector product waits for memory, not for a core: more threads gain little, and OpenBLAS's threads wait by
    # spinning, which made a run ten times slower now and then where another process held the second core.
    with threadpool_limits(limits=1, user_api="blas"):
        return log_softmax(network.logits(token)).astype(np.float32, copy=False)


def _checked(path: PurePath, input_ids: Sequence[int]) -> tuple[int, ...]:
    if not len(input_ids):
        raise InputError(f"{path}: the start context is empty; give at least one input id")
    return tuple(int(token) for token in input_ids)


def _require_one_token(input_ids: tuple[int, ...]) -> None:
    if len(input_ids) > 1:
        raise UnsupportedArchitecture("more than one input token")


def _layerwise(checkpoint: Checkpoint, input_ids: tuple[int, ...], precision: Precision) -> ColdStart:
    log_probabilities = cold_start_log_probabilities(checkpoint, input_ids, precision)
    return ColdStart(log_probabilities, input_ids, "layerwise", checkpoint.bytes_read)


def _with_transformers(path: Path, input_ids: tuple[int, ...], precision: Precision, reason: str) -> ColdStart:
    """The other engine; it refuses a config that names code: nothing out of a checkpoint is executed."""
    from compressed_code.cold_start.transformers_engine import transformers_log_probabilities

    log_probabilities, bytes_read = transformers_log_probabilities(path, input_ids, precision)
    return ColdStart(log_probabilities, input_ids, "transformers", bytes_read, reason)
