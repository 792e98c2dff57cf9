"""Linear layers whose weights lie in the order in which oneDNN multiplies them, for a model that only reads.

torch multiplies float32 matrices with MKL, which takes every weight matrix apart anew for each product, and on two
threads gives each a fixed half. oneDNN comes with torch too; with weights in its own order one core multiplies 1.2
times as fast (512 rows by 576 × 1,536, AVX-512), and each of two cores as fast as one alone.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_ROWS = 512  # of a product, as it is told to oneDNN beforehand; others may come
_TRIED = 16  # tokens that are read before and after
# Of the logits' length. Sums in another order move them by 2e-5 of it through 30 layers, a wrong weight by all of it.
_CLOSE = 1e-3


def pack_linear_layers(model: "PreTrainedModel") -> "PreTrainedModel":
    """Put the weights of a model's linear layers in oneDNN's order, in place; their plain copies are given up.

    Left alone are models in another precision or on a device, the output matrix and what it is tied to, and every model
    that gives other logits afterwards, since its code takes weights otherwise than by calling their layer.

    Args:
        model: in evaluation mode. It can read afterwards; it can be neither saved nor trained.

    Returns:
        The model itself.
    """
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    kept = {id(end.weight) for end in ends if end is not None}
    layers = [layer for layer in model.modules() if _is_plain(layer) and id(layer.weight) not in kept]
    if not layers:
        return model
    expected = _logits(model)
    for layer in layers:
        _pack(layer)
    try:
        found = _logits(model)
    except Exception:  # whatever a model's code says of a weight that it cannot use
        found = None
    if found is None or not (found - expected).norm() <= _CLOSE * expected.norm():
        for layer in layers:
            _unpack(layer)
    return model


def multiplies(matrix: "torch.Tensor") -> bool:
    """Whether `product` takes this matrix: float32, on the processor, and torch was built with oneDNN."""
    import torch

    return (
        matrix.dtype == torch.float32
        and matrix.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def product(states: "torch.Tensor", matrix: "torch.Tensor", bias: "torch.Tensor | None" = None) -> "torch.Tensor":
    """`states @ matrix.T + bias` by oneDNN.

    Args:
        states: [..., columns] float32.
        matrix: [rows, columns], as it is or in oneDNN's order.
        bias: [rows].

    Returns:
        [..., rows].
    """
    import torch

    return torch.ops.mkldnn._linear_pointwise(states, matrix, bias, "none", [], "")


def _is_plain(layer: "torch.nn.Module") -> bool:
    """Whether a layer multiplies its weight, and no one has it called otherwise (as layers that wait on a disk are)."""
    import torch

    return type(layer) is torch.nn.Linear and "forward" not in vars(layer) and multiplies(layer.weight)


def _pack(layer: "torch.nn.Linear") -> None:
    import torch

    weight, bias = layer.weight.detach(), layer.bias
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
    # Whoever reads the weight finds its shape and kind, and no number.
    layer.weight = torch.nn.Parameter(torch.full((1, 1), math.nan).expand(weight.shape), requires_grad=False)

    def forward(states: "torch.Tensor") -> "torch.Tensor":
        return product(states, packed, bias)

    layer.packed, layer.forward = packed, forward


def _unpack(layer: Any) -> None:
    import torch

    layer.weight = torch.nn.Parameter(layer.packed.to_dense(), requires_grad=False)
    del layer.packed, layer.forward


def _logits(model: "PreTrainedModel") -> "torch.Tensor":
    import torch

    rows = model.get_input_embeddings().weight.shape[0]
    with torch.inference_mode():
        return model(input_ids=torch.arange(_TRIED)[None] % rows, use_cache=False).logits
