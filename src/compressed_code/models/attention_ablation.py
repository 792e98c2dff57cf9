"""A copy of a model whose attention looks at random places: what a cold start cannot see.

With one input token attention has one key, so query and key weights cannot change the result; with two they do.
"""

import shutil
from pathlib import Path

import numpy as np

from compressed_code.core.atomic_files import staged
from compressed_code.core.errors import Unavailable

SCRAMBLED = ("q_proj.weight", "k_proj.weight")


def single_weights(base: Path) -> Path:
    """The one weights file of a checkpoint folder.

    Raises:
        Unavailable: the base model is a GGUF file, or a folder of several shards or of another format.
    """
    weights = base / "model.safetensors"
    if not weights.is_file():
        raise Unavailable(f"{weights}: no such file; name a folder with a single safetensors file")
    return weights


def scramble_attention(base: Path, destination: Path, seed: int = 0) -> Path:
    """Copy a checkpoint folder, its query and key matrices replaced by normal noise of the same mean and deviation.

    Args:
        base: Hugging Face folder with one unquantized safetensors file, float32 or float16.
        destination: the folder to write; one that exists is returned as it is.
        seed: of the noise.

    Raises:
        Unavailable: the base model is of another kind.
    """
    from safetensors.numpy import load_file, save_file

    weights = single_weights(base)
    if destination.exists():
        return destination
    tensors = load_file(weights)
    chosen = sorted(name for name in tensors if name.endswith(SCRAMBLED))
    if not chosen:
        raise Unavailable(f"{weights}: holds no query and key projections ({', '.join(SCRAMBLED)}); name another model")
    generator = np.random.default_rng(seed)
    for name in chosen:
        values = tensors[name].astype(np.float64)
        tensors[name] = generator.normal(values.mean(), values.std(), values.shape).astype(tensors[name].dtype)
    with staged(destination) as part:
        shutil.copytree(base, part, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
        save_file(tensors, part / "model.safetensors", metadata={"format": "pt"})
    return destination
