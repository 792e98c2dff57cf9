"""What a config says about the path one input token takes through a network.

With one input token attention has one key, its weight is 1, and what attention adds is the output projection of the
value: queries, keys, rotary angles, their norms, sliding windows and softmax scales cannot change it. Everything else
must be known exactly. A field, a tensor or a value that is not understood raises `UnsupportedArchitecture`, and the
caller takes another engine: a wrong number is never the answer.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from compressed_code.checkpoints.model_families import (
    ACTIVATIONS,
    ANY_LAYER,
    DEFAULTS,
    FAMILIES,
    HARMLESS_FIELDS,
    KNOWN_TENSOR,
    LATENT_FIELDS,
    READ_FIELDS,
    ModelFamily,
)

# Fields that count layers stored behind the others, which predict tokens after the next one.
_FURTHER_LAYERS = ("num_nextn_predict_layers", "num_mtp_layers")


class UnsupportedArchitecture(Exception):
    """The layer-by-layer engine does not know this model; the message says why."""


@dataclass(frozen=True)
class MLA:
    """Multi-head latent attention: values come out of a compressed state.

    Attributes:
        rank: width of the compressed state.
        rotary: width of the rotary key stored below it; not read.
        key: key rows of each head in kv_b_proj; not read.
    """

    rank: int
    rotary: int
    key: int


@dataclass(frozen=True)
class Experts:
    """Routed and shared experts.

    Attributes:
        count, chosen: number of routed experts, and how many of them the router picks.
        groups, groups_chosen: experts are limited to the best groups; 1 and 1 for no limit.
        scores: "softmax" (a group is as good as its best expert) or "sigmoid" (as its two best, after correction).
        normalize: chosen weights are divided by their sum.
        scale: factor on the weights.
        size: inner width of one expert.
        shared: number of experts every token goes through, stored as one.
        first, every: layer i has experts where i ≥ first and i is a multiple of every.
    """

    count: int
    chosen: int
    groups: int
    groups_chosen: int
    scores: str
    normalize: bool
    scale: float
    size: int
    shared: int
    first: int
    every: int

    def in_layer(self, layer: int) -> bool:
        """Whether a layer has experts in place of one feed-forward network."""
        return layer >= self.first and layer % self.every == 0


@dataclass(frozen=True)
class Architecture:
    """Sizes and options of the path.

    Attributes:
        hidden, intermediate, layers, vocabulary: sizes; vocabulary is the number of rows, padding included.
        heads, num_key_value_heads: attention heads, and distinct values among them.
        value_size: width of one head's value.
        epsilon: of the normalisations.
        activation: name of the feed-forward activation, one of `model_families.ACTIVATIONS`.
        tied: the embedding is the output matrix too.
        value_bias, output_bias, feed_forward_bias: where linear layers have a bias.
        latent, experts: `None` in models without.
        further_layers: how many layers may be stored behind the others, for multi-token prediction; not read.
    """

    hidden: int
    intermediate: int
    layers: int
    vocabulary: int
    heads: int
    num_key_value_heads: int
    value_size: int
    epsilon: float
    activation: str
    tied: bool
    value_bias: bool
    output_bias: bool
    feed_forward_bias: bool
    latent: MLA | None = None
    experts: Experts | None = None
    further_layers: int = 0


def understand(config: Mapping[str, Any]) -> Architecture:
    """The path that a config describes.

    Raises:
        UnsupportedArchitecture: the model_type, a field or a value is not known to the engine.
    """
    model_type = config.get("model_type")
    family = FAMILIES.get(model_type) if isinstance(model_type, str) else None
    if family is None:
        raise UnsupportedArchitecture(f"model_type {model_type!r}")
    known = HARMLESS_FIELDS | READ_FIELDS | (LATENT_FIELDS if family.latent else frozenset())
    unknown = sorted(name for name, value in config.items() if name not in known and value is not None)
    if unknown:
        raise UnsupportedArchitecture(f"config field {unknown[0]}")
    fields = _Fields({**DEFAULTS, **family.defaults}, config)
    if not set(fields.get("layer_types") or ()) <= {"full_attention", "sliding_attention"}:
        raise UnsupportedArchitecture("layer_types other than full and sliding attention")
    if fields.text("hidden_act") not in ACTIVATIONS:
        raise UnsupportedArchitecture(f"activation {fields.text('hidden_act')!r}")
    return _architecture(family, fields)


def require_known_tensors(names: Collection[str], layers: int) -> None:
    """Stop at a tensor of the first `layers` layers or outside of layers that the engine has no place for.

    Raises:
        UnsupportedArchitecture: there is one (an attention sink, a further norm).
    """
    for name in names:
        if not _is_beyond(name, layers) and not KNOWN_TENSOR.fullmatch(name):
            raise UnsupportedArchitecture(f"tensor {name}")


def unannounced_tensor(names: Collection[str], architecture: Architecture) -> str | None:
    """A tensor of a layer that the config does not announce: then either config or weights are another model's."""
    announced = architecture.layers + architecture.further_layers
    return next((name for name in names if _is_beyond(name, announced)), None)


def is_of_further_layer(name: str, config: Mapping[str, Any]) -> bool:
    """Whether a tensor belongs to the layers that a config announces behind the others, for multi-token prediction.

    They take no part in the next token, and transformers has no place for them.
    """
    layers = config.get("num_hidden_layers")
    further = [config[field] for field in _FURTHER_LAYERS if isinstance(config.get(field), int)]
    if not isinstance(layers, int) or not further:
        return False
    return _is_beyond(name, layers) and not _is_beyond(name, layers + max(further))


def _is_beyond(name: str, layers: int) -> bool:
    layer = ANY_LAYER.match(name)
    return layer is not None and int(layer[1]) >= layers


def _architecture(family: ModelFamily, fields: "_Fields") -> Architecture:
    hidden, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
    num_key_value_heads = heads if fields.get("num_key_value_heads") is None else fields.size("num_key_value_heads")
    value_size = hidden // heads if fields.get("head_dim") is None else fields.size("head_dim")
    if family.latent:
        num_key_value_heads, value_size = heads, fields.size("v_head_dim")
    if heads % num_key_value_heads:
        raise UnsupportedArchitecture(f"{heads} heads on {num_key_value_heads} values")
    return Architecture(
        hidden=hidden,
        intermediate=fields.size("intermediate_size"),
        layers=fields.size("num_hidden_layers"),
        vocabulary=fields.size("vocab_size"),
        heads=heads,
        num_key_value_heads=num_key_value_heads,
        value_size=value_size,
        epsilon=fields.number("rms_norm_eps"),
        activation=fields.text("hidden_act"),
        tied=fields.flag("tie_word_embeddings"),
        value_bias=fields.choice(family.value_bias),
        output_bias=fields.choice(family.output_bias),
        feed_forward_bias=fields.choice(family.feed_forward_bias),
        latent=_latent(fields) if family.latent else None,
        experts=_experts(family.scores, fields) if family.scores else None,
        further_layers=max((fields.count(name) for name in _FURTHER_LAYERS if fields.get(name) is not None), default=0),
    )


def _latent(fields: "_Fields") -> MLA:
    return MLA(fields.size("kv_lora_rank"), fields.size("qk_rope_head_dim"), fields.size("qk_nope_head_dim"))


def _experts(scores: str, fields: "_Fields") -> Experts:
    """Both families' routers, as the published models use them."""
    method = fields.get("topk_method") or ("greedy" if scores == "softmax" else "noaux_tc")
    expected = ("greedy", "group_limited_greedy") if scores == "softmax" else ("noaux_tc",)
    if method not in expected or fields.get("scoring_func") not in (None, scores):
        raise UnsupportedArchitecture(f"expert routing {method!r} with {fields.get('scoring_func')!r} scores")
    normalize = fields.get("norm_topk_prob") is not None and fields.flag("norm_topk_prob")
    if scores == "softmax" and normalize:
        raise UnsupportedArchitecture("norm_topk_prob with softmax scores")  # implementations disagree about it
    limited = method != "greedy"
    count = fields.size("n_routed_experts")
    groups = fields.size("n_group") if limited else 1
    groups_chosen = fields.size("topk_group") if limited else 1
    chosen = fields.size("num_experts_per_tok")
    if count % groups or groups_chosen > groups or chosen > groups_chosen * (count // groups):
        raise UnsupportedArchitecture(f"{chosen} of {count} experts in {groups_chosen} of {groups} groups")
    return Experts(
        count=count,
        chosen=chosen,
        groups=groups,
        groups_chosen=groups_chosen,
        scores=scores,
        normalize=normalize,
        scale=fields.number("routed_scaling_factor"),
        size=fields.size("moe_intermediate_size"),
        shared=fields.size("n_shared_experts") if fields.get("n_shared_experts") else 0,
        first=fields.count("first_k_dense_replace"),
        every=fields.size("moe_layer_freq"),
    )


class _Fields:
    """Typed access to a config with defaults; a value of another type is not understood."""

    def __init__(self, defaults: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self._values = {**defaults, **config}

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def count(self, name: str) -> int:
        value = self.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise UnsupportedArchitecture(f"config field {name} = {value!r}")
        return value

    def size(self, name: str) -> int:
        if self.count(name) == 0:
            raise UnsupportedArchitecture(f"config field {name} = 0")
        return self.count(name)

    def number(self, name: str) -> float:
        value = self.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise UnsupportedArchitecture(f"config field {name} = {value!r}")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if not isinstance(value, bool):
            raise UnsupportedArchitecture(f"config field {name} = {value!r}")
        return value

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str):
            raise UnsupportedArchitecture(f"config field {name} = {value!r}")
        return value

    def choice(self, rule: bool | str) -> bool:
        return self.flag(rule) if isinstance(rule, str) else rule
