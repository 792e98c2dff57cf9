"""Open a checkpoint as a plain transformers model in float32 or float64, whatever it is stored in.

Quantized weights are decoded by `compressed_code.checkpoints`, not by a kernel, so that a number does not depend on
which kernel happens to be installed.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compressed_code.checkpoints.architectures import UnsupportedArchitecture, understand
from compressed_code.checkpoints.checkpoint import Checkpoint, open_checkpoint, read_config
from compressed_code.checkpoints.files.gguf_files import GgufFiles
from compressed_code.checkpoints.matrices.part_names import QUANTIZED_PARTS
from compressed_code.checkpoints.model_families import FAMILIES
from compressed_code.checkpoints.quantization_config import StoredQuantization, read_quantization
from compressed_code.core.errors import InputError, in_one_line
from compressed_code.core.quiet import quiet
from compressed_code.models.double_precision import in_float64
from compressed_code.models.precision import Precision

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

# Metadata of a GGUF file about rotary positions that is understood; the last two only describe the training.
_ROTARY_FIELDS = {
    "rope.freq_base",
    "rope.dimension_count",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
}
# Tensor of a GGUF file that divides the rotary frequencies (Llama 3.1), by the name `GgufFiles` gives it.
_ROTARY_FACTORS = "model.rotary_emb.inv_freq"
# Architectures whose rows of Q and K converters to GGUF reorder.
_PERMUTED = ("llama",)


def load_model(path: Path, device: str = "cpu", dtype: Precision = "float32") -> "PreTrainedModel":
    """A model in evaluation mode.

    In float64 it has the weights that it has in float32, computes with them in float64 throughout
    (`compressed_code.models.double_precision`) whoever calls it, and so do its positions.

    Args:
        path: a checkpoint folder (plain, GPTQ version 1, block-scaled float8) or a GGUF file.
        device: where torch puts it.
        dtype: of the weights and of the arithmetic.

    Raises:
        InputError: a broken or unsupported checkpoint; a tensor that is missing, has no place in the model, or holds
            NaN or infinity. The message names file and tensor. Code that comes with a checkpoint is never run.
    """
    if dtype == "float32":
        return _opened(path).to(device).eval()
    with in_float64():
        model = _opened(path)
    return _in_float64_throughout(model.double().to(device).eval())


def _opened(path: Path) -> "PreTrainedModel":
    if path.is_file():
        return _from_gguf(path)
    if read_quantization(path, read_config(path)) != StoredQuantization():
        with _one_line(path):
            config = _config(path)
        return _dequantized(open_checkpoint(path), config)
    return _plain(path)


def _in_float64_throughout(model: "PreTrainedModel") -> "PreTrainedModel":
    """The model, and its part below the output matrix, wrapped so that each call computes in float64 throughout."""
    for part in {model, model.base_model}:
        part.forward = in_float64()(part.forward)
    return model


def _config(path: Path) -> "PreTrainedConfig":
    """The config of a folder without its quantization."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=True)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    return config


def _plain(path: Path, **options: Any) -> "PreTrainedModel":
    import torch

    with _one_line(path):
        from transformers import AutoModelForCausalLM  # it imports every quantization library, and they talk

        model, report = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=torch.float32,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    _check_report(path, report)
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise InputError(f"{path}: tensor {name} holds NaN or infinity")
    return model


def _dequantized(
    checkpoint: Checkpoint, config: "PreTrainedConfig", permuted_heads: Mapping[str, int] | None = None
) -> "PreTrainedModel":
    """A model whose every tensor is decoded by the checkpoint's own reader."""
    import torch

    with _one_line(checkpoint.path):
        from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM

        with torch.device("meta"):
            skeleton = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    shapes = {name: tuple(tensor.shape) for name, tensor in skeleton.state_dict().items()}
    _refuse_unknown_tensors(checkpoint, shapes)
    # Of tied matrices `named_parameters` names one.
    tensors = {name: _decoded(checkpoint, name, shapes[name]) for name, _ in skeleton.named_parameters()}
    if permuted_heads:
        _restore_rotary_rows(tensors, permuted_heads)
    state = {name: torch.from_numpy(values) for name, values in tensors.items()}
    with _one_line(checkpoint.path):
        model, report = model_class.from_pretrained(
            None, config=config, state_dict=state, dtype=torch.float32, output_loading_info=True
        )
    _check_report(checkpoint.path, report)
    return model


def _decoded(checkpoint: Checkpoint, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 1:
        return checkpoint.vector(name, *shape)
    if len(shape) == 2:
        return checkpoint.matrix(name.removesuffix(".weight"), shape)
    raise InputError(f"{checkpoint.path}: {name}: quantized experts are not supported; use the original model")


def _refuse_unknown_tensors(checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Stop at a stored tensor that the model would ignore.

    Angles of rotary positions follow from the config. Some GPTQ writers store biases of zero for layers without one.
    """
    for name in sorted(checkpoint.names):
        module, _, part = name.rpartition(".")
        known = shapes.get(f"{module}.weight")
        if name in shapes or (known and part in QUANTIZED_PARTS) or name.endswith("rotary_emb.inv_freq"):
            continue
        quantized_bias = known and part == "bias" and f"{module}.qweight" in checkpoint.names
        if quantized_bias and not checkpoint.vector(name, known[0]).any():
            continue
        raise InputError(f"{checkpoint.path}: tensor {name} has no place in the model that the config describes")


def _from_gguf(path: Path) -> "PreTrainedModel":
    """A GGUF file; transformers' own reader has the architectures that `checkpoints.architectures` does not know."""
    import torch

    checkpoint, metadata = open_checkpoint(path), GgufFiles(path).metadata
    model_type = checkpoint.config["model_type"]
    if model_type not in FAMILIES:
        return _plain(path.parent, gguf_file=path.name)
    try:
        understand(checkpoint.config)
    except UnsupportedArchitecture as limit:
        raise InputError(f"{path}: {limit} is not supported in a GGUF file; use the original model") from None
    config = _gguf_config(path, checkpoint.config, metadata)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    model = _dequantized(checkpoint, config, heads if model_type in _PERMUTED else None)
    if _ROTARY_FACTORS in checkpoint.names:
        factors = torch.from_numpy(checkpoint.vector(_ROTARY_FACTORS, config.head_dim // 2))
        rotary = model.get_decoder().rotary_emb
        rotary.inv_freq /= factors
        rotary.original_inv_freq = rotary.inv_freq.clone()
    return model


def _gguf_config(path: Path, fields: Mapping[str, Any], metadata: Mapping[str, Any]) -> "PreTrainedConfig":
    """The transformers config that the metadata of a GGUF file stands for.

    Args:
        fields: what `Checkpoint.config` draws from it: everything but positions.
        metadata: everything.
    """
    from transformers import AutoConfig

    prefix = f"{fields['model_type']}."
    own = {name.removeprefix(prefix): value for name, value in metadata.items() if name.startswith(prefix)}
    unknown = sorted(name for name in own if name.startswith("rope.") and name not in _ROTARY_FIELDS)
    if unknown:
        raise InputError(f"{path}: metadata {prefix}{unknown[0]} is not supported; use the original model")
    scaling, head_size = own.get("rope.scaling.type", "none"), fields["head_dim"]
    if scaling not in ("none", "linear"):
        raise InputError(f"{path}: rotary scaling {scaling!r} is not supported; use the original model")
    for name in ("rope.dimension_count", "attention.key_length"):
        if own.get(name, head_size) != head_size:
            raise InputError(f"{path}: metadata {prefix}{name} = {own[name]}, but a head has {head_size} values")
    if own.get("attention.sliding_window"):
        raise InputError(f"{path}: a sliding window is not supported in a GGUF file; use the original model")
    rope = {"rope_type": "default", "rope_theta": own.get("rope.freq_base", 10000.0)}
    if scaling == "linear":
        rope |= {"rope_type": "linear", "factor": own["rope.scaling.factor"]}
    tokens = {f"{kind}_token_id": metadata.get(f"tokenizer.ggml.{kind}_token_id") for kind in ("bos", "eos")}
    limits = {"max_position_embeddings": own["context_length"]} if "context_length" in own else {}
    return AutoConfig.for_model(**{**fields, **tokens, **limits, "rope_parameters": rope})


def _restore_rotary_rows(tensors: dict[str, np.ndarray], heads: Mapping[str, int]) -> None:
    """Put rows of Q and K back into the order of the original model, in place.

    Converters lay the two halves of a head's rotary pairs side by side (llama.cpp, convert_hf_to_gguf.py, `permute`).
    """
    for name, values in tensors.items():
        for module, count in heads.items():
            if f".{module}." in name:
                pairs = values.reshape(count, -1, 2, *values.shape[1:])
                tensors[name] = np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(values.shape)


def _check_report(path: Path, report: Mapping[str, Any]) -> None:
    """Stop unless every tensor of the model was in the checkpoint, and the other way round."""
    missing = sorted(report["missing_keys"])
    unexpected = sorted(name for name in report["unexpected_keys"] if not name.endswith("rotary_emb.inv_freq"))
    if missing:
        raise InputError(f"{path}: tensor {missing[0]} is missing")
    if unexpected:
        raise InputError(f"{path}: tensor {unexpected[0]} has no place in the model that the config describes")


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """transformers raises whatever its libraries raise; the user needs one line, and no progress bar per model."""
    try:
        with quiet():
            yield
    except InputError:
        raise
    except Exception as error:
        reason = in_one_line(error)
        raise InputError(f"{path}: transformers cannot open it ({type(error).__name__}: {reason})") from error
