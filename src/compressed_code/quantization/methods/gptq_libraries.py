"""GPTQ by a library: GPTQModel, or auto-gptq behind its shim. `pinned_process` runs them in a process of their own.

Both run with the settings of our own `gptq`: no reordering of columns, dampening of the paper, blocks in order.
"""

import tempfile
from pathlib import Path

import numpy as np

from compressed_code.checkpoints.files.safetensors_files import SafetensorsFiles
from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.gptq import unpack
from compressed_code.checkpoints.matrices.matrix import read_vector
from compressed_code.checkpoints.model_files import local_tensors
from compressed_code.checkpoints.quantization_config import GPTQ_BITS
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.quiet import quiet
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.calibration import check_rows
from compressed_code.quantization.methods import auto_gptq as auto_gptq_backend
from compressed_code.quantization.methods.gptq import DAMPENING
from compressed_code.quantization.methods.library_quirks import never_zero, one_line, without_compilation
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix
from compressed_code.quantization.record import TokenRows
from compressed_code.registry.quantizations import Quantization

LARGEST_BATCH = 8
SHORTEST_ROW = 16  # tokens; GPTQModel leaves rows below 10 out without a word


def solve_with_gptqmodel(
    base: BaseCheckpoint, quantization: Quantization, calibration: TokenRows
) -> dict[str, QuantizedMatrix]:
    """Quantize all linear layers with GPTQModel.

    Raises:
        InputError: the calibration text does not fit the model.
        Unavailable: the library is missing, refuses the model, or has no layout for matrices of this shape and width.
    """
    _check(base, quantization, calibration)
    _require_rows_it_can_pack(base, quantization)
    with quiet(), one_line(base.path, "GPTQModel"), tempfile.TemporaryDirectory() as folder:
        _run_gptqmodel(base, quantization, calibration, Path(folder))
        files = local_tensors(Path(folder))
        return {name: _read(files, name, quantization) for name in base.linear}


def solve_with_auto_gptq(
    base: BaseCheckpoint, quantization: Quantization, calibration: TokenRows
) -> dict[str, QuantizedMatrix]:
    """Quantize all linear layers with auto-gptq.

    Raises:
        InputError: the calibration text does not fit the model.
        Unavailable: the library is missing, or does not know the architecture.
    """
    _check(base, quantization, calibration)
    with quiet(), one_line(base.path, "auto-gptq"):
        solved = auto_gptq_backend.solve(
            base.path, quantization, calibration, dampening=DAMPENING, batch_size=batch_size(calibration)
        )
    missing = sorted(set(base.linear) - set(solved))
    if missing:
        raise Unavailable(f"{base.linear[missing[0]]}: auto-gptq leaves it unquantized; use gptq")
    return {name: solved[name] for name in base.linear}


def batch_size(calibration: TokenRows) -> int:
    """Rows that go through the model together: several only where none needs padding, which would be calibrated on."""
    return LARGEST_BATCH if len({len(row) for row in calibration}) == 1 else 1


def _check(base: BaseCheckpoint, quantization: Quantization, calibration: TokenRows) -> None:
    if quantization.bits not in GPTQ_BITS:
        widths = ", ".join(map(str, GPTQ_BITS))
        raise Unavailable(f"{quantization.bits} bits: GPTQ's format holds {widths}; gptq itself knows 2 … 8")
    check_rows(calibration, base.config, SHORTEST_ROW)


def _require_rows_it_can_pack(base: BaseCheckpoint, quantization: Quantization) -> None:
    if quantization.bits != 3:
        return
    for tensor in base.linear.values():
        odd = next((size for size in tensor.shape if size % 32), None)
        if odd:
            raise Unavailable(
                f"{tensor}: GPTQModel has no 3-bit layout for {odd} rows or columns, only for multiples of 32; use gptq"
            )


def _run_gptqmodel(base: BaseCheckpoint, quantization: Quantization, calibration: TokenRows, folder: Path) -> None:
    if not any(base.path.glob("tokenizer*")):
        raise Unavailable(f"{base.path}: GPTQModel wants the tokenizer beside the weights; put it there or use gptq")
    without_compilation()
    try:
        import torch
        from gptqmodel import GPTQModel, QuantizeConfig
        from gptqmodel.nn_modules.qlinear.torch import TorchLinear
        from gptqmodel.quantization.quantizer import Quantizer
    except ImportError as error:
        raise Unavailable(
            f"GPTQModel cannot be imported ({error}); pip install gptqmodel==7.6.0, or use gptq, which needs no library"
        ) from None
    sizes = [size for size in TorchLinear.SUPPORTS_GROUP_SIZE if size > 0]
    if quantization.group_size and quantization.group_size not in sizes:
        raise Unavailable(f"GPTQModel groups {', '.join(map(str, sizes))}, not {quantization.group_size}; use gptq")
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
    model = GPTQModel.load(str(base.path), settings, dtype=torch.float32, trust_remote_code=False)
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
