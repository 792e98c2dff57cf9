"""Which weights of a checkpoint are linear layers of the decoder, asked of transformers' modules."""

import re
from typing import TYPE_CHECKING

from compressed_code.checkpoints.checkpoint import Checkpoint
from compressed_code.core.errors import Unavailable
from compressed_code.models.streamed_model import empty_model
from compressed_code.models.transformers_model import find_model

if TYPE_CHECKING:
    import torch

_LAYER = re.compile(r"(^|\.)(layers|h|blocks)\.\d+\.")
_ROUTER = re.compile(r"(^|\.)(gate|router|shared_expert_gate)(\.|$)")
_OTHER_PART = re.compile(r"(^|\.)(vision|visual|audio|image|multi_modal|mm_projector)")


def linear_weights(checkpoint: Checkpoint) -> frozenset[str]:
    """Names of the matrices of linear layers in the decoder's layers, experts among them.

    Left alone are routers, which are small and decide everything, norms, convolutions, embeddings, the output matrix,
    and whatever sees images or sound.

    Raises:
        InputError: transformers does not open the model.
        Unavailable: experts are stored fused, several matrices in one tensor, which no method here takes apart.
    """
    import torch

    model, sources = empty_model(find_model(checkpoint))
    names: set[str] = set()
    for path, module in model.named_modules():
        if not _LAYER.search(f"{path}.") or _ROUTER.search(path) or _OTHER_PART.search(path):
            continue
        if isinstance(module, torch.nn.Linear):
            names.update(sources.weights(f"{path}.weight"))
        else:
            names.update(_experts(checkpoint, path, module, sources.weights))
    return frozenset(names)


def _experts(checkpoint: Checkpoint, path: str, module: "torch.nn.Module", weights: object) -> set[str]:
    """The matrices that a module stacks, one for each expert."""
    names: set[str] = set()
    for name, parameter in module.named_parameters(recurse=False):
        if parameter.ndim != 3:
            continue
        found = weights(f"{path}.{name}")
        fused = [weight for weight in found if len(checkpoint.dimensions(weight)) != 2]
        if fused and "expert" in path:
            raise Unavailable(
                f"{checkpoint.path}: tensor {fused[0]} holds all experts at once, which cannot be quantized here; start"
                " from a checkpoint that stores them apart"
            )
        names.update(weight for weight in found if weight not in fused)
    return names
