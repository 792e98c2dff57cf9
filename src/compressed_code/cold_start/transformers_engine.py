"""Next-token distribution of any model that transformers knows, its weights read module by module."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.core.errors import InputError
from compressed_code.core.quiet import quiet
from compressed_code.models.double_precision import in_float64
from compressed_code.models.precision import Precision
from compressed_code.models.streamed_model import streamed_model
from compressed_code.models.transformers_model import find_model


def transformers_log_probabilities(
    path: Path, input_ids: Sequence[int], precision: Precision = "float32"
) -> tuple[np.ndarray, int]:
    """Log-probabilities of the next token.

    Args:
        path: checkpoint folder or GGUF file.
        input_ids: at least one.
        precision: of the arithmetic.

    Returns:
        [vocabulary rows] float32, and the bytes that were read.

    Raises:
        InputError: the checkpoint is broken or of a model that transformers does not know, a weight is missing, would
            be ignored or is not finite, or an input id lies outside of the embedding.
    """
    import torch

    checkpoint = open_checkpoint(path)
    throughout = in_float64() if precision == "float64" else contextlib.nullcontext()
    with throughout:
        model, rows = streamed_model(find_model(checkpoint), getattr(torch, precision))
        outside = [token for token in input_ids if not 0 <= token < rows]
        if outside:
            raise InputError(f"{path}: input id {outside[0]} lies outside of the embedding ({rows} rows); name another")
        with torch.inference_mode(), quiet():
            logits = model(input_ids=torch.tensor([list(input_ids)]), use_cache=False).logits[0, -1]
            log_probabilities = logits.double().log_softmax(-1).numpy().astype(np.float32)
    if not np.isfinite(log_probabilities).all():
        raise InputError(f"{path}: the result is not finite; its weights or its config are broken: fetch both again")
    return log_probabilities, checkpoint.bytes_read
