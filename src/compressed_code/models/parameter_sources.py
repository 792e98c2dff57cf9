"""Which weights of a checkpoint make each parameter of a transformers model, merged as transformers merges them."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from compressed_code.checkpoints.checkpoint import Checkpoint
from compressed_code.checkpoints.matrices.matrix import Matrix
from compressed_code.core.errors import InputError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass
class _Group:
    """The weights that make one parameter, or several at once.

    Attributes:
        key: name of the first parameter.
        converter: what transformers does to them; `None` where the parameter is one weight as it is.
        weights: (pattern of the converter, name in the checkpoint), in order.
    """

    key: str
    converter: Any
    weights: list[tuple[str, str]] = field(default_factory=list)


class Sources:
    """Which weights of a checkpoint make each parameter of a model."""

    def __init__(self, model: "PreTrainedModel", checkpoint: Checkpoint, names: Mapping[str, str]) -> None:
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightConverter, WeightRenaming, dot_natural_key, rename_source_key

        self._model, self._checkpoint = model, checkpoint
        known, prefix = model.state_dict(), model.base_model_prefix
        conversions = get_model_conversion_mapping(model)
        renamings = [each for each in conversions if isinstance(each, WeightRenaming)]
        converters = [each for each in conversions if isinstance(each, WeightConverter)]
        by_pattern = {pattern: converter for converter in converters for pattern in converter.source_patterns}
        self._groups: dict[str, _Group] = {}
        for taken in sorted(names, key=dot_natural_key):
            key, pattern = rename_source_key(taken, renamings, converters, prefix, known)
            if key not in known and taken in known:
                key, pattern = rename_source_key(taken, [], [], prefix, known)
            converter = by_pattern.get(pattern)
            group = self._groups.setdefault(key, _Group(key, converter))
            group.weights.append((pattern, names[taken]))
            for target in converter.target_patterns if converter else ():
                self._groups.setdefault(key.replace(converter.target_patterns[0], target), group)
        for target, source in model.all_tied_weights_keys.items():
            for one, other in ((target, source), (source, target)):
                if one not in self._groups and other in self._groups:
                    self._groups[one] = self._groups[other]

    def weights(self, name: str) -> list[str]:
        """Names in the checkpoint of what makes a parameter; none where it holds nothing of it."""
        return [weight for _, weight in self._groups[name].weights] if name in self._groups else []

    def holds(self, name: str) -> bool:
        """Whether the checkpoint has what makes a parameter or buffer."""
        return name in self._groups

    def matrix(self, name: str) -> Matrix | None:
        """The matrix that a parameter is; `None` where it is made of several, or otherwise than stored."""
        group = self._groups[name]
        return None if group.converter else self._checkpoint.open_weight(group.weights[0][1])

    def parameter(self, name: str) -> "torch.Tensor":
        """A whole parameter, float32."""
        import torch

        group = self._groups[name]
        if group.converter is None:
            return torch.from_numpy(np.ascontiguousarray(self._checkpoint.weight(group.weights[0][1])))
        return self._converted(group, group.weights)[name if len(group.converter.target_patterns) > 1 else group.key]

    def experts(self, name: str, chosen: Iterable[int]) -> "dict[int, torch.Tensor] | None":
        """Some experts of a parameter that stacks them, by number; `None` where they cannot be told apart as stored."""
        from transformers.core_model_loading import MergeModulelist

        group, wanted = self._groups[name], set(chosen)
        if group.converter is None:
            matrix = self._checkpoint.open_weight(group.weights[0][1])
            return {expert: _expert(matrix, expert) for expert in sorted(wanted)}
        if not isinstance(group.converter.operations[0], MergeModulelist):
            return None
        places: dict[str, int] = {}
        kept = []
        for pattern, weight in group.weights:
            place = places.get(pattern, 0)
            places[pattern] = place + 1
            if place in wanted:
                kept.append((pattern, weight))
        stacked = self._converted(group, kept)[group.key]
        return dict(zip(sorted(wanted), stacked, strict=True))

    def _converted(self, group: _Group, weights: Iterable[tuple[str, str]]) -> "dict[str, torch.Tensor]":
        import torch

        converter = copy.deepcopy(group.converter)
        for pattern, name in weights:
            converter.add_tensor(group.key, name, pattern, torch.from_numpy(self._checkpoint.weight(name)))
        made = converter.convert(group.key, model=self._model, config=self._model.config)
        return {name: value[0] if isinstance(value, list) else value for name, value in made.items()}


def _expert(matrix: Matrix, number: int) -> "torch.Tensor":
    """One of the matrices that a weight of three dimensions stacks; the others are not read."""
    import torch

    height = matrix.dimensions[1]
    values = np.require(matrix.decode(number * height, (number + 1) * height), requirements="CW")
    if not np.isfinite(values).all():
        raise InputError(f"{matrix.tensor}: expert {number} holds NaN or infinity")
    return torch.from_numpy(values)
