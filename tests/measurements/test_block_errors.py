"""Errors that a block shares are told from independent ones."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from compressed_code.measurements.block_errors import block_errors
from compressed_code.measurements.tables import measure
from compressed_code.registry.lookup import load_registry

BASE = load_registry().models["zoo-l"].location
NAMES = ("model.layers.0.mlp.up_proj.weight", "model.layers.0.self_attn.q_proj.weight")


@pytest.fixture
def changed(tmp_path):
    """The model with errors of a tenth of the weights' deviation: one matrix shifted by blocks, one independently."""
    for file in BASE.iterdir():
        if file.is_file() and file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(BASE / "model.safetensors").items()}
    draw = np.random.default_rng(0)
    for name, width in zip(NAMES, (32, 1), strict=True):
        rows, columns = tensors[name].shape
        noise = draw.normal(0, 0.1 * tensors[name].std(), (rows, columns // width)).repeat(width, axis=1)
        tensors[name] = tensors[name] + noise.astype(np.float32)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


def test_a_shift_of_blocks_is_common_and_noise_is_not(changed, tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    table = measure(block_errors, f"{changed} against zoo-l", every=100, directory=results).set_index("matrix")
    shifted, noisy = (table.loc[name] for name in NAMES)
    assert shifted["common_share"] == pytest.approx(1, abs=1e-6)
    assert noisy["common_share"] == pytest.approx(1 / 32, rel=0.1)
    assert table.loc[list(NAMES), "relative_error"].between(0.09, 0.11).all()
    untouched = table.drop(index=list(NAMES))
    assert len(untouched) == 5 and untouched["relative_error"].eq(0).all() and untouched["common_share"].isna().all()
    assert table["levels"].between(2, 32).all()
