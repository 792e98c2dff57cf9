"""Open a checkpoint and read single weights of it, as float32, without loading the model.

Safetensors and PyTorch files in every form of `storage_forms`, and GGUF files. numpy is enough; the `gguf` package is
imported for GGUF files only, torch for PyTorch's.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from compressed_code.checkpoints.files.gguf_files import GgufFiles
from compressed_code.checkpoints.gguf.weights import GgufWeights
from compressed_code.checkpoints.matrices.matrix import FLOAT_KINDS, READ_AHEAD, Matrix, RowRanges, read_vector
from compressed_code.checkpoints.model_files import CONFIG, local_tensors, require_whole_model
from compressed_code.checkpoints.quantization_config import read_form
from compressed_code.checkpoints.stored_weights import StoredWeights, Weights
from compressed_code.core.errors import InputError

__all__ = ["Checkpoint", "Matrix", "open_checkpoint", "read_config"]

# What a module may hold beside its matrix.
_VECTORS = ("weight", "bias", "e_score_correction_bias")


class Checkpoint:
    """The weights of one model, read when they are asked for.

    Attributes:
        path: folder or GGUF file; of a remote one, OWNER/NAME@COMMIT, and the file's name.
        config: what config.json says, or the same drawn from GGUF metadata.
        is_gguf: whether it was drawn from them.
    """

    def __init__(self, path: PurePath, config: Mapping[str, Any], weights: Weights, *, is_gguf: bool = False) -> None:
        self.path, self.config, self.is_gguf = path, config, is_gguf
        self._weights = weights

    @property
    def names(self) -> Collection[str]:
        """Names of all weights, as Hugging Face checkpoints spell them: a quantized matrix is one "….weight"."""
        return self._weights.names

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far, headers included."""
        return self._weights.bytes_read

    @property
    def stored_bytes(self) -> int:
        """Bytes of all tensors, as they are stored.

        Raises:
            InputError: a header is broken.
        """
        return self._weights.stored_bytes

    def count(self, name: str) -> int:
        """How many numbers a weight has, by the header; codes of a quantized one count as what they stand for.

        Raises:
            InputError: it is missing, or its file is broken.
        """
        return self._weights.count(name)

    def holds_fewer_weights(self, limit: int) -> bool:
        """Whether the model has fewer weights; no header is read once the answer is known.

        Raises:
            InputError: a header is broken.
        """
        count = 0
        for name in self.names:
            count += self.count(name)
            if count >= limit:
                return False
        return True

    def element_type(self, name: str) -> str:
        """What the numbers of a weight are stored as, as its file spells it ("BF16", "I32", "Q4_0" …)."""
        return self._weights.codes(name).kind

    def dimensions(self, name: str) -> tuple[int, ...]:
        """Shape of a weight, decoded.

        Raises:
            InputError: it is missing or broken.
        """
        return self._weights.matrix(name).dimensions

    def open_weight(self, name: str) -> Matrix:
        """A weight to be decoded by blocks of rows.

        Raises:
            InputError: it is missing or broken.
        """
        return self._weights.matrix(name)

    def stored_shape(self, name: str) -> tuple[int, ...]:
        """Shape of the tensor that holds the numbers of a weight; of a quantized one, of its codes."""
        return self._weights.codes(name).shape

    def weight(self, name: str) -> np.ndarray:
        """A whole weight in all its dimensions, float32.

        Raises:
            InputError: it is missing, broken or not finite.
        """
        return self._weights.matrix(name).whole()

    def vector(self, name: str, size: int) -> np.ndarray:
        """A whole tensor of one dimension, for example a bias, [size] float32.

        Raises:
            InputError: it is missing, broken, of another size or not finite.
        """
        tensor = self._weights.codes(name)
        tensor.require_shape((size,))
        values = read_vector(tensor) if tensor.kind in FLOAT_KINDS else self._weights.matrix(name).decode(0, 1)[0]
        if not np.isfinite(values).all():
            raise InputError(f"{tensor}: holds NaN or infinity; fetch or write it again")
        return values

    def row(self, module: str, index: int, shape: tuple[int, int]) -> np.ndarray:
        """One row of the matrix of a module ("model.embed_tokens"), [columns] float32. Nothing else of it is read.

        Raises:
            InputError: it is missing, broken, of another shape or not finite, or has no such row.
        """
        matrix = self._matrix(module, shape)
        tensor = matrix.tensor
        if not 0 <= index < shape[0]:
            raise InputError(f"{tensor}: has no row {index}; there are {shape[0]}: name another input id")
        values = matrix.row(index)
        if not np.isfinite(values).all():
            raise InputError(f"{tensor}: row {index} holds NaN or infinity; fetch or write it again")
        return np.array(values)

    def matrix(self, module: str, shape: tuple[int, int]) -> np.ndarray:
        """The whole matrix of a module, decoded block by block, [rows, columns] float32.

        Raises:
            InputError: it is missing, broken, of another shape or not finite.
        """
        return self._matrix(module, shape).whole()

    def prefetch(self, module: str) -> None:
        """Have the beginning of a module's tensors fetched while something else is computed.

        Only advice: a tensor that is missing is reported where it is needed.
        """
        for name in (f"{module}.{part}" for part in _VECTORS):
            if name in self.names:
                self._weights.codes(name).prefetch(0, READ_AHEAD)

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
        matrix = self._matrix(module, shape)
        tensor = matrix.tensor
        with np.errstate(over="ignore", invalid="ignore"):
            result = matrix.product(vector, rows)
        tensor.release(0, tensor.length)  # fetched ahead with the others: rows that were not chosen
        if not np.isfinite(result).all():
            raise InputError(f"{tensor}: holds NaN, infinity or numbers too large to multiply; fetch or write it again")
        return result

    def _matrix(self, module: str, shape: tuple[int, int]) -> Matrix:
        """The matrix of a module, which must have this shape."""
        matrix = self._weights.matrix(f"{module}.weight")
        if matrix.dimensions != shape:
            raise InputError(
                f"{matrix.tensor}: shape {list(matrix.dimensions)}, but config.json asks for {list(shape)}"
                "; fetch config and weights of one model"
            )
        return matrix


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint folder or a GGUF file; no tensor is read yet.

    Raises:
        InputError: nothing of the kind lies there, it is truncated, or its quantization is not supported.
    """
    if path.is_file():
        return gguf_checkpoint(GgufFiles(path))
    require_whole_model(path)
    config = read_config(path)
    return Checkpoint(path, config, StoredWeights(local_tensors(path), read_form(path, config)))


def gguf_checkpoint(files: GgufFiles) -> Checkpoint:
    """The checkpoint that a GGUF file stands for.

    Raises:
        InputError: an architecture, or a part of its metadata, that is not supported.
    """
    weights = GgufWeights(files)
    files.release_headers()
    return Checkpoint(files.path, weights.config, weights, is_gguf=True)


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a checkpoint folder.

    Raises:
        InputError: it is missing or no JSON object.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the name and the rights to it") from None
    except ValueError as error:
        raise InputError(f"{path}: no valid JSON ({error}); fetch it again") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: holds no JSON object; fetch it again")
    return config
