"""Checkpoints as some people publish them, unlike what libraries write: read right, or refused by name in one line."""

import codecs
import json
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.models.load import load_model
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from gguf_models import write_case
from storage_formats import finish, store_layers, to_awq, to_gptq
from tiny_models import contents, save_contents, save_tiny, set_config
from tokenizers import Tokenizer

IDS = [3, 7, 1, 40]
SIZES = {"hidden_size": 64, "intermediate_size": 96, "vocab_size": 96, "num_key_value_heads": 4}
GPTQ = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32}}


def _all(model) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([IDS])).logits[0].double().log_softmax(-1).numpy()


def _assert_read(path: Path, plain: Path) -> None:
    """By every engine, as transformers reads a plain folder of the same numbers."""
    expected = _all(AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32).eval())
    np.testing.assert_allclose(_all(load_model(path)), expected, atol=1e-5)
    for count in (1, len(IDS)):
        np.testing.assert_allclose(cold_start(path, IDS[:count]).log_probabilities, expected[count - 1], atol=1e-4)


def _refused(path: Path, *words: str) -> None:
    """By every engine in one line that names the model."""
    for opened in (lambda path: cold_start(path, IDS[:1]), lambda path: cold_start(path, IDS), load_model):
        with pytest.raises(InputError) as caught:
            opened(path)
        message = str(caught.value)
        assert "\n" not in message and all(word in message for word in (str(path.parent), *words)), message


# --- read right ------------------------------------------------------------------------------------------------------


def test_three_types_of_numbers_in_one_file(tmp_path):
    """And a config that names a fourth."""
    folder = save_tiny(tmp_path / "m", gain=1.6, **SIZES)
    tensors, config = contents(folder)
    kinds = (torch.float32, torch.float16, torch.bfloat16)
    mixed = {name: tensor.to(kinds[place % 3]) for place, (name, tensor) in enumerate(tensors.items())}
    save_contents(folder, mixed, config | {"dtype": "float64"})
    _assert_read(folder, folder)


def test_the_parts_of_a_weight_in_several_shards(tmp_path):
    tensors, config = contents(save_tiny(tmp_path / "plain", gain=1.6, **SIZES))
    stored, restored = store_layers(tensors, partial(to_gptq, bits=4))
    plain = save_contents(tmp_path / "restored", restored, config)
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config | GPTQ))
    places = {name: f"model-0000{1 + place % 3}-of-00003.safetensors" for place, name in enumerate(sorted(stored))}
    for file in set(places.values()):
        save_file({name: stored[name].contiguous() for name in stored if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    module = "model.layers.0.mlp.up_proj."
    assert len({places[module + part] for part in ("qweight", "qzeros", "scales")}) > 1
    _assert_read(folder, plain)


def test_layers_that_a_quantizer_left_out(tmp_path):
    tensors, config = contents(save_tiny(tmp_path / "plain", gain=1.6, **SIZES))
    stored, restored = store_layers(tensors, to_awq)
    for name in [name for name in tensors if ".o_proj." in name]:
        for part in [part for part in stored if part.startswith(name.removesuffix("weight"))]:
            del stored[part]
        stored[name] = tensors[name].half()
        restored[name] = stored[name].float()
    described = {"quant_method": "awq", "bits": 4, "group_size": 32, "modules_to_not_convert": ["o_proj"]}
    folder = save_contents(tmp_path / "m", stored, config | {"quantization_config": described})
    _assert_read(folder, save_contents(tmp_path / "restored", restored, config))


def test_fields_that_are_null(tmp_path):
    folder = save_tiny(tmp_path / "m", gain=1.6, **SIZES)
    config = json.loads((folder / "config.json").read_text())
    nulls = dict.fromkeys(("num_key_value_heads", "head_dim", "quantization_config", "rope_scaling"))
    (folder / "config.json").write_text(json.dumps(config | nulls))
    assert cold_start(folder, IDS[:1]).engine == "layerwise"
    _assert_read(folder, folder)


def test_parts_of_a_gguf_file_under_each_other_s_names(tmp_path):
    """Each says in its own header which it is."""
    plain, _ = write_case(tmp_path / "m", "qwen2", parts=3)
    first, second, third = sorted((tmp_path / "m").glob("*.gguf"))
    contents_of = second.read_bytes(), third.read_bytes()
    second.write_bytes(contents_of[1])
    third.write_bytes(contents_of[0])
    _assert_read(first, plain)


def test_a_tokenizer_whose_model_has_no_type(tmp_path):
    """The library finds out by itself."""
    model = {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"version": "1.0", "added_tokens": [], "model": model}))
    vocabulary = open_tokenizer(TokenizerSpec(key="t", label="t", path=str(path)))
    assert vocabulary.tokens == (b"a", b"b", b"ab")
    assert vocabulary.encode("abb") == Tokenizer.from_file(str(path)).encode("abb").ids == [2, 1]


# --- refused by name -------------------------------------------------------------------------------------------------


def _add_to(shard: Path, name: str, tensor: torch.Tensor) -> None:
    save_file(load_file(shard) | {name: tensor}, shard, {"format": "pt"})


def test_a_shard_that_holds_more_than_its_index_says(tmp_path):
    """transformers reads every tensor of every shard, so what the index leaves out is another model's."""
    folder = save_tiny(tmp_path / "m", shards="20KB")
    shards = sorted(folder.glob("*.safetensors"))
    before = shards[0].read_bytes()
    _add_to(shards[0], "model.layers.0.self_attn.sinks", torch.ones(4))
    _refused(folder, shards[0].name, "holds tensor model.layers.0.self_attn.sinks", "does not name", "fetch")
    shards[0].write_bytes(before)
    name, tensor = next(iter(load_file(shards[0]).items()))
    _add_to(shards[1], name, tensor + 1)
    _refused(folder, shards[1].name, f"holds tensor {name}", f"places in {shards[0].name}", "fetch")


def test_an_index_that_leaves_a_tensor_out(tmp_path):
    folder = save_tiny(tmp_path / "m", shards="20KB")
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    place = index["weight_map"].pop("lm_head.weight")
    path.write_text(json.dumps(index))
    with pytest.raises(InputError, match=rf"tensor lm_head\.weight is missing|{place}: holds tensor lm_head\.weight"):
        cold_start(folder, IDS[:1])


def test_an_adapter_over_a_quantized_base(tmp_path):
    tensors, config = contents(save_tiny(tmp_path / "plain", **SIZES))
    folder = save_contents(tmp_path / "m", store_layers(tensors, partial(to_gptq, bits=4))[0], config | GPTQ)
    (folder / "adapter_config.json").write_text("{}")
    _refused(folder, "holds an adapter", "merge it")


def test_an_embedding_of_more_rows_than_the_config_says(tmp_path):
    folder = save_tiny(tmp_path / "m")
    tensors, config = contents(folder)
    wide = {"model.embed_tokens.weight", "lm_head.weight"}
    padded = {name: torch.cat([t, t[:32]]) if name in wide else t for name, t in tensors.items()}
    _refused(save_contents(folder, padded, config), ".weight: shape [128, 32]", "asks for [96, 32]")


def _empty_file(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")


def _marked_config(folder: Path) -> None:
    path = folder / "config.json"
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())


ODD: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no tensor": (_empty_file, ["tensor"]),
    "a config with a byte-order mark": (_marked_config, ["config.json", "BOM"]),
    "a quantization that says nothing": (
        partial(set_config, quantization_config={}),
        ["config.json", "quantization", "not supported"],
    ),
    "a config that is a list": (lambda folder: (folder / "config.json").write_text("[]"), ["no JSON object"]),
}


@pytest.mark.parametrize("name", ODD)
def test_a_folder_that_is_not_whole(tmp_path, name):
    folder = save_tiny(tmp_path / "m")
    change, words = ODD[name]
    change(folder)
    _refused(folder, *words)


def test_a_value_of_a_type_that_no_version_of_gguf_has(tmp_path):
    path, name = tmp_path / "m.gguf", b"general.x"
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", len(name)) + name
    path.write_bytes(head + struct.pack("<I", 99) + bytes(64))
    _refused(path, "99 is no type of a metadata value", "fetch or write it again")


def test_a_gguf_tensor_that_no_layer_has(tmp_path):
    _, path = write_case(tmp_path, "qwen2")
    reader, changed = gguf.GGUFReader(path), tmp_path / "changed.gguf"
    writer = gguf.GGUFWriter(changed, "qwen2")
    writer.kv_data[0].pop("general.architecture")
    for key, field in reader.fields.items():
        if not key.startswith("GGUF."):
            writer.add_key_value(key, field.contents(), field.types[0])
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.add_tensor("blk.0.attn_rot_embd.weight", np.ones(8, np.float32))
    finish(writer)
    _refused(changed, "blk.0.attn_rot_embd.weight has no place")


def test_a_part_of_another_gguf_file(tmp_path):
    write_case(tmp_path / "m", "qwen2", parts=3)
    write_case(tmp_path / "n", "llama", parts=3)
    first, second, _ = sorted((tmp_path / "m").glob("*.gguf"))
    second.write_bytes(sorted((tmp_path / "n").glob("*.gguf"))[1].read_bytes())
    with pytest.raises(InputError, match=r"announced; fetch all parts again, under their own names"):
        open_checkpoint(first)
