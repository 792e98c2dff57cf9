"""What stands beside a variant's weights: how it was made, from what, and how many bits its weights need."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from helpers.compression.parent import RECORD_FILE
from helpers.downloads import sha256_of_file
from helpers.errors import InputError
from helpers.quantizations import Quantization

FORMAT_VERSION = 2  # to be raised when the same row would give other weights or another record

Rows = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Library:
    """What computes the codes of a method: the package and, for the record, how."""

    package: str
    kernel: str


LIBRARIES: Mapping[str, Library] = {
    "rtn": Library("compressed-code", "round to nearest in numpy, float32"),
    "gptq": Library("gptqmodel", "GPTQ solver of GPTQModel on torch, CPU, float32"),
    "auto-gptq": Library("auto-gptq", "GPTQ solver of auto-gptq on torch, CPU, float32"),
    "gguf": Library("gguf", "llama.cpp's quantizers, K types in numpy"),
    "hqq": Library("hqq", "half-quadratic solver of hqq on torch, CPU"),
    "torchao": Library("torchao", "weight-only integers of torchao on torch, CPU"),
    "bitsandbytes": Library("bitsandbytes", "blockwise 4-bit types of bitsandbytes, CPU"),
}


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """compression.json."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (folder / RECORD_FILE).write_text(text + "\n", encoding="utf-8")


def read_record(path: Path) -> dict[str, Any]:
    """How a variant was made and what it needs: its compression.json.

    Args:
        path: the variant's folder, or the GGUF file in it.

    Raises:
        InputError: there is none, as for any checkpoint that was not made here.
    """
    file = (path.parent if path.is_file() else path) / RECORD_FILE
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read ({error})") from None


def origin(quantization: Quantization, calibration: Rows | None, source: str | None) -> dict[str, Any]:
    """What the record says of how a variant was made."""
    library = LIBRARIES[quantization.method]
    facts = {
        "format": FORMAT_VERSION,
        **quantization.model_dump(include={"method", "type", "bits", "group_size", "symmetric", "embeddings", "seed"}),
        "library": library.package,
        "version": installed_version(library.package),
        "kernel": library.kernel,
        "calibration": None,
    }
    if calibration:
        facts["calibration"] = {
            "source": source or quantization.calibration,
            "rows": len(calibration),
            "tokens": sum(map(len, calibration)),
            "sha256": hash_of_ids(calibration),
        }
    return facts


def account(matrices: list[dict[str, Any]], untouched: tuple[int, int], weights: Path) -> dict[str, Any]:
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


def hash_of_ids(calibration: Rows | None) -> str | None:
    """sha256 of rows of ids; `None` where there are none."""
    if not calibration:
        return None
    rows = [[int(token) for token in row] for row in calibration]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def installed_version(package: str) -> str | None:
    """Version of an installed package; `None` where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
