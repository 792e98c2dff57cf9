"""Matrices in GGUF's block formats, decoded row by row with the `gguf` package."""

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.core.errors import InputError


class GgufMatrix(Matrix):
    """Blocks of codes with their scales inside."""

    def __init__(self, tensor: StoredTensor) -> None:
        """Check that the type can be decoded; the tensor is not touched.

        Raises:
            InputError: it cannot.
        """
        from gguf import quants
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        self._kind = GGMLQuantizationType[tensor.kind]
        block_elements, block_bytes = GGML_QUANT_SIZES[self._kind]
        try:
            quants.dequantize(np.zeros((1, block_bytes), np.uint8), self._kind)
        except NotImplementedError:
            raise InputError(f"{tensor}: type {tensor.kind} is not supported; use another GGUF type") from None
        columns = tensor.shape[-1] if tensor.shape else 1
        if columns % block_elements:
            raise InputError(
                f"{tensor}: rows of {columns} do not divide into blocks of {block_elements}"
                "; fetch or convert the file again"
            )
        super().__init__(tensor, tensor.shape, columns // block_elements * block_bytes)
        self._decode = quants.dequantize

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        stored = self.tensor.bytes(start * self.width, stop * self.width)
        values = self._decode(stored.reshape(stop - start, self.width), self._kind)
        del stored
        self.tensor.release(start * self.width, stop * self.width)
        return values
