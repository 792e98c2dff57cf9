"""Cold starts of the models that are trained for their measurements only: a summary that notebooks can load.

The models themselves, megabytes each, stay in build/study; what notebook 02 needs of them is a row.
"""

import json
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from compressed_code.checkpoints.model_files import TRAINING_RECORD
from compressed_code.cold_start.metrics import load_english_words, metric_table
from compressed_code.cold_start.null_model import mixture_divergence
from compressed_code.core.atomic_files import written_whole
from compressed_code.core.paths import DATA
from compressed_code.measurements.cold_start import cold_starts, with_tokens
from compressed_code.registry.languages import select_languages
from compressed_code.zoo.dataset import MIXTURES
from compressed_code.zoo.mixtures import load_first_tokens
from compressed_code.zoo.recipes import STUDY_DIRECTORY, Recipe, load_study

STUDY_FILE = DATA / "reference" / "study-cold-starts.csv"
METRICS = ("pkp", "stp", "nlp", "entropy_nats")
RECIPE = ("size", "mixture", "tokens", "seed", "start", "teacher", "learning_rate")
DIVERGENCES = tuple(f"kl_{mixture}" for mixture in MIXTURES)
COLUMNS = ("model", *RECIPE, "weights", *DIVERGENCES, *METRICS)


def study_cold_start(key: str, recipe: Recipe, directory: Path = STUDY_DIRECTORY) -> pd.DataFrame:
    """One row: what the model was trained on, the hash of its weights, and its cold start after the document start.

    Returns:
        Columns `COLUMNS`: `kl_…` is KL(mixture‖model) in nats for every mixture, whatever the model was trained on.
    """
    folder = directory / key
    record = json.loads((folder / TRAINING_RECORD).read_text(encoding="utf-8"))
    tokens = with_tokens(cold_starts(str(folder)))
    metrics = metric_table(tokens, select_languages(None), load_english_words()).set_index("metric")["value"]
    row = {"model": key, **{name: getattr(recipe, name) for name in RECIPE}, "weights": record["weights"]}
    row |= {f"kl_{mixture}": mixture_divergence(tokens, load_first_tokens(mixture)) for mixture in MIXTURES}
    return pd.DataFrame([row | metrics[list(METRICS)].to_dict()], columns=list(COLUMNS))


def write_study_cold_starts(
    keys: Collection[str], path: Path = STUDY_FILE, directory: Path = STUDY_DIRECTORY
) -> pd.DataFrame:
    """Measure models of the study and put them in the table.

    Rows of other models stay, as long as data/zoo.yml has the same recipe; so trainings can come one by one, and from
    several machines.

    Args:
        keys: models whose folders hold the result of their recipe.

    Returns:
        The whole table, in the order of data/zoo.yml.
    """
    study = load_study()
    earlier = {row["model"].item(): row for _, row in load_study_cold_starts(path).groupby("model")}
    rows = [
        study_cold_start(key, recipe, directory) if key in keys else earlier[key]
        for key, recipe in study.items()
        if key in keys or (key in earlier and _same_recipe(earlier[key], recipe))
    ]
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(COLUMNS))
    with written_whole(path) as part:
        table.to_csv(part, index=False, float_format="%.9g", lineterminator="\n")
    return table


def load_study_cold_starts(path: Path = STUDY_FILE) -> pd.DataFrame:
    """The stored summary; without a row where none was written."""
    if path.is_file():
        return pd.read_csv(path)
    return pd.DataFrame(columns=list(COLUMNS)).astype(dict.fromkeys([*DIVERGENCES, *METRICS], float))


def _same_recipe(row: pd.DataFrame, recipe: Recipe) -> bool:
    return all((None if pd.isna(row[name].item()) else row[name].item()) == getattr(recipe, name) for name in RECIPE)
