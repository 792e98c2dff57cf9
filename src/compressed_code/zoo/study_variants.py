"""Damage of variants of several models: what notebook 07 reads beside the one model whose variants it measures anew."""

from pathlib import Path

import pandas as pd

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, read_yaml
from compressed_code.measurements.damage import COLUMNS, COLUMNS_OUT, damages
from compressed_code.registry.quantizations import load_quantizations
from compressed_code.zoo.recipes import RECIPES_FILE, load_recipes

VARIANTS_FILE = DATA / "reference" / "study-variants.csv"


class Compressed(Record):
    """Which models are compressed for the table, and how: rows that every size can have.

    Attributes:
        models: keys of data/zoo.yml.
        quantizations: rows of data/quantizations.yml.
    """

    models: list[str]
    quantizations: list[str]


def load_compressed(path: Path = RECIPES_FILE) -> Compressed:
    """The section `compressed` of data/zoo.yml.

    Raises:
        InputError: a model or row of no such name.
    """
    chosen = Compressed(**read_yaml(path).get("compressed", {}))
    for known, names in ((load_recipes(path)[1], chosen.models), (load_quantizations(), chosen.quantizations)):
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(f"{path}: compressed: there is no {unknown[0]!r}")
    return chosen


def write_study_variants(path: Path = VARIANTS_FILE) -> pd.DataFrame:
    """Compress, measure and write the table; what is stored is not measured again.

    Returns:
        Columns of `damage.damages`, models one after the other.
    """
    chosen = load_compressed()
    parts = [damages(model, [f"{model}+{row}" for row in chosen.quantizations]) for model in chosen.models]
    table = pd.concat(parts, ignore_index=True)
    with written_whole(path) as part:
        table.to_csv(part, index=False, float_format="%.9g", lineterminator="\n")
    return table


def load_study_variants(path: Path = VARIANTS_FILE) -> pd.DataFrame:
    """The stored table; without a row where none was written."""
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=[*COLUMNS, *COLUMNS_OUT])
