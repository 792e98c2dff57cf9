"""What GGUF files of each mixture would hold of a model, told from the shapes of its tensors; nothing is quantized.

Rows that do not divide into blocks of 256 get other types than the mixture's name says (`tensor_types.FALLBACKS`), so
two mixtures may be the same file, and the lowest may take far more bits than its name.
"""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.quantization.gguf.tensor_types import MIXTURES
from compressed_code.quantization.gguf.writer import plan_tensors, understood, with_its_head


def mixture_table(model: Path, mixtures: Iterable[str] = tuple(MIXTURES)) -> pd.DataFrame:
    """One row per mixture.

    Args:
        model: folder or GGUF file.
        mixtures: of `MIXTURES`.

    Returns:
        Columns `mixture`, `bits` (per weight of all matrices), `types` (share of the weights in each, largest first)
        and `same_as` (the first of the mixtures that gives every tensor the same type; often the mixture itself).

    Raises:
        InputError: the model cannot be written as GGUF.
    """
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    checkpoint = open_checkpoint(model)
    architecture = with_its_head(checkpoint, understood(model, dict(checkpoint.config)))
    rows, seen = [], {}
    for mixture in mixtures:
        plan = [one for one in plan_tensors(checkpoint, architecture, mixture) if len(one.shape) == 2]
        weights: Counter[str] = Counter()
        for planned in plan:
            weights[planned.kind] += math.prod(planned.shape)
        sizes = {kind: GGML_QUANT_SIZES[GGMLQuantizationType[kind]] for kind in weights}
        bits = sum(weights[kind] * 8 * size / block for kind, (block, size) in sizes.items()) / weights.total()
        shares = ", ".join(f"{kind} {count / weights.total():.0%}" for kind, count in weights.most_common())
        same_as = seen.setdefault(tuple((one.name, one.kind) for one in plan), mixture)
        rows.append((mixture, bits, shares, same_as))
    return pd.DataFrame(rows, columns=["mixture", "bits", "types", "same_as"])
