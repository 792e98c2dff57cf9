"""bitsandbytes checkpoints as transformers saves them: int8 (LLM.int8) and 4 bits (nf4, fp4)."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from compressed_code.checkpoints.matrices.bitsandbytes import NUMBERS, STATES, FourBitMatrix
from compressed_code.checkpoints.matrices.matrix import FLOAT_KINDS, Matrix, read_vector
from compressed_code.checkpoints.matrices.scaled import ScaledMatrix
from compressed_code.checkpoints.storage_forms.form import Parts, StorageForm, plain_matrix
from compressed_code.core.errors import InputError

_ROWS = "SCB"  # largest magnitude of each row, which 127 stands for
_LAYOUT = "weight_format"


def bitsandbytes_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """Both widths; outliers of LLM.int8 concern activations, which stay float32."""

    def matrix(parts: Parts) -> Matrix:
        # The bias of such a layer lies beside the same state; codes may be stored as floats, so the name tells.
        if parts.name.endswith("weight") and any(parts.find(state) is not None for state in STATES):
            return FourBitMatrix(parts.codes, parts.find)
        if parts.codes.kind in FLOAT_KINDS:
            return plain_matrix(parts)
        if parts.codes.kind != "I8":
            raise InputError(f"{parts.codes}: {parts.codes.kind} codes without {STATES[0]}; save the model again")
        layout = parts.find(_LAYOUT)
        if layout is not None and layout.bytes(0, 1)[0] != 0:
            raise InputError(
                f"{layout}: only rows in order are supported; save the model with bitsandbytes 0.44 or later"
            )
        return ScaledMatrix(parts.codes, read_vector(parts.needed(_ROWS)).reshape(-1, 1) / np.float32(127))

    per_byte = MappingProxyType({"weight": 2.0} if described.get("load_in_4bit") else {})
    return StorageForm("bitsandbytes", matrix, beside=(*STATES, *NUMBERS, _ROWS, _LAYOUT), weights_per_byte=per_byte)
