"""Which files make a model: its weights, what turns text into ids, and everything else that may decide a number."""

import re
from collections.abc import Iterator
from pathlib import Path

from compressed_code.checkpoints.files.gguf_files import MAGIC, part_names, require_parts
from compressed_code.checkpoints.files.mapped_file import MappedFile
from compressed_code.checkpoints.files.safetensors_files import INDEX, SafetensorsFiles
from compressed_code.checkpoints.files.stored import TensorFiles
from compressed_code.checkpoints.files.torch_files import INDEX as TORCH_INDEX
from compressed_code.checkpoints.files.torch_files import SINGLE as TORCH_SINGLE
from compressed_code.checkpoints.files.torch_files import TorchFiles
from compressed_code.core.digests import file_digest
from compressed_code.core.errors import InputError

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
# Of older GPTQ and AWQ checkpoints and of ModelOpt's, beside a config that says nothing.
QUANTIZE_CONFIGS = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")
ADAPTER = "adapter_config.json"
RECORD = "compression.json"  # beside the weights of a variant made here: how it was made, what its weights need
TRAINING_RECORD = "training.json"  # beside the zoo's

# Of several kinds in one folder the first is opened, as transformers does.
WEIGHT_PATTERNS = ("*.safetensors", "*.bin", "*.gguf")
INDEX_PATTERN = "*.safetensors.index.json"
TOKENIZER_FILES = (TOKENIZER, "tokenizer_config.json", "tokenizer.model")
# All that turns text into ids and ids into text, and says how to ask: what a variant takes over unchanged.
COMPANIONS = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.tiktoken",
    "tiktoken.model",
    "tekken.json",
    "chat_template*",
    "generation_config.json",
)
# What a streaming reader fetches of a model on a Hub before any weight.
SMALL_FILES = (CONFIG, *QUANTIZE_CONFIGS, INDEX, *TOKENIZER_FILES)
# What a whole download fetches beside the weights.
BESIDE_WEIGHTS = ("*.json", "*.model", "*.jinja", *COMPANIONS)

# Files of a folder that no program reads to compute something: texts for people, git's own, and our two records.
_IDLE_FILE = re.compile(
    rf"""((readme|licen[sc]e|notice|copying|use_policy|changelog)[\w-]*(\.(md|txt|rst|pdf|html))? | .*\.md
    | \.git\w* | \.DS_Store | {re.escape(TRAINING_RECORD)} | {re.escape(RECORD)})""",
    re.VERBOSE | re.IGNORECASE,
)


def weight_files(model: Path) -> list[Path]:
    """The files that hold a model's weights: a GGUF file itself with its parts, or those of a folder, by name."""
    if model.is_file():
        return [model.with_name(name) for name in part_names(model.name)]
    kinds = (sorted(model.glob(pattern)) for pattern in WEIGHT_PATTERNS)
    return next((found for found in kinds if found), [])


def companions(folder: Path) -> list[Path]:
    """The files of `COMPANIONS` that a folder holds, by name."""
    return sorted({file for pattern in COMPANIONS for file in folder.glob(pattern) if file.is_file()})


def local_tensors(folder: Path) -> TensorFiles:
    """The tensors of a local folder, as they are stored: safetensors, or PyTorch's files where there are none.

    Raises:
        InputError: no weights, a broken header or index, or a truncated file.
    """
    names = sorted(file.name for file in folder.iterdir())
    if not any(name.endswith((".safetensors", INDEX)) for name in names) and {TORCH_SINGLE, TORCH_INDEX} & {*names}:
        return TorchFiles(folder)
    return SafetensorsFiles(folder, names, lambda name: MappedFile(folder / name))


def require_whole_model(folder: Path) -> None:
    """Stop at a folder that holds a part of a model, or a model and changes to it.

    Raises:
        InputError: there is no such folder, no config.json, or an adapter.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such file or folder; check the name")
    adapter, config = (folder / ADAPTER).is_file(), (folder / CONFIG).is_file()
    if adapter and not config:
        raise InputError(
            f"{folder}: holds an adapter, which is no model by itself; merge it into its base model"
            " (peft, merge_and_unload), save that, and name its folder"
        )
    if adapter:
        raise InputError(
            f"{folder}: holds an adapter ({ADAPTER}) beside a model: remove it if it is merged into the weights"
            " already, else merge it and save the result"
        )
    if not config:
        count = len(list(folder.glob("*.gguf")))
        if count:
            raise InputError(f"{folder}: holds no {CONFIG}; name one of its {count} GGUF files")
        raise InputError(f"{folder}: no model: holds no {CONFIG} and no GGUF file; name a model's own folder")


def require_model(path: Path) -> None:
    """Stop at what is no model: a folder that holds none, or a file of another kind; no header is read.

    Raises:
        InputError: as `require_whole_model`, a file that does not begin as GGUF files do, or a part without the others.
    """
    if not path.is_file():
        require_whole_model(path)
        return
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if not MAGIC.startswith(start):  # what is shorter is a broken one
        remedy = "name its folder" if path.suffix in (".safetensors", ".bin") else "name one of them"
        raise InputError(f"{path}: no model: neither a GGUF file nor a folder with {CONFIG}; {remedy}")
    require_parts(path)


def deciding_files(model: Path) -> list[Path]:
    """The files that may decide what a model computes: a GGUF file itself, or all of a folder but texts for people.

    A tokenizer.json beside a GGUF file may cut its texts (`tokenizers.files`).

    Weights come as safetensors, *.bin or shards with an index, tokenizers in a dozen forms, and a file more costs
    reading it once (`core.digests`), while one that is overlooked gives another model's numbers.

    Raises:
        InputError: the folder holds no model.
    """
    if model.is_file():
        return [*weight_files(model), *(file for file in (model.with_name(TOKENIZER),) if file.is_file())]
    require_whole_model(model)  # whatever else it is, and however large: nothing opens it
    return sorted(_below(model))


def fingerprint(model: Path) -> dict[str, str]:
    """sha256 of every file that may decide what a model computes, by its name from the model's folder.

    Raises:
        InputError: the folder holds no model, or a file cannot be read.
    """
    folder = model.parent if model.is_file() else model
    return {file.relative_to(folder).as_posix(): file_digest(file) for file in deciding_files(model)}


def _below(folder: Path) -> Iterator[Path]:
    """Files that are not idle; below folders, too (chat templates, shards), but not hidden ones (.git, .cache)."""
    for entry in folder.iterdir():
        if entry.is_dir():
            if not entry.name.startswith(".") and not entry.is_symlink():  # which may lead round in a circle
                yield from _below(entry)
        elif entry.is_file() and not _IDLE_FILE.fullmatch(entry.name):
            yield entry
