"""Measurements of models start here: models as subjects."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.downloads import sha256_of
from helpers.errors import InputError
from helpers.registry import ModelSpec, Registry, find_model

# Files of a folder that decide what a model computes.
_WEIGHT_PATTERNS = ("*.safetensors", "*.gguf", "config.json", "generation_config.json", "tokenizer.json")


class FolderModelSubject:
    """Models that lie in a local folder: the content of weights, configuration and tokenizer decides the key."""

    column = "model"

    def find(self, name: str, registry: Registry) -> ModelSpec:
        return find_model(name, registry)

    def key_fields(self, spec: ModelSpec) -> Mapping[str, Any]:
        folder = self.open(spec)
        files = sorted({file for pattern in _WEIGHT_PATTERNS for file in folder.glob(pattern)})
        return {file.name: sha256_of(file.read_bytes()) for file in files}

    def open(self, spec: ModelSpec) -> Path:
        if spec.path is None or not spec.location.is_dir():
            raise InputError(f"{spec.key}: no folder of a model at {spec.path or spec.hub}; train it with make zoo")
        return spec.location
