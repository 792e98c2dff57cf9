"""One token's way through a network, layer by layer, matrices staying on disk.

The embedding's row; per layer the value and output projections and the feed-forward network; the output matrix. Queries
and keys cannot change the result (see `architectures`) and are not read. All arithmetic is float32, or float64 with the
weights that float32 decodes.
"""

import math

import numpy as np

from compressed_code.checkpoints.architectures import (
    Architecture,
    Experts,
    UnsupportedArchitecture,
    require_known_tensors,
    unannounced_tensor,
)
from compressed_code.checkpoints.checkpoint import Checkpoint
from compressed_code.core.errors import InputError
from compressed_code.models.precision import Precision

# The norm of DeepSeek's compressed state keeps this default, whatever rms_norm_eps says.
LATENT_NORM_EPSILON = 1e-6
FEED_FORWARD = ("gate_proj", "up_proj", "down_proj")
# What a layer needs from disk in any case; a model has some of these.
FETCHED_AHEAD = (
    *("input_layernorm", "post_attention_layernorm", "self_attn.kv_a_layernorm"),
    *(f"self_attn.{module}" for module in ("kv_a_proj_with_mqa", "kv_b_proj", "v_proj", "o_proj")),
    "mlp.gate",
    *(f"mlp.{part}{module}" for part in ("", "shared_experts.") for module in FEED_FORWARD),
)


class FirstToken:
    """One token's way through a checkpoint; vectors only, matrices stay on disk."""

    def __init__(self, checkpoint: Checkpoint, architecture: Architecture, precision: Precision = "float32") -> None:
        """Check that every tensor is understood.

        Raises:
            UnsupportedArchitecture: one is not.
            InputError: one belongs to a layer that the config does not announce.
        """
        extra = unannounced_tensor(checkpoint.names, architecture)
        if extra is not None:
            raise InputError(
                f"{checkpoint.path}: tensor {extra} lies beyond the {architecture.layers} layers that the config"
                " announces; fetch config and weights of one model, or correct num_hidden_layers"
            )
        require_known_tensors(checkpoint.names, architecture.layers)
        self._checkpoint, self._sizes, self._dtype = checkpoint, architecture, np.dtype(precision)
        # A head that is stored is the head, as in transformers, whatever the config says of tied weights.
        tied = architecture.tied and "lm_head.weight" not in checkpoint.names
        self._head = "model.embed_tokens" if tied else "lm_head"

    def logits(self, token: int) -> np.ndarray:
        """[vocabulary rows] in the precision of the arithmetic."""
        sizes = self._sizes
        embedding = (sizes.vocabulary, sizes.hidden)
        state = self._checkpoint.row("model.embed_tokens", token, embedding).astype(self._dtype, copy=False)
        self._prefetch(0)
        for layer in range(sizes.layers):
            name = f"model.layers.{layer}"
            self._prefetch(layer + 1)
            state = state + self._attention(name, self._normalized(f"{name}.input_layernorm", state))
            state = state + self._feed_forward(layer, self._normalized(f"{name}.post_attention_layernorm", state))
        return self._checkpoint.product(self._head, self._normalized("model.norm", state), embedding)

    def _prefetch(self, layer: int) -> None:
        """Have a layer fetched from disk while the one before is computed, or the output matrix after the last."""
        if layer == self._sizes.layers:
            self._checkpoint.prefetch("model.norm")
            self._checkpoint.prefetch(self._head)
            return
        for module in FETCHED_AHEAD:
            self._checkpoint.prefetch(f"model.layers.{layer}.{module}")

    def _attention(self, layer: str, state: np.ndarray) -> np.ndarray:
        """Attention over one key: the output projection of the values, each repeated for the heads that share it."""
        sizes, name = self._sizes, f"{layer}.self_attn"
        values = self._latent_values(name, state) if sizes.latent else self._values(name, state)
        by_head = values.reshape(sizes.num_key_value_heads, sizes.value_size)
        by_head = np.repeat(by_head, sizes.heads // sizes.num_key_value_heads, axis=0)
        return self._linear(f"{name}.o_proj", by_head.reshape(-1), sizes.hidden, sizes.output_bias)

    def _values(self, name: str, state: np.ndarray) -> np.ndarray:
        sizes = self._sizes
        return self._linear(f"{name}.v_proj", state, sizes.num_key_value_heads * sizes.value_size, sizes.value_bias)

    def _latent_values(self, name: str, state: np.ndarray) -> np.ndarray:
        """Values of multi-head latent attention: compress, normalise, expand; rows that make keys are not read."""
        sizes, latent = self._sizes, self._sizes.latent
        width = latent.rank + latent.rotary
        down = f"{name}.kv_a_proj_with_mqa"
        compressed = self._checkpoint.product(down, state, (width, sizes.hidden), [(0, latent.rank)])
        bias = self._bias(down, width, sizes.value_bias)
        if bias is not None:
            compressed = compressed + bias[: latent.rank]
        compressed = self._normalized(f"{name}.kv_a_layernorm", compressed, LATENT_NORM_EPSILON)
        step = latent.key + sizes.value_size
        value_rows = [(head * step + latent.key, (head + 1) * step) for head in range(sizes.heads)]
        return self._checkpoint.product(f"{name}.kv_b_proj", compressed, (sizes.heads * step, latent.rank), value_rows)

    def _feed_forward(self, layer: int, state: np.ndarray) -> np.ndarray:
        sizes, name = self._sizes, f"model.layers.{layer}.mlp"
        if sizes.experts is None or not sizes.experts.in_layer(layer):
            return self._gated(name, state, sizes.intermediate)
        return self._mixture(name, sizes.experts, state)

    def _mixture(self, name: str, experts: Experts, state: np.ndarray) -> np.ndarray:
        """Shared experts plus the routed ones the router picks; no other is read."""
        scores = self._checkpoint.product(f"{name}.gate", state, (experts.count, self._sizes.hidden))
        correction = 0.0
        if experts.scores == "sigmoid":
            correction = self._checkpoint.vector(f"{name}.gate.e_score_correction_bias", experts.count)
        result = np.zeros_like(state)
        if experts.shared:
            result += self._gated(f"{name}.shared_experts", state, experts.shared * experts.size)
        chosen, weights = route(experts, scores, correction)
        for expert in chosen:
            for module in FEED_FORWARD:
                self._checkpoint.prefetch(f"{name}.experts.{expert}.{module}")
        for expert, weight in zip(chosen, weights, strict=True):
            result += weight * self._gated(f"{name}.experts.{expert}", state, experts.size)
        return result

    def _gated(self, name: str, state: np.ndarray, inner: int) -> np.ndarray:
        bias, hidden = self._sizes.feed_forward_bias, self._sizes.hidden
        gate = activate(self._sizes.activation, self._linear(f"{name}.gate_proj", state, inner, bias))
        return self._linear(
            f"{name}.down_proj", gate * self._linear(f"{name}.up_proj", state, inner, bias), hidden, bias
        )

    def _linear(self, name: str, state: np.ndarray, rows: int, bias: bool) -> np.ndarray:
        result = self._checkpoint.product(name, state, (rows, len(state)))
        added = self._bias(name, rows, bias)
        return result if added is None else result + added

    def _bias(self, name: str, rows: int, announced: bool) -> np.ndarray | None:
        """A module's bias. Quantizers store zeros where the config announces no bias; other numbers are a riddle."""
        if not announced and f"{name}.bias" not in self._checkpoint.names:
            return None
        values = self._checkpoint.vector(f"{name}.bias", rows)
        if not announced and values.any():
            raise UnsupportedArchitecture(f"tensor {name}.bias, which the config does not announce")
        return values

    def _normalized(self, name: str, state: np.ndarray, epsilon: float | None = None) -> np.ndarray:
        """Root-mean-square normalisation."""
        weight = self._checkpoint.vector(f"{name}.weight", len(state))
        mean_square = np.mean(np.square(state), dtype=self._dtype)
        return weight * (state / np.sqrt(mean_square + self._dtype.type(epsilon or self._sizes.epsilon)))


def route(experts: Experts, logits: np.ndarray, correction: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """The experts a router picks, and their weights.

    Args:
        experts: how it picks.
        logits: [experts] router output.
        correction: added to sigmoid scores for the choice, not for the weights.

    Returns:
        Numbers of the chosen experts in increasing order, and their weights in the precision of the logits.
    """
    if experts.scores == "softmax":
        scores = np.exp(log_softmax(logits))
        preference, best_of_group, excluded = scores, 1, 0.0
    else:
        scores = _sigmoid(logits)
        preference, best_of_group, excluded = scores + correction, 2, -np.inf
    by_group = np.sort(preference.reshape(experts.groups, -1), axis=1)[:, -best_of_group:].sum(axis=1)
    allowed = np.zeros(experts.groups, bool)
    allowed[np.argsort(-by_group, kind="stable")[: experts.groups_chosen]] = True
    preference = np.where(np.repeat(allowed, experts.count // experts.groups), preference, excluded)
    chosen = np.sort(np.argsort(-preference, kind="stable")[: experts.chosen])
    weights = scores[chosen]
    if experts.normalize:
        weights = weights / (weights.sum() + logits.dtype.type(1e-20))
    return chosen, (weights * logits.dtype.type(experts.scale)).astype(logits.dtype)


def activate(name: str, state: np.ndarray) -> np.ndarray:
    """A feed-forward activation, one of `model_families.ACTIVATIONS`."""
    if name == "silu":
        return state * _sigmoid(state)
    if name == "relu":
        return np.maximum(state, 0)
    inner = math.sqrt(2 / math.pi) * (state + 0.044715 * state**3)
    return 0.5 * state * (1 + np.tanh(inner))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithm of the softmax, summed in float64, in the precision of the logits.

    The largest entry's own 1 is left out of the sum: of a nearly certain token all digits are kept.
    """
    shifted = logits.astype(np.float64) - logits.max()
    others = np.exp(shifted)
    others[shifted.argmax()] = 0
    return (shifted - np.log1p(others.sum())).astype(logits.dtype)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # exp overflows to infinity, and 1 / infinity is the right 0
        return 1 / (1 + np.exp(-values))
