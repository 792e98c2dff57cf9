"""What rounding alone does: the base model beside itself with every module's result rounded to bfloat16.

A model that is run in bfloat16, as most are, differs from the float32 one by this much without any compression. A
divergence below it is not worth a thought. turboderp-org/exllamav3 measures the like (one unit of rounding a layer).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from compressed_code.fidelity.teacher_forcing import Runner
from compressed_code.fidelity.windows import Window

if TYPE_CHECKING:
    import torch


class RoundedRunner(Runner):
    """Reads with the results of all modules rounded; logits are computed from what comes out as ever."""

    def states(self, batch: Sequence[Window]) -> "torch.Tensor":
        """As `Runner.states`."""
        with rounded_activations(self.model):
            return super().states(batch)


@contextmanager
def rounded_activations(model: "torch.nn.Module") -> "Iterator[None]":
    """Every result of a module without modules inside it is rounded to bfloat16, and kept in its own type.

    That is what linear layers, norms, activations and embeddings give; sums of the residual stream are rounded where
    the next norm reads them.
    """
    import torch

    def rounded(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return value.to(torch.bfloat16).to(value.dtype)
        return type(value)(map(rounded, value)) if type(value) in (tuple, list) else value

    leaves = [module for module in model.modules() if next(module.children(), None) is None]
    handles = [module.register_forward_hook(lambda _, given, result: rounded(result)) for module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
