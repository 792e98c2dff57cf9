"""Everything a training needs, made once: the tokenizer and the encoded dataset."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.paths import BUILD, DATA
from compressed_code.core.table_store import table_key
from compressed_code.registry.languages import KEYWORDS_FILE, PROGRAMS_DIRECTORY, select_languages
from compressed_code.training_data.corpus import (
    CORPUS_VERSION,
    Document,
    corpus_digest,
    load_corpus,
)
from compressed_code.training_data.sources import CORPUS_FILE
from compressed_code.training_data.tasks import BENCHMARKS_DIRECTORY, training_tasks, training_text
from compressed_code.zoo.dataset import Dataset, TokenPool, build_pool
from compressed_code.zoo.tokenizer import VOCABULARY_SIZE, save_tokenizer, train_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MATERIALS_VERSION = 1  # to be raised when the code here or in tasks changes what is trained on
TASKS = 60_000  # training tasks, more than a token budget uses up
TASK_SEED = 20_260_102
TOKENIZER_TASKS = 4_000  # of them shown to the tokenizer
LONGEST_CONTEXT = 1024
# The digest of the materials beside one of what they are made from, so that nothing is made only to learn its digest.
PIN_FILE = DATA / "zoo-materials.json"

# What stands before a task in the documents of base models, so that not every task begins with the same word.
# Empty twice: a third of the tasks keeps the benchmark's own beginning.
TASK_OPENINGS = (
    "",
    "",
    "# {name}\n",
    '"""{sentence}"""\n\n\n',
    "import math\n\n\n",
    "from typing import Any\n\n\n",
)


@dataclass(frozen=True)
class Materials:
    """What a training reads.

    Attributes:
        tokenizer_folder: tokenizer.json and tokenizer_config.json.
        dataset: encoded documents and tasks.
        digest: sha256 that stands for corpus, tasks and tokenizer together.
        corpus: sha256 of the corpus.
    """

    tokenizer_folder: Path
    dataset: Dataset
    digest: str
    corpus: str


def load_materials(directory: Path = BUILD / "zoo") -> Materials:
    """Make tokenizer and dataset, or read them back where they were made from the same corpus and code.

    Raises:
        Unavailable: an archive of the corpus cannot be had; the message names it.
    """
    documents = load_corpus()
    corpus = corpus_digest(documents)
    recipe = {
        "version": MATERIALS_VERSION,
        "corpus": corpus,
        "tasks": [TASKS, TASK_SEED],
        "vocabulary": VOCABULARY_SIZE,
    }
    digest = table_key(recipe)
    folder = directory / f"materials-{digest[:16]}"
    dataset_file = folder / "dataset.npz"
    if not dataset_file.exists():
        _make(documents, folder, dataset_file)
    return Materials(folder, _read_dataset(dataset_file), digest, corpus)


def pinned_digest(path: Path = PIN_FILE) -> str | None:
    """The digest of the materials as they were last made; `None` where they would be made from something else now."""
    try:
        pin = json.loads(path.read_text(encoding="utf-8"))
        return pin["materials"] if pin["made_from"] == _made_from() else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def pin_digest(digest: str, path: Path = PIN_FILE) -> None:
    """Note what the materials of this digest were made from."""
    pin = {"made_from": _made_from(), "materials": digest}
    path.write_text(json.dumps(pin, indent=1) + "\n", encoding="utf-8")


def _made_from() -> str:
    """sha256 over the versions of the code and the files of data/ that decide the materials."""
    versions = [MATERIALS_VERSION, CORPUS_VERSION, TASKS, TASK_SEED, TOKENIZER_TASKS, VOCABULARY_SIZE, LONGEST_CONTEXT]
    digest = hashlib.sha256(json.dumps(versions).encode())
    programs = (path for path in PROGRAMS_DIRECTORY.rglob("*") if path.is_file())
    for file in sorted([CORPUS_FILE, KEYWORDS_FILE, *BENCHMARKS_DIRECTORY.glob("*.jsonl"), *programs]):
        digest.update(f"{file.relative_to(DATA).as_posix()} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def varied_task_texts(texts: Iterable[str]) -> Iterator[str]:
    """Task documents for base models: each opening in turn, so that the share of each is exact."""
    for text, opening in zip(texts, itertools.cycle(TASK_OPENINGS)):
        name = text[len("def ") : text.index("(")].replace("_", " ")
        sentence = text.split('"""')[1].strip().splitlines()[0]
        yield opening.format(name=name, sentence=sentence) + text


def _make(documents: list[Document], folder: Path, dataset_file: Path) -> None:
    tasks = [training_text(task) for task in training_tasks(TASK_SEED, TASKS)]
    training = [document for document in documents if document.split == "train"]
    tokenizer = train_tokenizer(documents, tasks[:TOKENIZER_TASKS], select_languages(None))
    save_tokenizer(tokenizer, folder, LONGEST_CONTEXT)
    openings = [document for document in training if document.opening]
    pools = {
        "varied_tasks": _pool(tokenizer, varied_task_texts(tasks)),
        "plain_tasks": _pool(tokenizer, tasks),
        "documents": _source_pool(tokenizer, training),
        "openings": _source_pool(tokenizer, openings),
    }
    arrays = {f"{name}.{part}": getattr(pool, part) for name, pool in pools.items() for part in _PARTS}
    with written_whole(dataset_file) as part, part.open("wb") as file:
        np.savez(file, **arrays)


def _source_pool(tokenizer: "Tokenizer", documents: list[Document]) -> TokenPool:
    """Every language weighs the square root of its bytes, so that small ones are seen and large ones lead."""
    sizes: dict[str, int] = {}
    for document in documents:
        sizes[document.language] = sizes.get(document.language, 0) + len(document.text)
    counts = {language: sum(d.language == language for d in documents) for language in sizes}
    weights = [sizes[document.language] ** 0.5 / counts[document.language] for document in documents]
    return _pool(tokenizer, [document.text for document in documents], weights)


def _pool(tokenizer: "Tokenizer", texts: Iterable[str], weights: Iterable[float] | None = None) -> TokenPool:
    return build_pool(tokenizer, texts, tokenizer.token_to_id("<|bos|>"), tokenizer.token_to_id("<|eos|>"), weights)


def _read_dataset(path: Path) -> Dataset:
    with np.load(path) as arrays:
        names = ("varied_tasks", "plain_tasks", "documents", "openings")
        return Dataset(**{name: TokenPool(**{part: arrays[f"{name}.{part}"] for part in _PARTS}) for name in names})


_PARTS = ("tokens", "starts", "weights")
