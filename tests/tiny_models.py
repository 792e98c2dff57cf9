"""Tiny checkpoints of random numbers, made on the spot."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tokenizers import Tokenizer

SIZES = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
# What DeepSeek's models have beyond those: latent attention, and experts from the second layer on.
EXPERTS = {
    "num_key_value_heads": 4,
    "num_hidden_layers": 3,
    "kv_lora_rank": 16,
    "q_lora_rank": 24,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 6,
    "v_head_dim": 10,
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 12,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
    "routed_scaling_factor": 1.7,
}
EXPERT_GROUPS = {"n_group": 4, "topk_group": 2}


def tiny_model(
    family: str = "llama", *, dtype: torch.dtype = torch.float32, seed: int = 0, gain: float = 1.0, **fields
) -> PreTrainedModel:
    """A model in which no parameter is 0 or 1 everywhere, so that each of them matters.

    Args:
        family: `model_type` of its config.
        gain: how much larger a matrix makes what it multiplies; above 1 the answers differ more.
        fields: fields of its config other than `SIZES`.
    """
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SIZES | fields), dtype=dtype)
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if "inv_freq" not in name and tensor.ndim and tensor.is_floating_point():
                spread = 0.2 if tensor.ndim == 1 else gain * tensor.shape[-1] ** -0.5
                scales = tensor.ndim == 1 and name.endswith("weight")  # of a norm
                tensor.normal_(1.0 if scales else 0.0, spread)
    return model.eval()


def save_tiny(folder: Path, family: str = "llama", *, shards: str | None = None, **options) -> Path:
    """The folder of a `tiny_model`, cut into shards of a size such as `12KB` if one is given."""
    tiny_model(family, **options).save_pretrained(folder, **({"max_shard_size": shards} if shards else {}))
    return folder


def save_tokenizer(folder: Path, tokenizer: Tokenizer, **settings) -> Path:
    """Put a tokenizer into a model's folder, with settings such as eos_token="<|end|>"."""
    tokenizer.save(str(folder / "tokenizer.json"))
    content = {"tokenizer_class": "PreTrainedTokenizerFast", **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    return folder


def contents(folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors and config of a folder with one safetensors file."""
    return load_file(folder / "model.safetensors"), json.loads((folder / "config.json").read_text())


def save_contents(folder: Path, tensors: dict, config: dict | None = None) -> Path:
    """Write a folder of tensors and, where one is given, its config."""
    folder.mkdir(exist_ok=True)
    stored = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def set_config(folder: Path, **fields) -> Path:
    """Change fields of a folder's config; None takes a field out."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
    return folder
