"""Models as what a measurement is of: their content decides the key."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compressed_code.checkpoints.files.digests import file_digest
from compressed_code.checkpoints.hub import download_model, find_commit
from compressed_code.core.errors import InputError
from compressed_code.quantization.variants import quantized_variant
from compressed_code.registry.lookup import Registry, find_model
from compressed_code.registry.specs import ModelSpec

# Files of a folder that no program reads to compute something: texts for people, git's own, and the two records that
# this repository writes beside weights, of a training and of a quantization. Everything else may decide a number.
_IDLE_FILE = re.compile(
    r"""((readme|licen[sc]e|notice|copying|use_policy|changelog)[\w-]*(\.(md|txt|rst|pdf|html))? | .*\.md
    | \.git\w* | \.DS_Store | training\.json | compression\.json)""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class HubModel:
    """A model on a Hub of which only the tensors that are needed are fetched; `file` names a GGUF file."""

    hub: str
    commit: str
    file: str | None


class ModelSubject:
    """Models on this machine: a folder or GGUF file, whose content decides the key.

    One on a Hub is downloaded, a quantized variant is made where it was not made before.
    """

    column = "model"

    def find(self, name: str, registry: Registry) -> ModelSpec:
        return find_model(name, registry)

    def key_fields(self, spec: ModelSpec, registry: Registry) -> Mapping[str, Any]:
        model = self.open(spec, registry)
        folder = model.parent if model.is_file() else model
        return {file.relative_to(folder).as_posix(): file_digest(file) for file in deciding_files(model)}

    def open(self, spec: ModelSpec, registry: Registry) -> Path:
        if spec.quantization is not None:
            return quantized_variant(self.open(find_model(spec.base_model, registry), registry), spec.quantization)
        if spec.hub is not None:
            return download_model(spec.hub, spec.revision, spec.file)
        if not spec.checkpoint.exists():
            raise InputError(f"{spec.key}: no model at {spec.checkpoint}; the zoo's are trained by make zoo")
        return spec.checkpoint


def deciding_files(model: Path) -> list[Path]:
    """The files that may decide what a model computes: a GGUF file itself, or all of a folder but texts for people.

    Weights come as safetensors, *.bin or shards with an index, tokenizers in a dozen forms, and a file more costs
    reading it once (`checkpoints.digests`), while one that is overlooked gives another model's numbers.

    Raises:
        InputError: the folder holds no model.
    """
    if model.is_file():
        return [model]
    if not (model / "config.json").is_file():  # whatever else it is, and however large: nothing opens it
        count = len(list(model.glob("*.gguf")))
        remedy = f"; name one of its {count} GGUF files" if count else " and no GGUF file; name a model's own folder"
        raise InputError(f"{model}: holds no config.json{remedy}")
    return sorted(_below(model))


def _below(folder: Path) -> Iterator[Path]:
    """Files that are not idle; below folders, too (chat templates, shards), but not hidden ones (.git, .cache)."""
    for entry in folder.iterdir():
        if entry.is_dir():
            if not entry.name.startswith(".") and not entry.is_symlink():  # which may lead round in a circle
                yield from _below(entry)
        elif entry.is_file() and not _IDLE_FILE.fullmatch(entry.name):
            yield entry


class CheckpointSubject(ModelSubject):
    """The same, but a model on a Hub stays there: its commit decides the key."""

    def key_fields(self, spec: ModelSpec, registry: Registry) -> Mapping[str, Any]:
        opened = self.open(spec, registry)
        return asdict(opened) if isinstance(opened, HubModel) else super().key_fields(spec, registry)

    def open(self, spec: ModelSpec, registry: Registry) -> Path | HubModel:
        if spec.hub is not None:
            return HubModel(spec.hub, find_commit(spec.hub, spec.revision), spec.file)
        return super().open(spec, registry)
