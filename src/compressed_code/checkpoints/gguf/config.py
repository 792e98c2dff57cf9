"""The metadata of a GGUF file as the config that transformers has for the same model.

All metadata below the architecture's name are read, or known to change nothing, or kept under their full name, which
has a dot: whoever opens the model refuses those, so that nothing is overlooked.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.gguf.families import FAMILIES
from compressed_code.checkpoints.gguf.family import GgufFamily
from compressed_code.checkpoints.gguf.fields import FIELDS, SIZES
from compressed_code.checkpoints.gguf.rotary import rotary_fields
from compressed_code.core.errors import InputError

_IDLE = ("vocab_size", "pooling_type", "tensor_data_layout", "hidden_act", "attention.causal")
# Layers between two with full attention, that one included, where the file does not say it.
_PERIODS = {"gemma2": 2, "gemma3": 6, "gpt-oss": 2, "olmo2": 4}
# Softmax scales that llama.cpp takes from the number of layers (Gemma 27B).
_SCALED_BY_WIDTH = {"gemma2": 46, "gemma3": 62}
_ROTARY_SHARE = ("phi2", "phi3", "stablelm", "glm4", "glm4moe", "chatglm", "gptneox")
# Whose configs say whether attention has biases.
_BIASED = ("llama", "qwen3", "granite", "granitemoe", "deepseek2", "gpt-oss", "chatglm", "glm4", "glm4moe", "smollm3")
# What converters multiply `mscale_all_dim` of YaRN by, where they write it.
_LOG_MULTIPLIERS = {"deepseek2": 0.1, "mistral3": 1.0}
_SOFTMAX, _SIGMOID = 1, 2  # gguf.ExpertGatingFuncType


class GgufConfig:
    """The config of one file, drawn from its metadata and from which tensors there are."""

    def __init__(
        self,
        path: PurePath,
        metadata: Mapping[str, Any],
        tensors: Mapping[str, StoredTensor],
        factors: Mapping[str, Sequence[float]],
    ) -> None:
        """Look which architecture it is.

        Args:
            metadata: all of it.
            tensors: by their names in the file.
            factors: as `rotary.rotary_fields`.

        Raises:
            InputError: the file holds no model, or one of an architecture that is not supported.
        """
        kind = metadata.get("general.type", "model")
        architecture = metadata.get("general.architecture")
        if kind != "model":
            raise InputError(f"{path}: holds a part of a model ({kind}), no model; name the model's own file")
        prefix = f"{architecture}."
        self._own = {name.removeprefix(prefix): value for name, value in metadata.items() if name.startswith(prefix)}
        self.name = "mixtral" if architecture == "llama" and self._own.get("expert_count") else architecture
        if not isinstance(architecture, str) or self.name not in FAMILIES:
            known = ", ".join(sorted(FAMILIES))
            raise InputError(
                f"{path}: GGUF architecture {architecture!r} is not supported ({known} are); use the original model"
            )
        self._path, self._metadata, self._tensors, self._factors = path, metadata, tensors, factors
        self._prefix, self._read = prefix, {*_IDLE}
        self.family: GgufFamily = FAMILIES[self.name]

    def fields(self) -> dict[str, Any]:
        """All fields, the unread metadata last.

        Raises:
            InputError: a value that is not supported, or one that is missing.
        """
        config: dict[str, Any] = {"model_type": self.family.model_type, **self.family.defaults}
        config |= {field: self._size(name) for name, field in SIZES.items() if name in self._own}
        config.setdefault("num_key_value_heads", config.get("num_attention_heads"))
        config |= {field: self._value(name) for name, field in FIELDS.get(self.name, {}).items() if name in self._own}
        config |= self._from_tensors()
        config |= self._epsilon()
        head_size = self._head_size(config)
        config |= self._attention(config, head_size)
        config |= self._positions(head_size)
        config |= self._experts(config)
        config = {self.family.sizes.get(name, name): value for name, value in config.items() if value is not None}
        if self._own.get("attention.causal") is False:
            raise InputError(f"{self._path}: attention looks both ways, so the model writes no text; name another")
        # A token that the file does not name is none: a class's own default would be another model's.
        config |= {
            f"{kind}_token_id": self._metadata.get(f"tokenizer.ggml.{spelling}_token_id")
            for kind, spelling in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))
        }
        unread = {f"{self._prefix}{name}": value for name, value in self._own.items() if name not in self._read}
        return {**config, **unread}

    def _value(self, name: str) -> Any:
        self._read.add(name)
        return self._own.get(name)

    def _one(self, name: str) -> Any:
        """A value that some files give layer by layer."""
        value = self._value(name)
        if isinstance(value, list):
            if len(set(value)) != 1:
                raise InputError(
                    f"{self._path}: {self._prefix}{name} differs between layers, which is not supported"
                    "; use the original model"
                )
            return value[0]
        return value

    def _size(self, name: str) -> int:
        value = self._one(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InputError(
                f"{self._path}: metadata {self._prefix}{name} is {value!r}, no size; fetch or convert it again"
            )
        return value

    def _needed(self, name: str) -> Any:
        if name not in self._own:
            raise InputError(f"{self._path}: metadata {self._prefix}{name} is missing; fetch or convert it again")
        return self._value(name)

    def _has(self, module: str, part: str = "bias") -> bool:
        return f"blk.0.{module}.{part}" in self._tensors

    def _from_tensors(self) -> dict[str, Any]:
        """What the file says by the tensors it has."""
        fields: dict[str, Any] = {"tie_word_embeddings": "output.weight" not in self._tensors}
        if "token_embd.weight" in self._tensors:
            fields["vocab_size"] = self._tensors["token_embd.weight"].shape[0]
        if self.name == "glm4moe":
            fields["use_qk_norm"] = self._has("attn_q_norm", "weight")
        if self.name in _BIASED:
            fields["attention_bias"] = self._has("attn_v") or self._has("attn_output") or self._has("attn_q")
        if self.name in ("llama", "granite", "smollm3"):
            fields["mlp_bias"] = self._has("ffn_down")
        if self.name == "stablelm":
            fields["use_qkv_bias"] = self._has("attn_q")
            self._own.setdefault("use_parallel_residual", not self._has("ffn_norm", "weight"))
        return fields

    def _epsilon(self) -> dict[str, Any]:
        values = [self._value(f"attention.layer_norm_{kind}") for kind in ("rms_epsilon", "epsilon")]
        value = next((value for value in values if value is not None), None)
        return {self.family.epsilon: value} if self.family.epsilon and value is not None else {}

    def _head_size(self, config: Mapping[str, Any]) -> int:
        """Width of one attention head's key, which is its value's, too."""
        if self.name == "deepseek2":
            return self._needed("rope.dimension_count")
        key, value = self._value("attention.key_length"), self._value("attention.value_length")
        if not isinstance(config.get("num_attention_heads"), int) or not isinstance(config.get("hidden_size"), int):
            raise InputError(
                f"{self._path}: metadata for attention.head_count or embedding_length is missing"
                "; fetch or convert it again"
            )
        size = key or value or config["hidden_size"] // config["num_attention_heads"]
        if value is not None and value != size:
            raise InputError(
                f"{self._path}: attention.key_length {key} and value_length {value} differ; not supported"
                ": use the original model"
            )
        return size

    def _attention(self, config: Mapping[str, Any], head_size: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if self.name == "deepseek2":
            return self._latent(head_size)
        if self.name not in ("gpt2", "starcoder", "gptneox", "phi2", "stablelm", "olmo"):
            fields["head_dim"] = head_size
        if self.name == "starcoder":
            fields["multi_query"] = config["num_key_value_heads"] == 1
        if self.name in _SCALED_BY_WIDTH:
            wide = config["num_hidden_layers"] == _SCALED_BY_WIDTH[self.name]
            fields["query_pre_attn_scalar"] = (
                config["hidden_size"] // config["num_attention_heads"] if wide else head_size
            )
        window = self._value("attention.sliding_window") or None
        pattern = self._value("attention.sliding_window_pattern")
        if self.name == "gemma2":
            window = window or 4096
        if self.name in _PERIODS:
            fields["sliding_window"] = window
            fields["layer_types"] = self._layer_types(config["num_hidden_layers"], window, pattern)
            if self.name == "olmo2" and window:
                fields["model_type"] = "olmo3"
        elif self.name in ("phi3", "starcoder2", "mixtral", "llama"):
            if window and self.name == "llama":
                fields["model_type"] = "mistral"
            fields["sliding_window"] = window
        elif window:
            self._read.discard("attention.sliding_window")
        if self.name == "llama" and fields.get("model_type") != "mistral":
            del fields["sliding_window"]
        return fields

    def _layer_types(self, layers: int, window: int | None, pattern: Any) -> list[str]:
        """Which layers see a window only; of a period, all but the last."""
        period = pattern if isinstance(pattern, int) and not isinstance(pattern, bool) else _PERIODS[self.name]
        sliding = pattern if isinstance(pattern, list) else [layer % period < period - 1 for layer in range(layers)]
        if len(sliding) != layers:
            raise InputError(
                f"{self._path}: attention.sliding_window_pattern has {len(sliding)} layers, not {layers}"
                "; fetch or convert it again"
            )
        return ["sliding_attention" if window and slides else "full_attention" for slides in sliding]

    def _latent(self, rotary: int) -> dict[str, Any]:
        """DeepSeek's attention; newer files say the sizes of one head as *_mla, since they store it as one."""
        key, value = self._value("attention.key_length"), self._value("attention.value_length")
        key = self._value("attention.key_length_mla") or key
        value = self._value("attention.value_length_mla") or value
        if not key or not value:
            raise InputError(
                f"{self._path}: metadata for attention.key_length or value_length is missing; fetch or convert it again"
            )
        heads = self._own.get("attention.head_count")
        fields = {"qk_rope_head_dim": rotary, "qk_nope_head_dim": key - rotary, "v_head_dim": value}
        # A class default would be another model's rank.
        return {**fields, "num_key_value_heads": heads, "head_dim": rotary}

    def _positions(self, head_size: int) -> dict[str, Any]:
        multiplier = _LOG_MULTIPLIERS.get(self.name)
        rope, read = rotary_fields(self._path, self._own, self._factors, log_multiplier=multiplier)
        self._read |= read
        rotary = self._value("rope.dimension_count")
        if self.name in ("gpt2", "starcoder"):
            return {}
        if self.name in _ROTARY_SHARE:
            rope["partial_rotary_factor"] = (rotary or head_size) / head_size
        elif rotary not in (None, head_size):
            raise InputError(
                f"{self._path}: rope.dimension_count is {rotary}, but a head has {head_size} values; not supported"
                ": use the original model"
            )
        if self.name == "mistral3":
            if rope["rope_type"] != "yarn":
                raise InputError(f"{self._path}: mistral3 without YaRN is not supported; use the original model")
            rope["llama_4_scaling_beta"] = self._value("attention.temperature_scale") or 0.0
        if self.name == "gpt-oss" and rope["rope_type"] == "yarn":
            rope["truncate"] = False  # as it is published; a GGUF file has no place for it
        local = self._value("rope.freq_base_swa")
        if self.name == "gemma3":
            sliding = {"rope_type": "default", "rope_theta": local or 10000.0}
            return {"rope_parameters": {"full_attention": rope, "sliding_attention": sliding}}
        if local not in (None, rope["rope_theta"]):
            self._read.discard("rope.freq_base_swa")
        return {"rope_parameters": rope}

    def _experts(self, config: Mapping[str, Any]) -> dict[str, Any]:
        if not self._own.get("expert_count"):
            self._read |= {"expert_count", "expert_used_count"}
        gating = self._value("expert_gating_func")
        if self.name == "deepseek2":
            return self._deepseek_experts(config, gating)
        if self.name == "glm4moe":
            return self._glm_experts(config, gating)
        if gating not in (None, 0, _SOFTMAX) and self.name != "gpt-oss":
            self._read.discard("expert_gating_func")
        if self._own.get("expert_weights_scale") in (0, 1):
            self._read.add("expert_weights_scale")
        if "norm_topk_prob" in config and self._own.get("expert_weights_norm") == config["norm_topk_prob"]:
            self._read.add("expert_weights_norm")
        if self.name in ("qwen2moe", "qwen3moe") and "intermediate_size" not in config:
            return {"intermediate_size": config.get("moe_intermediate_size")}
        return {}

    def _glm_experts(self, config: Mapping[str, Any], gating: int | None) -> dict[str, Any]:
        """Scores are sigmoids; layers behind the others predict further tokens and are not read."""
        if gating not in (None, 0, _SIGMOID):
            self._read.discard("expert_gating_func")
        further = self._value("nextn_predict_layers") or 0
        return {
            **{"norm_topk_prob": bool(config.get("norm_topk_prob")), "num_nextn_predict_layers": 0},
            **{"n_group": config.get("n_group", 1), "topk_group": config.get("topk_group", 1)},
            "num_hidden_layers": config["num_hidden_layers"] - further,
        }

    def _deepseek_experts(self, config: Mapping[str, Any], gating: int | None) -> dict[str, Any]:
        """Files of DeepSeek V2 say nothing of scores and take the best experts of all groups."""
        if gating not in (None, 0, _SOFTMAX, _SIGMOID):
            self._read.discard("expert_gating_func")
        sigmoid = gating == _SIGMOID
        groups = {"n_group": config.get("n_group", 1), "topk_group": config.get("topk_group", 1)}
        method = "group_limited_greedy" if groups["n_group"] > 1 else "greedy"
        fields = {"norm_topk_prob": bool(config.get("norm_topk_prob")), **groups, "moe_layer_freq": 1}
        fields["q_lora_rank"] = config.get("q_lora_rank")
        return fields if sigmoid else {**fields, "model_type": "deepseek_v2", "topk_method": method}
