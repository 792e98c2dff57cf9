"""GPTQ and AWQ checkpoints, as AutoGPTQ, GPTQModel, AutoAWQ and AutoRound write them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from compressed_code.checkpoints.matrices.awq import BITS as AWQ_BITS
from compressed_code.checkpoints.matrices.awq import AwqGemmMatrix, AwqGemvMatrix
from compressed_code.checkpoints.matrices.gptq import GPTQ_BITS, GPTQ_PARTS, GptqMatrix
from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.checkpoints.storage_forms.form import Parts, StorageForm, plain_matrix
from compressed_code.core.errors import InputError

_GPTQ_VERSIONS = MappingProxyType({"gptq": 1, "gptq_v2": 2})
_AWQ_LAYOUTS = MappingProxyType({"gemm": AwqGemmMatrix, "gemv": AwqGemvMatrix})
_CODES = MappingProxyType({"qweight": "weight"})
# AutoRound names the packing it wrote; what it calls gptq keeps zero points as GPTQ's version 1 does.
_AUTO_ROUND = MappingProxyType(
    {
        "auto_round:auto_gptq": ("gptq", "gptq"),
        "auto_round:auto_awq": ("awq", "gemm"),
    }
)


def gptq_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """GPTQ of either version.

    Raises:
        InputError: a layout or width that is not supported.
    """
    layout = described.get("checkpoint_format") or described.get("format") or "gptq"
    bits = described.get("bits")
    if layout not in _GPTQ_VERSIONS:
        raise InputError(f"{source}: GPTQ format {layout!r} is not supported; save the checkpoint as 'gptq'")
    if described.get("pack_dtype", "int32") != "int32":
        raise InputError(f"{source}: GPTQ packed into {described['pack_dtype']} is not supported; int32 is: save it so")
    if bits not in GPTQ_BITS:
        raise InputError(
            f"{source}: GPTQ with {bits} bits is not supported; 2, 3, 4 and 8 are: use the model it was made from"
        )
    version = _GPTQ_VERSIONS[layout]

    def matrix(parts: Parts) -> Matrix:
        if not parts.codes.name.endswith("qweight"):
            return plain_matrix(parts)
        return GptqMatrix(lambda part: parts.codes if part == "qweight" else parts.find(part), bits, version)

    return StorageForm("GPTQ", matrix, _CODES, GPTQ_PARTS[1:], MappingProxyType({"qweight": 8 / bits}))


def awq_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """AWQ in gemm or gemv layout.

    Raises:
        InputError: a layout or width that is not supported.
    """
    layout = str(described.get("checkpoint_format") or described.get("version") or described.get("format") or "gemm")
    bits = described.get("bits", described.get("w_bit", AWQ_BITS))
    if layout.lower() not in _AWQ_LAYOUTS:
        raise InputError(f"{source}: AWQ in the layout {layout!r} is not supported; save the checkpoint as 'gemm'")
    if bits != AWQ_BITS:
        raise InputError(f"{source}: AWQ with {bits} bits is not supported; 4 are: use the model it was made from")
    group = described.get("group_size", described.get("q_group_size", 128))
    kind = _AWQ_LAYOUTS[layout.lower()]

    def matrix(parts: Parts) -> Matrix:
        if not parts.codes.name.endswith("qweight"):
            return plain_matrix(parts)
        return kind(parts.codes, parts.needed("qzeros"), parts.needed("scales"), group)

    return StorageForm("AWQ", matrix, _CODES, ("qzeros", "scales"), MappingProxyType({"qweight": 8 / AWQ_BITS}))


def auto_round_form(source: Path, described: Mapping[str, Any]) -> StorageForm:
    """What AutoRound wrote in another tool's packing.

    Raises:
        InputError: a packing of its own, or one that is not supported.
    """
    packing = described.get("packing_format")
    if packing not in _AUTO_ROUND:
        known = ", ".join(_AUTO_ROUND)
        raise InputError(f"{source}: AutoRound's packing {packing!r} is not supported; {known} are: export it as one")
    method, layout = _AUTO_ROUND[packing]
    return (gptq_form if method == "gptq" else awq_form)(source, {**described, "checkpoint_format": layout})
