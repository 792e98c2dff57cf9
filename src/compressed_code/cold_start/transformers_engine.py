"""Next-token distribution with transformers and accelerate: slow, large, and right for any model they know."""

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compressed_code.checkpoints.model_files import weight_files
from compressed_code.core.errors import InputError, in_one_line
from compressed_code.core.quiet import quiet
from compressed_code.models.double_precision import in_float64
from compressed_code.models.precision import Precision


def transformers_log_probabilities(
    path: Path, input_ids: Sequence[int], precision: Precision = "float32"
) -> np.ndarray:
    """Log-probabilities of the next token; weights that do not fit in memory are left on disk.

    Args:
        path: checkpoint folder or GGUF file.
        input_ids: at least one.
        precision: of the arithmetic.

    Returns:
        [vocabulary rows] float32.

    Raises:
        InputError: transformers cannot open the checkpoint, a tensor is missing or would be ignored, an input id lies
            outside of the embedding, or the result is not finite.
    """
    import torch

    throughout = in_float64() if precision == "float64" else contextlib.nullcontext()
    with tempfile.TemporaryDirectory() as offload, throughout:
        model, missing, unexpected = _load(path, offload, precision)
        if missing:
            raise InputError(f"{path}: tensor {missing[0]} is missing")
        if unexpected:
            raise InputError(f"{path}: tensor {unexpected[0]} has no place in the model that config.json describes")
        rows = model.get_input_embeddings().weight.shape[0]
        outside = [token for token in input_ids if not 0 <= token < rows]
        if outside:
            raise InputError(f"{path}: input id {outside[0]} lies outside of the embedding ({rows} rows)")
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([list(input_ids)])).logits[0, -1]
            log_probabilities = logits.double().log_softmax(-1).cpu().numpy().astype(np.float32)
        if not np.isfinite(log_probabilities).all():
            raise InputError(f"{path}: the result is not finite ({_first_not_finite(model)})")
    return log_probabilities


def weight_bytes(path: Path) -> int:
    """Size of a checkpoint's weight files in bytes."""
    return sum(file.stat().st_size for file in weight_files(path))


def _load(path: Path, offload: str, precision: Precision) -> tuple[Any, list[str], list[str]]:
    """The model, names of tensors that should have been in the checkpoint, and of those that should not."""
    import torch

    folder, gguf = (path.parent, {"gguf_file": path.name}) if path.is_file() else (path, {})
    try:
        with quiet():
            from transformers import AutoModelForCausalLM  # it imports every quantization library, and they talk

            model, report = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=getattr(torch, precision),
                device_map="auto",
                offload_folder=offload,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                **gguf,
            )
    except Exception as error:  # transformers raises whatever its libraries raise; the user needs one line
        reason = in_one_line(error)
        raise InputError(f"{path}: transformers cannot open it ({type(error).__name__}: {reason})") from error
    unexpected = [name for name in report["unexpected_keys"] if not name.endswith("rotary_emb.inv_freq")]
    return model.eval(), sorted(report["missing_keys"]), sorted(unexpected)


def _first_not_finite(model: Any) -> str:
    import torch

    for name, parameter in model.named_parameters():
        if parameter.device.type != "meta" and not torch.isfinite(parameter).all():
            return f"tensor {name} holds NaN or infinity"
    return "no tensor in memory holds NaN or infinity"
