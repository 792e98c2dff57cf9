"""Models as what a measurement is of: their content decides the key."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compressed_code.checkpoints.hub import find_commit
from compressed_code.checkpoints.local_models import local_model
from compressed_code.checkpoints.model_files import fingerprint
from compressed_code.quantization.variants import quantized_variant
from compressed_code.registry.lookup import Registry, find_model
from compressed_code.registry.specs import ModelSpec

_NAMING_FIELDS = {"key", "label", "note"}  # of a row of quantizations: what it is called, not what it does


@dataclass(frozen=True)
class HubModel:
    """A model on a Hub of which only the tensors that are needed are fetched; `file` names a GGUF file."""

    hub: str
    commit: str
    file: str | None


class ModelSubject:
    """Models on this machine: a folder or GGUF file, whose content decides the key.

    One on a Hub or in a package is downloaded, a quantized variant is made where it was not made before.
    """

    column = "model"

    def find(self, name: str, registry: Registry) -> ModelSpec:
        return find_model(name, registry)

    def key_fields(self, spec: ModelSpec, registry: Registry) -> Mapping[str, Any]:
        return fingerprint(self.open(spec, registry))

    def made_of(self, spec: ModelSpec, registry: Registry) -> Mapping[str, Any]:
        """What decides `key_fields`, told without making it: of a quantized variant its base and its row."""
        if spec.quantization is None:
            return self.key_fields(spec, registry)
        base = self.made_of(find_model(spec.base_model, registry), registry)
        return {"base": base, "quantization": spec.quantization.model_dump(mode="json", exclude=_NAMING_FIELDS)}

    def open(self, spec: ModelSpec, registry: Registry) -> Path:
        if spec.quantization is not None:
            return quantized_variant(self.open(find_model(spec.base_model, registry), registry), spec.quantization)
        return local_model(spec)


class CheckpointSubject(ModelSubject):
    """The same, but a model on a Hub stays there: its commit decides the key."""

    def key_fields(self, spec: ModelSpec, registry: Registry) -> Mapping[str, Any]:
        opened = self.open(spec, registry)
        return asdict(opened) if isinstance(opened, HubModel) else super().key_fields(spec, registry)

    def open(self, spec: ModelSpec, registry: Registry) -> Path | HubModel:
        if spec.hub is not None:
            return HubModel(spec.hub, find_commit(spec.hub, spec.revision), spec.file)
        return super().open(spec, registry)
