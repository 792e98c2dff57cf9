"""GGUF files of every architecture: what is read is the Hugging Face model that was written, in every engine."""

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.checkpoints.model_files import fingerprint, weight_files
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.models.load import load_model
from gguf_models import CASES, write_case

IDS = [3, 7, 1, 40, 3, 9, 22, 11]
SAMPLED = ("llama, YaRN", "mixtral", "deepseek v3, YaRN", "gpt-oss", "gemma 3, linear", "gpt-neox", "gpt2")


def _log_probabilities(model) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([IDS])).logits[0].double().log_softmax(-1).numpy()


def _assert_read(folder, name: str) -> None:
    plain, path = write_case(folder, name)
    expected = _log_probabilities(AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32).eval())
    np.testing.assert_allclose(_log_probabilities(load_model(path)), expected, atol=1e-5)
    for count in (1, len(IDS)):
        found = cold_start(path, IDS[:count])
        np.testing.assert_allclose(found.log_probabilities, expected[count - 1], atol=1e-4)


@pytest.mark.parametrize("name", SAMPLED)
def test_some_architectures(tmp_path, name):
    _assert_read(tmp_path, name)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(CASES) - set(SAMPLED)))
def test_all_other_architectures(tmp_path, name):
    _assert_read(tmp_path, name)


def test_yarn_s_factor_of_attention_is_seen(tmp_path):
    """So that agreement with llama.cpp, below, says something of it."""
    paths = [write_case(tmp_path / name, name)[1] for name in ("llama, YaRN", "llama, YaRN, attention")]
    usual, own = (_log_probabilities(load_model(path)) for path in paths)
    assert np.abs(own - usual).max() > 0.2


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_llama_cpp_computes_the_same(tmp_path, name):
    """The files of these tests are what llama.cpp takes them for; where it drops a window or rounds YaRN, not."""
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed; pip install '.[llama]'")
    if name in ("phi 3", "phi 3, long", "starcoder2, window", "gpt-oss"):
        pytest.skip(
            "llama.cpp has no window for this model, rounds the bounds of YaRN, or takes the long factors at once"
        )
    _, path = write_case(tmp_path, name)
    options = {"n_ctx": 64, "n_threads": 1, "type_k": 0, "type_v": 0, "logits_all": True}
    model = llama_cpp.Llama(str(path), **options, verbose=False)
    model.eval(IDS)
    theirs = torch.tensor(np.array(model.eval_logits, np.float64)).log_softmax(-1).numpy()
    # Its GELU is a table of float16 numbers.
    np.testing.assert_allclose(_log_probabilities(load_model(path)), theirs, atol=2e-2)


def test_a_file_in_parts(tmp_path):
    whole, first = write_case(tmp_path / "whole", "qwen2"), write_case(tmp_path / "parts", "qwen2", parts=3)
    expected = cold_start(whole[1], [3]).log_probabilities
    files = sorted((tmp_path / "parts").glob("*.gguf"))
    assert len(files) > 2
    for file in (files[0], files[-1]):
        np.testing.assert_array_equal(cold_start(file, [3]).log_probabilities, expected)
    assert weight_files(files[0]) == files and len(fingerprint(files[0])) == len(files)
    torch.testing.assert_close(load_model(files[0]).state_dict(), load_model(whole[1]).state_dict())
    files[1].unlink()
    with pytest.raises(InputError, match=rf"{files[1].name} is missing.*fetch all parts"):
        cold_start(files[0], [3])
    assert first[0].is_dir()


def _header(path, change) -> str:
    """The line that a changed file is refused with."""
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_what_a_header_may_not_be(tmp_path):
    _, path = write_case(tmp_path, "qwen2")
    original = path.read_bytes()

    def changed(change) -> str:
        path.write_bytes(original)
        return _header(path, change)

    assert "big-endian" in changed(lambda content: content.__setitem__(slice(4, 8), (3).to_bytes(4, "big")))
    assert "version 4 is not supported" in changed(lambda content: content.__setitem__(4, 4))


def _write_head(path, architecture: str = "llama", **values) -> None:
    """A file of metadata alone."""
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in values.items():
        add = writer.add_string if isinstance(value, str) else writer.add_uint32
        add(f"general.{name}", value)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_ti_data_to_file):
        write()
    writer.close()


HEADS = {
    "an unknown architecture": ({"architecture": "nobody"}, "'nobody' is not supported", "use the original model"),
    "no alignment": ({"alignment": 0}, "general.alignment is 0", "fetch or write it again"),
    "an odd alignment": ({"alignment": 3}, "general.alignment is 3", "fetch or write it again"),
    "a text for an alignment": ({"alignment": "32"}, "general.alignment is '32'", "fetch or write it again"),
    "an adapter": ({"type": "adapter"}, "a part of a model (adapter)", "name the model's own file"),
    "no sizes": ({}, "attention.head_count or embedding_length is missing", "m.gguf"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_no_model_has(tmp_path, name):
    fields, *words = HEADS[name]
    _write_head(tmp_path / "m.gguf", **fields)
    with pytest.raises(InputError) as caught:
        open_checkpoint(tmp_path / "m.gguf")
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words)


def test_a_type_that_nobody_knows(tmp_path):
    """The type's number stands behind the dimensions of a tensor's record."""
    _, path = write_case(tmp_path, "qwen2")
    name = b"output_norm.weight"

    def change(content: bytearray) -> None:
        place = content.index(name) + len(name) + 4 + 8
        content[place : place + 4] = (99).to_bytes(4, "little")

    assert "output_norm.weight: its type, number 99" in _header(path, change)
