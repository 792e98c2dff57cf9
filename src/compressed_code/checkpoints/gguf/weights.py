"""The tensors of a GGUF file as the weights of the Hugging Face checkpoint that it was made from."""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from compressed_code.checkpoints.files.gguf_files import GgufFiles
from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.gguf.config import GgufConfig
from compressed_code.checkpoints.matrices.arranged import (
    Alternating,
    Assembled,
    Reshaped,
    Shifted,
    Transposed,
    chosen_rows,
    one_after_the_other,
)
from compressed_code.checkpoints.matrices.gguf import GgufMatrix
from compressed_code.checkpoints.matrices.matrix import FLOAT_KINDS, FloatMatrix, Matrix, read_vector
from compressed_code.core.errors import InputError

_BLOCK = re.compile(r"blk\.(?P<layer>\d+)\.(?P<module>\w+?)(?:\.(?P<expert>\d+))?\.(?P<part>weight|bias)")
_STACKED = re.compile(r"ffn_(gate|up|down)_exps")
_PARTS = ("gate", "up", "down")
_FACTORS = {"rope_freqs.weight": "freqs", "rope_factors_short.weight": "short", "rope_factors_long.weight": "long"}


@dataclass(frozen=True)
class _Entry:
    """One weight: the tensor to name, how many numbers it has, and how it is had."""

    tensor: StoredTensor
    count: int
    matrix: Callable[[], Matrix]


class GgufWeights:
    """The weights of one file, or of a file in parts.

    Attributes:
        config: what config.json would say.
    """

    def __init__(self, files: GgufFiles) -> None:
        """Look at the header.

        Raises:
            InputError: an architecture, or a part of its metadata, that is not supported.
        """
        self._files = files
        tensors = {name: files.find(name) for name in files.names}
        factors = {kind: read_vector(tensors[name]).tolist() for name, kind in _FACTORS.items() if name in tensors}
        drawn = GgufConfig(files.path, files.metadata, tensors, factors)
        self._name, self._family, self._tensors = drawn.name, drawn.family, tensors
        self.config: Mapping[str, Any] = drawn.fields()

    @property
    def names(self) -> Collection[str]:
        """Names of all weights, as the checkpoint spells them; a tensor without a place keeps its own."""
        return self._entries.keys()

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far, the header included."""
        return self._files.bytes_read

    @property
    def stored_bytes(self) -> int:
        """Bytes of all tensors, as they are stored."""
        return sum(tensor.length for tensor in self._tensors.values())

    def codes(self, name: str) -> StoredTensor:
        """Where the numbers of a weight lie, or the first of them.

        Raises:
            InputError: there is none of this name.
        """
        return self._entry(name).tensor

    def count(self, name: str) -> int:
        """How many numbers a weight has."""
        return self._entry(name).count

    def matrix(self, name: str) -> Matrix:
        """A weight, to be decoded.

        Raises:
            InputError: there is none of this name, or its type cannot be decoded.
        """
        return self._entry(name).matrix()

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            raise InputError(f"{self._files.path}: tensor {name} is missing; fetch or convert the file again")
        return self._entries[name]

    @cached_property
    def _entries(self) -> dict[str, _Entry]:
        entries = {}
        for name, tensor in self._tensors.items():
            if name not in _FACTORS and not self._is_prediction(name):
                entries |= dict(self._weights_of(name, tensor))
        return entries

    def _is_prediction(self, name: str) -> bool:
        """Whether a tensor belongs to the layers behind the others that predict further tokens, which are not read."""
        block = re.match(r"blk\.(\d+)\.", name)
        layers = self.config.get("num_hidden_layers")
        return self._name == "glm4moe" and block is not None and int(block[1]) >= layers

    def _weights_of(self, name: str, tensor: StoredTensor) -> Iterator[tuple[str, _Entry]]:
        """The weights that a tensor holds, or begins."""
        block = _BLOCK.fullmatch(name)
        if block is None:
            module, _, part = name.rpartition(".")
            outside = self._family.outside.get(module)
            yield (f"{outside}.{part}" if outside else name), self._plain(module, tensor)
            return
        layer, module, part = f"{self._family.layers}.{block['layer']}", block["module"], block["part"]
        if block["expert"]:
            yield from self._single_expert(layer, block, name, tensor)
        elif self._name == "granitemoe" and module in ("ffn_gate_exps", "ffn_up_exps"):
            yield from self._granite(layer, block, tensor)
        elif self._name == "gpt-oss" and module in ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps", "attn_sinks"):
            yield from self._gpt_oss(layer, block, tensor)
        elif _STACKED.fullmatch(module) and self._family.experts and part == "weight":
            yield from self._stacked(layer, _PARTS.index(module.split("_")[1]), tensor)
        elif module == "ffn_gate_up_exps" and self._family.experts and part == "weight":
            half = tensor.shape[1] // 2
            yield from self._stacked(layer, 0, tensor, range(half))
            yield from self._stacked(layer, 1, tensor, range(half, 2 * half))
        elif module == "attn_qkv" and module not in self._family.modules and "attn_q" in self._family.modules:
            yield from self._split_attention(layer, part, tensor)
        elif module in ("attn_k_b", "attn_v_b") and self._name == "deepseek2":
            yield from self._latent(layer, block, tensor)
        elif module == "exp_probs_b" and self._name in ("deepseek2", "glm4moe"):
            yield f"{layer}.mlp.gate.e_score_correction_bias", self._plain(module, tensor)
        elif module in self._family.modules:
            yield f"{layer}.{self._family.modules[module]}.{part}", self._plain(module, tensor)
        else:
            yield name, self._plain(module, tensor)

    def _plain(self, module: str, tensor: StoredTensor) -> _Entry:
        """One tensor as one weight, its rows in the order of the checkpoint."""

        def matrix() -> Matrix:
            stored = _open(tensor)
            if self._family.permuted and module in ("attn_q", "attn_k"):
                return self._unpermuted(stored, module)
            if self._name == "gptneox" and module == "attn_qkv":
                return self._by_head(stored)
            if self._family.shifted_norms and module.endswith("norm"):
                return Shifted(stored, 1)
            if module in self._family.transposed and len(tensor.shape) == 2:
                return Transposed(stored)
            if module == "ffn_gate_inp_shexp" and len(tensor.shape) == 1:
                return Reshaped(stored, (1, tensor.shape[0]))
            return stored

        return _Entry(tensor, math.prod(tensor.shape), matrix)

    def _unpermuted(self, matrix: Matrix, module: str) -> Matrix:
        """Rows of q or k as the original model has them: the two halves of a head's rotary pairs apart.

        Converters lay them side by side (llama.cpp, conversion/llama.py, `permute`).
        """
        heads = self.config["num_attention_heads" if module == "attn_q" else "num_key_value_heads"]
        return _in_rows(matrix, lambda rows: rows.reshape(heads, -1, 2).swapaxes(1, 2).reshape(-1))

    def _by_head(self, matrix: Matrix) -> Matrix:
        """GPT-NeoX keeps query, key and value of a head together; converters put all queries first."""
        heads = self.config["num_attention_heads"]
        return _in_rows(matrix, lambda rows: rows.reshape(3, heads, -1).swapaxes(0, 1).reshape(-1))

    def _stacked(
        self, layer: str, part: int, tensor: StoredTensor, rows: range | None = None
    ) -> Iterator[tuple[str, _Entry]]:
        """One matrix for each expert out of [experts, rows, columns]; `rows` of each where it holds more."""
        if len(tensor.shape) != 3:
            raise InputError(
                f"{tensor}: shape {list(tensor.shape)}, but experts have three dimensions"
                "; fetch or convert the file again"
            )
        count, height, columns = tensor.shape
        taken = np.asarray(rows if rows is not None else range(height))
        for expert in range(count):
            name = self._family.experts.format(expert=expert, part=self._family.expert_parts[part])
            chosen = taken + expert * height
            yield (
                f"{layer}.{name}.weight",
                _Entry(tensor, len(taken) * columns, lambda chosen=chosen: chosen_rows(_open(tensor), chosen)),
            )

    def _single_expert(
        self, layer: str, block: re.Match, name: str, tensor: StoredTensor
    ) -> Iterator[tuple[str, _Entry]]:
        """Files of 2023 hold each expert's matrices apart."""
        kind = block["module"].removeprefix("ffn_")
        if self._family.experts is None or kind not in _PARTS:
            yield name, self._plain(block["module"], tensor)
            return
        part = self._family.expert_parts[_PARTS.index(kind)]
        expert = self._family.experts.format(expert=block["expert"], part=part)
        yield f"{layer}.{expert}.{block['part']}", self._plain("", tensor)

    def _split_attention(self, layer: str, part: str, tensor: StoredTensor) -> Iterator[tuple[str, _Entry]]:
        """Queries, keys and values that were put below each other."""
        size = self.config.get("head_dim") or self.config["hidden_size"] // self.config["num_attention_heads"]
        queries, keys = (self.config[f"num_{kind}_heads"] * size for kind in ("attention", "key_value"))
        ends = np.cumsum([0, queries, keys, keys])
        columns = tensor.shape[1] if len(tensor.shape) == 2 else 1
        for module, first, last in zip(("attn_q", "attn_k", "attn_v"), ends, ends[1:], strict=False):

            def matrix(module: str = module, first: int = first, last: int = last) -> Matrix:
                stored = _in_rows(_open(tensor), lambda rows: rows[first:last])
                permuted = self._family.permuted and module != "attn_v"
                return self._unpermuted(stored, module) if permuted else stored

            yield (
                f"{layer}.{self._family.modules[module]}.{part}",
                _Entry(tensor, int(last - first) * columns, matrix),
            )

    def _latent(self, layer: str, block: re.Match, tensor: StoredTensor) -> Iterator[tuple[str, _Entry]]:
        """kv_b_proj out of its two halves: [heads, rank, key], turned, and [heads, value, rank]."""
        other = self._tensors.get(f"blk.{block['layer']}.attn_v_b.weight")
        if block["module"] == "attn_v_b":
            return
        if other is None:
            raise InputError(f"{tensor}: attn_v_b is missing beside it; fetch or convert the file again")
        heads, rank, key = tensor.shape
        value = other.shape[1]

        def matrix() -> Matrix:
            both = [Transposed(_open(tensor)), _open(other)]
            order = [
                np.concatenate([head * key + np.arange(key), heads * key + head * value + np.arange(value)])
                for head in range(heads)
            ]
            return chosen_rows(one_after_the_other(both), np.concatenate(order))

        yield f"{layer}.self_attn.kv_b_proj.weight", _Entry(tensor, heads * (key + value) * rank, matrix)

    def _granite(self, layer: str, block: re.Match, tensor: StoredTensor) -> Iterator[tuple[str, _Entry]]:
        """Granite keeps gate and up of all experts in one parameter, of each expert one below the other."""
        if block["module"] == "ffn_up_exps":
            return
        up = self._tensors.get(f"blk.{block['layer']}.ffn_up_exps.weight")
        if up is None or up.shape != tensor.shape or len(tensor.shape) != 3:
            raise InputError(f"{tensor}: ffn_up_exps is missing beside it; fetch or convert the file again")
        experts, height, columns = tensor.shape

        def matrix() -> Matrix:
            rows = np.arange(experts * height).reshape(experts, 1, height).repeat(2, axis=1).reshape(-1)
            sources = np.tile(np.repeat([0, 1], height), experts)
            return Assembled([_open(tensor), _open(up)], rows, sources, (experts, 2 * height, columns))

        yield f"{layer}.block_sparse_moe.input_linear.weight", _Entry(tensor, 2 * math.prod(tensor.shape), matrix)

    def _gpt_oss(self, layer: str, block: re.Match, tensor: StoredTensor) -> Iterator[tuple[str, _Entry]]:
        """gpt-oss keeps all experts in one parameter, input by output, gate and up in turns."""
        module, part = block["module"], block["part"]
        if module == "attn_sinks":
            yield f"{layer}.self_attn.sinks", self._plain(module, tensor)
        elif module == "ffn_down_exps":
            turn = (lambda: Transposed(_open(tensor))) if part == "weight" else lambda: _open(tensor)
            yield f"{layer}.mlp.experts.down_proj{_bias(part)}", _Entry(tensor, math.prod(tensor.shape), turn)
        elif module == "ffn_gate_exps":
            up = self._tensors.get(f"blk.{block['layer']}.ffn_up_exps.{part}")
            if up is None or up.shape != tensor.shape:
                raise InputError(f"{tensor}: ffn_up_exps is missing beside it; fetch or convert the file again")

            def matrix() -> Matrix:
                pair = [_open(tensor), _open(up)]
                return Alternating(*(map(Transposed, pair) if part == "weight" else pair))

            yield f"{layer}.mlp.experts.gate_up_proj{_bias(part)}", _Entry(tensor, 2 * math.prod(tensor.shape), matrix)


def _bias(part: str) -> str:
    return "_bias" if part == "bias" else ""


def _open(tensor: StoredTensor) -> Matrix:
    return FloatMatrix(tensor) if tensor.kind in FLOAT_KINDS else GgufMatrix(tensor)


def _in_rows(matrix: Matrix, order: Callable[[np.ndarray], np.ndarray]) -> Matrix:
    """A matrix with its rows, or a vector with its numbers, in another order."""
    if len(matrix.dimensions) == 1:
        column = Transposed(Reshaped(matrix, (1, matrix.dimensions[0])))
        chosen = order(np.arange(matrix.dimensions[0]))
        return Reshaped(Transposed(chosen_rows(column, chosen)), (len(chosen),))
    return chosen_rows(matrix, order(np.arange(matrix.shape[0])))
