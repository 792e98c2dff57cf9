"""Which weights of a checkpoint make each parameter of a transformers model, merged as transformers merges them."""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from compressed_code.checkpoints.checkpoint import Checkpoint
from compressed_code.checkpoints.matrices.matrix import Matrix

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from compressed_code.models.expert_matrices import Expert


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
        return self._converted(group)[name if len(group.converter.target_patterns) > 1 else group.key]

    def experts(self, name: str) -> "list[Expert] | None":
        """A parameter that stacks experts, each as the rows that make it; `None` where they are not stored as such."""
        from transformers.core_model_loading import Concatenate, MergeModulelist

        from compressed_code.models.expert_matrices import StoredRows

        group = self._groups[name]
        matrices = [(pattern, self._checkpoint.open_weight(weight)) for pattern, weight in group.weights]
        if group.converter is None:
            matrix = matrices[0][1]
            count, height = matrix.dimensions[:2]
            return [[StoredRows(matrix, at * height, (at + 1) * height)] for at in range(count)]
        match group.converter.operations:
            case [MergeModulelist(dim=0)] | [MergeModulelist(dim=0), Concatenate(dim=1)]:
                columns = [
                    [m for pattern, m in matrices if pattern == each] for each in group.converter.source_patterns
                ]
                rows = zip(*(column for column in columns if column), strict=True)
                return [[StoredRows(matrix, 0, matrix.shape[0]) for matrix in parts] for parts in rows]
        return None

    def report(self) -> dict[str, Any]:
        """What of the model the checkpoint lacks, what of the checkpoint the model has no place for, and other shapes.

        Returns:
            As transformers' `output_loading_info`: `missing_keys`, `unexpected_keys`, and `mismatched_keys` with the
            shape that is stored and the shape that is wanted.
        """
        import torch

        known, groups = self._model.state_dict(), self._groups
        ignored = {
            kind: [re.compile(pattern) for pattern in getattr(self._model, f"_keys_to_ignore_on_load_{kind}") or ()]
            for kind in ("missing", "unexpected")
        }
        missing = {key for key in known if key not in groups and not _any(ignored["missing"], key)}
        surplus = {key for key in groups if key not in known and not _any(ignored["unexpected"], key)}
        mismatched = []
        for key, group in groups.items():
            if key not in known or group.key != key:
                continue
            stored = [(pattern, name, self._checkpoint.dimensions(name)) for pattern, name in group.weights]
            if group.converter is None:
                made = {key: stored[0][2]}
            else:
                empty = [(pattern, name, torch.empty(shape, device="meta")) for pattern, name, shape in stored]
                made = {name: tuple(value.shape) for name, value in self._merged(group, empty).items()}
            wanted = {name: tuple(known[name].shape) for name in made if name in known}
            mismatched += [(name, made[name], shape) for name, shape in wanted.items() if made[name] != shape]
        return {"missing_keys": missing, "unexpected_keys": surplus, "mismatched_keys": mismatched}

    def _converted(self, group: _Group) -> "dict[str, torch.Tensor]":
        import torch

        whole = ((pattern, name, torch.from_numpy(self._checkpoint.weight(name))) for pattern, name in group.weights)
        return self._merged(group, whole)

    def _merged(self, group: _Group, weights: "Iterable[tuple[str, str, torch.Tensor]]") -> "dict[str, torch.Tensor]":
        converter = copy.deepcopy(group.converter)
        for pattern, name, tensor in weights:
            converter.add_tensor(group.key, name, pattern, tensor)
        made = converter.convert(group.key, model=self._model, config=self._model.config)
        return {name: value[0] if isinstance(value, list) else value for name, value in made.items()}


def _any(patterns: Iterable[re.Pattern], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)
