"""compressed-tensors checkpoints (LLM Compressor, vLLM): integers packed or not, float8, NVFP4, MXFP4.

config.json names groups of modules and how the weights of each are stored. What is stored says most of it again; the
width of packed codes stands in the config alone.
Source: compressed-tensors 0.20, `config` and `compressors`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from compressed_code.checkpoints.matrices.fp4 import Fp4Matrix
from compressed_code.checkpoints.matrices.matrix import FLOAT_KINDS, Matrix
from compressed_code.checkpoints.matrices.packed import PackedMatrix
from compressed_code.checkpoints.matrices.scaled import ScaledMatrix
from compressed_code.checkpoints.storage_forms.form import (
    Parts,
    StorageForm,
    plain_matrix,
    read_numbers,
    read_scales,
)
from compressed_code.core.errors import InputError

FORMATS = (
    *("dense", "pack-quantized", "int-quantized", "float-quantized", "naive-quantized"),
    *("nvfp4-pack-quantized", "mxfp4-pack-quantized", "mixed-precision"),
)
_BESIDE = (
    *("weight_scale", "weight_zero_point", "weight_g_idx", "weight_shape", "weight_global_scale"),
    *("input_scale", "input_zero_point", "input_global_scale", "output_scale", "output_zero_point"),
    *("k_scale", "v_scale", "q_scale"),
)


def compressed_tensors_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """Everything of `FORMATS`.

    Raises:
        InputError: another format, sparse weights, or rotations that belong to the model.
    """
    groups = described.get("config_groups") or {}
    if not isinstance(groups, Mapping) or not all(isinstance(group, Mapping) for group in groups.values()):
        raise InputError(f"{source}: config_groups is no JSON object of objects; fetch config.json again")
    formats = {described.get("format"), *(group.get("format") for group in groups.values())} - {None}
    for name in sorted(map(str, formats)):
        if name not in FORMATS:
            raise InputError(
                f"{source}: compressed-tensors format {name!r} is not supported; {', '.join(FORMATS)} are"
                ": use the model it was made from"
            )
    sparse = described.get("sparsity_config") or {}
    if sparse.get("format", "dense") != "dense":
        raise InputError(
            f"{source}: compressed-tensors with {sparse['format']} sparsity is not supported; save it dense"
        )
    if (described.get("transform_config") or {}).get("config_groups"):
        raise InputError(f"{source}: compressed-tensors with transform_config is not supported; use the original model")

    def matrix(parts: Parts) -> Matrix:
        if parts.codes.name.endswith("weight_packed"):
            return _packed(source, groups, parts)
        if parts.codes.kind in FLOAT_KINDS:
            return plain_matrix(parts)
        zeros = parts.find("weight_zero_point")
        block = _weights_of(groups, parts).get("block_structure")
        if isinstance(block, str):  # as older versions write it: "128x128"
            block = [int(size) for size in block.split("x")]
        return ScaledMatrix(
            parts.codes,
            read_scales(parts.needed("weight_scale")),
            tuple(block) if block else None,
            None if zeros is None else read_numbers(zeros),
        )

    bits = min((_bits(group) for group in groups.values()), default=8)
    per_byte = MappingProxyType({"weight_packed": 8 / bits})
    return StorageForm("compressed-tensors", matrix, MappingProxyType({"weight_packed": "weight"}), _BESIDE, per_byte)


def _packed(source: Path, groups: Mapping[str, Any], parts: Parts) -> Matrix:
    codes, scales = parts.codes, parts.needed("weight_scale")
    if codes.kind == "U8":  # float4
        total = parts.find("weight_global_scale")
        factor = 1 if total is None else 1 / read_scales(total).reshape(-1)[0]
        *before, columns = codes.shape
        return Fp4Matrix(codes, read_scales(scales) * np.float32(factor), (*before, columns * 2))
    described = _weights_of(groups, parts)
    bits = described.get("num_bits")
    if not isinstance(bits, int) or not 1 <= bits <= 8:
        raise InputError(f"{source}: config_groups say no num_bits for {parts.name}; fetch config.json again")
    shape = parts.needed("weight_shape")
    dimensions = tuple(int(size) for size in read_numbers(shape).reshape(-1))
    if len(dimensions) != 2:
        raise InputError(
            f"{shape}: {len(dimensions)} dimensions are not supported; 2 are: use the model it was made from"
        )
    return PackedMatrix(codes, scales, dimensions, bits, parts.find("weight_zero_point"), parts.find("weight_g_idx"))


def _weights_of(groups: Mapping[str, Any], parts: Parts) -> Mapping[str, Any]:
    """What config_groups say of a module's weights; a target is a name, re:… or a class (Linear), in this order."""
    module = parts.name.rpartition(".")[0]
    by_class: Mapping[str, Any] = {}
    for group in groups.values():
        for target in group.get("targets") or ():
            if target == module or (target.startswith("re:") and re.match(target[3:], module)):
                return group.get("weights") or {}
            if not target.startswith("re:") and "." not in target:
                by_class = by_class or group.get("weights") or {}
    return by_class


def _bits(group: Mapping[str, Any]) -> int:
    bits = (group.get("weights") or {}).get("num_bits", 8)
    return bits if isinstance(bits, int) and bits > 0 else 8
