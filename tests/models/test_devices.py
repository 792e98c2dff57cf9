"""Where models compute: what is planned for several GPUs, what a GPU computes, and that its memory comes back.

What needs a GPU is marked and runs where there is one.
"""

import gc

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from compressed_code.core.errors import InputError
from compressed_code.measurements.cold_start import cold_start
from compressed_code.measurements.device_noise import bfloat16_noise
from compressed_code.measurements.fidelity import fidelity, fidelity_statistics, text_fidelity
from compressed_code.measurements.stored_tables import stored_key
from compressed_code.measurements.tables import measure
from compressed_code.models import devices
from compressed_code.models.devices import DEVICE_VARIABLE, chosen_device, device_map, placed
from compressed_code.models.load import load_model
from compressed_code.models.precision import in_bfloat16
from compressed_code.registry.lookup import load_registry
from tiny_models import tiny_model

TEXTS = [("python", "mine", "def first(items):\n    return items[0]\n", "mine")]
IDS = torch.tensor([[3, 7, 1, 79, 40, 3, 3, 12, 55, 0, 31]])
gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
needs_two = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")


@pytest.fixture
def model(tmp_path):
    """A model of four layers, as a folder."""
    sizes = {"vocab_size": 80, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4}
    tiny_model("llama", **sizes, max_position_embeddings=64).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def size_of(part: torch.nn.Module) -> int:
    return sum(weights.nbytes for weights in part.parameters())


def test_layers_stay_whole_and_in_order_over_several_gpus(model):
    """Room for four fifths of the model on each of two; accelerate keeps as much as a layer takes free on the first."""
    loaded = load_model(model)
    room = int(0.8 * size_of(loaded) / devices.FOR_WEIGHTS)
    found = device_map(loaded, {0: room, 1: room})
    assert set(found.values()) == {0, 1}
    assert list(found.values()) == sorted(found.values())
    parts = {name: loaded.get_submodule(name) for name in found}
    layers = [name for name in found if ".layers" in name]
    assert layers == [f"model.layers.{number}" for number in range(4)]
    for number in (0, 1):
        assert sum(size_of(part) for name, part in parts.items() if found[name] == number) <= devices.FOR_WEIGHTS * room


def test_a_model_that_no_gpus_hold_is_one_line(model):
    loaded = load_model(model)
    with pytest.raises(InputError, match=r"takes 0\.000\d+ GB, and 2 GPUs have .* take more or larger ones, or unset"):
        device_map(loaded, {0: size_of(loaded) // 4, 1: size_of(loaded) // 4})


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cuda:-1", "cuda:", "gpu"])
def test_a_device_that_is_none_is_one_line(monkeypatch, name):
    monkeypatch.setenv(DEVICE_VARIABLE, name)
    with pytest.raises(InputError, match=f"{DEVICE_VARIABLE}={name}: no such device; cpu, cuda, cuda:N or auto"):
        chosen_device()


@pytest.mark.parametrize(("name", "there"), [("cuda", 0), ("auto", 0), ("cuda:2", 2)])
def test_a_gpu_that_is_not_there_is_one_line(monkeypatch, name, there):
    monkeypatch.setenv(DEVICE_VARIABLE, name)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    with pytest.raises(InputError, match=f"{DEVICE_VARIABLE}={name}: torch finds {there} GPUs here"):
        chosen_device()


def test_tables_of_a_gpu_have_keys_of_their_own(monkeypatch):
    """Those that models compute there, and what sums them up; a cold start is the processor's in either case."""
    registry, pair = load_registry(), "zoo-m against zoo-s"

    def keys() -> list[str]:
        of_pairs = [stored_key(what, pair, registry, {}) for what in (fidelity, fidelity_statistics)]
        return [*of_pairs, stored_key(cold_start, "zoo-xs", registry, {})]

    here = keys()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda")
    there = keys()
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda:1")
    assert keys() == there
    assert [one == other for one, other in zip(here, there, strict=True)] == [False, False, True]


def test_bfloat16_is_what_transformers_loads_in_it(model):
    theirs = AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16).eval()
    with torch.inference_mode():
        torch.testing.assert_close(in_bfloat16(load_model(model))(IDS).logits, theirs(IDS).logits, rtol=0, atol=0)


def test_the_noise_of_bfloat16_by_hand(tmp_path):
    """KL of each token from the logits of both models, whole, in float64."""
    table = measure(bfloat16_noise, "zoo-xs", directory=tmp_path, texts=TEXTS)
    path = load_registry().models["zoo-xs"].location
    from compressed_code.models.start_contexts import start_ids
    from compressed_code.tokenizers.files import open_tokenizer

    ids = [*start_ids(path, "document"), *open_tokenizer(path).encode(TEXTS[0][2])]
    sides = []
    for loaded in (load_model(path, dtype="float64"), in_bfloat16(load_model(path))):
        with torch.inference_mode():
            sides.append(loaded(torch.tensor([ids])).logits[0].double().log_softmax(-1))
    kl = (sides[0].exp() * (sides[0] - sides[1])).sum(-1)[len(start_ids(path, "document")) - 1 : -1]
    np.testing.assert_allclose(table["kl_nats"], kl.numpy(), rtol=0.05, atol=1e-7)
    assert (table["kl_nats"] > 0).all() and set(table["device"]) == {"cpu and cpu"}
    assert set(table["precision"]) == {"float64 and bfloat16"}


@gpu
@needs_gpu
def test_a_gpu_computes_what_the_processor_does(model):
    with torch.inference_mode():
        here, there = load_model(model)(IDS).logits, load_model(model, "cuda")(IDS.cuda()).logits.cpu()
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-4)


@gpu
@needs_gpu
def test_fidelity_and_programs_on_a_gpu_are_those_of_the_processor(tmp_path, monkeypatch):
    from compressed_code.measurements.code_generation import generations

    tables = {}
    for device in ("cpu", "cuda"):
        monkeypatch.setenv(DEVICE_VARIABLE, device)
        tables[device] = [
            measure(text_fidelity, "zoo-m against zoo-s", directory=tmp_path, texts=TEXTS),
            measure(generations, "zoo-xs", directory=tmp_path, benchmark="zoo:4"),
        ]
    (kl, programs), (kl_there, programs_there) = tables.values()
    np.testing.assert_allclose(kl_there["kl_nats"], kl["kl_nats"], rtol=1e-3, atol=1e-6)
    sure = (programs["near_ties"] == 0) & (programs_there["near_ties"] == 0)
    assert programs.loc[sure, "completion"].tolist() == programs_there.loc[sure, "completion"].tolist()


@gpu
@needs_gpu
def test_the_noise_of_bfloat16_on_a_gpu(tmp_path):
    table = measure(bfloat16_noise, "zoo-s", directory=tmp_path, texts=TEXTS, device="cuda")
    assert set(table["device"]) == {"cpu and cuda"}
    assert 0 < table["kl_nats"].mean() < 0.01


@gpu
@needs_gpu
def test_memory_returns_to_its_start_between_models(tmp_path, monkeypatch):
    from compressed_code.measurements import readings

    monkeypatch.setenv(DEVICE_VARIABLE, "cuda")
    before = torch.cuda.memory_allocated()
    for pair in ("zoo-m against zoo-s", "zoo-s against zoo-xs"):
        measure(text_fidelity, pair, directory=tmp_path, texts=TEXTS)
        readings._KEPT.clear()
        gc.collect()
        assert torch.cuda.memory_allocated() == before, pair


@gpu
@needs_two
def test_one_model_over_several_gpus_is_the_model(model, monkeypatch):
    """A part of it on each, and what it computes is but for rounding what the processor does."""
    loaded = load_model(model)
    room = int(0.8 * size_of(loaded) / devices.FOR_WEIGHTS)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (room, room))
    spread = placed(load_model(model), "auto")
    assert {weights.device.index for weights in spread.parameters()} == {0, 1}
    with torch.inference_mode():
        torch.testing.assert_close(spread(IDS.cuda()).logits.cpu(), loaded(IDS).logits, rtol=1e-3, atol=1e-4)
