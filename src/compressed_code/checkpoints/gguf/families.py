"""The architectures of GGUF files: which Hugging Face model each is, and how its tensors are called there.

Sources: GGUF specification, "Standardized tensor names"; llama.cpp, gguf-py/gguf/tensor_mapping.py and conversion/*.py.
A new architecture is a row here and, where its metadata differ, a line in `gguf.config`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from compressed_code.checkpoints.gguf.family import GgufFamily


def _fixed(**values: Any) -> Mapping[str, Any]:
    return MappingProxyType(values)


_ATTENTION = _fixed(
    attn_q="self_attn.q_proj",
    attn_k="self_attn.k_proj",
    attn_v="self_attn.v_proj",
    attn_output="self_attn.o_proj",
    attn_q_norm="self_attn.q_norm",
    attn_k_norm="self_attn.k_norm",
)
_NORMS = _fixed(attn_norm="input_layernorm", ffn_norm="post_attention_layernorm")
_FEED_FORWARD = _fixed(ffn_gate="mlp.gate_proj", ffn_up="mlp.up_proj", ffn_down="mlp.down_proj")
_PLAIN = MappingProxyType({**_ATTENTION, **_NORMS, **_FEED_FORWARD})
_GEMMA_NORMS = _fixed(
    attn_norm="input_layernorm",
    post_attention_norm="post_attention_layernorm",
    ffn_norm="pre_feedforward_layernorm",
    post_ffw_norm="post_feedforward_layernorm",
)
_GEMMA = _fixed(hidden_activation="gelu_pytorch_tanh", hidden_act="gelu_pytorch_tanh")
_GPT = _fixed(
    attn_norm="ln_1",
    attn_qkv="attn.c_attn",
    attn_output="attn.c_proj",
    ffn_norm="ln_2",
    ffn_up="mlp.c_fc",
    ffn_down="mlp.c_proj",
)
_GPT_OUTSIDE = _fixed(
    token_embd="transformer.wte", position_embd="transformer.wpe", output_norm="transformer.ln_f", output="lm_head"
)
_GPT_SIZES = _fixed(
    hidden_size="n_embd",
    num_hidden_layers="n_layer",
    num_attention_heads="n_head",
    intermediate_size="n_inner",
    max_position_embeddings="n_positions",
)
_SPARSE = MappingProxyType({**_ATTENTION, **_NORMS, "ffn_gate_inp": "mlp.gate"})
_SILU = _fixed(hidden_act="silu")
_GLM_NORMS = _fixed(
    attn_norm="input_layernorm",
    ffn_norm="post_attention_layernorm",
    post_attention_norm="post_self_attn_layernorm",
    post_ffw_norm="post_mlp_layernorm",
)
_SHARED = _fixed(
    ffn_gate_shexp="mlp.shared_experts.gate_proj",
    ffn_up_shexp="mlp.shared_experts.up_proj",
    ffn_down_shexp="mlp.shared_experts.down_proj",
)
_GLM_FEED_FORWARD = _fixed(ffn_up="mlp.gate_up_proj", ffn_down="mlp.down_proj")

FAMILIES: Mapping[str, GgufFamily] = MappingProxyType(
    {
        "llama": GgufFamily("llama", _PLAIN, permuted=True, defaults=_SILU),
        "mixtral": GgufFamily(  # written as llama, with experts
            "mixtral",
            MappingProxyType({**_ATTENTION, **_NORMS, "ffn_gate_inp": "block_sparse_moe.gate"}),
            experts="block_sparse_moe.experts.{expert}.{part}",
            expert_parts=("w1", "w3", "w2"),
            permuted=True,
            defaults=_SILU,
        ),
        "smollm3": GgufFamily("smollm3", _PLAIN, permuted=True, defaults=_SILU),
        "granite": GgufFamily("granite", _PLAIN, permuted=True, defaults=_SILU),
        "granitemoe": GgufFamily(
            "granitemoe",
            MappingProxyType(
                {
                    **_ATTENTION,
                    **_NORMS,
                    "ffn_gate_inp": "block_sparse_moe.router.layer",
                    "ffn_down_exps": "block_sparse_moe.output_linear",
                    "ffn_gate_up_exps": "block_sparse_moe.input_linear",
                }
            ),
            permuted=True,
            defaults=_SILU,
        ),
        "mistral3": GgufFamily("ministral3", _PLAIN, permuted=True, defaults=_SILU),
        "qwen2": GgufFamily("qwen2", _PLAIN, defaults=_SILU),
        "qwen3": GgufFamily("qwen3", _PLAIN, defaults=_SILU),
        "qwen2moe": GgufFamily(
            "qwen2_moe",
            MappingProxyType(
                {
                    **_SPARSE,
                    "ffn_gate_inp_shexp": "mlp.shared_expert_gate",
                    "ffn_gate_shexp": "mlp.shared_expert.gate_proj",
                    "ffn_up_shexp": "mlp.shared_expert.up_proj",
                    "ffn_down_shexp": "mlp.shared_expert.down_proj",
                }
            ),
            experts="mlp.experts.{expert}.{part}",
            defaults=_fixed(hidden_act="silu", norm_topk_prob=False, decoder_sparse_step=1, mlp_only_layers=[]),
        ),
        "qwen3moe": GgufFamily(
            "qwen3_moe",
            _SPARSE,
            experts="mlp.experts.{expert}.{part}",
            defaults=_fixed(hidden_act="silu", norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[]),
        ),
        "olmoe": GgufFamily(
            "olmoe",
            _SPARSE,
            experts="mlp.experts.{expert}.{part}",
            defaults=_fixed(hidden_act="silu", norm_topk_prob=False),
        ),
        "deepseek2": GgufFamily(
            "deepseek_v3",  # or deepseek_v2, by the scores of the router
            MappingProxyType(
                {
                    **_SPARSE,
                    **_FEED_FORWARD,
                    "attn_q_a": "self_attn.q_a_proj",
                    "attn_q_a_norm": "self_attn.q_a_layernorm",
                    "attn_q_b": "self_attn.q_b_proj",
                    "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa",
                    "attn_kv_a_norm": "self_attn.kv_a_layernorm",
                    "attn_kv_b": "self_attn.kv_b_proj",
                    **_SHARED,
                }
            ),
            experts="mlp.experts.{expert}.{part}",
            defaults=_SILU,
        ),
        "gpt-oss": GgufFamily(
            "gpt_oss",
            MappingProxyType(
                {
                    **_ATTENTION,
                    "attn_norm": "input_layernorm",
                    "post_attention_norm": "post_attention_layernorm",
                    "ffn_gate_inp": "mlp.router",
                }
            ),
            defaults=_SILU,
        ),
        "gemma": GgufFamily("gemma", _PLAIN, shifted_norms=True, defaults=_GEMMA),
        "gemma2": GgufFamily(
            "gemma2",
            MappingProxyType({**_ATTENTION, **_GEMMA_NORMS, **_FEED_FORWARD}),
            shifted_norms=True,
            defaults=_GEMMA,
        ),
        "gemma3": GgufFamily(
            "gemma3_text",
            MappingProxyType({**_ATTENTION, **_GEMMA_NORMS, **_FEED_FORWARD}),
            shifted_norms=True,
            defaults=_GEMMA,
        ),
        "phi2": GgufFamily(
            "phi",
            MappingProxyType(
                {
                    **_ATTENTION,
                    "attn_norm": "input_layernorm",
                    "attn_output": "self_attn.dense",
                    "ffn_up": "mlp.fc1",
                    "ffn_down": "mlp.fc2",
                }
            ),
            outside=_fixed(token_embd="model.embed_tokens", output_norm="model.final_layernorm", output="lm_head"),
            defaults=_fixed(hidden_act="gelu_new"),
            epsilon="layer_norm_eps",
        ),
        "phi3": GgufFamily(
            "phi3",
            MappingProxyType({**_ATTENTION, **_NORMS, **_GLM_FEED_FORWARD, "attn_qkv": "self_attn.qkv_proj"}),
            defaults=_SILU,
        ),
        "starcoder2": GgufFamily(
            "starcoder2",
            MappingProxyType({**_ATTENTION, **_NORMS, "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}),
            defaults=_fixed(hidden_act="gelu_pytorch_tanh", use_bias=True),
            epsilon="norm_epsilon",
        ),
        "starcoder": GgufFamily(
            "gpt_bigcode",
            _GPT,
            layers="transformer.h",
            outside=_GPT_OUTSIDE,
            defaults=_fixed(activation_function="gelu_pytorch_tanh"),
            epsilon="layer_norm_epsilon",
            sizes=_GPT_SIZES,
        ),
        "gpt2": GgufFamily(
            "gpt2",
            _GPT,
            layers="transformer.h",
            outside=_GPT_OUTSIDE,
            transposed=frozenset({"attn_qkv", "attn_output", "ffn_up", "ffn_down"}),
            defaults=_fixed(activation_function="gelu_new"),
            epsilon="layer_norm_epsilon",
            sizes=_GPT_SIZES,
        ),
        "gptneox": GgufFamily(
            "gpt_neox",
            MappingProxyType(
                {
                    **_NORMS,
                    "attn_qkv": "attention.query_key_value",
                    "attn_output": "attention.dense",
                    "ffn_up": "mlp.dense_h_to_4h",
                    "ffn_down": "mlp.dense_4h_to_h",
                }
            ),
            layers="gpt_neox.layers",
            outside=_fixed(token_embd="gpt_neox.embed_in", output_norm="gpt_neox.final_layer_norm", output="embed_out"),
            defaults=_fixed(hidden_act="gelu"),
            epsilon="layer_norm_eps",
        ),
        "stablelm": GgufFamily("stablelm", _PLAIN, defaults=_SILU, epsilon="layer_norm_eps"),
        "olmo": GgufFamily(
            "olmo", MappingProxyType({**_ATTENTION, **_FEED_FORWARD}), permuted=True, defaults=_SILU, epsilon=""
        ),
        "olmo2": GgufFamily(
            "olmo2",
            MappingProxyType(
                {
                    **_ATTENTION,
                    **_FEED_FORWARD,
                    "post_attention_norm": "post_attention_layernorm",
                    "post_ffw_norm": "post_feedforward_layernorm",
                }
            ),
            defaults=_SILU,
        ),
        "glm4": GgufFamily("glm4", MappingProxyType({**_ATTENTION, **_GLM_NORMS, **_GLM_FEED_FORWARD}), defaults=_SILU),
        "glm4moe": GgufFamily(
            "glm4_moe",
            MappingProxyType(
                {
                    **_ATTENTION,
                    **_FEED_FORWARD,
                    **_SHARED,
                    "attn_norm": "input_layernorm",
                    "post_attention_norm": "post_attention_layernorm",
                    "ffn_gate_inp": "mlp.gate",
                }
            ),
            experts="mlp.experts.{expert}.{part}",
            defaults=_SILU,
        ),
        "chatglm": GgufFamily("glm", MappingProxyType({**_ATTENTION, **_NORMS, **_GLM_FEED_FORWARD}), defaults=_SILU),
    }
)
