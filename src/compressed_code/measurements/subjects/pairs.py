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

    base: Path
    candidate: Path


class PairSubject:
    """Models beside their bases: named `CANDIDATE against BASE`, or `CANDIDATE` alone where its row names the base."""

    column = "pair"

    def find(self, name: str, registry: Registry) -> tuple[ModelSpec, ModelSpec]:
        candidate_name, _, base_name = name.partition(AGAINST)
        candidate = find_model(candidate_name, registry)
        base_name = base_name or candidate.base_model
        if not base_name:
            raise InputError(f"{name}: has no base model in its row; name the pair as {candidate_name}{AGAINST}BASE")
        return find_model(base_name, registry), candidate

    def key_fields(self, pair: tuple[ModelSpec, ModelSpec], registry: Registry) -> Mapping[str, Any]:
        models = ModelSubject()
        return {side: models.key_fields(spec, registry) for side, spec in zip(("base", "candidate"), pair, strict=True)}

    def made_of(self, pair: tuple[ModelSpec, ModelSpec], registry: Registry) -> Mapping[str, Any]:
        models = ModelSubject()
        return {side: models.made_of(spec, registry) for side, spec in zip(("base", "candidate"), pair, strict=True)}

    def open(self, pair: tuple[ModelSpec, ModelSpec], registry: Registry) -> Pair:
        return Pair(*(ModelSubject().open(spec, registry) for spec in pair))
