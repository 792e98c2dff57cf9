"""Matrices in bitsandbytes' 4-bit formats, nf4 and fp4, with or without double quantization.

The weight, row after row, is cut into blocks of `blocksize`; each block has its largest magnitude `absmax`, each number
a code of 4 bits, the first of two in the upper half of the byte: value = quant_map[code] · absmax[block]. With double
quantization absmax is stored in 8 bits: nested_quant_map[code] · nested_absmax[nested block] + nested_offset.
Source: Dettmers et al. 2023, arXiv 2305.14314; bitsandbytes 0.50, functional.py, `QuantState.as_dict`.
"""

import json
from collections.abc import Callable

import numpy as np

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.matrix import Matrix, read_vector
from compressed_code.core.errors import InputError

STATES = ("weight.quant_state.bitsandbytes__nf4", "weight.quant_state.bitsandbytes__fp4")
NUMBERS = ("weight.absmax", "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map")


class FourBitMatrix(Matrix):
    """nf4 or fp4 codes."""

    def __init__(self, codes: StoredTensor, find: Callable[[str], StoredTensor | None]) -> None:
        """Read everything but the codes.

        Args:
            codes: two a byte, in whatever element type they are stored.
            find: from a part's name to where it lies; `None` where there is none.

        Raises:
            InputError: a part is missing or broken.
        """
        state = next((find(name) for name in STATES if find(name) is not None), None)
        if state is None:
            raise InputError(
                f"{codes}: {STATES[0]} is missing beside it; save the model with transformers 4.38 or later"
            )
        try:
            described = json.loads(state.bytes(0, state.length).tobytes())
            dimensions = tuple(int(size) for size in described["shape"])
            self._blocksize = int(described["blocksize"])
            absmax = self._absmax(codes, find, described)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{state}: broken ({type(error).__name__}: {error}); fetch or write it again") from None
        super().__init__(codes, dimensions, 0)
        count = int(np.prod(dimensions))
        if codes.length != -(-count // 2) or len(absmax) != -(-count // self._blocksize):
            raise InputError(
                f"{codes}: {codes.length:,} bytes and {len(absmax):,} blocks do not fit {list(dimensions)}"
                "; fetch or write the checkpoint again"
            )
        values = _needed(codes, find, "weight.quant_map")
        self._pairs = np.stack([np.repeat(values, 16), np.tile(values, 16)], axis=1)
        self._largest = absmax

    def _absmax(self, codes: StoredTensor, find: Callable[[str], StoredTensor | None], described: dict) -> np.ndarray:
        stored = find("weight.absmax")
        if stored is None or stored.kind != "U8":
            return _needed(codes, find, "weight.absmax")
        nested, table = (_needed(codes, find, f"weight.nested_{part}") for part in ("absmax", "quant_map"))
        places = stored.bytes(0, stored.length)
        blocks = np.arange(len(places)) // int(described["nested_blocksize"])
        return table[places] * nested[blocks] + np.float32(described["nested_offset"])

    def decode(self, start: int, stop: int) -> np.ndarray:
        """Rows `start … stop` as float32."""
        columns = self.shape[1]
        first, last = start * columns, stop * columns
        stored = self.tensor.bytes(first // 2, -(-last // 2))
        values = self._pairs.take(stored, axis=0).reshape(-1)[first % 2 :][: last - first]
        del stored
        blocks = np.arange(first, last) // self._blocksize
        return (values * self._largest[blocks]).reshape(stop - start, columns)


def _needed(codes: StoredTensor, find: Callable[[str], StoredTensor | None], name: str) -> np.ndarray:
    tensor = find(name)
    if tensor is None:
        raise InputError(f"{codes}: {name} is missing beside it; fetch or write the checkpoint again")
    return read_vector(tensor)
