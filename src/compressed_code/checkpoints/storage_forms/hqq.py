"""HQQ checkpoints as transformers saves them: each layer's settings lie beside its codes as small tensors.

config.json names the method; every layer says its own bits, groups and axis (`dynamic_config` may differ by layer).
"""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.hqq import HqqMatrix
from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.checkpoints.storage_forms.form import (
    Parts,
    StorageForm,
    plain_matrix,
    read_numbers,
    read_scales,
)
from compressed_code.core.errors import InputError

CODES = "W_q"
_SETTINGS = (
    *("nbits", "group_size", "shape", "axis", "packing", "unpack_view_dtype", "view_as_float", "compute_dtype"),
    *("channel_wise", "optimize", "round_zero", "offload_meta", "encoded_state_dict", "stores_quant_config"),
    *("quant_zero", "quant_scale"),
)


def hqq_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """All widths and both axes; scales and zero points that were quantized themselves are refused by name."""

    def matrix(parts: Parts) -> Matrix:
        if not parts.codes.name.endswith(CODES):
            return plain_matrix(parts)
        packing = parts.needed("packing")
        return HqqMatrix(
            parts.codes,
            _shape(parts),
            packing.bytes(0, packing.length).tobytes().decode("ascii", "replace"),
            _setting(parts.needed("group_size")),
            _setting(parts.needed("axis")),
            read_scales(parts.needed("scale")),
            read_scales(parts.needed("zero")),
        )

    def count(parts: Parts) -> int:
        return math.prod(_shape(parts) if parts.codes.name.endswith(CODES) else parts.codes.shape)

    return StorageForm("HQQ", matrix, MappingProxyType({CODES: "weight"}), (*_SETTINGS, "scale", "zero"), count=count)


def _shape(parts: Parts) -> tuple[int, ...]:
    shape = parts.needed("shape")
    dimensions = tuple(int(size) for size in read_numbers(shape).reshape(-1))
    if len(dimensions) != 2 or min(dimensions) < 1:
        raise InputError(f"{shape}: {list(dimensions)} is no shape of a matrix; fetch or write the checkpoint again")
    return dimensions


def _setting(tensor: StoredTensor) -> int:
    values = np.atleast_1d(read_numbers(tensor)).reshape(-1)
    if len(values) != 1:
        raise InputError(f"{tensor}: holds {len(values)} numbers, but a setting is one; fetch or write it again")
    return int(values[0])
