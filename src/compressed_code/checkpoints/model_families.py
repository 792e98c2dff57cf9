"""The families of models the first-token engine knows: which fields of a config it reads, which it may ignore,
and which tensors their checkpoints may hold. A new family or field is a line here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class ModelFamily:
    """How the configs of one model_type are read. A bias is always there, never, or decided by a field's name.

    Attributes:
        value_bias, output_bias, feed_forward_bias: True, False or a field's name.
        latent: multi-head latent attention.
        scores: "softmax" or "sigmoid" where the family has experts.
        defaults: fields with a default that differs from `DEFAULTS`.
    """

    value_bias: bool | str = False
    output_bias: bool | str = False
    feed_forward_bias: bool | str = False
    latent: bool = False
    scores: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


FAMILIES: Mapping[str, ModelFamily] = MappingProxyType(
    {
        "llama": ModelFamily("attention_bias", "attention_bias", "mlp_bias"),
        "mistral": ModelFamily(defaults=MappingProxyType({"num_key_value_heads": 8})),
        "qwen2": ModelFamily(value_bias=True, defaults=MappingProxyType({"num_key_value_heads": 32})),
        "qwen3": ModelFamily(
            "attention_bias",
            "attention_bias",
            defaults=MappingProxyType({"num_key_value_heads": 32, "head_dim": 128}),
        ),
        "deepseek_v2": ModelFamily("attention_bias", "attention_bias", latent=True, scores="softmax"),
        "deepseek_v3": ModelFamily("attention_bias", "attention_bias", latent=True, scores="sigmoid"),
    }
)
ACTIVATIONS = ("silu", "relu", "gelu_pytorch_tanh")
DEFAULTS = MappingProxyType(
    {
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "head_dim": None,
        "num_key_value_heads": None,
        "moe_layer_freq": 1,
        "norm_topk_prob": None,
        "n_shared_experts": None,
    }
)
# Fields that cannot change the answer to one input token: labels, training, generation, and the query-key path.
HARMLESS_FIELDS = frozenset(
    {
        "model_type",
        "architectures",
        "dtype",
        "torch_dtype",
        "transformers_version",
        "use_cache",
        "auto_map",
        "_name_or_path",
        "name_or_path",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "unk_token_id",
        "sep_token_id",
        "decoder_start_token_id",
        "max_length",
        "initializer_range",
        "attention_dropout",
        "pretraining_tp",
        "max_position_embeddings",
        "original_max_position_embeddings",
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        "rope_interleave",
        "partial_rotary_factor",
        "sliding_window",
        "use_sliding_window",
        "max_window_layers",
        "qk_head_dim",
        "q_lora_rank",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "id2label",
        "label2id",
        "problem_type",
        "num_labels",
        "is_encoder_decoder",
        "chunk_size_feed_forward",
        "_attn_implementation",
        "attn_implementation",
        "_attn_implementation_autoset",
        "use_mrope",
        "task_specific_params",
        "tokenizer_class",
        "prefix",
        "output_router_logits",
        "router_aux_loss_coef",
        "aux_loss_alpha",
        "seq_aux",
        "ep_size",
        "unsloth_version",
        "unsloth_fixed",
        "num_nextn_predict_layers",
        "num_mtp_layers",
        "quantization_config",
        "compression_config",
        # Labels of exporters, which no model reads.
        "_model_name_or_path",
        "is_llama_config",
        "rope_interleaved",
        "transformers.js_config",
    }
)
READ_FIELDS = frozenset(
    {
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "vocab_size",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "rms_norm_eps",
        "hidden_act",
        "tie_word_embeddings",
        "attention_bias",
        "mlp_bias",
        "layer_types",
    }
)
LATENT_FIELDS = frozenset(
    {
        "kv_lora_rank",
        "qk_rope_head_dim",
        "qk_nope_head_dim",
        "v_head_dim",
        "n_routed_experts",
        "num_experts_per_tok",
        "n_group",
        "topk_group",
        "topk_method",
        "scoring_func",
        "norm_topk_prob",
        "routed_scaling_factor",
        "moe_intermediate_size",
        "n_shared_experts",
        "first_k_dense_replace",
        "moe_layer_freq",
    }
)
_LINEAR = r"(weight|bias)"
_FEED_FORWARD = rf"(gate_proj|up_proj|down_proj)\.{_LINEAR}"
KNOWN_TENSOR = re.compile(
    rf"""(model\.embed_tokens\.weight | model\.norm\.weight | lm_head\.weight | model\.rotary_emb\.inv_freq
    | model\.layers\.(?P<layer>\d+)\.(
        (input|post_attention)_layernorm\.weight
      | self_attn\.([qkvo]_proj|q_a_proj|q_b_proj|kv_a_proj_with_mqa)\.{_LINEAR} | self_attn\.kv_b_proj\.weight
      | self_attn\.(q_norm|k_norm|q_a_layernorm|kv_a_layernorm)\.weight | self_attn\.rotary_emb\.inv_freq
      | mlp\.{_FEED_FORWARD} | mlp\.gate\.(weight|e_score_correction_bias)
      | mlp\.(shared_experts|experts\.\d+)\.{_FEED_FORWARD}))""",
    re.VERBOSE,
)
ANY_LAYER = re.compile(r"model\.layers\.(\d+)\.")
