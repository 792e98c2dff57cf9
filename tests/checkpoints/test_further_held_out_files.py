"""Ten more kinds of files that no reader was written for: right, or refused by name in one line with exit code 2."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from compressed_code.__main__ import main
from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.checkpoints.model_files import weight_files
from compressed_code.cold_start.distribution import cold_start
from compressed_code.models.load import load_model
from compressed_code.quantization.gguf import write_gguf
from compressed_code.registry.lookup import find_model, load_registry
from gguf_models import write_case
from storage_formats import store_layers, to_awq, to_bitsandbytes, to_float4, to_packed
from tiny_models import contents, save_contents, save_tiny, set_config

IDS = [3, 7, 1, 40]
SIZES = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_key_value_heads": 4}
SEEING = {
    "text_config": SIZES | {"num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16},
    "vision_config": {
        **{"hidden_size": 32, "intermediate_size": 32, "patch_size": 14, "image_size": 28},
        **{"num_hidden_layers": 1, "num_attention_heads": 2},
    },
    **{"mm_tokens_per_image": 4, "image_token_index": 63},
}


def _all(model) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([IDS])).logits[0].double().log_softmax(-1).numpy()


def _assert_read(path: Path, expected: np.ndarray) -> None:
    """By every engine."""
    np.testing.assert_allclose(_all(load_model(path)), expected, atol=1e-5)
    for count in (1, len(IDS)):
        np.testing.assert_allclose(cold_start(path, IDS[:count]).log_probabilities, expected[count - 1], atol=1e-4)


def _reference(folder: Path) -> np.ndarray:
    return _all(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval())


def _refused(capsys, path: Path, *words: str) -> None:
    """As a user meets it, by both engines."""
    capsys.readouterr()
    for ids in (["3"], ["3", "7"]):
        assert main(["cold-start", str(path), "--input-ids", *ids]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert all(word in line for word in words), line


def test_weights_as_safetensors_and_as_gguf_in_one_folder(tmp_path):
    """The folder is the model that its config is of; the GGUF file is another, by its own name."""
    folder = save_tiny(tmp_path / "m", gain=1.6, **SIZES)
    other = save_tiny(tmp_path / "other", gain=1.6, seed=1, **SIZES)
    write_gguf(other, folder / "model-Q8_0.gguf", "F32")
    spec = find_model(str(folder), load_registry())
    assert spec.checkpoint == folder and weight_files(folder) == [folder / "model.safetensors"]
    _assert_read(spec.checkpoint, _reference(folder))
    _assert_read(folder / "model-Q8_0.gguf", _reference(other))
    assert np.abs(_reference(folder) - _reference(other)).max() > 0.1


def test_a_seeing_model_whose_eyes_were_left_out(tmp_path, capsys):
    """Its config describes more than there is: a whole download, or the config of the text alone, is what helps."""
    torch.manual_seed(0)
    whole = AutoModelForImageTextToText.from_config(AutoConfig.for_model("gemma3", **SEEING)).eval()
    whole.save_pretrained(tmp_path)
    tensors, config = contents(tmp_path)
    text = {name: tensor for name, tensor in tensors.items() if "vision" not in name and "projector" not in name}
    assert 0 < len(text) < len(tensors)
    save_contents(tmp_path, text, config)
    _refused(capsys, tmp_path, str(tmp_path), "is missing", "fetch or write the checkpoint again")
    text_config = whole.config.get_text_config()
    short = {name.replace("language_model.", "", 1): tensor for name, tensor in text.items()}
    alone = save_contents(tmp_path / "text", short)
    text_config.save_pretrained(alone)
    _assert_read(alone, _all(whole))


def test_the_config_of_a_text_beside_the_weights_of_the_whole(tmp_path, capsys):
    """Somebody put the text's config into the folder of the model it is a part of: it describes other tensors."""
    torch.manual_seed(0)
    config = AutoConfig.for_model("gemma3", **SEEING)
    AutoModelForImageTextToText.from_config(config).save_pretrained(tmp_path)
    config.get_text_config().save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "gemma3_text"
    _refused(capsys, tmp_path, str(tmp_path), "tensor")


def test_an_adapter_in_the_place_of_weights(tmp_path, capsys):
    """Its own config left out, the base's put beside it."""
    folder = save_tiny(tmp_path / "m", **SIZES)
    (folder / "model.safetensors").unlink()
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    save_file({name: torch.ones(2, 64)}, folder / "adapter_model.safetensors")
    _refused(
        capsys, folder, str(folder), "holds an adapter (adapter_model.safetensors)", "no model by itself; merge it"
    )


def test_biases_beside_layers_in_awq(tmp_path):
    """As Qwen2's: they are the model's own, and numbers like any other."""
    tensors, config = contents(save_tiny(tmp_path / "plain", "qwen2", gain=1.6, **SIZES))
    biases = [name for name in tensors if name.endswith("_proj.bias")]
    assert len(biases) == 6 and all(tensors[name].abs().min() > 0 for name in biases)
    stored, restored = store_layers(tensors, to_awq)
    stored |= {name: tensors[name].half() for name in biases}
    restored |= {name: stored[name].float() for name in biases}
    form = {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"}}
    expected = _reference(save_contents(tmp_path / "restored", restored, config))
    _assert_read(save_contents(tmp_path / "m", stored, config | form), expected)


def test_compressed_tensors_of_two_widths_and_layers_left_out_by_patterns(tmp_path):
    tensors, config = contents(save_tiny(tmp_path / "plain", gain=1.6, **SIZES))
    stored, restored = {}, {}
    for name, tensor in tensors.items():
        bits = 8 if ".mlp." in name else 4
        kept = "layers.1.self_attn" in name or not name.endswith("_proj.weight")
        one = ({name: tensor}, {name: tensor}) if kept else store_layers({name: tensor}, partial(to_packed, bits=bits))
        stored |= one[0]
        restored |= one[1]
    weights = {"type": "int", "strategy": "group", "group_size": 32, "symmetric": True}
    groups = {
        "wide": {"targets": [r"re:.*mlp\..*_proj$"], "weights": weights | {"num_bits": 8}},
        "rest": {"targets": ["Linear"], "weights": weights | {"num_bits": 4}},
    }
    form = {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups}
    form |= {"ignore": ["lm_head", r"re:model\.layers\.1\.self_attn\..*"]}
    expected = _reference(save_contents(tmp_path / "restored", restored, config))
    _assert_read(save_contents(tmp_path / "m", stored, config | {"quantization_config": form}), expected)


@pytest.mark.parametrize("kind", ["by hand", "nf4", "fp4"])
def test_bitsandbytes_of_bfloat16_numbers_with_scales_quantized_again(tmp_path, kind):
    """As QLoRA's bases are published; by hand, and as the library itself decodes, in float32 as all is decoded here."""
    functional = None
    if kind != "by hand":
        functional = pytest.importorskip("bitsandbytes.functional", reason="bitsandbytes is not installed")
    folder = save_tiny(tmp_path / "plain", gain=1.6, dtype=torch.bfloat16, **SIZES)
    tensors, config = contents(folder)

    def store(weight: torch.Tensor):
        if functional is None:
            parts, values = to_bitsandbytes(weight, nested=True)
            name = "weight.quant_state.bitsandbytes__nf4"
            state = json.loads(bytes(parts[name].tolist())) | {"dtype": "bfloat16"}
            return parts | {name: torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)}, values
        codes, state = functional.quantize_4bit(weight, quant_type=kind, compress_statistics=True, blocksize=64)
        parts = {"weight": codes} | {f"weight.{name}": part for name, part in state.as_dict(packed=True).items()}
        assert state.dtype == torch.bfloat16 and state.nested
        state.dtype = torch.float32
        return parts, functional.dequantize_4bit(codes, state)

    stored, restored = store_layers(tensors, store)
    form = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True}
    form |= {"bnb_4bit_quant_type": "fp4" if kind == "fp4" else "nf4", "bnb_4bit_compute_dtype": "bfloat16"}
    expected = _reference(save_contents(tmp_path / "restored", restored, config))
    _assert_read(save_contents(tmp_path / "m", stored, config | {"quantization_config": form}), expected)


def test_experts_in_mxfp4_beside_experts_in_bfloat16(tmp_path):
    """gpt-oss with one layer tuned and written back as plain numbers."""
    experts = {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 16, "num_hidden_layers": 2}
    tensors, config = contents(
        save_tiny(tmp_path / "plain", "gpt_oss", gain=1.6, dtype=torch.bfloat16, **SIZES | experts)
    )
    stored, restored = dict(tensors), dict(tensors)
    for name in [name for name in tensors if name.startswith("model.layers.0.") and name.endswith("_up_proj")]:
        blocks, scales, values = to_float4(stored.pop(name).transpose(1, 2))
        stored |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
        restored[name] = values.transpose(1, 2)
    assert stored.keys() - tensors.keys() and any("layers.1" in name and "experts" in name for name in stored)
    form = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.1.mlp.experts", "lm_head"]}
    expected = _reference(save_contents(tmp_path / "restored", restored, config))
    _assert_read(save_contents(tmp_path / "m", stored, config | {"quantization_config": form}), expected)


def test_three_parts_of_a_gguf_file_without_the_first(tmp_path, capsys):
    write_case(tmp_path / "m", "qwen2", parts=3)
    first, *others = sorted((tmp_path / "m").glob("*.gguf"))
    first.unlink()
    for part in others:
        _refused(capsys, part, str(part), f"{first.name} is missing beside it", "fetch all parts")
    shutil.rmtree(tmp_path / "m" / "plain")
    _refused(capsys, tmp_path / "m", str(tmp_path / "m"), "holds no config.json", "name one of its 2 GGUF files")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "model.safetensors.index.json", "m.gguf"])
def test_a_file_without_a_byte(tmp_path, capsys, name):
    folder = save_tiny(tmp_path / "m", **SIZES, **({"shards": "20KB"} if "index" in name else {}))
    (folder / name).write_bytes(b"")
    path = folder / name if name == "m.gguf" else folder
    _refused(capsys, path, str(folder / name), "fetch" if name != "config.json" else "again")


def test_a_tensor_beyond_the_end_of_its_file(tmp_path, capsys):
    """The header is whole and says more than the file holds, by one number or by a thousand times its size."""
    folder = save_tiny(tmp_path / "m", **SIZES)
    file = folder / "model.safetensors"
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    for more in (4, 1000 * len(content)):
        header = json.loads(content[8 : 8 + length])
        last = max((name for name in header if name != "__metadata__"), key=lambda name: header[name]["data_offsets"])
        header[last]["data_offsets"][1] += more
        header[last]["shape"] = [1, (header[last]["data_offsets"][1] - header[last]["data_offsets"][0]) // 4]
        text = json.dumps(header).encode()
        file.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
        _refused(capsys, folder, str(file), f"tensor {last}", "truncated", "fetch or write it again")


def test_numbers_of_a_type_that_is_newer_than_this_reader(tmp_path, capsys):
    """safetensors 0.6 has types of four and six bits, whose sizes nothing here knows."""
    folder = save_tiny(tmp_path / "m", **SIZES)
    file, name = folder / "model.safetensors", "model.layers.0.mlp.up_proj.weight"
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header[name]["dtype"] = "F6_E3M2"
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    _refused(capsys, folder, str(file), f"tensor {name}", "F6_E3M2 is not supported")


def test_a_quantized_folder_that_says_so_of_its_text_alone(tmp_path):
    """Of a model that sees, the quantization stands in the config of its text."""
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(AutoConfig.for_model("gemma3", **SEEING)).eval()
    model.save_pretrained(tmp_path / "plain")
    tensors, config = contents(tmp_path / "plain")
    text = {name: tensor for name, tensor in tensors.items() if "language_model" in name and ".layers." in name}
    stored, restored = store_layers(text, to_awq)
    rest = {name: tensor for name, tensor in tensors.items() if name not in text}
    folder = save_contents(tmp_path / "m", rest | stored, config)
    form = {"quant_method": "awq", "bits": 4, "group_size": 32}
    set_config(folder, text_config=config["text_config"] | {"quantization_config": form})
    plain = save_contents(tmp_path / "restored", rest | restored, config)
    whole = AutoModelForImageTextToText.from_pretrained(plain, dtype=torch.float32).eval()
    _assert_read(folder, _all(whole))
    packed = [name.replace("qweight", "weight") for name in stored if name.endswith("qweight")]
    assert len(packed) == 14 and {open_checkpoint(folder).element_type(name) for name in packed} == {"I32"}
