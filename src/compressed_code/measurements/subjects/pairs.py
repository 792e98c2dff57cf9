"""Pairs of models as what a measurement is of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressed_code.core.errors import InputError
from compressed_code.measurements.subjects.models import ModelSubject
from compressed_code.registry.lookup import Registry, find_model
from compressed_code.registry.specs import ModelSpec

AGAINST = " against "


@dataclass(frozen=True)
class Pair:
    """A model and the one it is compared with, as folders or GGUF files."""

    parent: Path
    child: Path


class PairSubject:
    """Models beside their parents: named `CHILD against PARENT`, or `CHILD` alone where its row names the parent."""

    column = "pair"

    def find(self, name: str, registry: Registry) -> tuple[ModelSpec, ModelSpec]:
        child_name, _, parent_name = name.partition(AGAINST)
        child = find_model(child_name, registry)
        parent_name = parent_name or child.parent
        if not parent_name:
            raise InputError(f"{name}: has no parent in its row; name the pair as {child_name}{AGAINST}PARENT")
        return find_model(parent_name, registry), child

    def key_fields(self, pair: tuple[ModelSpec, ModelSpec], registry: Registry) -> Mapping[str, Any]:
        models = ModelSubject()
        return {side: models.key_fields(spec, registry) for side, spec in zip(("parent", "child"), pair, strict=True)}

    def open(self, pair: tuple[ModelSpec, ModelSpec], registry: Registry) -> Pair:
        return Pair(*(ModelSubject().open(spec, registry) for spec in pair))
