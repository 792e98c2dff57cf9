"""How a weight is stored, and what that form by itself makes of numbers: the rounding that a sound file has done.

Types that we write are rounded by our own quantizers, float8 and the 4-bit codebooks by their definition. A type that
nothing here writes is taken for a uniform grid of as many bits, which is near enough to tell damage from rounding.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from compressed_code.checkpoints.checkpoint import Checkpoint, open_checkpoint
from compressed_code.checkpoints.matrices.matrix import FLOAT_KINDS, to_float32
from compressed_code.checkpoints.model_files import RECORD
from compressed_code.checkpoints.quantization_config import quantization_of
from compressed_code.quantization.gguf.rows import K_TYPES, LEGACY_TYPES, block_elements, quantize_rows
from compressed_code.quantization.methods.round_to_nearest import round_to_nearest

Rounding = Callable[[np.ndarray], np.ndarray]

FLOAT8_LARGEST = 448.0  # of e4m3
FLOAT4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)  # magnitudes of e2m1, OCP Microscaling Formats 1.0
GROUP = 32  # of types whose own is not known
_WITHOUT_TEXT = ("bitsandbytes", "hqq", "torchao")  # methods that round, whatever a model reads
_FLOAT4_METHODS = ("compressed-tensors", "modelopt", "mxfp4")


@dataclass(frozen=True)
class StoredForm:
    """How one weight is stored.

    Attributes:
        name: for a reader: "Q4_K", "gptq, 4 bits, groups of 128", "BF16".
        group: weights of a row that share a scale; 0 for none.
        is_plain: ordinary floats, which nobody has quantized as far as the files say.
        rounding: float32 [rows, columns] → the numbers that stand for them.
        calibrated: a method that looks at text may have made it, which moves weights further than rounding does, to
            spare a layer's output. What made a file is not always said in it.
    """

    name: str
    group: int
    is_plain: bool
    rounding: Rounding
    calibrated: bool = False


class StoredForms:
    """The forms of one checkpoint's weights.

    Attributes:
        checkpoint: the weights.
        method: how it was quantized, as its files say; empty where they say nothing.
    """

    def __init__(self, path: Path) -> None:
        """Open a checkpoint folder or GGUF file.

        Raises:
            InputError: as `open_checkpoint`.
        """
        self.checkpoint: Checkpoint = open_checkpoint(path)
        self._record = _read_record(path)
        self._settings = {} if self.checkpoint.is_gguf else quantization_of(self.checkpoint.config) or {}
        recorded = str(self._record.get("type") or self._record.get("method") or "")
        self.method = recorded or str(self._settings.get("quant_method") or "")

    def of(self, name: str) -> StoredForm:
        """The form of a weight.

        Raises:
            InputError: it is missing or broken.
        """
        kind = self.checkpoint.element_type(name)
        if kind in FLOAT_KINDS:
            matrix = self._decoded.get(name)
            return self._as_made(_recorded(self._record, matrix)) if matrix else plain(kind)
        if self.checkpoint.is_gguf:
            return _gguf(kind)
        return self._as_made(_packed(self.checkpoint, name, kind, self._settings, self.method))

    def _as_made(self, form: StoredForm) -> StoredForm:
        known = self._record.get("calibration") if self._record else self.method not in _WITHOUT_TEXT
        return replace(form, calibrated=bool(known))

    @cached_property
    def _decoded(self) -> Mapping[str, Mapping[str, Any]]:
        """Name → entry of the record, of the matrices that were quantized and are stored decoded."""
        matrices = self._record.get("matrices") or ()
        return {matrix["name"]: matrix for matrix in matrices if matrix.get("stored") == "dequantized"}


def plain(kind: str) -> StoredForm:
    """Ordinary floats of one of `FLOAT_KINDS`."""
    return StoredForm(kind, 0, True, partial(_as_floats, kind=kind))


def grid(name: str, bits: int, group: int | None, *, symmetric: bool = False) -> StoredForm:
    """A uniform grid a group, of 2 to 8 bits; `None` is the whole row."""

    def rounding(values: np.ndarray) -> np.ndarray:
        size = group if group and values.shape[1] % group == 0 else None
        return round_to_nearest(values, min(max(bits, 2), 8), size, symmetric=symmetric).dequantized()

    return StoredForm(name, group or 0, False, rounding)


def codebook(name: str, magnitudes: np.ndarray, group: int) -> StoredForm:
    """Codes of a table, scaled so that a group's largest magnitude is the table's.

    Args:
        magnitudes: increasing; all of one sign where the table is symmetric, else of both.
    """
    table = np.unique(np.concatenate([magnitudes, -magnitudes])) if magnitudes.min() >= 0 else magnitudes
    middles = (table[1:] + table[:-1]) / 2

    def rounding(values: np.ndarray) -> np.ndarray:
        size = group if group and values.shape[1] % group == 0 else values.shape[1]
        groups = values.reshape(len(values), -1, size)
        scales = np.abs(groups).max(axis=2, keepdims=True) / np.abs(table).max()
        scales = np.where(scales == 0, 1, scales)
        return (table[np.searchsorted(middles, groups / scales)] * scales).reshape(values.shape)

    return StoredForm(name, group, False, rounding)


@cache
def normal_float() -> np.ndarray:
    """The 16 values of nf4: quantiles of the normal distribution, scaled to −1 … 1 (arXiv 2305.14314, section 3)."""
    from scipy.stats import norm

    outermost = (1 - 1 / 32 + 1 - 1 / 30) / 2  # the probability whose quantile becomes 1
    above = norm.ppf(np.linspace(outermost, 0.5, 9)[:-1])
    below = -norm.ppf(np.linspace(outermost, 0.5, 8)[:-1])
    values = np.sort(np.concatenate([above, [0], below]))
    return (values / np.abs(values).max()).astype(np.float32)


def float8(name: str, group: int = 0) -> StoredForm:
    """Float8 e4m3 with a scale a row or a group."""

    def rounding(values: np.ndarray) -> np.ndarray:
        import torch

        size = group if group and values.shape[1] % group == 0 else values.shape[1]
        groups = values.reshape(len(values), -1, size)
        scales = np.abs(groups).max(axis=2, keepdims=True) / np.float32(FLOAT8_LARGEST)
        scales = np.where(scales == 0, 1, scales).astype(np.float32)
        stored = torch.from_numpy(np.ascontiguousarray(groups / scales)).to(torch.float8_e4m3fn)
        return (stored.float().numpy() * scales).reshape(values.shape)

    return StoredForm(name, group, False, rounding)


def _as_floats(values: np.ndarray, kind: str) -> np.ndarray:
    if kind == "F32":
        return values
    with np.errstate(over="ignore"):
        stored = quantize_rows(values, kind)
    return to_float32(stored.reshape(-1), kind).reshape(values.shape)


def _gguf(kind: str) -> StoredForm:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    if kind not in (*LEGACY_TYPES, *K_TYPES):
        elements, size = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
        return grid(kind, size * 8 // elements, GROUP)
    step = block_elements(kind)

    def rounding(values: np.ndarray) -> np.ndarray:
        flat = values.reshape(-1)[: values.size // step * step].reshape(1, -1)  # a transposed weight's rows may not fit
        decoded = np.array(values, np.float32).reshape(-1)
        decoded[: flat.size] = dequantize(quantize_rows(flat, kind), GGMLQuantizationType[kind]).reshape(-1)
        return decoded.reshape(values.shape)

    return StoredForm(kind, step, False, rounding)


def _packed(checkpoint: Checkpoint, name: str, kind: str, settings: Mapping[str, Any], method: str) -> StoredForm:
    """Codes of a folder, by what its quantization_config says of all of them and what the header says of this one."""
    group, symmetric, bits = _grid_of(settings)
    rows, columns = checkpoint.open_weight(name).shape
    stored = checkpoint.stored_shape(name)
    if kind == "I32" and len(stored) == 2:
        bits = int(stored[0]) * int(stored[1]) * 32 // max(1, rows * columns)  # layers may differ
    if kind.startswith("F8_E4M3"):
        return float8(f"{method}, float8")
    if kind == "U8" and method == "bitsandbytes":
        table = FLOAT4 if settings.get("bnb_4bit_quant_type") == "fp4" else normal_float()
        return codebook(f"{method}, 4 bits", table, 64)
    if kind == "U8" and method in _FLOAT4_METHODS:
        return codebook(f"{method}, float4", FLOAT4, GROUP)
    if kind == "U8":  # several whole numbers a byte, as HQQ packs them
        bits = math.prod(stored) * 8 // max(1, rows * columns)
    if kind == "I8":
        return grid(f"{method}, 8 bits", 8, group, symmetric=True)
    within = f", groups of {group}" if group else ", whole rows"
    return grid(f"{method}, {bits} bits{within}", bits, group, symmetric=symmetric)


def _grid_of(settings: Mapping[str, Any]) -> tuple[int | None, bool, int]:
    """Group size (`None` is the whole row), symmetry and bits, as the writers spell them."""
    groups = settings.get("config_groups")
    first = next(iter(groups.values()), {}) if isinstance(groups, Mapping) else {}
    nested = (settings.get("quant_config") or {}).get("weight_quant_params") or {}
    merged = {**settings, **(first.get("weights") or {}), **nested}
    size = merged.get("group_size", merged.get("q_group_size"))
    symmetric = merged.get("symmetric", merged.get("sym", not merged.get("zero_point", True)))
    bits = merged.get("bits", merged.get("num_bits", merged.get("w_bit", merged.get("nbits", 4))))
    return (size if isinstance(size, int) and size > 0 else None), bool(symmetric), int(bits)


def _recorded(record: Mapping[str, Any], matrix: Mapping[str, Any]) -> StoredForm:
    """A matrix that `compressed-code quantize` has stored decoded, as its record says it was quantized."""
    method, bits, group = record.get("method", ""), record.get("bits"), record.get("group_size")
    if method == "bitsandbytes":
        kind = str(record.get("type"))
        return codebook(f"{method}, {kind}", FLOAT4 if kind == "fp4" else normal_float(), 64)
    bits = int(bits or matrix.get("bits_per_weight") or 8)
    within = f", groups of {group}" if group else ", whole rows"
    return grid(f"{method}, {bits} bits{within}", bits, group, symmetric=bool(record.get("symmetric")))


def _read_record(path: Path) -> Mapping[str, Any]:
    """What stands beside a variant made here; nothing for other models, and for a broken record."""
    file = (path.parent if path.is_file() else path) / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
