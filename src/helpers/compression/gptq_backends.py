"""GPTQ by a library: GPTQModel, or auto-gptq behind its shim.

GPTQ (Frantar et al. 2022, arXiv 2210.17323) rounds the columns of a matrix one after the other and moves what each
rounding loses onto the columns that are still to come, weighted by the inputs the layer sees in calibration text.
Both libraries run with the same settings: no reordering of columns, dampening of the paper, blocks in order.
"""

import tempfile
from pathlib import Path

import numpy as np

from helpers.checkpoints.gptq import unpack
from helpers.checkpoints.matrices import read_vector
from helpers.checkpoints.quantization import GPTQ_BITS
from helpers.checkpoints.safetensors_files import SafetensorsFiles
from helpers.checkpoints.stored import StoredTensor
from helpers.compression import auto_gptq_backend
from helpers.compression.libraries import never_zero, one_line, without_compilation
from helpers.compression.parent import Parent, stored_tensors
from helpers.compression.quantized_matrix import QuantizedMatrix
from helpers.compression.record import Rows
from helpers.errors import InputError, Unavailable
from helpers.quantizations import Quantization
from helpers.silence import quiet

DAMPENING = 0.01  # of the mean diagonal of the Hessian: section 3.3 of the paper
LARGEST_BATCH = 8
SHORTEST_ROW = 16  # tokens; GPTQModel leaves rows below 10 out without a word


def solve_with_gptqmodel(parent: Parent, quantization: Quantization, calibration: Rows) -> dict[str, QuantizedMatrix]:
    """Quantize all linear layers with GPTQModel.

    Raises:
        InputError: the library refuses the model, or the calibration text does not fit it.
        Unavailable: the library is missing, or has no layout for matrices of this shape at this width.
    """
    _check(parent, quantization, calibration)
    _require_rows_it_can_pack(parent, quantization)
    with quiet(), one_line(parent.path, "GPTQModel"), tempfile.TemporaryDirectory() as folder:
        _run_gptqmodel(parent, quantization, calibration, Path(folder))
        files = stored_tensors(Path(folder))
        return {name: _read(files, name, quantization) for name in parent.linear}


def solve_with_auto_gptq(parent: Parent, quantization: Quantization, calibration: Rows) -> dict[str, QuantizedMatrix]:
    """Quantize all linear layers with auto-gptq.

    Raises:
        InputError: the library does not know the architecture, or the calibration text does not fit the model.
        Unavailable: the library is missing.
    """
    _check(parent, quantization, calibration)
    with quiet(), one_line(parent.path, "auto-gptq"):
        solved = auto_gptq_backend.solve(
            parent.path, quantization, calibration, dampening=DAMPENING, batch_size=batch_size(calibration)
        )
    missing = sorted(set(parent.linear) - set(solved))
    if missing:
        raise InputError(f"{parent.linear[missing[0]]}: auto-gptq leaves it unquantized")
    return {name: solved[name] for name in parent.linear}


def batch_size(calibration: Rows) -> int:
    """Rows that go through the model together: several only where none needs padding, which would be calibrated on."""
    return LARGEST_BATCH if len({len(row) for row in calibration}) == 1 else 1


def _check(parent: Parent, quantization: Quantization, calibration: Rows) -> None:
    if quantization.bits not in GPTQ_BITS:
        raise InputError(f"{quantization.bits} bits: GPTQ's format holds {', '.join(map(str, GPTQ_BITS))}")
    if not calibration:
        raise InputError("the calibration text is empty; GPTQ needs some rows of token ids")
    positions, vocabulary = parent.config.get("max_position_embeddings"), parent.config.get("vocab_size")
    for number, row in enumerate(calibration):
        if len(row) < SHORTEST_ROW:
            raise InputError(f"calibration row {number}: {len(row)} tokens are too short; {SHORTEST_ROW} are needed")
        if positions and len(row) > positions:
            raise InputError(f"calibration row {number}: {len(row)} tokens are longer than the model's {positions}")
        if vocabulary and not 0 <= min(row) <= max(row) < vocabulary:
            raise InputError(f"calibration row {number}: an id lies outside of the vocabulary of {vocabulary}")


def _require_rows_it_can_pack(parent: Parent, quantization: Quantization) -> None:
    if quantization.bits != 3:
        return
    for tensor in parent.linear.values():
        odd = next((size for size in tensor.shape if size % 32), None)
        if odd:
            raise Unavailable(
                f"{tensor}: GPTQModel has no 3-bit layout for {odd} rows or columns, only for multiples of 32"
            )


def _run_gptqmodel(parent: Parent, quantization: Quantization, calibration: Rows, folder: Path) -> None:
    if not any(parent.path.glob("tokenizer*")):
        raise InputError(
            f"{parent.path}: GPTQModel wants the tokenizer beside the weights; put it there or use auto-gptq"
        )
    without_compilation()
    try:
        import torch
        from gptqmodel import GPTQModel, QuantizeConfig
        from gptqmodel.nn_modules.qlinear.torch import TorchLinear
        from gptqmodel.quantization.quantizer import Quantizer
    except ImportError as error:
        raise Unavailable(f"gptq: GPTQModel cannot be imported ({error}); pip install gptqmodel") from None
    sizes = [size for size in TorchLinear.SUPPORTS_GROUP_SIZE if size > 0]
    if quantization.group_size and quantization.group_size not in sizes:
        raise Unavailable(
            f"gptq: GPTQModel groups {', '.join(map(str, sizes))}, not {quantization.group_size}; try rtn"
        )
    settings = QuantizeConfig(
        bits=quantization.bits,
        group_size=quantization.group_size or -1,
        sym=quantization.symmetric,
        desc_act=False,
        act_group_aware=False,
        damp_percent=DAMPENING,
        fallback=None,
        format="gptq_v2",  # zero points as they are; what is written in the end is version 1
        offload_to_disk=False,
        device="cpu",
    )
    torch.manual_seed(quantization.seed)
    model = GPTQModel.load(str(parent.path), settings, dtype=torch.float32, trust_remote_code=False)
    rows = [{"input_ids": list(row), "attention_mask": [1] * len(row)} for row in calibration]
    with never_zero(Quantizer):
        model.quantize(rows, batch_size=batch_size(calibration))
    model.save(str(folder))


def _read(files: SafetensorsFiles, name: str, quantization: Quantization) -> QuantizedMatrix:
    """A matrix of a checkpoint in GPTQ's version 2 format, whatever its shape."""
    module, bits = name.removesuffix(".weight"), quantization.bits
    scales = read_vector(files.find(f"{module}.scales")).astype(np.float16)
    groups = _words(files.find(f"{module}.g_idx")).view(np.int32)
    rows, columns = scales.shape[1], len(groups)
    if (groups != np.arange(columns) // (columns // len(scales))).any():
        raise InputError(f"{files.find(module + '.g_idx')}: groups out of order")
    codes = unpack(_words(files.find(f"{module}.qweight")), bits)[:columns]
    zeros = unpack(_words(files.find(f"{module}.qzeros")).T, bits)[:rows]
    if zeros.min() < 1:
        raise InputError(f"{files.find(module + '.qzeros')}: a zero point of 0 does not fit GPTQ's version 1 format")
    return QuantizedMatrix(
        np.ascontiguousarray(codes.T).astype(np.uint8),
        np.ascontiguousarray(scales.T),
        zeros.astype(np.uint8),
        bits,
        quantization.symmetric,
    )


def _words(tensor: StoredTensor) -> np.ndarray:
    return np.array(tensor.bytes(0, tensor.length).view(np.uint32)).reshape(tensor.shape)
