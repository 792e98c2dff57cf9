"""Kinds of files that no reader was written for in particular: right, or refused by name in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.models.load import load_model
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from storage_formats import FLOAT8, store_layers, to_float8, to_gptq, to_packed
from tiny_models import contents, save_contents, save_tiny, save_tokenizer, set_config

SIZES = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_key_value_heads": 4}
IDS = [3, 7, 1, 40, 3]


@pytest.fixture
def plain(tmp_path) -> Path:
    return save_tiny(tmp_path / "plain", **SIZES)


def _stored(plain: Path, tensors: dict, restored: dict, **fields) -> Path:
    """A copy that holds other tensors, and beside it the same numbers in the clear."""
    _, config = contents(plain)
    save_contents(plain, restored)
    folder = plain.parent / "stored"
    folder.mkdir()
    return save_contents(folder, tensors, config | fields)


def _same(folder: Path, plain: Path, *, atol: float = 1e-5) -> None:
    for count in (1, len(IDS)):
        expected = cold_start(plain, IDS[:count]).log_probabilities
        np.testing.assert_allclose(cold_start(folder, IDS[:count]).log_probabilities, expected, atol=atol)


def _refused(folder: Path, *words: str) -> None:
    for ids in (IDS[:1], IDS):
        with pytest.raises(InputError) as caught:
            cold_start(folder, ids)
        message = str(caught.value)
        assert "\n" not in message and all(word in message for word in (str(folder), *words)), message


# --- adapters and what training programs leave ------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"use_dora": True}, {"use_rslora": True}, {"peft_type": "IA3"}])
@pytest.mark.parametrize("sharded", [False, True])
def test_adapters_of_other_kinds(plain, fields, sharded):
    """In one file or in shards, beside the weights or alone: what it does to them is not guessed at."""
    weights = {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2, 64)}
    name = "adapter_model-00001-of-00002.safetensors" if sharded else "adapter_model.safetensors"
    (plain / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, **fields}))
    save_file(weights, plain / name)
    _refused(plain, "adapter", "merge")
    (plain / "model.safetensors").unlink()
    (plain / "config.json").unlink()
    _refused(plain, "no model by itself", "merge")


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "base_model.model."])
def test_names_that_a_wrapper_left(plain, prefix):
    """torch.compile, data-parallel training and peft put a name before all others."""
    tensors, _ = contents(plain)
    folder = _stored(plain, {f"{prefix}{name}": tensor for name, tensor in tensors.items()}, tensors)
    _refused(folder, "tensor")


def test_a_layer_under_an_adapter(plain):
    """What peft saves of a model that still wears one: the base's layer under a name of its own."""
    tensors, _ = contents(plain)
    name = "model.layers.0.self_attn.q_proj"
    worn = {key: tensor for key, tensor in tensors.items() if key != f"{name}.weight"}
    worn |= {f"{name}.base_layer.weight": tensors[f"{name}.weight"], f"{name}.lora_A.default.weight": torch.ones(2, 64)}
    _refused(_stored(plain, worn, tensors), "tensor")


# --- stored forms ----------------------------------------------------------------------------------------------------


def test_autoround_of_three_bits(plain):
    stored, restored = store_layers(contents(plain)[0], lambda weight: to_gptq(weight, 3))
    form = {"quant_method": "auto-round", "bits": 3, "group_size": 32, "packing_format": "auto_round:auto_gptq"}
    _same(_stored(plain, stored, restored, quantization_config=form), plain)


def test_layers_that_compressed_tensors_ignores_by_a_pattern(plain):
    tensors, _ = contents(plain)
    stored, restored = store_layers(tensors, to_packed)
    for name, tensor in tensors.items():
        if "down_proj" in name:
            stored = {key: value for key, value in stored.items() if not key.startswith(name.removesuffix("weight"))}
            stored[name] = restored[name] = tensor
    weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "symmetric": True}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    form = {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups}
    form |= {"ignore": ["re:.*down_proj$", "lm_head"]}
    _same(_stored(plain, stored, restored, quantization_config=form), plain)


def test_float8_whose_scales_are_powers_of_two(plain):
    """As DeepSeek V3.1: scales of blocks as e8m0."""

    def store(weight: torch.Tensor):
        parts, _ = to_float8(weight)
        scales = torch.exp2(torch.ceil(torch.log2(parts["weight_scale_inv"])))
        spread = scales.repeat_interleave(16, 0).repeat_interleave(16, 1)[: weight.shape[0], : weight.shape[1]]
        codes = (weight / spread).to(torch.float8_e4m3fn)
        return {"weight": codes, "weight_scale_inv": scales.to(torch.float8_e8m0fnu)}, codes.float() * spread

    stored, restored = store_layers(contents(plain)[0], store)
    _same(_stored(plain, stored, restored, quantization_config={**FLOAT8, "scale_fmt": "ue8m0"}), plain)


def test_float8_without_scales(plain):
    """Numbers cast to float8 and nothing else, as tools for pictures do: what they stand for is not said."""
    tensors, _ = contents(plain)
    cast = {name: tensor.to(torch.float8_e5m2) if tensor.ndim == 2 else tensor for name, tensor in tensors.items()}
    _refused(_stored(plain, cast, tensors), "tensor", "F8_E5M2")


def test_a_quantized_head_of_a_model_that_says_it_is_tied(plain):
    """The head that is stored is the head, whatever the config says, quantized or not."""
    tensors, _ = contents(plain)
    stored, restored = store_layers(tensors, lambda weight: to_gptq(weight, 4))
    parts, head = to_gptq(tensors["lm_head.weight"], 4)
    stored = {name: tensor for name, tensor in stored.items() if name != "lm_head.weight"}
    stored |= {f"lm_head.{part}": value for part, value in parts.items()}
    form = {"quant_method": "gptq", "bits": 4, "group_size": 32, "lm_head": True}
    folder = _stored(plain, stored, restored | {"lm_head.weight": head}, quantization_config=form)
    _same(folder, plain)
    _same(set_config(folder, tie_word_embeddings=True), plain)


@pytest.mark.parametrize("kind", [torch.int64, torch.bool, torch.uint8])
def test_numbers_that_are_no_floats(plain, kind):
    tensors, _ = contents(plain)
    name = "model.layers.1.mlp.up_proj.weight"
    _refused(_stored(plain, tensors | {name: tensors[name].to(kind)}, tensors), name)


def test_a_tensor_of_no_numbers(plain):
    tensors, _ = contents(plain)
    _refused(_stored(plain, tensors | {"model.layers.0.mlp.up_proj.weight": torch.empty(0, 64)}, tensors), "up_proj")
    folder = plain.parent / "surplus"
    folder.mkdir()
    save_contents(folder, tensors | {"model.layers.0.mlp.extra": torch.empty(0)}, contents(plain)[1])
    _refused(folder, "model.layers.0.mlp.extra")


# --- configs and vocabularies ----------------------------------------------------------------------------------------


def test_a_config_within_a_config_within_a_config(plain):
    """A text model two parts deep is looked for in one; the message names what was found."""
    config = contents(plain)[1]
    (plain / "config.json").write_text(json.dumps({"model_type": "llava", "text_config": {"text_config": config}}))
    _refused(plain)


@pytest.mark.parametrize("rows", [64, 128])
def test_rows_beyond_the_tokenizer(tmp_path, byte_level_tokenizer, rows):
    """Embeddings are filled up to a multiple of 64 or 128; a token that is named later lies within."""
    tokenizer = byte_level_tokenizer
    size = tokenizer.get_vocab_size()
    whole = -(-(size + 1) // rows) * rows
    folder = save_tiny(tmp_path / "m", **SIZES | {"vocab_size": whole})
    save_tokenizer(folder, tokenizer, added_tokens_decoder={str(size): {"content": "<|later|>", "special": True}})
    vocabulary = open_tokenizer(TokenizerSpec(key="t", label="t", path=str(folder)))
    assert vocabulary.tokens[size] == b"<|later|>" and len(vocabulary) == size + 1
    found = cold_start(folder, [size]).log_probabilities
    with torch.inference_mode():
        expected = load_model(folder)(torch.tensor([[size]])).logits[0, -1].log_softmax(-1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(found) == whole
    with pytest.raises(InputError, match=f"{whole}"):
        cold_start(folder, [whole])
