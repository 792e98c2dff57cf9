"""Which transformers model a checkpoint is, and which of its weights belong to it.

The config is what transformers makes of config.json, so that old and new spellings have its precedence; its
quantization is taken out, since weights are decoded here. Of a model with several parts (text and images) the text
model is taken where transformers has one by itself, else the whole.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from compressed_code.checkpoints.architectures import is_of_further_layer
from compressed_code.checkpoints.checkpoint import Checkpoint
from compressed_code.core.errors import InputError, in_one_line
from compressed_code.core.lean_imports import import_model_code
from compressed_code.core.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

# Masks and angles that older versions of transformers stored; they follow from the config.
_MASK = re.compile(r"(^|\.)(attn|attention|self_attn|self_attention)\.(attention\.)?(causal_mask|masked_bias|bias)$")
_DERIVED = re.compile(r"(^|\.)(rotary_emb\.inv_freq|position_ids|embed_positions\.weights)$")
_TEXT_PART = re.compile(r"^(?:model\.)?(?:language_model|text_model)\.(?:model\.)?(?=.)")
_HEAD = re.compile(r"^(?:model\.)?(?:language_model\.)?(lm_head\..+)$")


@dataclass(frozen=True)
class TransformersModel:
    """What a checkpoint is in transformers.

    Attributes:
        checkpoint: its weights.
        model_class: of transformers.
        config: for that class, without quantization.
        is_text_part: the checkpoint holds more parts than this model.
    """

    checkpoint: Checkpoint
    model_class: "type[PreTrainedModel]"
    config: "PreTrainedConfig"
    is_text_part: bool

    def names(self) -> Mapping[str, str]:
        """Name of a weight as transformers takes it → its name in the checkpoint.

        Left out are the parts that this model does not have, what follows from the config, and layers behind the
        others that predict further tokens.

        Raises:
            InputError: a header is broken.
        """
        names, config = {}, self.checkpoint.config
        for name in self.checkpoint.names:
            if _DERIVED.search(name) or self._is_mask(name) or is_of_further_layer(name, config):
                continue
            taken = _text_name(name) if self.is_text_part else name
            if taken is not None:
                names[taken] = name
        return names

    def _is_mask(self, name: str) -> bool:
        if not _MASK.search(name):
            return False
        shape = self.checkpoint.stored_shape(name)
        return len(shape) == 0 or (len(shape) == 4 and shape[-1] == shape[-2])


def find_model(checkpoint: Checkpoint) -> TransformersModel:
    """The transformers model of a checkpoint.

    Raises:
        InputError: transformers does not know it, or its config is broken or names code to execute.
    """
    _refuse_code(checkpoint)
    with one_line(checkpoint.path):
        import_model_code()
        from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

        config = _read_config(checkpoint)
        for mapping in (MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING):
            if type(config) in mapping:
                found = mapping[type(config)]
                model_class = found[0] if isinstance(found, tuple) else found
                text = config.get_text_config(decoder=True)
                _require_tensors_for(checkpoint, text)
                is_part = text is not config and model_class.config_class is type(text)
                return TransformersModel(checkpoint, model_class, text if is_part else config, is_part)
    raise InputError(
        f"{checkpoint.path}: a model of type {config.model_type!r} writes no text token by token, which is not"
        " supported; name a causal language model"
    )


def without_zero_biases(found: TransformersModel) -> dict[str, str]:
    """`found.names()`; some GPTQ and AWQ writers store biases of zero for layers that have none."""
    import torch

    names = dict(found.names())
    biases = [name for name in names if name.endswith(".bias") and f"{name.removesuffix('bias')}weight" in names]
    quantized = [name for name in biases if found.checkpoint.element_type(_weight_beside(names[name])) == "I32"]
    if not quantized:
        return names
    with one_line(found.checkpoint.path), torch.device("meta"):
        known = found.model_class(found.config).state_dict().keys()
    for name in quantized:
        if name not in known and not found.checkpoint.weight(names[name]).any():
            del names[name]
    return names


def _weight_beside(bias: str) -> str:
    return f"{bias.removesuffix('bias')}weight"


def _refuse_code(checkpoint: Checkpoint) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if checkpoint.config.get("auto_map") and checkpoint.config.get("model_type") not in CONFIG_MAPPING_NAMES:
        raise InputError(
            f"{checkpoint.path / 'config.json'}: auto_map names code to execute for a model that transformers does not"
            " know, which is not supported: code is never run; use a model that transformers knows"
        )
    kind = checkpoint.config.get("model_type")
    if not checkpoint.is_gguf and kind is not None and kind not in CONFIG_MAPPING_NAMES:
        raise InputError(
            f"{checkpoint.path / 'config.json'}: transformers cannot open it: model_type {kind!r} is not supported; use"
            " a newer transformers, or another model"
        )


def _require_tensors_for(checkpoint: Checkpoint, config: "PreTrainedConfig") -> None:
    """A number of layers that nobody meant is told before as many are made."""
    layers, tensors = getattr(config, "num_hidden_layers", None), len(checkpoint.names)
    if isinstance(layers, int) and layers > tensors:
        raise InputError(
            f"{checkpoint.path}: announces {layers:,} layers (num_hidden_layers), but holds {tensors:,} tensors; fetch"
            " config and weights of one model"
        )


def _read_config(checkpoint: Checkpoint) -> "PreTrainedConfig":
    from transformers import AutoConfig

    if checkpoint.is_gguf:
        unread = sorted(name for name in checkpoint.config if "." in name)
        if unread:
            raise InputError(f"{checkpoint.path}: metadata {unread[0]} is not supported; use the original model")
        return AutoConfig.for_model(**checkpoint.config)
    config = AutoConfig.from_pretrained(checkpoint.path, trust_remote_code=False, local_files_only=True)
    for part in (config, config.get_text_config(decoder=True)):
        if hasattr(part, "quantization_config"):
            del part.quantization_config
    return config


def _text_name(name: str) -> str | None:
    """A weight's name in the text model by itself; `None` for other parts' weights."""
    if head := _HEAD.match(name):
        return head[1]
    if _TEXT_PART.match(name):
        return _TEXT_PART.sub("model.", name)
    return name if re.match(r"model\.(embed_tokens|layers|norm)\.", name) else None


@contextlib.contextmanager
def one_line(path: PurePath) -> Iterator[None]:
    """transformers raises whatever its libraries raise; the user needs one line, and no progress bar per model."""
    try:
        with quiet():
            yield
    except InputError:
        raise
    except Exception as error:
        reason = in_one_line(error)
        raise InputError(
            f"{path}: transformers cannot open it ({type(error).__name__}: {reason}); check its config, or use another"
            " version of transformers"
        ) from error


def check_report(path: PurePath, report: Mapping[str, Any]) -> None:
    """Stop unless every weight of the model was in the checkpoint, in its shape, and the other way round.

    Raises:
        InputError: naming the first that was not; packed codes in its place are named where there are some.
    """
    surplus = sorted(report["unexpected_keys"])
    for name in sorted(report["missing_keys"]):
        beside = [other for other in surplus if other.rpartition(".")[0] == name.rpartition(".")[0]]
        if beside and not _DERIVED.search(name):
            reason = "config.json has no quantization_config that says how to read it"
            raise InputError(f"{path}: tensor {beside[0]} is there in place of {name}, but {reason}; fetch it again")
    for problem, keys in (
        ("is missing; fetch or write the checkpoint again", report["missing_keys"]),
        (
            "has no place in the model that the config describes; fetch config and weights of one model",
            report["unexpected_keys"],
        ),
    ):
        for name in sorted(name for name in keys if not _DERIVED.search(name)):
            raise InputError(f"{path}: tensor {name} {problem}")
    for name, stored, wanted in sorted(report.get("mismatched_keys") or ()):
        raise InputError(
            f"{path}: tensor {name}: shape {list(stored)}, but the config asks for {list(wanted)}"
            "; fetch config and weights of one model"
        )
