"""Tiny random checkpoints laid out as the makers of the paper's models publish them: names, shards and index, the
fields of every config, blocks of 128 by 128 float8 codes with the layer behind the others, chat templates, GGUF files,
and the GPTQ and AWQ folders that Qwen publishes beside its instruct models.

What is said here of configs are facts of the published files; numbers are random, sizes reduced.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from compressed_code.planning.layouts import Layout, Tensor, load_layouts
from compressed_code.quantization.gguf.tensor_types import MIXTURES
from compressed_code.quantization.gguf.writer import write_gguf
from compressed_code.registry.specs import ModelSpec
from storage_formats import to_awq, to_float8, to_gptq
from tiny_models import save_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

BLOCK = 128
# Wider than a block of float8 codes, so that blocks at the edges are cut off.
_SIZES: Mapping[str, Any] = {
    **{"hidden_size": 144, "intermediate_size": 160, "num_hidden_layers": 3, "vocab_size": 320},
    **{"num_attention_heads": 4},
}
_EXPERTS: Mapping[str, Any] = {
    **{"moe_intermediate_size": 132, "n_routed_experts": 16, "first_k_dense_replace": 1, "num_key_value_heads": 4},
    **{"q_lora_rank": 24, "kv_lora_rank": 130, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 34},
}
_GROUP = 128
# How Qwen's folders of four bits describe themselves, and how a layer of them is stored.
PACKED: Mapping[str, tuple[Any, Mapping[str, Any]]] = {
    "gptq": (
        lambda weight: to_gptq(weight, 4, _GROUP, symmetric=True),
        {
            **{"batch_size": 1, "bits": 4, "block_name_to_quantize": None, "cache_block_outputs": True},
            **{"damp_percent": 0.01, "dataset": None, "desc_act": False, "exllama_config": {"version": 1}},
            **{
                "group_size": _GROUP,
                "max_input_length": None,
                "model_seqlen": None,
                "modules_in_block_to_quantize": None,
            },
            **{"module_name_preceding_first_block": None, "pad_token_id": None, "quant_method": "gptq", "sym": True},
            **{"tokenizer": None, "true_sequential": True, "use_cuda_fp16": False, "use_exllama": True},
        },
    ),
    "awq": (
        lambda weight: to_awq(weight, "gemm", _GROUP),
        {
            **{"bits": 4, "group_size": _GROUP, "modules_to_not_convert": None, "quant_method": "awq"},
            **{"version": "gemm", "zero_point": True},
        },
    ),
}
_WIDE = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2}  # rows of whole blocks of K types
_ROTARY: Mapping[str, Mapping[str, Any]] = {
    "qwen2": {"rope_theta": 1000000.0, "sliding_window": 131072, "use_sliding_window": False, "max_window_layers": 28},
    "llama": {
        "rope_theta": 500000.0,
        "rope_scaling": {
            **{"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
            **{"original_max_position_embeddings": 8192, "rope_type": "llama3"},
        },
    },
    "deepseek_v2": {"rope_theta": 10000, "rope_scaling": {"type": "yarn", "factor": 40, "mscale": 1.0}},
    "deepseek_v3": {"rope_theta": 10000, "rope_scaling": {"type": "yarn", "factor": 40, "mscale": 1.0}},
}
_YARN = {"mscale_all_dim": 1.0, "beta_fast": 32, "beta_slow": 1, "original_max_position_embeddings": 4096}
_CLASSES = {
    **{"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"},
    **{"deepseek_v2": "DeepseekV2ForCausalLM", "deepseek_v3": "DeepseekV3ForCausalLM"},
}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# What a checkpoint with code of its own carries; whoever imports it leaves a trace beside it.
OWN_CODE = "from pathlib import Path\nPath(__file__).with_name('was-executed').touch()\n"


def reduced(layout: Layout, **sizes: int) -> Layout:
    """The same construction in small: groups, chosen experts and what is tied stay as they are."""
    config = {**layout.config, **_SIZES}
    if "n_routed_experts" in config:
        config |= _EXPERTS
    else:
        config["num_key_value_heads"] = 2
    return Layout(layout.key, {**config, **sizes})


def write_paper_row(folder: Path, row: ModelSpec, *, seed: int = 0, **sizes: int) -> Path:
    """What a row's repository on the Hub holds, in small; of GGUF rows the file alone, beside its siblings."""
    layout = load_layouts()[row.layout]
    if row.stored_as not in MIXTURES:
        whole = _WIDE if row.stored_as in PACKED else {}  # rows of whole groups
        return write_paper_model(folder, reduced(layout, **whole, **sizes), row.stored_as, shards=row.shards, seed=seed)
    source = folder.with_name(f"{folder.name}-source-{seed}")
    if not source.exists():
        write_paper_model(source, reduced(layout, **_WIDE, **sizes), "bfloat16", seed=seed)
    folder.mkdir(exist_ok=True)
    write_gguf(source, folder / row.file, row.stored_as)
    return folder


def write_paper_model(
    folder: Path, layout: Layout, stored_as: str, *, shards: str | None = None, seed: int = 0
) -> Path:
    """A folder of safetensors as published.

    Args:
        stored_as: "bfloat16", "float8", "gptq" or "awq".
        shards: their number, spelt as in file names; one file without.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    stored: dict[str, torch.Tensor] = {}
    for tensor in layout.tensors():
        stored |= _stored(tensor, stored_as)
    _write_shards(folder, stored, shards)
    config = _config(layout, stored_as)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "generation_config.json").write_text(json.dumps({"do_sample": True, "eos_token_id": 2, "top_p": 0.8}))
    (folder / "README.md").write_text("---\nlibrary_name: transformers\n---\n")
    if "auto_map" in config:
        for name in ("configuration_deepseek.py", "modeling_deepseek.py"):
            (folder / name).write_text(OWN_CODE)
    save_tokenizer(folder, _tokenizer(), chat_template=TEMPLATE, bos_token="<s>", eos_token="</s>", add_bos_token=False)
    return folder


def _stored(tensor: Tensor, stored_as: str) -> dict[str, torch.Tensor]:
    scales = len(tensor.shape) == 1 and tensor.name.endswith("weight")
    spread = 0.1 if len(tensor.shape) == 1 else tensor.shape[-1] ** -0.5
    values = torch.empty(tensor.shape).normal_(1.0 if scales else 0.0, spread)
    if tensor.name.endswith("e_score_correction_bias"):
        return {tensor.name: values}
    linear = tensor.name.endswith("proj.weight") or "proj_with_mqa" in tensor.name
    if stored_as == "float8" and linear and not tensor.name.endswith("eh_proj.weight"):
        parts, _ = to_float8(values, BLOCK)
        return {tensor.name.replace("weight", part): part_values for part, part_values in parts.items()}
    if stored_as in PACKED and linear:
        parts, _ = PACKED[stored_as][0](values)
        return {tensor.name.replace("weight", part): part_values for part, part_values in parts.items()}
    return {tensor.name: values.bfloat16()}


def _write_shards(folder: Path, stored: dict[str, torch.Tensor], shards: str | None) -> None:
    metadata = {"format": "pt"}
    if shards is None:
        save_file(stored, folder / "model.safetensors", metadata)
        return
    names, count = list(stored), int(shards)
    bounds = [len(names) * number // count for number in range(count + 1)]
    places = {}
    for number in range(count):
        file = f"model-{number + 1:05d}-of-{shards}.safetensors"
        part = {name: stored[name] for name in names[bounds[number] : bounds[number + 1]]}
        save_file(part, folder / file, metadata)
        places |= dict.fromkeys(part, file)
    total = sum(tensor.numel() * tensor.element_size() for tensor in stored.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))


def _config(layout: Layout, stored_as: str) -> dict[str, Any]:
    """config.json with the fields that the published one has, those that decide nothing included."""
    model_type = layout.config["model_type"]
    config = {
        "architectures": [_CLASSES[model_type]],
        **{"attention_dropout": 0.0, "initializer_range": 0.02, "use_cache": True, "bos_token_id": 1},
        **{"eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version": "4.43.1"},
        "max_position_embeddings": 32768,
        **layout.config,
        **_ROTARY[model_type],
    }
    if "n_routed_experts" in config:
        config["rope_scaling"] = {**config["rope_scaling"], **_YARN}
        parts = {"AutoConfig": "configuration_deepseek.DeepseekConfig", "AutoModel": "modeling_deepseek.DeepseekModel"}
        config |= {"auto_map": parts, "attention_bias": False, "ep_size": 1, "aux_loss_alpha": 0.001, "seq_aux": True}
    if stored_as == "float8":
        config["quantization_config"] = {
            **{"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8"},
            "weight_block_size": [BLOCK, BLOCK],
        }
    if stored_as in PACKED:
        config |= {"torch_dtype": "float16", "quantization_config": dict(PACKED[stored_as][1])}
    return config


def _tokenizer() -> Tokenizer:
    """Byte-level BPE of all bytes and a few words, three control tokens in front."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["de", "def", "re", "ret", "im", "imp"]
    merges = [("d", "e"), ("de", "f"), ("r", "e"), ("re", "t"), ("i", "m"), ("im", "p")]
    pieces = ["<pad>", "<s>", "</s>", *alphabet, *words]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>"])
    return tokenizer
