"""How config.json says that weights were quantized; whatever is not known exactly is refused, never guessed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressed_code.core.errors import InputError

GPTQ_BITS = (2, 3, 4, 8)


@dataclass(frozen=True)
class StoredQuantization:
    """What a reader must know beside the tensors.

    Attributes:
        gptq_bits: bits per weight of GPTQ layers; 0 if there are none.
        float8_block: rows and columns that share one scale; `None` if there are no float8 layers.
    """

    gptq_bits: int = 0
    float8_block: tuple[int, int] | None = None


def read_quantization(folder: Path, config: Mapping[str, Any]) -> StoredQuantization:
    """The quantization of a checkpoint folder, from config.json or the older quantize_config.json.

    Raises:
        InputError: a method, format or width that is not supported.
    """
    source, described = folder / "config.json", config.get("quantization_config")
    older = folder / "quantize_config.json"
    if described is None and older.is_file():
        source, described = older, {"quant_method": "gptq", **json.loads(older.read_text(encoding="utf-8"))}
    if described is None:
        return StoredQuantization()
    method = described.get("quant_method")
    if method == "gptq":
        return StoredQuantization(gptq_bits=_gptq_bits(source, described))
    if method == "fp8":
        return StoredQuantization(float8_block=_float8_block(source, described))
    raise InputError(f"{source}: quantization {method!r} is not supported; GPTQ and block-scaled float8 are")


def _gptq_bits(source: Path, described: Mapping[str, Any]) -> int:
    layout = described.get("checkpoint_format") or described.get("format") or "gptq"
    if layout != "gptq":
        raise InputError(
            f"{source}: GPTQ format {layout!r} is not supported; save the checkpoint as 'gptq' (version 1)"
        )
    if described.get("dynamic"):
        raise InputError(f"{source}: GPTQ with different settings per layer (dynamic) is not supported")
    if described.get("pack_dtype", "int32") != "int32":
        raise InputError(f"{source}: GPTQ packed into {described['pack_dtype']} is not supported; int32 is")
    if described.get("bits") not in GPTQ_BITS:
        raise InputError(f"{source}: GPTQ with {described.get('bits')} bits is not supported; 2, 3, 4 and 8 are")
    return described["bits"]


def _float8_block(source: Path, described: Mapping[str, Any]) -> tuple[int, int]:
    block = described.get("weight_block_size")
    if described.get("fmt", "e4m3") != "e4m3":
        raise InputError(f"{source}: float8 {described['fmt']} is not supported; e4m3 is")
    if not isinstance(block, list) or len(block) != 2 or not all(isinstance(n, int) and n > 0 for n in block):
        raise InputError(f"{source}: float8 without weight_block_size [rows, columns] is not supported")
    return block[0], block[1]
