"""A library's GPTQ in a process of its own, pinned to the most compatible arithmetic, so that its codes repeat.

GPTQModel and auto-gptq compute in float32, where the last digits of a sum depend on the instructions that torch and MKL
choose for a processor and on the number of threads; now and then a weight then gets the neighbouring code. Which
instructions they choose is read from the environment once, before torch is imported: hence the process. It gets a job
through a folder and answers there (`pinned_worker`). HQQ and torchao, tried under the same settings, give the same
numbers in each, and need none of this.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix
from compressed_code.quantization.record import TokenRows
from compressed_code.registry.quantizations import Quantization

# Method → the library's name, for messages.
LIBRARY_SOLVERS: Mapping[str, str] = {"gptqmodel": "GPTQModel", "auto-gptq": "auto-gptq"}

PINNED: Mapping[str, str] = {
    "ATEN_CPU_CAPABILITY": "default",  # torch's own loops: sums, exp, softmax, silu
    # Products and Cholesky by MKL; the one value that Intel documents to agree between its own and other processors.
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",  # gelu
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

WORKER = ("-P", "-m", "compressed_code.quantization.methods.pinned_worker")
JOB, ANSWER, FAILURE, LOG = "job.json", "answer.npz", "failure.json", "log.txt"
_PARTS = ("codes", "scales", "zeros")


def solve_pinned(
    base: BaseCheckpoint, quantization: Quantization, calibration: TokenRows
) -> dict[str, QuantizedMatrix]:
    """Quantize all linear layers with the library that the method names. The process ends when this one does.

    Raises:
        InputError: the calibration text does not fit the model.
        Unavailable: the library is missing, or does not take the model, the width or the group size.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = {
            "base": str(base.path.resolve()),
            "quantization": quantization.model_dump(),
            "calibration": [[int(token) for token in row] for row in calibration],
        }
        (folder / JOB).write_text(json.dumps(job), encoding="utf-8")
        _run(folder)
        if (folder / FAILURE).exists():
            failure = json.loads((folder / FAILURE).read_text(encoding="utf-8"))
            raise (Unavailable if failure["unavailable"] else InputError)(failure["message"])
        if not (folder / ANSWER).exists():
            lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
            reason = next((line.strip() for line in reversed(lines) if line.strip()), "without a word")[:300]
            library = LIBRARY_SOLVERS[quantization.method]
            raise InputError(f"{base.path}: the process of {library} ended early ({reason})")
        with np.load(folder / ANSWER) as answer:
            return {name: _matrix(answer, name, quantization) for name in base.linear}


def write_answer(matrices: Mapping[str, QuantizedMatrix], folder: Path) -> None:
    """What the process found; the file appears whole or not at all."""
    part = folder / f"part-{ANSWER}"
    arrays = {f"{name}/{field}": getattr(matrix, field) for name, matrix in matrices.items() for field in _PARTS}
    np.savez(part, **arrays)
    part.rename(folder / ANSWER)


def write_failure(error: InputError, folder: Path) -> None:
    """Why the process found nothing."""
    content = {"unavailable": isinstance(error, Unavailable), "message": str(error)}
    (folder / FAILURE).write_text(json.dumps(content), encoding="utf-8")


def _run(folder: Path) -> None:
    """One process to its end. It ends by itself when its standard input does, which is when this process is gone."""
    command = [sys.executable, *WORKER, str(folder)]
    with (
        (folder / LOG).open("wb") as log,
        subprocess.Popen(
            command,
            env={**os.environ, **PINNED},
            cwd=folder,  # GPTQModel leaves a log where it is run
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
        ) as process,
    ):
        try:
            process.wait()
        except BaseException:
            process.kill()
            raise


def _matrix(answer: Mapping[str, np.ndarray], name: str, quantization: Quantization) -> QuantizedMatrix:
    parts = [answer[f"{name}/{part}"] for part in _PARTS]
    return QuantizedMatrix(*parts, quantization.bits or 0, quantization.symmetric)
