"""Tensors in a GGUF file, under the names Hugging Face models use, and the config its metadata stands for.

Layout (GGUF specification, version 2 and 3, little-endian): magic, version, counts, typed metadata, one record per
tensor, then the data, aligned. The header is read here because a tokenizer of 150,000 entries only has to be stepped
over; the numbers in the blocks are decoded by the `gguf` package.
Converters permute the rows of Q and K of Llama models; nothing here reads those two.
"""

import math
import re
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

from compressed_code.checkpoints.files.mapped_file import MappedFile
from compressed_code.checkpoints.files.stored import StoredTensor, TensorFile
from compressed_code.core.errors import InputError

# Metadata value types of the specification that have a fixed size, as struct spells them.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST_KEPT_ARRAY = 1024
# The header's length stands nowhere: so many bytes of it are announced at a time, and so many are read at a time.
HEADER_STEP = 1 << 20
BUFFER = 1 << 12
_TENSOR_COUNT = slice(8, 16)  # after magic and version

MODULES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTSIDE_LAYERS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
    "rope_freqs.weight": "model.rotary_emb.inv_freq",
}
# Metadata below the architecture's name → field of config.json.
FIELDS = {
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.value_length": "head_dim",
}
# Metadata that cannot change the answer to one input token.
HARMLESS = ("context_length", "vocab_size", "attention.key_length", "attention.sliding_window")


class GgufFiles:
    """One GGUF file."""

    def __init__(self, source: Path | TensorFile) -> None:
        """Read the header.

        Args:
            source: a file on disk, or one that is open.

        Raises:
            InputError: no GGUF file of a known version, or it is truncated.
        """
        self._file = MappedFile(source) if isinstance(source, Path) else source
        self.path = self._file.path
        try:
            self.metadata, self._tensors, self._metadata_end, self._header_length = _read_header(self._file)
        except (struct.error, UnicodeDecodeError, ValueError, KeyError) as error:
            raise InputError(
                f"{self.path}: truncated or broken GGUF header ({error}); fetch or write it again"
            ) from None

    @property
    def names(self) -> Collection[str]:
        """Names of all tensors, the Hugging Face name where there is one."""
        return self._tensors.keys()

    @property
    def bytes_read(self) -> int:
        """Bytes asked for so far, the header included."""
        return self._file.bytes_read

    def find(self, name: str) -> StoredTensor:
        """Where a tensor lies, by its Hugging Face name.

        Raises:
            InputError: there is none.
        """
        if name not in self._tensors:
            raise InputError(f"{self.path}: tensor {name} is missing")
        if self._header_length:  # kept until now, since somebody might have wanted the tokenizer in it
            self._file.release(0, self._header_length)
            self._header_length = 0
        return self._tensors[name]

    def without_tensors(self) -> bytes:
        """A GGUF file of the metadata alone, the tokenizer included; llama.cpp calls such a file "vocab only"."""
        head = self._file.view(0, self._metadata_end).tobytes()
        return head[: _TENSOR_COUNT.start] + bytes(8) + head[_TENSOR_COUNT.stop :]

    def _has_bias(self, module: str) -> bool:
        return f"model.layers.0.{module}.bias" in self._tensors

    def config(self) -> dict[str, Any]:
        """What config.json would say, as far as the metadata knows; other metadata below the architecture's name
        is kept under its own name, so that nobody overlooks it."""
        model_type = self.metadata.get("general.architecture")
        config = {"model_type": model_type, "hidden_act": "silu"}
        for name, value in self.metadata.items():
            field = name.removeprefix(f"{model_type}.")
            if field != name and not field.startswith("rope.") and field not in HARMLESS:
                config[FIELDS.get(field, field)] = value
        if "model.embed_tokens.weight" in self._tensors:
            config["vocab_size"] = self._tensors["model.embed_tokens.weight"].shape[0]
        if config.get("head_dim") is None and "hidden_size" in config and "num_attention_heads" in config:
            config["head_dim"] = config["hidden_size"] // config["num_attention_heads"]
        config.setdefault("num_key_value_heads", config.get("num_attention_heads"))
        config["tie_word_embeddings"] = "lm_head.weight" not in self._tensors
        config["attention_bias"] = self._has_bias("self_attn.v_proj") or self._has_bias("self_attn.o_proj")
        config["mlp_bias"] = self._has_bias("mlp.down_proj")
        return config


def hugging_face_name(name: str) -> str:
    """The Hugging Face name of a GGUF tensor; its own name where none is known."""
    match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name)
    if match and match[2] in MODULES:
        return f"model.layers.{match[1]}.{MODULES[match[2]]}.{match[3]}"
    return OUTSIDE_LAYERS.get(name, name)


def _read_header(file: TensorFile) -> tuple[dict[str, Any], dict[str, StoredTensor], int, int]:
    """Metadata, tensors by their Hugging Face names, where the metadata ends, and where the tensors' data begins."""
    cursor = _Cursor(file)
    if cursor.take(4) != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    version, tensor_count, metadata_count = cursor.numbers("IQQ")
    if version not in (2, 3):
        raise ValueError(f"version {version}; 2 and 3 are supported")
    metadata = {cursor.text(): cursor.value(cursor.numbers("I")[0]) for _ in range(metadata_count)}
    metadata_end = cursor.position
    records = [_tensor_record(cursor) for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", 32)
    data = math.ceil(cursor.position / alignment) * alignment
    tensors = [_stored(file, data, *record) for record in records]
    return metadata, {hugging_face_name(tensor.name): tensor for tensor in tensors}, metadata_end, data


def _tensor_record(cursor: "_Cursor") -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.text()
    dimensions = cursor.numbers("I")[0]
    shape = cursor.numbers("Q" * dimensions)
    kind, offset = cursor.numbers("IQ")
    return name, tuple(reversed(shape)), kind, offset


def _stored(
    file: TensorFile, data: int, name: str, shape: tuple[int, ...], kind_number: int, offset: int
) -> StoredTensor:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    kind = GGMLQuantizationType(kind_number)
    block_elements, block_bytes = GGML_QUANT_SIZES[kind]
    length = math.prod(shape) // block_elements * block_bytes
    tensor = StoredTensor(name, file, kind.name, shape, data + offset, length)
    if tensor.offset + length > file.size:
        raise InputError(f"{tensor}: the file is truncated ({file.size:,} bytes, {tensor.offset + length:,} needed)")
    return tensor


class _Cursor:
    """Reads the header from front to back."""

    def __init__(self, file: TensorFile) -> None:
        self._file = file
        self.position = self._announced = self._buffer_start = 0
        self._buffer = b""

    def take(self, length: int) -> bytes:
        if self.position + length > self._buffer_start + len(self._buffer):
            self._fill(length)
        start = self.position - self._buffer_start
        self.position += length
        return self._buffer[start : start + length]

    def _fill(self, least: int) -> None:
        if self.position + least > self._file.size:  # told before a file asks for as many bytes as nonsense announces
            raise ValueError("the file ends within it, or a length in it is wrong")
        length = max(least, min(BUFFER, self._file.size - self.position))
        if self.position + length > self._announced:
            self._announced = self.position + max(length, HEADER_STEP)
            self._file.prefetch(self.position, self._announced - self.position)
        self._buffer_start = self.position
        self._buffer = self._file.view(self.position, length).tobytes()

    def numbers(self, kinds: str) -> tuple[Any, ...]:
        layout = "<" + kinds
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def text(self) -> str:
        return self.take(self.numbers("Q")[0]).decode()

    def value(self, kind: int) -> Any:
        """A metadata value; a long array (the tokenizer's) is stepped over and gives `None`."""
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.numbers(_SCALARS[kind])[0]
        element, count = self.numbers("IQ")
        if count <= _LONGEST_KEPT_ARRAY:
            return [self.value(element) for _ in range(count)]
        if element in _SCALARS:
            self.position += count * struct.calcsize("<" + _SCALARS[element])
        else:
            for _ in range(count):
                self._step_over(element)
        return None

    def _step_over(self, kind: int) -> None:
        if kind == _STRING:
            length = self.numbers("Q")[0]
            self.position += length
        else:
            self.value(kind)
