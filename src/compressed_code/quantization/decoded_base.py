"""A model that is stored quantized as a folder of the float32 numbers that it stands for, to be quantized again."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compressed_code.checkpoints.checkpoint import Checkpoint, open_checkpoint, read_config
from compressed_code.checkpoints.model_files import RECORD, TOKENIZER, companions, fingerprint, require_whole_model
from compressed_code.checkpoints.quantization_config import quantization_of
from compressed_code.core.atomic_files import staged, writable_place
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import VARIANTS
from compressed_code.core.table_store import table_key
from compressed_code.tokenizers.files import cutting_tokenizer
from compressed_code.tokenizers.gguf import GgufTokenizer, read_gguf_tokenizer

DECODED_VERSION = 1  # of what `decode` writes


def kept_base(model: Path, directory: Path = VARIANTS) -> Path:
    """A model whose variants are made by name: a folder as it is; a GGUF file decoded once, beside the variants.

    What lies there is found by the file's content, so that all variants of one file start from the same folder.

    Raises:
        InputError: the model is broken, or its metadata are not supported.
        Unavailable: the file is itself a variant made here.
    """
    if not model.is_file():
        return model
    if (model.parent / RECORD).exists():
        raise Unavailable(f"{model}: is quantized already; start from the model it was made from")
    folder = directory / table_key({"decoded": DECODED_VERSION, "files": fingerprint(model)})[:32]
    if not folder.exists() and not (folder := writable_place(folder)).exists():
        try:
            with staged(folder) as part:
                decode(model, part)
        except InputError:
            if not folder.exists():  # else another process wrote it meanwhile
                raise
    return folder


@contextmanager
def plain_base(model: Path) -> Iterator[Path]:
    """The folder itself where its numbers are plain, else a temporary one with all weights decoded to float32.

    Args:
        model: checkpoint folder or GGUF file.

    Raises:
        InputError: the model is broken, or its metadata are not supported.
    """
    if not model.is_file():
        require_whole_model(model)
    if model.is_dir() and ((model / RECORD).exists() or quantization_of(read_config(model)) is None):
        yield model
        return
    with tempfile.TemporaryDirectory() as folder:
        decode(model, Path(folder))
        try:
            yield Path(folder)
        except InputError as error:  # names the folder that nobody knows
            raise type(error)(str(error).replace(folder, str(model))) from None


def decode(model: Path, folder: Path) -> None:
    """Write a model as plain numbers: weights in float32, config and tokenizer.

    Raises:
        InputError: as `plain_base`.
    """
    import torch
    from safetensors.torch import save_file

    checkpoint = open_checkpoint(model)
    tensors = {name: torch.from_numpy(checkpoint.weight(name).copy()) for name in checkpoint.names}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _write_json(folder / "config.json", _plain_config(checkpoint))
    if model.is_dir():
        for file in companions(model):
            shutil.copyfile(file, folder / file.name)
        return
    try:
        tokenizer = read_gguf_tokenizer(model)
    except InputError:  # a file without one is a model all the same
        return
    _write_tokenizer(tokenizer, folder)


def _plain_config(checkpoint: Checkpoint) -> dict[str, object]:
    unread = sorted(name for name in checkpoint.config if "." in name and checkpoint.is_gguf)
    if unread:
        raise InputError(f"{checkpoint.path}: metadata {unread[0]} is not supported; use the original model")
    left_out = ("quantization_config", "compression_config", "torch_dtype")
    return {**{name: value for name, value in checkpoint.config.items() if name not in left_out}, "dtype": "float32"}


def _write_tokenizer(tokenizer: GgufTokenizer, folder: Path) -> None:
    cutting = cutting_tokenizer(tokenizer)
    if cutting is None:
        tokenizer.tokenizer(special_in_text=True).save(str(folder / TOKENIZER))
    else:
        (folder / TOKENIZER).write_bytes(cutting.content)
    names = {"bos": "bos_token", "eos": "eos_token", "padding": "pad_token", "unknown": "unk_token"}
    settings = {names[kind]: tokenizer.pieces[number] for kind, number in tokenizer.special.items() if kind in names}
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": tokenizer.adds_bos}
    if tokenizer.chat_template:
        settings["chat_template"] = tokenizer.chat_template
    _write_json(folder / "tokenizer_config.json", settings)


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
