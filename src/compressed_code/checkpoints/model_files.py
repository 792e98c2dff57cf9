"""Which files make a model: its weights, what turns text into ids, and everything else that may decide a number."""

import re
from collections.abc import Iterator
from pathlib import Path

from compressed_code.checkpoints.files.digests import file_digest
from compressed_code.checkpoints.files.mapped_file import MappedFile
from compressed_code.checkpoints.files.safetensors_files import INDEX, SafetensorsFiles
from compressed_code.core.errors import InputError

CONFIG = "config.json"
QUANTIZE_CONFIG = "quantize_config.json"  # of older GPTQ checkpoints, beside the config
RECORD = "compression.json"  # beside the weights of a variant made here: how it was made, what its weights need
TRAINING_RECORD = "training.json"  # beside the zoo's

# Of several kinds in one folder the first is opened, as transformers does.
WEIGHT_PATTERNS = ("*.safetensors", "*.bin", "*.gguf")
INDEX_PATTERN = "*.safetensors.index.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model")
# All that turns text into ids and ids into text, and says how to ask: what a variant takes over unchanged.
COMPANIONS = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.tiktoken",
    "tekken.json",
    "chat_template*",
    "generation_config.json",
)
# What a streaming reader fetches of a model on a Hub before any weight.
SMALL_FILES = (CONFIG, QUANTIZE_CONFIG, INDEX, *TOKENIZER_FILES)
# What a whole download fetches beside the weights.
BESIDE_WEIGHTS = ("*.json", "*.model", "*.jinja", *COMPANIONS)

# Files of a folder that no program reads to compute something: texts for people, git's own, and our two records.
_IDLE_FILE = re.compile(
    rf"""((readme|licen[sc]e|notice|copying|use_policy|changelog)[\w-]*(\.(md|txt|rst|pdf|html))? | .*\.md
    | \.git\w* | \.DS_Store | {re.escape(TRAINING_RECORD)} | {re.escape(RECORD)})""",
    re.VERBOSE | re.IGNORECASE,
)


def weight_files(model: Path) -> list[Path]:
    """The files that hold a model's weights: a GGUF file itself, or those of a folder that would be opened, by name."""
    if model.is_file():
        return [model]
    kinds = (sorted(model.glob(pattern)) for pattern in WEIGHT_PATTERNS)
    return next((found for found in kinds if found), [])


def companions(folder: Path) -> list[Path]:
    """The files of `COMPANIONS` that a folder holds, by name."""
    return sorted({file for pattern in COMPANIONS for file in folder.glob(pattern) if file.is_file()})


def local_tensors(folder: Path) -> SafetensorsFiles:
    """The tensors of a local folder, as they are stored.

    Raises:
        InputError: no safetensors file, a broken header or index, or a truncated file.
    """
    names = sorted(file.name for file in folder.iterdir())
    return SafetensorsFiles(folder, names, lambda name: MappedFile(folder / name))


def deciding_files(model: Path) -> list[Path]:
    """The files that may decide what a model computes: a GGUF file itself, or all of a folder but texts for people.

    Weights come as safetensors, *.bin or shards with an index, tokenizers in a dozen forms, and a file more costs
    reading it once (`files.digests`), while one that is overlooked gives another model's numbers.

    Raises:
        InputError: the folder holds no model.
    """
    if model.is_file():
        return [model]
    if not (model / CONFIG).is_file():  # whatever else it is, and however large: nothing opens it
        count = len(list(model.glob("*.gguf")))
        remedy = f"; name one of its {count} GGUF files" if count else " and no GGUF file; name a model's own folder"
        raise InputError(f"{model}: holds no {CONFIG}{remedy}")
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
