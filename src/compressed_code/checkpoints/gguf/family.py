"""What must be known of an architecture of GGUF files to see them as the Hugging Face models they were made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class GgufFamily:
    """One architecture.

    Attributes:
        model_type: of transformers.
        modules: name in a block ("attn_q") → name in a layer ("self_attn.q_proj").
        layers: what layers are called.
        outside: name of a module outside of blocks → its name there.
        experts: name of one expert's matrix in a layer, with {expert} and {part}; `None` without.
        expert_parts: name of gate, up and down in it.
        permuted: converters laid the halves of a head's rotary pairs side by side in the rows of q and k.
        shifted_norms: converters added 1 to the weights of norms.
        transposed: modules whose matrices are stored the other way round there.
        defaults: fields of the config that the file does not say.
        epsilon: what the config calls the epsilon of its norms.
        sizes: other names for fields of the config ("hidden_size": "n_embd").
    """

    model_type: str
    modules: Mapping[str, str]
    layers: str = "model.layers"
    outside: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType(
            {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
        )
    )
    experts: str | None = None
    expert_parts: tuple[str, str, str] = ("gate_proj", "up_proj", "down_proj")
    permuted: bool = False
    shifted_norms: bool = False
    transposed: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=_empty)
    epsilon: str = "rms_norm_eps"
    sizes: Mapping[str, str] = field(default_factory=_empty)
