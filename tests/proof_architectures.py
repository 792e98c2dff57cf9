"""Tiny random checkpoints of many architectures, for the matrix of proof (`proof_matrix`)."""

from pathlib import Path

import torch

from tiny_models import save_tiny

SIZES = {
    **{"vocab_size": 96, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64},
    **{"bos_token_id": 0, "eos_token_id": None, "pad_token_id": None},
}
GPT = {"n_embd": 64, "n_head": 4, "n_layer": 2, "n_positions": 64}
WINDOW = {"sliding_window": 4}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
LOCAL_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
ROUTED = {
    **{"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "n_shared_experts": 1},
    **{"first_k_dense_replace": 1, "n_group": 2, "topk_group": 1, "routed_scaling_factor": 1.7},
}
LATENT = {
    **{"num_key_value_heads": 4, "kv_lora_rank": 32, "q_lora_rank": 32, "qk_rope_head_dim": 8},
    **{"qk_nope_head_dim": 8, "v_head_dim": 16, "head_dim": 8},
}
STATES = {"state_size": 8, "expand": 2}
# Name of transformers' model_type → fields of its config beyond `SIZES`.
ARCHITECTURES: dict[str, dict] = {
    "apertus": {},
    "arcee": {},
    "biogpt": {},
    "bitnet": {},
    "bloom": {"n_head": 4, "n_layer": 2},
    "codegen": GPT | {"rotary_dim": 8, "n_ctx": 64},
    "cohere": {"logit_scale": 0.5},
    "cohere2": WINDOW | {"logit_scale": 0.5},
    "deepseek_v2": {**LATENT, **ROUTED, "topk_method": "group_limited_greedy"},
    "deepseek_v3": {**LATENT, **ROUTED, "norm_topk_prob": True},
    "diffllama": {},
    "dots1": ROUTED | {"head_dim": 16, "norm_topk_prob": True},
    "ernie4_5": {"head_dim": 16},
    "ernie4_5_moe": {"moe_num_experts": 4, "moe_k": 2, "moe_intermediate_size": 32, "moe_layer_start_index": 1},
    "exaone4": WINDOW,
    "falcon": {"new_decoder_architecture": False, "multi_query": True},
    "falcon_mamba": STATES,
    "gemma": {"head_dim": 32},
    "gemma2": WINDOW | {"head_dim": 32, "query_pre_attn_scalar": 32},
    "gemma3_text": WINDOW | {"head_dim": 32, "query_pre_attn_scalar": 32},
    "glm": {"head_dim": 16},
    "glm4": {"head_dim": 16},
    "glm4_moe": ROUTED | {"head_dim": 16, "norm_topk_prob": True},
    "gpt2": GPT,
    "gpt_bigcode": GPT | {"n_inner": 256},
    "gpt_neo": {"num_heads": 4, "num_layers": 2, "attention_types": [[["global", "local"], 1]], "window_size": 4},
    "gpt_neox": {"rotary_pct": 0.25},
    "gpt_oss": WINDOW | LOCAL_EXPERTS | {"head_dim": 16},
    "gptj": GPT | {"rotary_dim": 8},
    "granite": {"attention_multiplier": 0.3, "logits_scaling": 2.0, "residual_multiplier": 0.7},
    "granitemoe": LOCAL_EXPERTS,
    "helium": {"head_dim": 16},
    "hunyuan_v1_dense": {"head_dim": 16},
    "jamba": EXPERTS | {"mamba_d_state": 8, "mamba_expand": 2, "attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2": {"full_attn_idxs": [1], "conv_L_cache": 3},
    "llama": {},
    "llama4_text": LOCAL_EXPERTS | {"head_dim": 16, "intermediate_size_mlp": 96, "interleave_moe_layer_step": 2},
    "mamba": STATES,
    "mamba2": {"state_size": 8, "head_dim": 16, "num_heads": 8, "n_groups": 2, "expand": 2},
    "ministral": WINDOW | {"head_dim": 16},
    "mistral": WINDOW,
    "mixtral": LOCAL_EXPERTS,
    "mpt": {"d_model": 64, "n_heads": 4, "n_layers": 2, "max_seq_len": 64},
    "nanochat": {},
    "nemotron": {},
    "olmo": {"clip_qkv": 0.5},
    "olmo2": {},
    "olmo3": WINDOW,
    "olmoe": EXPERTS,
    "opt": {"ffn_dim": 96, "word_embed_proj_dim": 64},
    "persimmon": {},
    "phi": {"partial_rotary_factor": 0.5},
    "phi3": WINDOW | {"original_max_position_embeddings": 64},
    "phimoe": LOCAL_EXPERTS | {"num_hidden_layers": 2},
    "qwen2": {},
    "qwen2_moe": EXPERTS | {"shared_expert_intermediate_size": 64},
    "qwen3": {"head_dim": 32},
    "qwen3_moe": EXPERTS | {"head_dim": 32, "norm_topk_prob": True},
    "seed_oss": {"head_dim": 16},
    "smollm3": {},
    "stablelm": {"partial_rotary_factor": 0.25},
    "starcoder2": WINDOW,
    "xglm": {"d_model": 64, "num_layers": 2, "attention_heads": 4, "ffn_dim": 96},
}


def write_architecture(folder: Path, name: str, dtype: torch.dtype = torch.float32, width: int = 32) -> Path:
    """A tiny random model of an architecture, whose answers differ well from token to token.

    Args:
        width: what the columns of its matrices are a multiple of.
    """
    wide = {"hidden_size": width, "intermediate_size": width} if width > SIZES["hidden_size"] else {}
    return save_tiny(folder, name, gain=1.6, dtype=dtype, **SIZES | ARCHITECTURES[name] | wide)
