"""What a model costs: bytes on disk and in memory, time to load, tokens per second; beside its base in one run."""

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.checkpoints.model_files import RECORD, weight_files
from compressed_code.core.errors import InputError
from compressed_code.fidelity.teacher_forcing import log_probabilities
from compressed_code.models.load import load_model

RATIOS = ("disk_bytes", "weight_bytes", "effective_bits", "load_seconds", "tokens_per_second")


def footprint(
    base: Path, candidate: Path, documents: Sequence[np.ndarray], start_ids: Sequence[int], *, rounds: int = 3
) -> pd.DataFrame:
    """The costs of two models, measured in turns so that a busy machine is busy for both.

    Times are medians over the rounds, after one round that is thrown away. Both models are scored as plain float32
    models, whatever they are stored in: `tokens_per_second` shows that a variant is no slower to study, not what a
    kernel for packed weights would gain.

    Args:
        base, candidate: checkpoint folders or GGUF files.
        documents: ids of the texts to score, [tokens] each.
        start_ids: what every text follows.
        rounds: how often each model is loaded and run.

    Returns:
        Two rows, `model` "base" and "candidate": those of `sizes`, `load_seconds` (until the model could run),
        `tokens_per_second` (of teacher-forced scoring), and for every column of `RATIOS` the same divided by the
        base's, `…_ratio`.

    Raises:
        InputError: no token to score, or a model cannot be opened.
    """
    tokens = sum(map(len, documents))
    if not tokens:
        raise InputError("the texts hold no token; give longer ones")
    seconds = {"base": [], "candidate": []}
    for _ in range(rounds + 1):
        for name, path in (("base", base), ("candidate", candidate)):
            seconds[name].append(_timed(path, documents, start_ids))
    rows = []
    for name, path in (("base", base), ("candidate", candidate)):
        loading, scoring = (statistics.median(times) for times in zip(*seconds[name][1:], strict=True))
        rows.append({"model": name, **sizes(path), "load_seconds": loading, "tokens_per_second": tokens / scoring})
    table = pd.DataFrame(rows)
    return table.assign(**{f"{column}_ratio": table[column] / table[column].iloc[0] for column in RATIOS})


def sizes(path: Path) -> dict[str, Any]:
    """Sizes of a checkpoint, without loading it.

    Returns:
        `disk_bytes`: of its weight files; `weight_bytes`: of its weights as they are stored, or, of a variant that
        keeps decoded numbers, as its codes, scales and zero points would be; `parameters`: weights of the model, those
        of tied matrices once; `effective_bits`: of memory per parameter; `packed`: the files themselves hold no more.

    Raises:
        InputError: no checkpoint of safetensors or GGUF files lies there.
    """
    folder = path.parent if path.is_file() else path
    disk, (stored, parameters) = sum(file.stat().st_size for file in weight_files(path)), _stored(path)
    needed = stored
    if (folder / RECORD).is_file():
        needed, parameters = _recorded(folder / RECORD)
    return {
        "disk_bytes": disk,
        "weight_bytes": needed,
        "parameters": parameters,
        "effective_bits": needed * 8 / parameters,
        # Writers align and pad, hence the margin.
        "packed": stored <= 1.02 * needed,
    }


def embedding_weights(path: Path) -> int:
    """How many weights of a model belong to its vocabulary: rows of tokens in its embedding and output matrices.

    A matrix that both share counts once, as it is stored. In small models they are most of the weights, so that sizes
    are compared without them (Kaplan et al. 2020, Scaling laws for neural language models, section 1.3).

    Raises:
        InputError: no checkpoint of safetensors or GGUF files lies there.
    """
    checkpoint = open_checkpoint(path)
    vocabulary = checkpoint.config.get("vocab_size")
    shapes = {name: checkpoint.dimensions(name) for name in checkpoint.names}
    return sum(checkpoint.count(name) for name, shape in shapes.items() if len(shape) == 2 and shape[0] == vocabulary)


def _timed(path: Path, documents: Sequence[np.ndarray], start_ids: Sequence[int]) -> tuple[float, float]:
    """Seconds to load a model, and to score the documents with it."""
    started = time.perf_counter()
    model = load_model(path)
    loaded = time.perf_counter()
    log_probabilities(model, documents, start_ids)
    return loaded - started, time.perf_counter() - loaded


def _stored(path: Path) -> tuple[int, int]:
    """Bytes of all tensors as they are stored, and how many weights they stand for."""
    checkpoint = open_checkpoint(path)
    names = [name for name in checkpoint.names if not name.endswith("inv_freq")]
    return checkpoint.stored_bytes, sum(map(checkpoint.count, names))


def _recorded(file: Path) -> tuple[float, int]:
    """Bytes that packed weights need, and their number, from a variant's record."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        parameters = int(record["parameters"]["model"])
        return record["effective_bits"]["model"] * parameters / 8, parameters
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: no valid record of a variant ({type(error).__name__}: {error})") from None
