"""How config.json says that weights were quantized; whatever is not known exactly is refused, never guessed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from compressed_code.checkpoints.matrices.gptq import GPTQ_BITS
from compressed_code.checkpoints.storage_forms.bitsandbytes import bitsandbytes_form
from compressed_code.checkpoints.storage_forms.compressed_tensors import compressed_tensors_form
from compressed_code.checkpoints.storage_forms.float8_and_fp4 import float8_form, modelopt_form, mxfp4_form
from compressed_code.checkpoints.storage_forms.form import PLAIN, StorageForm
from compressed_code.checkpoints.storage_forms.gptq_and_awq import auto_round_form, awq_form, gptq_form
from compressed_code.checkpoints.storage_forms.hqq import hqq_form
from compressed_code.checkpoints.storage_forms.torchao import torchao_form
from compressed_code.core.errors import InputError

__all__ = ["GPTQ_BITS", "quantization_of", "read_form"]

FORMS: Mapping[str, Callable[[Path, Mapping[str, Any]], StorageForm]] = MappingProxyType(
    {
        "gptq": gptq_form,
        "awq": awq_form,
        "auto-round": auto_round_form,
        "compressed-tensors": compressed_tensors_form,
        "fp8": float8_form,
        "fbgemm_fp8": float8_form,
        "modelopt": modelopt_form,
        "mxfp4": mxfp4_form,
        "bitsandbytes": bitsandbytes_form,
        "hqq": hqq_form,
        "torchao": torchao_form,
    }
)
# Files of older writers beside a config that says nothing, and the method that they belong to.
OLDER_FILES = MappingProxyType(
    {"quantize_config.json": "gptq", "quant_config.json": "awq", "hf_quant_config.json": "modelopt"}
)


def read_form(folder: Path, config: Mapping[str, Any]) -> StorageForm:
    """The form in which the weights of a checkpoint folder are stored.

    Raises:
        InputError: a method, format or width that is not supported, or a description that is none.
    """
    source, described = _described(folder, config)
    if described is None:
        return PLAIN
    method = described.get("quant_method") or ("bitsandbytes" if "load_in_4bit" in described else None)
    if method not in FORMS:
        raise InputError(
            f"{source}: quantization {method!r} is not supported; {', '.join(FORMS)} are: save the model as one of"
            " them, or use the model it was made from"
        )
    return FORMS[method](source, described)


def quantization_of(config: Mapping[str, Any]) -> Any:
    """What a config, or its text part, says of quantization; `None` where it says nothing."""
    places = (
        config,
        *(part for name in ("text_config", "llm_config") if isinstance(part := config.get(name), Mapping)),
    )
    names = ("quantization_config", "compression_config")
    return next((place[name] for place in places for name in names if place.get(name) is not None), None)


def _described(folder: Path, config: Mapping[str, Any]) -> tuple[Path, Mapping[str, Any] | None]:
    """The file that describes the quantization, and what it says."""
    source, described = folder / "config.json", quantization_of(config)
    if described is None:
        for name, method in OLDER_FILES.items():
            if (folder / name).is_file():
                return folder / name, {"quant_method": method, **_read_older(folder / name)}
    if described is not None and not isinstance(described, Mapping):
        raise InputError(f"{source}: quantization_config is no JSON object; fetch it again")
    return source, described


def _read_older(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: no valid JSON ({error}); fetch it again") from None
    if not isinstance(content, dict) or not isinstance(content.get("quantization", {}), dict):
        raise InputError(f"{path}: holds no JSON object; fetch it again")
    return content.get("quantization", content)
