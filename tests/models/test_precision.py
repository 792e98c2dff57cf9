"""Which models are measured in float64, that it is float64 throughout, and that other arithmetic changes no table."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from compressed_code.checkpoints.architectures import understand
from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.cold_start.layerwise_engine import FirstToken
from compressed_code.measurements.cold_start import cold_start, warm_start
from compressed_code.models import precision
from compressed_code.models.load import load_model
from compressed_code.models.precision import precision_of
from compressed_code.quantization.engine import write_variant
from compressed_code.registry.quantizations import Quantization
from compressed_code.zoo.recipes import ZOO_DIRECTORY

SMALL, LARGER = ZOO_DIRECTORY / "zoo-xs", ZOO_DIRECTORY / "zoo-s"
ROWS_OF_3_BITS = Quantization(key="rtn-3-rows", label="3 bits", method="rtn", bits=3)
Q4_0 = Quantization(key="gguf-q4_0", label="Q4_0", method="gguf", type="Q4_0")

# Arithmetic of other machines, as far as one processor can imitate it.
MACHINES = {
    "oldest": {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
    },
    "two threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_CBWR": "AVX2"},
}
# Prints a digest of every column of a fidelity table, a warm and a cold start.
MEASURE = """
import hashlib, sys
from pathlib import Path
from compressed_code.measurements.fidelity import Pair, fidelity
from compressed_code.measurements.cold_start import cold_start, warm_start

base, candidate = map(Path, sys.argv[1:])
tables = {
    "fidelity": fidelity.compute(Pair(base, candidate), translations=1),
    "warm": warm_start.compute(base, kept=10),
    "base": cold_start.compute(base),
    "candidate": cold_start.compute(candidate, context="newline"),
}
for name, table in tables.items():
    for column, values in table.items():
        content = values.to_numpy()
        content = content.tobytes() if content.dtype.kind in "fiub" else repr(content.tolist()).encode()
        print(name, column, values.dtype, hashlib.sha256(content).hexdigest())
"""


@pytest.fixture(scope="module")
def quantized(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("variants")
    return {
        "GPTQ format": write_variant(SMALL, ROWS_OF_3_BITS, folder / "packed"),
        "GGUF": write_variant(LARGER, Q4_0, folder / "gguf"),
    }


def weights_of(path: Path) -> int:
    return sum(parameter.numel() for parameter in load_model(path).parameters())


@pytest.mark.parametrize("form", ["plain", "GPTQ format", "GGUF"])
def test_fewer_weights_than_the_limit_are_measured_in_float64(quantized, monkeypatch, form):
    path = quantized.get(form, SMALL)
    count = weights_of(path)
    for limit, expected in ((count, "float32"), (count + 1, "float64")):
        monkeypatch.setattr(precision, "PRECISE_BELOW", limit)
        assert precision_of(path) == precision_of(open_checkpoint(path)) == expected


def test_the_larger_of_two_models_decides(monkeypatch):
    assert precision_of(SMALL, LARGER) == "float64"
    monkeypatch.setattr(precision, "PRECISE_BELOW", weights_of(LARGER))
    assert precision_of(SMALL) == "float64"
    assert precision_of(SMALL, LARGER) == precision_of(LARGER, SMALL) == "float32"


def test_what_headers_do_not_tell_is_measured_in_float32(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"whatever")
    assert precision_of(tmp_path) == "float32"


@pytest.mark.parametrize("form", ["plain", "GPTQ format"])
def test_both_engines_agree_to_fifteen_digits(quantized, form):
    """numpy's engine and transformers share no line; a norm in float32 would leave seven digits."""
    path = quantized.get(form, SMALL)
    checkpoint, model = open_checkpoint(path), load_model(path, dtype="float64")
    for token in (1, 70):
        expected = FirstToken(checkpoint, understand(checkpoint.config), "float64").logits(token)
        with torch.inference_mode():
            found = model(input_ids=torch.tensor([[token]])).logits[0, -1]
        assert found.dtype == torch.float64 and expected.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_weights_are_those_of_float32_and_positions_are_exact():
    model, plain = load_model(SMALL, dtype="float64"), load_model(SMALL)
    for name, values in plain.named_parameters():
        assert torch.equal(model.get_parameter(name), values.double()), name
    size = model.config.head_dim
    expected = model.config.rope_parameters["rope_theta"] ** -(np.arange(0, size, 2) / size)
    np.testing.assert_allclose(model.model.rotary_emb.inv_freq, expected, rtol=1e-15)
    ids = torch.tensor([[5, 9, 2, 7, 7, 30, 1]])
    with torch.inference_mode():
        found, coarse = model(input_ids=ids).logits, plain(input_ids=ids).logits
    np.testing.assert_allclose(found, coarse, atol=1e-4)


def test_tables_say_what_they_were_computed_in(monkeypatch):
    fine = cold_start.compute(SMALL)
    assert set(fine["precision"]) == {"float64"} and fine["log_probability"].dtype == np.float32
    warm = warm_start.compute(SMALL, kept=3)
    assert set(warm["precision"]) == {"float64"} and warm["probability"].dtype == np.float32
    monkeypatch.setattr(precision, "PRECISE_BELOW", 1)
    coarse = cold_start.compute(SMALL)
    assert set(coarse["precision"]) == {"float32"}
    np.testing.assert_allclose(coarse["log_probability"], fine["log_probability"], atol=1e-5)


def measured_on(machine: dict[str, str], base: Path, candidate: Path) -> list[str]:
    clean = {name: value for name, value in os.environ.items() if name not in {*MACHINES["oldest"], "MKL_CBWR"}}
    command = [sys.executable, "-c", MEASURE, str(base), str(candidate)]
    environment = {**clean, "OMP_NUM_THREADS": "1", **machine}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("base", "machines"), [(SMALL, ["oldest"]), (LARGER, list(MACHINES))])
def test_other_arithmetic_finds_the_same_bytes(tmp_path, base, machines):
    candidate = write_variant(base, ROWS_OF_3_BITS, tmp_path / "candidate")
    expected = measured_on({}, base, candidate)
    assert len(expected) > 30 and len({line.split()[-1] for line in expected}) > 20
    for name in machines:
        assert measured_on(MACHINES[name], base, candidate) == expected, name
