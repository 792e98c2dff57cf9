"""Open a checkpoint and read single tensors of it, as float32, without loading the model.

Safetensors (one file or shards) in float32, float16, bfloat16, block-scaled float8 and GPTQ version 1; GGUF files.
numpy is enough; the `gguf` package is imported for GGUF files only, torch never.
"""

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from compressed_code.checkpoints.files.gguf_files import GgufFiles
from compressed_code.checkpoints.files.safetensors_files import ELEMENT_BYTES
from compressed_code.checkpoints.files.stored import StoredTensor, TensorFiles
from compressed_code.checkpoints.matrices.float8 import Float8Matrix
from compressed_code.checkpoints.matrices.gguf import GgufMatrix
from compressed_code.checkpoints.matrices.gptq import GptqMatrix
from compressed_code.checkpoints.matrices.matrix import (
    FLOAT_KINDS,
    READ_AHEAD,
    FloatMatrix,
    Matrix,
    RowRanges,
    read_vector,
    row_blocks,
)
from compressed_code.checkpoints.matrices.part_names import BESIDE_CODES, GPTQ_CODES, MATRIX_PARTS
from compressed_code.checkpoints.model_files import CONFIG, local_tensors
from compressed_code.checkpoints.quantization_config import StoredQuantization, read_quantization
from compressed_code.core.errors import InputError

__all__ = ["Checkpoint", "Matrix", "open_checkpoint", "read_config"]

# What a module may be stored as: one matrix, or codes with scales, and vectors beside it.
STORED_PARTS = (*MATRIX_PARTS, "bias", "e_score_correction_bias")


class Checkpoint:
    """The tensors of one model, read when they are asked for.

    Attributes:
        path: folder or GGUF file; of a remote one, OWNER/NAME@COMMIT, and the file's name.
        config: what config.json says, or the same drawn from GGUF metadata.
    """

    def __init__(
        self, path: PurePath, config: Mapping[str, Any], files: TensorFiles, quantization: StoredQuantization
    ) -> None:
        self.path, self.config = path, config
        self._files, self._quantization = files, quantization

    @property
    def names(self) -> Collection[str]:
        """Names of all stored tensors, as Hugging Face models spell them."""
        return self._files.names

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far, headers included."""
        return self._files.bytes_read

    def holds_fewer_weights(self, limit: int) -> bool:
        """Whether the model has fewer weights, by the headers; codes of quantized ones count as what they stand for.

        No header is read once the answer is known.

        Raises:
            InputError: a header is broken.
        """
        count = 0
        for name in self.names:
            part = name.rpartition(".")[2]
            if part in BESIDE_CODES:
                continue
            codes_per_word = 32 / self._quantization.gptq_bits if part == GPTQ_CODES else 1
            count += math.prod(self._files.find(name).shape) * codes_per_word
            if count >= limit:
                return False
        return True

    def vector(self, name: str, size: int) -> np.ndarray:
        """A whole tensor of one dimension, for example a bias, [size] float32.

        Raises:
            InputError: it is missing, broken, of another size or not finite.
        """
        tensor = self._files.find(name)
        tensor.require_shape((size,))
        values = read_vector(tensor)
        if not np.isfinite(values).all():
            raise InputError(f"{tensor}: holds NaN or infinity")
        return values

    def row(self, module: str, index: int, shape: tuple[int, int]) -> np.ndarray:
        """One row of the matrix of a module ("model.embed_tokens"), [columns] float32. Nothing else of it is read.

        Raises:
            InputError: it is missing, broken, of another shape or not finite, or has no such row.
        """
        matrix, tensor = self._matrix(module, shape)
        if not 0 <= index < shape[0]:
            raise InputError(f"{tensor}: has no row {index}; there are {shape[0]}")
        values = matrix.row(index)
        if not np.isfinite(values).all():
            raise InputError(f"{tensor}: row {index} holds NaN or infinity")
        return np.array(values)

    def matrix(self, module: str, shape: tuple[int, int]) -> np.ndarray:
        """The whole matrix of a module, decoded block by block, [rows, columns] float32.

        Raises:
            InputError: it is missing, broken, of another shape or not finite.
        """
        matrix, tensor = self._matrix(module, shape)
        values = np.empty(shape, np.float32)
        for start, stop in row_blocks([(0, shape[0])], shape[1]):
            values[start:stop] = matrix.decode(start, stop)
            if not np.isfinite(values[start:stop]).all():
                raise InputError(f"{tensor}: holds NaN or infinity")
        return values

    def prefetch(self, module: str) -> None:
        """Have the beginning of a module's tensors fetched while something else is computed.

        Only advice: a tensor that is missing is reported where it is needed.
        """
        for name in (f"{module}.{part}" for part in STORED_PARTS):
            if name in self.names:
                self._files.find(name).prefetch(0, READ_AHEAD)

    def product(
        self, module: str, vector: np.ndarray, shape: tuple[int, int], rows: RowRanges | None = None
    ) -> np.ndarray:
        """The matrix of a module times a vector.

        NaN or infinity in a matrix cannot vanish in a product with finite numbers, so looking at the result is
        enough to find the first broken tensor.

        Args:
            module: for example "model.layers.0.mlp.up_proj".
            vector: [columns] finite float32 or float64, which is what the product is computed in.
            shape: (rows, columns) the matrix must have.
            rows: ranges of rows to multiply; the others are not read. All if `None`.

        Returns:
            [number of rows chosen], finite, in the precision of the vector.

        Raises:
            InputError: the tensor is missing, broken, of another shape or not finite.
        """
        matrix, tensor = self._matrix(module, shape)
        with np.errstate(over="ignore", invalid="ignore"):
            result = matrix.product(vector, rows)
        tensor.release(0, tensor.length)  # fetched ahead with the others: rows that were not chosen
        if not np.isfinite(result).all():
            raise InputError(f"{tensor}: holds NaN, infinity or numbers too large to multiply")
        return result

    def _matrix(self, module: str, shape: tuple[int, int]) -> tuple[Matrix, StoredTensor]:
        """The matrix of a module, and the tensor to name when something is wrong with it."""
        if f"{module}.weight" not in self.names and f"{module}.qweight" in self.names:
            return self._gptq_matrix(module, shape)
        tensor = self._files.find(f"{module}.weight")
        tensor.require_shape(shape)
        if tensor.kind in FLOAT_KINDS:
            return FloatMatrix(tensor), tensor
        if tensor.kind == "F8_E4M3" and self._quantization.float8_block:
            scales = self._files.find(f"{module}.weight_scale_inv")
            return Float8Matrix(tensor, scales, self._quantization.float8_block), tensor
        if tensor.kind in ELEMENT_BYTES:
            raise InputError(f"{tensor}: type {tensor.kind} is not supported with this quantization_config")
        return GgufMatrix(tensor), tensor

    def _gptq_matrix(self, module: str, shape: tuple[int, int]) -> tuple[Matrix, StoredTensor]:
        tensor = self._files.find(f"{module}.qweight")
        if not self._quantization.gptq_bits:
            raise InputError(f"{tensor}: GPTQ codes, but config.json has no quantization_config for them")
        matrix = GptqMatrix(lambda part: self._files.find(f"{module}.{part}"), shape, self._quantization.gptq_bits)
        return matrix, tensor


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint folder or a GGUF file; no tensor is read yet.

    Raises:
        InputError: nothing of the kind lies there, it is truncated, or its quantization is not supported.
    """
    if path.is_file():
        files = GgufFiles(path)
        return Checkpoint(path, files.config(), files, StoredQuantization())
    config = read_config(path)
    return Checkpoint(path, config, local_tensors(path), read_quantization(path, config))


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a checkpoint folder.

    Raises:
        InputError: it is missing or no JSON object.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: no valid JSON ({error})") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: holds no JSON object")
    return config
