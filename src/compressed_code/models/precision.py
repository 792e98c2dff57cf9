"""In which arithmetic a model is measured: float64 where that is cheap, so that every machine finds the same number.

Float32 sums differ in their last digits with the processor's instructions, the library and the number of threads. In
float64 they differ eight digits further down, below what is left when a table is stored as float32.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compressed_code.checkpoints.checkpoint import Checkpoint, open_checkpoint
from compressed_code.core.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Precision = Literal["float32", "float64"]

# A model of fewer weights is measured in float64. Products take twice the time: at the limit about two seconds more per
# thousand tokens on one core, which is bearable, and more is not. The repository's own models have 3.2 million at most.
PRECISE_BELOW = 50_000_000


def precision_of(*models: Path | Checkpoint) -> Precision:
    """The precision that models are measured in: that of the largest, since what is compared is computed alike.

    Weights in files whose headers do not say how many they are (*.bin) count as many.
    """
    return "float64" if all(map(_is_small, models)) else "float32"


def in_bfloat16(model: "PreTrainedModel") -> "PreTrainedModel":
    """The model itself, its weights rounded to bfloat16; the angles of positions stay, as transformers loads them."""
    import torch

    for weights in model.parameters():
        weights.data = weights.data.to(torch.bfloat16)
    return model


def _is_small(model: Path | Checkpoint) -> bool:
    try:
        return (open_checkpoint(model) if isinstance(model, Path) else model).holds_fewer_weights(PRECISE_BELOW)
    except InputError:  # whoever opens it next says what is wrong, or reads files that only transformers knows
        return False
