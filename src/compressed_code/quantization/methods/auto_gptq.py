"""The shim around auto-gptq 0.7.1, archived in 2025: what it needs to run beside transformers 5 and without CUDA.

Everything it changes in other packages is in force only inside `shim()`; nothing else of the project imports auto-gptq.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from compressed_code.checkpoints.checkpoint import read_config
from compressed_code.core.errors import Unavailable
from compressed_code.quantization.methods.library_quirks import never_zero
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix
from compressed_code.registry.quantizations import Quantization

if TYPE_CHECKING:
    pass


def solve(
    base: Path,
    quantization: Quantization,
    calibration: Sequence[Sequence[int]],
    *,
    dampening: float,
    batch_size: int,
) -> dict[str, QuantizedMatrix]:
    """Quantize the linear layers of a model's decoder.

    Args:
        dampening: share of the Hessian's mean diagonal that is added to the diagonal.
        batch_size: rows that go through the model together.

    Returns:
        The matrices by the name of their tensor.

    Raises:
        Unavailable: auto-gptq does not know the architecture, or is not installed.
    """
    import torch

    found: dict[str, QuantizedMatrix] = {}

    def keep(model: Any, quantizers: dict[str, tuple], **_: Any) -> None:
        """In place of auto-gptq's packing, which loses zero points and knows multiples of 32 only."""
        for name, (_, scale, zero, _) in quantizers.items():
            weight = model.get_submodule(name).weight
            found[f"{name}.weight"] = _matrix(weight, scale, zero, quantization)

    torch.manual_seed(quantization.seed)
    rows = [{"input_ids": list(row), "attention_mask": [1] * len(row)} for row in calibration]
    with shim() as library:
        wrapped = _wrap(base, library, quantization, dampening)
        with patch.object(library, "pack_model", keep):
            wrapped.quantize(rows, batch_size=batch_size)
    return found


@contextlib.contextmanager
def shim() -> Iterator[ModuleType]:
    """`auto_gptq.modeling._base`, able to run; what is changed for it elsewhere is undone at the end.

    Raises:
        Unavailable: auto-gptq is not installed.
    """
    import huggingface_hub
    import peft
    import torch
    import transformers
    from transformers import initialization
    from transformers.utils import hub

    def renamed(module: ModuleType, name: str, value: Any) -> None:
        undo.enter_context(patch.object(module, name, value, create=True))

    with contextlib.ExitStack() as undo:
        # Names that have moved since, and a wait for CUDA that has nothing to wait for.
        renamed(transformers.modeling_utils, "no_init_weights", initialization.no_init_weights)
        for name in ("create_repo", "create_commit", "CommitOperationAdd"):
            renamed(hub, name, getattr(huggingface_hub, name))
        renamed(peft.peft_model, "PEFT_TYPE_TO_MODEL_MAPPING", peft.mapping.PEFT_TYPE_TO_TUNER_MAPPING)
        if not torch.cuda.is_available():
            renamed(torch.cuda, "synchronize", lambda *_: None)
        try:
            from auto_gptq.modeling import _base
            from auto_gptq.quantization.quantizer import Quantizer
        except ImportError as error:
            raise Unavailable(
                f"auto-gptq cannot be imported ({error}); pip install auto-gptq==0.7.1 under Python 3.11, or use gptq,"
                " which needs no library"
            ) from None
        renamed(_base, "CUDA_0", torch.device("cpu"))
        undo.enter_context(never_zero(Quantizer))
        yield _base


def _wrap(base: Path, library: ModuleType, quantization: Quantization, dampening: float) -> Any:
    """The model in the class auto-gptq has for it; its own `from_pretrained` insists on CUDA."""
    import torch
    from auto_gptq.modeling.auto import GPTQ_CAUSAL_LM_MODEL_MAP
    from transformers import AutoModelForCausalLM

    model_type = read_config(base).get("model_type")
    if model_type not in GPTQ_CAUSAL_LM_MODEL_MAP:
        raise Unavailable(f"{base}: auto-gptq does not know the architecture {model_type!r}; use gptq")
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, trust_remote_code=False, local_files_only=True
    ).eval()
    settings = library.BaseQuantizeConfig(
        bits=quantization.bits,
        group_size=quantization.group_size or -1,
        sym=quantization.symmetric,
        desc_act=False,
        damp_percent=dampening,
    )
    wrapped = GPTQ_CAUSAL_LM_MODEL_MAP[model_type](model, False, settings)
    for layer in model.get_submodule(wrapped.layers_block_name):
        # It takes [0] of what a decoder layer returns, which is the hidden state itself today.
        layer.register_forward_hook(lambda _layer, _inputs, output: output if isinstance(output, tuple) else (output,))
    return wrapped


def _matrix(weight: Any, scale: Any, zero: Any, quantization: Quantization) -> QuantizedMatrix:
    """Codes from the rounded weight [rows, columns]; scale and zero point are [rows, groups]."""
    rows, columns = weight.shape
    groups = weight.detach().reshape(rows, scale.shape[1], -1)
    codes = (groups / scale[:, :, None]).round() + zero[:, :, None]
    return QuantizedMatrix(
        codes.reshape(rows, columns).numpy().astype(np.uint8),
        scale.numpy().astype(np.float16),
        zero.numpy().astype(np.uint8),
        quantization.bits,
        quantization.symmetric,
    )
