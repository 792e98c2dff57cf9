"""A model's own text, as calibration: drawn once and kept, since a model writes it token by token.

Kept as one table (`core.table_store`), whose key covers all that decides the text: the model's files, its start
context, shape and seed, and the packages that draw it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compressed_code.core.paths import RESULTS
from compressed_code.core.provenance import package_version
from compressed_code.core.table_store import (
    DamagedTable,
    find_table,
    locked,
    read_table,
    table_key,
    tell_damaged,
    tell_unstored,
    write_table,
)
from compressed_code.quantization.calibration import TokenRows, calibration_rows

FOLDER = "calibration_text"
VERSION = 1  # of how the text is drawn: `calibration.sampled_rows`


def own_text(
    model: Path,
    fingerprint: Mapping[str, str],
    start: Sequence[int],
    *,
    rows: int,
    length: int,
    seed: int = 0,
    directory: Path = RESULTS,
) -> TokenRows:
    """Calibration text that the model writes itself (`calibration_rows("self")`), loaded where it is stored.

    A damaged table is named on standard error, removed and drawn again; where nothing can be stored, every call draws.

    Args:
        model: checkpoint folder.
        fingerprint: of its files (`BaseCheckpoint.fingerprint`).
        start: the model's start context.
        rows, length: shape of the result.
        seed: of every choice.
        directory: where tables are stored.

    Returns, Raises:
        As `calibration_rows`.
    """
    made_of = {
        "calibration_text": VERSION,
        "model": dict(fingerprint),
        "start": list(map(int, start)),
        "shape": [rows, length],
        "seed": seed,
        "packages": {name: package_version(name) for name in ("torch", "transformers")},
    }
    key = table_key(made_of)
    with locked(directory, FOLDER, key):  # of several processes one draws and the others read
        written = _read(directory, key, made_of)
        if written is None:
            written = calibration_rows("self", model=model, start=start, rows=rows, length=length, seed=seed)
            table = pd.DataFrame({"row": np.repeat(np.arange(rows), length), "token": np.ravel(written)})
            try:
                write_table(directory, FOLDER, key, table, made_of)
            except OSError as error:
                tell_unstored(directory, error)
    return written


def _read(directory: Path, key: str, made_of: Mapping[str, Any]) -> TokenRows | None:
    path = find_table(directory, FOLDER, key)
    if path is None:
        return None
    try:
        table = read_table(path, made_of)
    except DamagedTable as damage:
        tell_damaged(path, damage)
        return None
    return table["token"].to_numpy().reshape(made_of["shape"]).tolist()
