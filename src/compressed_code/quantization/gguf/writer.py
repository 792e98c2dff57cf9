"""Write a Hugging Face checkpoint (Llama, Mistral, Qwen2, Qwen3) as one GGUF file, in any of the mixtures.

Tensors are read, quantized and written one after the other. The same base model gives the same bytes.
Source: GGUF specification; llama.cpp v0.5.0, convert_hf_to_gguf.py (names, metadata, order of query and key rows).
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compressed_code.checkpoints.architectures import Architecture, UnsupportedArchitecture, understand
from compressed_code.checkpoints.checkpoint import Checkpoint, open_checkpoint
from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError
from compressed_code.quantization.gguf.metadata import (
    ROPE_FACTORS,
    add_metadata,
    gguf_architecture,
    read_rotary,
    rope_factors,
)
from compressed_code.quantization.gguf.rows import PLAIN_TYPES, quantize_rows
from compressed_code.quantization.gguf.tensor_types import MIXTURES, MixedModel, tensor_type
from compressed_code.quantization.gguf.tokenizer import add_vocabulary

if TYPE_CHECKING:
    from gguf import GGUFWriter

# The scales of a block are float16, and so is its lowest value in some types.
LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Planned:
    """One tensor to be written.

    Attributes:
        name: in the GGUF file.
        source: in the checkpoint.
        shape: outermost dimension first.
        kind: block type.
        heads: of a query or key tensor whose rows are to be reordered; 0 for others.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    kind: str
    heads: int


def write_gguf(base: Path, destination: Path, type_name: str) -> None:
    """Write a checkpoint folder as a GGUF file; it appears whole or not at all.

    Args:
        base: folder with config.json, safetensors in float32, float16 or bfloat16, and tokenizer.json (without
            one the file says that it has no tokenizer).
        destination: the file to write; an earlier one is replaced.
        type_name: "Q4_K_M", "Q8_0", "F16", … one of `MIXTURES`.

    Raises:
        InputError: an unknown type, an architecture or a setting GGUF has no place for, a missing, broken or already
            quantized tensor, rows most of which do not divide into blocks of 32, or a destination that cannot be
            written.

    Example:
        >>> import tempfile
        >>> from compressed_code.registry import load_registry
        >>> file = Path(tempfile.mkdtemp()) / "zoo-m.gguf"
        >>> write_gguf(load_registry().models["zoo-m"].location, file, "Q8_0")
        >>> file.read_bytes()[:4]
        b'GGUF'
    """
    from gguf import GGUFWriter

    if type_name not in MIXTURES:
        raise InputError(f"GGUF type {type_name!r} is not known; {', '.join(MIXTURES)} are")
    if base.is_file():
        raise InputError(f"{base}: is a file; give the folder of a checkpoint")
    checkpoint = open_checkpoint(base)
    config = checkpoint.config
    architecture = with_its_head(checkpoint, understood(base, config))
    rotary = read_rotary(base / "config.json", config)
    plan = list(plan_tensors(checkpoint, architecture, type_name))
    _require_mostly_quantized(base, plan, type_name)
    try:
        with written_whole(destination) as part:
            writer = GGUFWriter(part, gguf_architecture(config["model_type"]))
            add_metadata(writer, base / "config.json", config, architecture, rotary, type_name)
            add_vocabulary(writer, base, architecture.vocabulary)
            try:
                _write(writer, checkpoint, plan, rope_factors(rotary, architecture.value_size))
            finally:
                with suppress(OSError):  # of a full disk, once more
                    writer.close()
    except OSError as error:
        raise InputError(f"{destination}: cannot be written ({error.strerror}); free space or choose another") from None


def understood(base: Path, config: dict[str, Any]) -> Architecture:
    path = base / "config.json"
    try:
        architecture = understand(config)
    except UnsupportedArchitecture as gap:
        raise InputError(f"{path}: a model with {gap} cannot be written as GGUF") from None
    if gguf_architecture(config["model_type"]) is None:
        raise InputError(f"{path}: {config['model_type']} cannot be written as GGUF; Llama, Mistral, Qwen2, Qwen3 can")
    if architecture.activation != "silu":
        raise InputError(f"{path}: activation {architecture.activation!r} has no place in GGUF; silu has")
    if config["model_type"] == "qwen3" and architecture.output_bias:
        raise InputError(f"{path}: attention_bias has no place in a GGUF file of a qwen3 model")
    if config.get("quantization_config"):
        raise InputError(f"{path}: the checkpoint is quantized already; give the one it was made from")
    return architecture


def with_its_head(checkpoint: Checkpoint, architecture: Architecture) -> Architecture:
    """Where the config ties the output matrix to the embedding and another is stored, that one is the model's."""
    shape = (architecture.vocabulary, architecture.hidden)
    if not architecture.tied or "lm_head.weight" not in checkpoint.names:
        return architecture
    own, embedding = (checkpoint.matrix(module, shape) for module in ("lm_head", "model.embed_tokens"))
    return architecture if np.array_equal(own, embedding) else replace(architecture, tied=False)


def plan_tensors(checkpoint: Checkpoint, architecture: Architecture, mixture: str) -> Iterator[Planned]:
    """All tensors in the order of the file.

    Raises:
        InputError: one is missing or has no place in the file.
    """
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    model_type = checkpoint.config["model_type"]
    name_in_gguf = gguf_architecture(model_type)
    number = next(number for number, name in MODEL_ARCH_NAMES.items() if name == name_in_gguf)
    spellings = get_tensor_name_map(number, architecture.layers)
    model = MixedModel(
        name_in_gguf, architecture.layers, architecture.heads, architecture.num_key_value_heads, architecture.tied
    )
    permuted = (
        {"q_proj": architecture.heads, "k_proj": architecture.num_key_value_heads} if name_in_gguf == "llama" else {}
    )
    shapes = dict(_shapes(model_type, architecture))
    for name in sorted(checkpoint.names):
        unused = name.endswith("rotary_emb.inv_freq") or (architecture.tied and name == "lm_head.weight")
        if name not in shapes and not unused:
            raise InputError(f"{checkpoint.path}: tensor {name} has no place in a GGUF file of this model")
    for name, shape in shapes.items():
        if name not in checkpoint.names:
            raise InputError(f"{checkpoint.path}: tensor {name} is missing")
        spelling = spellings.get_name(name, try_suffixes=(".weight", ".bias"))
        kind = tensor_type(spelling, shape, model, mixture)
        yield Planned(spelling, name, shape, kind, heads=permuted.get(name.split(".")[-2], 0))


def _require_mostly_quantized(path: Path, plan: Sequence[Planned], mixture: str) -> None:
    """Refuse a file that is not what its name says, because its rows do not divide into blocks of 32."""
    sizes = Counter()
    for planned in plan:
        if len(planned.shape) == 2:
            sizes[planned.kind] += math.prod(planned.shape)
    if MIXTURES[mixture] not in PLAIN_TYPES and sizes["F16"] > sizes.total() / 2:
        misfit = next(planned for planned in plan if planned.kind == "F16")
        raise InputError(
            f"{path}: most weights cannot be stored as {mixture}: rows of {misfit.shape[-1]} ({misfit.source}, …) "
            "do not divide into blocks of 32; use F16"
        )


def _shapes(model_type: str, architecture: Architecture) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Hugging Face name and shape of every tensor the model must have."""
    hidden, inner = architecture.hidden, architecture.intermediate
    queries = architecture.heads * architecture.value_size
    values = architecture.num_key_value_heads * architecture.value_size
    modules = {
        "self_attn.q_proj": (queries, hidden, architecture.value_bias),
        "self_attn.k_proj": (values, hidden, architecture.value_bias),
        "self_attn.v_proj": (values, hidden, architecture.value_bias),
        "self_attn.o_proj": (hidden, queries, architecture.output_bias),
        "mlp.gate_proj": (inner, hidden, architecture.feed_forward_bias),
        "mlp.up_proj": (inner, hidden, architecture.feed_forward_bias),
        "mlp.down_proj": (hidden, inner, architecture.feed_forward_bias),
    }
    norms = {"input_layernorm": hidden, "post_attention_layernorm": hidden}
    if model_type == "qwen3":
        norms |= {"self_attn.q_norm": architecture.value_size, "self_attn.k_norm": architecture.value_size}
    yield "model.embed_tokens.weight", (architecture.vocabulary, hidden)
    for layer in range(architecture.layers):
        for norm, size in norms.items():
            yield f"model.layers.{layer}.{norm}.weight", (size,)
        for module, (rows, columns, bias) in modules.items():
            yield f"model.layers.{layer}.{module}.weight", (rows, columns)
            if bias:
                yield f"model.layers.{layer}.{module}.bias", (rows,)
    yield "model.norm.weight", (hidden,)
    if not architecture.tied:
        yield "lm_head.weight", (architecture.vocabulary, hidden)


def _write(writer: "GGUFWriter", checkpoint: Checkpoint, plan: list[Planned], factors: np.ndarray | None) -> None:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    if factors is not None:
        writer.add_tensor_info(ROPE_FACTORS, factors.shape, factors.dtype, factors.nbytes)
    for planned in plan:
        kind = GGMLQuantizationType[planned.kind]
        elements, size = GGML_QUANT_SIZES[kind]
        length = math.prod(planned.shape) // elements * size
        writer.add_tensor_info(planned.name, planned.shape, np.dtype(np.float32), length, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    if factors is not None:
        writer.write_tensor_data(factors)
    for planned in plan:
        writer.write_tensor_data(_stored(checkpoint, planned))
    writer.close()


def _stored(checkpoint: Checkpoint, planned: Planned) -> np.ndarray:
    """The bytes of one tensor, [rows, bytes of a row] uint8; an entry of a vector is a row."""
    if len(planned.shape) == 1:
        values = checkpoint.vector(planned.source, planned.shape[0])[:, None]
    else:
        values = checkpoint.matrix(planned.source.removesuffix(".weight"), planned.shape)
    if planned.kind not in ("F32", "BF16") and np.abs(values).max(initial=0) > LARGEST:
        raise InputError(
            f"{checkpoint.path}: tensor {planned.source} holds numbers beyond {LARGEST:,.0f}, "
            f"which {planned.kind} cannot store; use BF16"
        )
    stored = quantize_rows(values, planned.kind)
    return stored if planned.heads == 0 else stored[_interleaved(len(stored), planned.heads)]


def _interleaved(rows: int, heads: int) -> np.ndarray:
    """Order of query or key rows in which the two halves that a rotation mixes lie side by side (Llama in GGUF)."""
    return np.arange(rows).reshape(heads, 2, -1).swapaxes(1, 2).reshape(-1)
