"""The interface of all methods: a model and a row of settings in, a folder that transformers opens out."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from compressed_code.core.atomic_files import staged, writable_place
from compressed_code.core.errors import InputError
from compressed_code.core.paths import VARIANTS
from compressed_code.core.provenance import package_version
from compressed_code.core.quiet import quiet
from compressed_code.core.table_store import table_key
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.methods.gptq_layers import solve_with_gptq
from compressed_code.quantization.methods.hqq_torchao_bitsandbytes import (
    bitsandbytes_quantizer,
    hqq_quantizer,
    torchao_quantizer,
)
from compressed_code.quantization.methods.library_quirks import one_line, one_thread
from compressed_code.quantization.methods.pinned_process import LIBRARY_SOLVERS, solve_pinned
from compressed_code.quantization.methods.quantized_matrix import QuantizedWeight
from compressed_code.quantization.methods.round_to_nearest import round_to_nearest
from compressed_code.quantization.read_back import read_back
from compressed_code.quantization.record import (
    FORMAT_VERSION,
    LIBRARIES,
    OWN_PACKAGE,
    Provenance,
    TokenRows,
    hash_of_ids,
    name_of,
    provenance_of,
    read_record,
    size_report,
    versions_of,
    write_record,
)
from compressed_code.quantization.storage import WEIGHTS_FILE, write_folder
from compressed_code.registry.quantizations import CALIBRATED, Quantization

__all__ = ["VARIANTS", "Provenance", "read_record", "variant", "write_variant"]

GGUF_FILE = "model.gguf"


def write_variant(
    base: Path,
    quantization: Quantization,
    destination: Path,
    calibration: TokenRows | None = None,
    *,
    provenance: Provenance | None = None,
    replace: bool = False,
) -> Path:
    """Write a quantized variant of a model; it appears whole or not at all, and the same seed gives the same bytes.

    So it does on any number of cores, and with gptq and round to nearest on any processor.

    `compression.json` beside the weights says how it was made, from what, and how many bits its weights really need.

    Args:
        base: Hugging Face folder with weights in float32, float16 or bfloat16.
        quantization: a row of data/quantizations.yml, or one made by hand.
        destination: the folder to write; it must not exist.
        calibration: rows of token ids, for a calibrated method and for no other.
        provenance: for the record, what the model is called and where the ids come from; by default its registry key
            or path, and what the row says.
        replace: the destination may exist, and goes when the new one is whole.

    Returns:
        The folder, or the GGUF file in it.

    Raises:
        InputError: a group size that does not divide, bits out of range, calibration that is missing or too short, a
            broken base, an existing destination; nothing is written then.
        Unavailable: the library is not installed or cannot do this on this machine.
    """
    model = BaseCheckpoint(base)
    model.chosen(quantization)
    _check_calibration(quantization, calibration)
    with staged(destination, replace=replace) as folder:
        if quantization.method == "gguf":
            content = _write_gguf(model, quantization, folder)
        else:
            content = _write_folder(model, quantization, calibration or [], folder)
        provenance = provenance or Provenance(name_of(base))
        write_record(folder, {**provenance_of(quantization, calibration, provenance, model.fingerprint()), **content})
    return destination / GGUF_FILE if quantization.method == "gguf" else destination


def variant(
    base: Path,
    quantization: Quantization,
    calibration: TokenRows | None = None,
    directory: Path = VARIANTS,
    *,
    name: str | None = None,
) -> Path:
    """The variant of a model, quantized now unless it was before.

    It lies under the hash of everything that decides its content: the base model's weights, config and tokenizer, the
    row without its names, the calibration ids, the packages at work.

    Args:
        name: of the base model for the record; by default its registry key or path.

    Returns, Raises:
        As `write_variant`.
    """
    destination, path = _path_of(base, quantization, calibration, directory)
    if not path.exists():
        try:
            provenance = Provenance(name) if name else None
            write_variant(base, quantization, destination, calibration, provenance=provenance)
        except InputError:
            if not path.exists():  # else another process wrote it meanwhile
                raise
    return path


def _path_of(
    base: Path, quantization: Quantization, calibration: TokenRows | None, directory: Path
) -> tuple[Path, Path]:
    """Folder of a variant and, of a GGUF variant, the file in it."""
    library = LIBRARIES[quantization.method].package
    ingredients = {
        "format": FORMAT_VERSION,
        "base": BaseCheckpoint(base).fingerprint(),
        "quantization": _deciding_fields(quantization),
        "calibration": hash_of_ids(calibration),
        "kernel": LIBRARIES[quantization.method].kernel,
        "packages": {name: package_version(name) for name in sorted({library, "torch", "numpy"})},
    }
    folder = directory / table_key(ingredients)[:32]
    if not folder.exists():
        folder = writable_place(folder)
    return folder, folder / GGUF_FILE if quantization.method == "gguf" else folder


def _deciding_fields(quantization: Quantization) -> dict[str, Any]:
    """Names do not decide, and of calibration only the ids do; modules only where some are chosen."""
    unimportant = {"key", "label", "note", "calibration", "calibration_rows"}
    return quantization.model_dump(exclude=unimportant if quantization.modules else {*unimportant, "modules"})


def _check_calibration(quantization: Quantization, calibration: TokenRows | None) -> None:
    calibrated = quantization.method in CALIBRATED
    if calibrated and not calibration:
        raise InputError(f"{quantization.key}: {quantization.method} needs calibration text, and it is empty")
    if calibration and not calibrated:
        raise InputError(f"{quantization.key}: {quantization.method} looks at no text; leave the calibration out")
    if calibrated and quantization.embeddings:
        raise InputError(f"{quantization.key}: {quantization.method} quantizes no embeddings; use rtn, hqq or torchao")


def _write_folder(
    model: BaseCheckpoint, quantization: Quantization, calibration: TokenRows, folder: Path
) -> dict[str, Any]:
    """Weights and everything beside them; what the record says of them."""
    weights = _solve(model, quantization, calibration)
    library = LIBRARIES[quantization.method].package
    reason = write_folder(model, weights, folder, quantization, f"{library}:{package_version(library)}")
    read_back(folder, weights)
    matrices = [
        {
            "name": name,
            "shape": list(tensor.shape),
            "bits_per_weight": weights[name].bits_per_weight,
            "stored": "packed" if reason is None and name in model.linear else "dequantized",
        }
        for name, tensor in model.chosen(quantization).items()
    ]
    rest = [tensor for name, tensor in _all_tensors(model).items() if name not in weights]
    untouched = (sum(tensor.length * 8 for tensor in rest), sum(math.prod(tensor.shape) for tensor in rest))
    layout = "GPTQ version 1" if reason is None else f"decoded numbers, since {reason}"
    if reason is None and quantization.embeddings:
        layout += ", embeddings as decoded numbers"
    return {"layout": layout, **size_report(matrices, untouched, folder / WEIGHTS_FILE)}


def _write_gguf(model: BaseCheckpoint, quantization: Quantization, folder: Path) -> dict[str, Any]:
    from gguf import GGUFReader

    from compressed_code.quantization.gguf import write_gguf
    from compressed_code.quantization.gguf.rows import K_TYPES

    path = folder / GGUF_FILE
    write_gguf(model.path, path, str(quantization.type))
    read_back(path, {})
    tensors = GGUFReader(path).tensors
    matrices = [
        {
            "name": tensor.name,
            "shape": [int(size) for size in reversed(tensor.shape)],
            "type": tensor.tensor_type.name,
            "library": OWN_PACKAGE if tensor.tensor_type.name in K_TYPES else "gguf",
            "bits_per_weight": int(tensor.n_bytes) * 8 / int(tensor.n_elements),
            "stored": "packed",
        }
        for tensor in tensors
        if len(tensor.shape) == 2
    ]
    rest = [tensor for tensor in tensors if len(tensor.shape) != 2]
    untouched = (sum(int(tensor.n_bytes) * 8 for tensor in rest), sum(int(tensor.n_elements) for tensor in rest))
    libraries = sorted({matrix["library"] for matrix in matrices})
    return {**versions_of("gguf", libraries), "layout": "GGUF", **size_report(matrices, untouched, path)}


def _solve(model: BaseCheckpoint, quantization: Quantization, calibration: TokenRows) -> Mapping[str, QuantizedWeight]:
    """What takes the place of each matrix, by name."""
    if quantization.method in LIBRARY_SOLVERS:
        return solve_pinned(model, quantization, calibration)
    if quantization.method == "gptq":
        with quiet(), one_line(model.path, "gptq"):
            return solve_with_gptq(model, quantization, calibration)
    weights = {}
    with quiet(), one_line(model.path, quantization.method), one_thread():
        solver = _SOLVERS[quantization.method](quantization)
        for name, tensor in model.chosen(quantization).items():
            values = model.read(name)
            try:
                weights[name] = solver(values)
            except InputError as error:
                raise InputError(f"{tensor}: {error}") from None
    return weights


def _rounding(quantization: Quantization) -> Callable[..., QuantizedWeight]:
    def solve(weight: Any) -> QuantizedWeight:
        return round_to_nearest(
            weight, quantization.bits or 0, quantization.group_size, symmetric=quantization.symmetric
        )

    return solve


_SOLVERS: Mapping[str, Callable[[Quantization], Callable[..., QuantizedWeight]]] = {
    "rtn": _rounding,
    "hqq": hqq_quantizer,
    "torchao": torchao_quantizer,
    "bitsandbytes": bitsandbytes_quantizer,
}


def _all_tensors(model: BaseCheckpoint) -> dict[str, Any]:
    return {**model.linear, **model.embeddings, **model.others}
