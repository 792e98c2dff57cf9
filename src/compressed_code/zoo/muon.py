"""Muon in float32: momentum whose update is orthogonalised, for the weight matrices of hidden layers.

The definition is torch.optim.Muon's (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024:
Nesterov momentum, five Newton–Schulz steps, update scaled by √max(1, rows/columns)). torch's own multiplies in
bfloat16, which a CPU without bfloat16 units emulates at a tenth of the speed; here matrices of one shape are
orthogonalised together, in float32. A test holds both against each other.
"""

from collections.abc import Iterable

import torch

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
EPSILON = 1e-7


class Muon(torch.optim.Optimizer):
    """Muon for matrices [rows, columns]; weight decay is decoupled, as in AdamW."""

    def __init__(
        self, parameters: Iterable[torch.nn.Parameter], lr: float, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in by_shape.items():
                updates = orthogonalise(torch.stack([self._nesterov(p, group["momentum"]) for p in parameters]))
                rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)

    def _nesterov(self, parameter: torch.nn.Parameter, momentum: float) -> torch.Tensor:
        state = self.state[parameter]
        average = state.setdefault("momentum", torch.zeros_like(parameter))
        average.lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(average, momentum)


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """The nearest semi-orthogonal matrices, approximately: singular values end between about 0.7 and 1.2.

    Args:
        matrices: float32 [batch, rows, columns].
    """
    a, b, c = NEWTON_SCHULZ
    wide = matrices.mT if matrices.size(1) > matrices.size(2) else matrices
    x = wide / wide.norm(dim=(1, 2), keepdim=True).clamp(min=EPSILON)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if matrices.size(1) > matrices.size(2) else x
