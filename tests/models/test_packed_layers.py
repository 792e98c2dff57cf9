"""Layers in oneDNN's order against products in float64, and against the model whose weights lie as they are stored."""

import copy

import pytest
import torch

from compressed_code.models import packed_layers
from compressed_code.models.load import load_model, load_reader
from compressed_code.models.packed_layers import pack_linear_layers, product
from tiny_models import save_tiny, tiny_model

pytestmark = pytest.mark.skipif(
    not packed_layers.multiplies(torch.ones(1, 1)), reason="torch was built without oneDNN here"
)
IDS = torch.arange(1, 40)[None] % 96


def packed(model) -> int:
    return sum("packed" in vars(layer) for layer in model.modules())


def read(model) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("rows, columns", [(1, 1), (7, 33), (192, 576), (1536, 40)])
@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (1, 600)])
def test_a_product_is_that_of_float64(shape, rows, columns):
    generator = torch.Generator().manual_seed(rows)
    states, matrix, bias = (
        torch.randn(size, generator=generator) for size in ((*shape, columns), (rows, columns), (rows,))
    )
    exact = states.double() @ matrix.double().T + bias.double()
    bound = 1e-6 * (states.double().abs() @ matrix.double().abs().T + bias.double().abs())
    for weight in (matrix, torch.ops.mkldnn._reorder_linear_weight(matrix, 512)):
        assert ((product(states, weight, bias) - exact).abs() <= bound).all()


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt_neox", "opt", "mistral", "phi", "gemma2", "qwen2_moe"])
def test_a_packed_model_reads_as_before(family):
    """Of families with and without biases, tied output matrices, experts."""
    model = tiny_model(family, gain=1.7)
    before = read(model)
    weight = model.get_output_embeddings().weight.clone()
    assert pack_linear_layers(model) is model and packed(model) > 4
    torch.testing.assert_close(read(model), before, rtol=1e-4, atol=1e-4)
    assert torch.equal(model.get_output_embeddings().weight, weight)
    assert not packed(model.get_output_embeddings())
    taken = next(layer for layer in model.modules() if "packed" in vars(layer))
    assert taken.weight.isnan().all() and taken.weight.untyped_storage().nbytes() == 4  # nothing is held twice


def test_the_plain_weights_come_back_where_a_models_code_takes_them_itself():
    model = tiny_model()
    first = model.model.layers[0].mlp.down_proj

    class Itself(torch.nn.Module):
        def forward(self, states):
            return states @ first.weight.T

    model.model.layers[0].mlp.down_proj = Itself()
    model.model.layers[0].mlp.kept = first  # still among the modules
    before, weights = read(model), copy.deepcopy(model.state_dict())
    pack_linear_layers(model)
    assert not packed(model) and torch.equal(read(model), before)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_a_layer_that_is_called_otherwise_already_is_left_alone():
    model = tiny_model()
    layer = model.model.layers[1].self_attn.q_proj
    layer.forward = layer.forward  # bound to the object, as hooks of accelerate do
    expected = read(model)
    pack_linear_layers(model)
    assert packed(model) and not packed(layer) and not layer.weight.isnan().any()
    torch.testing.assert_close(read(model), expected, rtol=1e-4, atol=1e-4)


def test_without_onednn_and_in_float64_a_model_stays_as_it_is(tmp_path, monkeypatch):
    path = save_tiny(tmp_path / "model")
    assert packed(load_reader(path)) and not packed(load_model(path))
    precise = load_reader(path, dtype="float64")
    assert not packed(precise) and torch.equal(read(precise), read(load_model(path, dtype="float64")))
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    plain = load_reader(path)
    assert not packed(plain) and torch.equal(read(plain), read(load_model(path)))
