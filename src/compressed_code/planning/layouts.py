"""Which tensors a published checkpoint holds, from the fields of its configuration alone.

Names and shapes are those of the files that the makers publish: experts one by one, and the layers that DeepSeek-V3
stores behind the others to predict tokens after the next one.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import kept_while_unchanged, read_yaml

LAYOUTS_FILE = DATA / "layouts.yml"

_LATENT = "kv_lora_rank"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One weight.

    Attributes:
        role: its name within its layer ("self_attn.q_proj.weight"), or its whole name.
        shape: outermost dimension first.
        layer: of which layer it is; `None` outside of them.
    """

    role: str
    shape: tuple[int, ...]
    layer: int | None = None

    @property
    def name(self) -> str:
        """As published checkpoints spell it."""
        return self.role if self.layer is None else f"model.layers.{self.layer}.{self.role}"

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Layout:
    """How a family of equally built checkpoints is built.

    Attributes:
        key: its name in data/layouts.yml.
        config: what config.json says of it.
    """

    key: str
    config: Mapping[str, Any]

    def tensors(self) -> Iterator[Tensor]:
        """All weights, in the order of the layers."""
        config = self.config
        hidden, vocabulary, layers = config["hidden_size"], config["vocab_size"], config["num_hidden_layers"]
        yield Tensor("model.embed_tokens.weight", (vocabulary, hidden))
        for layer in range(layers + config.get("num_nextn_predict_layers", 0)):
            for name, shape in self._layer(layer, further=layer >= layers):
                yield Tensor(name, shape, layer)
        yield Tensor("model.norm.weight", (hidden,))
        if not config["tie_word_embeddings"]:
            yield Tensor("lm_head.weight", (vocabulary, hidden))

    @property
    def parameters(self) -> int:
        """Number of weights of the model itself, without layers that predict tokens after the next one."""
        return sum(tensor.count for tensor in self.tensors() if self.holds(tensor))

    def holds(self, tensor: Tensor) -> bool:
        """Whether a tensor is of the model itself, not of a layer stored behind its own."""
        return tensor.layer is None or tensor.layer < self.config["num_hidden_layers"]

    def _layer(self, layer: int, *, further: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
        config = self.config
        hidden = config["hidden_size"]
        yield from self._latent() if _LATENT in config else self._attention()
        if "n_routed_experts" in config and layer >= config["first_k_dense_replace"]:
            yield from self._experts()
        else:
            yield from _feed_forward("mlp", hidden, config["intermediate_size"])
        yield "input_layernorm.weight", (hidden,)
        yield "post_attention_layernorm.weight", (hidden,)
        if further:
            yield "enorm.weight", (hidden,)
            yield "hnorm.weight", (hidden,)
            yield "eh_proj.weight", (hidden, 2 * hidden)
            yield "embed_tokens.weight", (config["vocab_size"], hidden)
            yield "shared_head.norm.weight", (hidden,)
            yield "shared_head.head.weight", (config["vocab_size"], hidden)

    def _attention(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        config = self.config
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        size = hidden // heads
        widths = {"q": heads * size, "k": config["num_key_value_heads"] * size}
        widths["v"] = widths["k"]
        for part, width in widths.items():
            yield f"self_attn.{part}_proj.weight", (width, hidden)
            if config["model_type"] == "qwen2":
                yield f"self_attn.{part}_proj.bias", (width,)
        yield "self_attn.o_proj.weight", (hidden, heads * size)

    def _latent(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        config = self.config
        hidden, heads, value = config["hidden_size"], config["num_attention_heads"], config["v_head_dim"]
        key, rotary = config["qk_nope_head_dim"], config["qk_rope_head_dim"]
        query_rank, rank = config["q_lora_rank"], config[_LATENT]
        yield "self_attn.q_a_proj.weight", (query_rank, hidden)
        yield "self_attn.q_a_layernorm.weight", (query_rank,)
        yield "self_attn.q_b_proj.weight", (heads * (key + rotary), query_rank)
        yield "self_attn.kv_a_proj_with_mqa.weight", (rank + rotary, hidden)
        yield "self_attn.kv_a_layernorm.weight", (rank,)
        yield "self_attn.kv_b_proj.weight", (heads * (key + value), rank)
        yield "self_attn.o_proj.weight", (hidden, heads * value)

    def _experts(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        config = self.config
        hidden, size, count = config["hidden_size"], config["moe_intermediate_size"], config["n_routed_experts"]
        yield "mlp.gate.weight", (count, hidden)
        if config["topk_method"] == "noaux_tc":
            yield "mlp.gate.e_score_correction_bias", (count,)
        for expert in range(count):
            yield from _feed_forward(f"mlp.experts.{expert}", hidden, size)
        yield from _feed_forward("mlp.shared_experts", hidden, size * config["n_shared_experts"])


def load_layouts(path: Path = LAYOUTS_FILE) -> Mapping[str, Layout]:
    """The rows of data/layouts.yml, by name.

    Raises:
        InputError: the file is missing or broken, or a row lacks a field that decides its tensors.

    Example:
        >>> load_layouts()["qwen2.5-7b"].parameters
        7615616512
    """
    return kept_while_unchanged(_read, path)


def _read(path: Path) -> Mapping[str, Layout]:
    layouts = {key: Layout(key, config) for key, config in read_yaml(path).items()}
    for key, layout in layouts.items():
        try:
            next(iter(layout.tensors()))
            list(layout._layer(0, further=False))
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: {key}: lacks {error}, which decides its tensors") from None
    return layouts


def _feed_forward(module: str, hidden: int, size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{module}.gate_proj.weight", (size, hidden)
    yield f"{module}.up_proj.weight", (size, hidden)
    yield f"{module}.down_proj.weight", (hidden, size)
