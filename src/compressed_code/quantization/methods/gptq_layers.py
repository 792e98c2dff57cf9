"""GPTQ over a model: every linear layer is solved when the calibration text first reaches it, and goes on quantized.

One pass of all rows through the decoder is all it takes, so the cost is linear in layers. A layer sees what the layers
before it, quantized already, make of the text ("true sequential" in GPTQModel and auto-gptq); layers that see the very
same input (q, k and v; gate and up) share its Hessian.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.models.load import load_model
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.calibration import check_rows
from compressed_code.quantization.methods.gptq import ErrorFeedback, error_feedback, gptq
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix
from compressed_code.quantization.record import TokenRows
from compressed_code.registry.quantizations import Quantization

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def solve_with_gptq(
    base: BaseCheckpoint, quantization: Quantization, calibration: TokenRows
) -> dict[str, QuantizedMatrix]:
    """Quantize all linear layers; activations, Hessians and the solver are float64.

    Memory holds the model in float64 and a few activations of all rows at once: of 64 rows of 256 tokens in a layer of
    10,000 features 1.3 GB each.

    Args:
        calibration: rows of ids; shorter ones are padded on the right, which a causal decoder does not see, and what
            stands there is not counted.

    Raises:
        InputError: the calibration text does not fit the model, or gives a layer no usable inputs.
        Unavailable: transformers' model has no plain linear layer for one of the matrices, or does not use it.
    """
    import torch

    check_rows(calibration, base.config)
    ids, real = _padded(calibration)
    model = load_model(base.path, dtype="float64")
    solver = _Solver(quantization, real)
    hooks = [layer.register_forward_pre_hook(solver.hook(name, base)) for name, layer in _layers(model, base).items()]
    try:
        with torch.inference_mode():
            model.base_model(input_ids=ids, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
        # A model refers to itself and is freed when Python next looks for cycles; its weights must not wait for that,
        # since between them the memory of activations is given back to nobody: gigabytes over some tens of variants.
        model.to("meta")
    missing = sorted(set(base.linear) - set(solver.found))
    if missing:
        raise Unavailable(f"{base.linear[missing[0]]}: calibration text does not reach it; use rtn")
    return {name: solver.found[name] for name in base.linear}


class _Solver:
    """Solves a layer before its first use.

    Attributes:
        found: matrices by name.
    """

    def __init__(self, quantization: Quantization, real: "torch.Tensor | None") -> None:
        self.found: dict[str, QuantizedMatrix] = {}
        self._quantization, self._real = quantization, real
        self._last: tuple[torch.Tensor, ErrorFeedback] | None = None

    def hook(self, name: str, base: BaseCheckpoint) -> "Callable[[torch.nn.Linear, tuple[torch.Tensor]], None]":
        def solve(layer: "torch.nn.Linear", inputs: tuple["torch.Tensor"]) -> None:
            import torch

            if name in self.found:
                return
            try:
                matrix = self._solved(layer.weight.detach().numpy(), inputs[0])
            except InputError as error:
                raise type(error)(f"{base.linear[name]}: {error}") from None
            self.found[name] = matrix
            layer.weight.data = torch.from_numpy(matrix.dequantized().astype(np.float64))

        return solve

    def _solved(self, weight: np.ndarray, inputs: "torch.Tensor") -> QuantizedMatrix:
        row = self._quantization
        if self._last is None or self._last[0] is not inputs:
            self._last = inputs, error_feedback(self._hessian(inputs))
        return gptq(weight, self._last[1], row.bits or 0, row.group_size, symmetric=row.symmetric)

    def _hessian(self, inputs: "torch.Tensor") -> np.ndarray:
        """2/n · Σ x · xᵀ over all tokens but those of the padding."""
        if self._real is not None:
            if inputs.shape[:2] != self._real.shape:
                raise Unavailable("its inputs are not those of all tokens; calibrate with rows of one length")
            inputs = inputs[self._real]
        values = inputs.reshape(-1, inputs.shape[-1]).numpy()
        return (values.T @ values) * (2 / len(values))


def _padded(calibration: TokenRows) -> "tuple[torch.Tensor, torch.Tensor | None]":
    """Ids [rows, longest], and which of them are real; `None` where all are."""
    import torch

    lengths = torch.tensor([len(row) for row in calibration])
    ids = torch.zeros(len(calibration), int(lengths.max()), dtype=torch.long)
    for padded, row in zip(ids, calibration, strict=True):
        padded[: len(row)] = torch.tensor(row)
    real = torch.arange(ids.shape[1]) < lengths[:, None]
    return ids, None if real.all() else real


def _layers(model: "PreTrainedModel", base: BaseCheckpoint) -> "dict[str, torch.nn.Linear]":
    """The linear layers by the name of their weight."""
    import torch

    modules = dict(model.named_modules())
    layers = {name: modules.get(name.removesuffix(".weight")) for name in base.linear}
    for name, layer in layers.items():
        if not isinstance(layer, torch.nn.Linear):
            raise Unavailable(f"{base.linear[name]}: is no linear layer in transformers' model; use rtn")
    return layers
