"""What was written is read again before it is called done."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.core.errors import InputError
from compressed_code.quantization.methods.quantized_matrix import QuantizedWeight

# Decoded numbers are stored as float16 or bfloat16, which keeps eight bits.
ROUNDING = 2.0**-8


def read_back(path: Path, weights: Mapping[str, QuantizedWeight]) -> None:
    """Open what was written as any other model, and compare it with what it should hold.

    Args:
        path: folder or GGUF file.
        weights: what takes the place of the base model's matrices, by name.

    Raises:
        InputError: a weight cannot be read, or is another one.
    """
    checkpoint = open_checkpoint(path)
    for name in checkpoint.names:
        found = checkpoint.weight(name)
        if name not in weights:
            continue
        expected = weights[name].dequantized()
        if found.shape != expected.shape or np.abs(found - expected).max() > ROUNDING * np.abs(expected).max():
            raise InputError(f"{path.name}: tensor {name} reads back as other numbers; nothing was kept: report this")
    missing = sorted(weights.keys() - set(checkpoint.names))
    if missing:
        raise InputError(f"{path.name}: tensor {missing[0]} was not written; nothing was kept: report this")
