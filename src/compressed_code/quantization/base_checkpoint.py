"""The model that is quantized: its weight matrices, and the rest of its folder that a variant takes over."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from compressed_code.checkpoints.architectures import UnsupportedArchitecture, understand
from compressed_code.checkpoints.checkpoint import open_checkpoint, read_config
from compressed_code.checkpoints.files.stored import StoredTensor
from compressed_code.checkpoints.matrices.matrix import FLOAT_KINDS, FloatMatrix
from compressed_code.checkpoints.model_files import (
    CONFIG,
    INDEX_PATTERN,
    RECORD,
    WEIGHT_PATTERNS,
    companions,
    local_tensors,
    require_whole_model,
)
from compressed_code.core.digests import file_digest
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.registry.quantizations import Module, Quantization

_LINEAR = re.compile(r"(.+\.)?layers\.\d+\..+\.weight")
# As Llama's relatives name the matrices of a module; where query, key and value are one matrix, none is named so.
_MODULES: Mapping[Module, str] = {
    "query-key": r".+\.[qk]_proj\.weight",
    "value-output": r".+\.[vo]_proj\.weight",
    "feed-forward": r".+\.mlp\..+\.weight",
}
_EMBEDDINGS = re.compile(r"(.+\.)?(embed_tokens|lm_head)\.weight")


class BaseCheckpoint:
    """A Hugging Face folder with weights in float32, float16 or bfloat16.

    Attributes:
        path: the folder.
        config: its config.json.
        linear: weight matrices of the decoder layers, by name.
        embeddings: embedding and, where it is stored, output matrix, by name.
        others: all other tensors, by name.
    """

    def __init__(self, path: Path) -> None:
        """Look at the headers; no weight is read.

        Raises:
            InputError: no such folder, or broken weights.
            Unavailable: a GGUF file, weights that are quantized already, or no decoder layers known by their names.
        """
        if path.is_file():
            raise Unavailable(f"{path}: quantizing starts from a Hugging Face folder, not from a file; name one")
        require_whole_model(path)
        self.path, self.config = path, read_config(path)
        if self.config.get("quantization_config") or (path / RECORD).exists():
            raise Unavailable(f"{path}: is quantized already; start from the model it was made from")
        self._files = local_tensors(path)
        tensors = {name: self._files.find(name) for name in sorted(self._files.names)}
        matrices = {name: tensor for name, tensor in tensors.items() if len(tensor.shape) == 2}
        linear = self._linear(matrices)
        self.linear = {name: tensor for name, tensor in matrices.items() if name in linear}
        self.embeddings = {name: tensor for name, tensor in matrices.items() if _EMBEDDINGS.fullmatch(name)}
        self.others = {name: tensors[name] for name in tensors if name not in {*self.linear, *self.embeddings}}
        if not self.linear:
            raise Unavailable(f"{path}: no linear layers in a decoder; this architecture cannot be quantized")

    def _linear(self, matrices: Collection[str]) -> Collection[str]:
        """Names of the linear layers' matrices: in families without experts all of a layer's, else as modules say."""
        try:
            if understand(self.config).experts is None:
                return {name for name in matrices if _LINEAR.fullmatch(name)}
        except UnsupportedArchitecture:
            pass
        from compressed_code.models.linear_layers import linear_weights

        return linear_weights(open_checkpoint(self.path))

    def chosen(self, quantization: Quantization) -> dict[str, StoredTensor]:
        """The matrices that a quantization changes, by name.

        Raises:
            InputError: one is no matrix of floats.
            Unavailable: the rows of one do not divide into groups, or a module that is asked for has no matrix here.
        """
        matrices = self._of_modules(quantization)
        size = quantization.group_size
        for tensor in matrices.values():
            if tensor.kind not in FLOAT_KINDS:
                raise InputError(
                    f"{tensor}: is {tensor.kind} already; start from a model in float32, float16 or bfloat16"
                )
            columns = tensor.shape[1]
            if size and columns % size:
                widths = {other.shape[1] for other in matrices.values()}
                fitting = [str(n) for n in (8, 16, 32, 64, 128) if not any(width % n for width in widths)]
                remedy = f"choose {', '.join(fitting)} or whole rows" if fitting else "choose whole rows"
                raise Unavailable(f"{tensor}: {columns} columns are not divisible by group size {size}; {remedy}")
        return matrices

    def _of_modules(self, quantization: Quantization) -> dict[str, StoredTensor]:
        if not quantization.modules:
            return {**self.linear, **(self.embeddings if quantization.embeddings else {})}
        chosen: dict[str, StoredTensor] = {}
        for module in quantization.modules:
            own = self.embeddings if module == "embeddings" else self.linear
            pattern = _MODULES.get(module, ".+")
            found = {name: tensor for name, tensor in own.items() if re.fullmatch(pattern, name)}
            if not found:
                raise Unavailable(f"{self.path}: has no matrix of {module} alone; quantize all modules")
            chosen |= found
        return chosen

    def read(self, name: str) -> np.ndarray:
        """A matrix as float32 [rows, columns].

        Raises:
            InputError: it holds NaN or infinity.
        """
        tensor = self._files.find(name)
        values = np.array(FloatMatrix(tensor).decode(0, tensor.shape[0]))
        if not np.isfinite(values).all():
            raise InputError(f"{tensor}: holds NaN or infinity; fetch or write it again")
        return values

    def companions(self) -> list[Path]:
        """Files of the folder that a variant takes over unchanged."""
        return companions(self.path)

    def fingerprint(self) -> dict[str, str]:
        """sha256 of every file that a variant rests on: weights, config and companions, by name."""
        files = sorted({*self.path.glob(WEIGHT_PATTERNS[0]), *self.path.glob(INDEX_PATTERN), *self.companions()})
        return {file.name: file_digest(file) for file in sorted([*files, self.path / CONFIG])}
