"""A transformers model whose parameters stay on disk: each module has its own only while it runs.

The model is built on the meta device as transformers' own loading builds it, and every weight's name and shape is held
against it, so what is missing, surplus or misshapen is told as for a whole load. Linear layers and the experts that a
router picked are multiplied by blocks of rows, an embedding holds the rows that are asked for; everything else is
decoded when its module runs and forgotten after it.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.models.parameter_sources import Sources
from compressed_code.models.transformers_model import TransformersModel, check_report, one_line, without_zero_biases

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def empty_model(found: TransformersModel) -> tuple["PreTrainedModel", Sources]:
    """A model on the meta device, without a number, and which weights make each of its parameters.

    Raises:
        InputError: transformers cannot build it, or a weight is missing, misshapen or without a place.
    """
    import torch
    from transformers.initialization import no_init_weights
    from transformers.utils.generic import ContextManagers

    names = without_zero_biases(found)
    path, kind = found.checkpoint.path, found.model_class
    with one_line(path):
        found.config._experts_implementation = "eager"  # which touches the chosen ones alone
        # As `from_pretrained` does, without the steps that fill and move numbers, which take longer than a small model.
        with ContextManagers([no_init_weights(), *kind.get_init_context(torch.float32, False, False, None)]):
            model = kind(found.config)
        sources = Sources(model, found.checkpoint, names)
        report = sources.report()
    check_report(path, report)
    return model, sources


def streamed_model(found: TransformersModel, dtype: "torch.dtype") -> "tuple[PreTrainedModel, int]":
    """A model that reads each parameter when it needs it, and the rows of its embedding.

    Its results are those of `load.load_model`.

    Args:
        found: which model.
        dtype: of the arithmetic.

    Raises:
        InputError: transformers cannot build it, or a weight is missing, misshapen or without a place.
    """
    import torch

    model, sources = empty_model(found)
    _make_buffers(model, sources, dtype)
    rows = model.get_input_embeddings().weight.shape[0]
    modules = list(model.named_modules())
    blind = {id(part) for _, module in modules for part in _without_influence_alone(module)}
    for path, module in modules:
        _attach(path, module, sources, dtype, blind=id(module) in blind)
    # A model without a parameter has neither device nor type.
    model.register_parameter("streamed", torch.nn.Parameter(torch.empty(0, dtype=dtype), requires_grad=False))
    return model.eval(), rows


def _make_buffers(model: "PreTrainedModel", sources: Sources, dtype: "torch.dtype") -> None:
    """Buffers, which are small: read where the checkpoint holds them, else computed as transformers computes them."""
    import torch

    for path, module in model.named_modules():
        names = [name for name, buffer in module.named_buffers(recurse=False) if buffer.is_meta]
        for name in names:
            module._buffers[name] = torch.empty_like(module._buffers[name], device="cpu")
        if names:
            module._is_hf_initialized = False
            with torch.no_grad():
                model._init_weights(module)
            for name in names:
                full = f"{path}.{name}" if path else name
                buffer = sources.parameter(full) if sources.holds(full) else module._buffers[name]
                module._buffers[name] = buffer.to(dtype) if buffer.is_floating_point() else buffer


def _without_influence_alone(module: "torch.nn.Module") -> "list[torch.nn.Module]":
    """The projections to queries and keys of an attention in which they say nothing of a text of one id.

    A softmax over one key is 1, whatever the scores are. That is an attention of the usual parts alone: none of its own
    parameters (sinks), and as many queries as come out (more would be gates).
    """
    parts = dict(module.named_children())
    out = parts.get("o_proj") or parts.get("out_proj")
    usual = {"q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "q_norm", "k_norm", "rotary_emb"}
    if not {"q_proj", "k_proj", "v_proj"} <= parts.keys() <= usual or out is None or module._parameters:
        return []
    widths = getattr(parts["q_proj"], "out_features", None), getattr(out, "in_features", None)
    return [parts["q_proj"], parts["k_proj"]] if None not in widths and widths[0] == widths[1] else []


def _attach(
    path: str, module: "torch.nn.Module", sources: Sources, dtype: "torch.dtype", *, blind: bool = False
) -> None:
    """Have a module read its own parameters when it runs, or when somebody else asks for one."""
    import torch

    from compressed_code.models.embedding_rows import EmbeddingRows
    from compressed_code.models.expert_matrices import ExpertStack

    shapes = {name: parameter.shape for name, parameter in module.named_parameters(recurse=False)}
    if not shapes:
        return
    own = {name: f"{path}.{name}" if path else name for name in shapes}
    matrix = sources.matrix(own["weight"]) if type(module) is torch.nn.Linear else None
    if matrix is not None:
        bias = sources.parameter(own["bias"]).to(dtype) if "bias" in own else None
        module.forward = _Linear(matrix, bias, blind=blind)
    for name in own:
        del module._parameters[name]
    module.__class__ = _asking(type(module))
    module.__dict__["_read_parameter"] = {
        name: lambda parameter=parameter: sources.parameter(parameter).to(dtype) for name, parameter in own.items()
    }
    if matrix is not None:
        return

    def before(module: "torch.nn.Module", arguments: tuple, _: dict) -> None:
        for name, parameter in own.items():
            chosen = _chosen_experts(shapes[name], arguments)
            experts = sources.experts(parameter) if chosen is not None else None
            if experts is not None:
                module._parameters[name] = ExpertStack.of(experts, shapes[name], chosen, dtype)
                continue
            matrix = sources.matrix(parameter) if isinstance(module, torch.nn.Embedding) else None
            if matrix is not None:
                module._parameters[name] = EmbeddingRows.of(matrix, dtype)
                continue
            value = sources.parameter(parameter).to(dtype)
            module._parameters[name] = torch.nn.Parameter(value, requires_grad=False)

    def after(module: "torch.nn.Module", *_: Any) -> None:
        for name in own:
            module._parameters.pop(name, None)

    module.register_forward_pre_hook(before, with_kwargs=True)
    module.register_forward_hook(after)


@cache
def _asking(kind: type) -> type:
    """A class of modules that read a parameter when it is asked for and not there."""

    def __getattr__(self: "torch.nn.Module", name: str) -> Any:
        readers = self.__dict__.get("_read_parameter", {})
        is_there = name in self.__dict__.get("_parameters", {})
        return readers[name]() if name in readers and not is_there else kind.__getattr__(self, name)

    return type(kind.__name__, (kind,), {"__getattr__": __getattr__})


def _chosen_experts(shape: "torch.Size", arguments: tuple) -> list[int] | None:
    """What a router picked, handed on behind the states to a stack of experts; `None` for other parameters."""
    import torch

    picked = arguments[1] if len(arguments) > 1 else None
    if len(shape) == 3 and isinstance(picked, torch.Tensor) and not picked.is_floating_point():
        return torch.unique(picked).tolist()
    return None


class _Linear:
    """The forward pass of a linear layer whose matrix is multiplied block by block, for one state only if not blind."""

    def __init__(self, matrix: Matrix, bias: "torch.Tensor | None", *, blind: bool) -> None:
        self._matrix, self._bias, self._blind = matrix, bias, blind

    def __call__(self, states: "torch.Tensor") -> "torch.Tensor":
        from compressed_code.models.block_products import block_product

        rows, columns = self._matrix.shape
        if self._blind and states.numel() == columns:
            return states.new_zeros(*states.shape[:-1], rows)
        out = block_product(self._matrix, states)
        return out if self._bias is None else out + self._bias
