"""Cold starts and scores of the models that are trained for their measurements only: summaries that notebooks load.

The models themselves, megabytes each, stay in build/study.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from compressed_code.checkpoints.model_files import TRAINING_RECORD
from compressed_code.cold_start.metrics import divergence, load_english_words, metric_table
from compressed_code.cold_start.null_model import mixture_divergence
from compressed_code.core.atomic_files import written_whole
from compressed_code.core.paths import DATA
from compressed_code.measurements.code_generation import executions
from compressed_code.measurements.cold_start import cold_starts, with_tokens
from compressed_code.measurements.fidelity import fidelity_by
from compressed_code.measurements.subjects.pairs import AGAINST
from compressed_code.measurements.tables import measure
from compressed_code.registry.languages import select_languages
from compressed_code.statistics.intervals_and_tests import wilson_interval
from compressed_code.training_data.tasks import task_families
from compressed_code.zoo.dataset import MIXTURES
from compressed_code.zoo.mixtures import load_first_tokens, tasks_share
from compressed_code.zoo.recipes import STUDY_DIRECTORY, Recipe, load_recipes, load_study, seed_families
from compressed_code.zoo.scores import zoo_scores

STUDY_FILE = DATA / "reference" / "study-cold-starts.csv"
STUDY_SCORES_FILE = DATA / "reference" / "study-scores.csv"
METRICS = ("pkp", "stp", "nlp", "entropy_nats")
RECIPE = ("size", "mixture", "tokens", "seed", "start", "teacher", "learning_rate")
BESIDE = (
    "kl_mean_nats",
    "same_top_fraction",
    "keyword_rank_correlation_mean",
    "ln_perplexity_ratio",
    "perplexity_candidate",
)
DIVERGENCES = tuple(f"kl_{mixture}" for mixture in MIXTURES)
COLUMNS = ("model", *RECIPE, "weights", *DIVERGENCES, "tasks_share", *METRICS)


def study_cold_start(key: str, recipe: Recipe, directory: Path = STUDY_DIRECTORY) -> pd.DataFrame:
    """One row: what the model was trained on, the hash of its weights, and its cold start after the document start.

    Returns:
        Columns `COLUMNS`: `kl_…` is KL(mixture‖model) in nats for every mixture, whatever the model was trained on;
        `tasks_share` the share of tasks that its first tokens tell.
    """
    folder = directory / key
    record = json.loads((folder / TRAINING_RECORD).read_text(encoding="utf-8"))
    tokens = with_tokens(cold_starts(str(folder)))
    metrics = metric_table(tokens, select_languages(None), load_english_words()).set_index("metric")["value"]
    row = {"model": key, **{name: getattr(recipe, name) for name in RECIPE}, "weights": record["weights"]}
    row |= {f"kl_{mixture}": mixture_divergence(tokens, load_first_tokens(mixture)) for mixture in MIXTURES}
    row["tasks_share"] = tasks_share(tokens)
    return pd.DataFrame([row | metrics[list(METRICS)].to_dict()], columns=list(COLUMNS))


def study_scores(key: str, recipe: Recipe, directory: Path = STUDY_DIRECTORY) -> pd.DataFrame:
    """What the model can do (`scores.zoo_scores`), and how far it is from the models that it is compared with.

    Returns:
        Columns of `scores.zoo_scores`, `model` being the key. Further quantities: "pass_ood_…", greedy pass@1 of each
        family of tasks out of distribution (95 % Wilson); of a size that is distilled in the study "teacher_…", and of
        a model that starts from another one "start_…", with the teacher and the start as base model: the statistics
        `BESIDE` of `fidelity.summary` over parallel programs (95 % over programs, n in tokens), and
        "…first_token_kl", KL(base‖model) in nats after the document start (n = 1, exact).
    """
    name = str(directory / key)
    parts = [zoo_scores([name]), _passed_by_family(name)]
    beside = {"teacher": _teachers().get(recipe.size), "start": recipe.start}
    for role, base in beside.items():
        if base is not None:
            parts.append(_compared(name, base if base in load_recipes()[1] else str(directory / base), role))
    return pd.concat(parts, ignore_index=True).assign(model=key)


def _passed_by_family(model: str) -> pd.DataFrame:
    outcomes = measure(executions, [model], benchmark="zoo-ood")
    families = outcomes["task_id"].map(task_families("ood"))
    rows = [
        (f"pass_ood_{family}", passed.mean(), *wilson_interval(int(passed.sum()), len(passed)), len(passed))
        for family, passed in outcomes["passed"].groupby(families)
    ]
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "n"])


def _compared(model: str, base: str, role: str) -> pd.DataFrame:
    """Statistics of a model beside a base model, their names led by the base's role."""
    pair = fidelity_by([f"{model}{AGAINST}{base}"]).set_index("statistic").loc[list(BESIDE)]
    pair = pair.reset_index(names="quantity").rename(columns={"tokens": "n"})
    of_base, own = (with_tokens(cold_starts(one)).set_index("token_id")["probability"] for one in (base, model))
    apart = divergence(of_base, own)
    first = pd.DataFrame([{"quantity": "first_token_kl", "value": apart, "low": apart, "high": apart, "n": 1}])
    rows = pd.concat([pair[["quantity", "value", "low", "high", "n"]], first], ignore_index=True)
    return rows.assign(quantity=f"{role}_" + rows["quantity"])


def write_study(keys: Collection[str], folder: Path = STUDY_FILE.parent, directory: Path = STUDY_DIRECTORY) -> None:
    """Measure models of the study and put them in both tables.

    Rows of other models stay, as long as data/zoo.yml has the same recipe; so trainings can come one by one, and from
    several machines.

    Args:
        keys: models whose folders hold the result of their recipe.
        folder: where the tables lie.
    """
    study = load_study()
    starts, scores = folder / STUDY_FILE.name, folder / STUDY_SCORES_FILE.name
    earlier = {row["model"].item(): row for _, row in load_study_cold_starts(starts).groupby("model")}
    known = dict(iter(load_study_scores(scores).groupby("model", sort=False)))
    kept = [key for key in study if key in keys or (key in earlier and _same_recipe(earlier[key], study[key]))]
    of_starts = [study_cold_start(key, study[key], directory) if key in keys else earlier[key] for key in kept]
    of_scores = [study_scores(key, study[key], directory) if key in keys else known[key] for key in kept]
    for path, rows in ((starts, of_starts), (scores, of_scores)):
        with written_whole(path) as part:
            pd.concat(rows, ignore_index=True).to_csv(part, index=False, float_format="%.9g", lineterminator="\n")


def load_study_cold_starts(path: Path = STUDY_FILE) -> pd.DataFrame:
    """The stored summary; without a row where none was written."""
    if path.is_file():
        return pd.read_csv(path)
    return pd.DataFrame(columns=list(COLUMNS)).astype(dict.fromkeys([*DIVERGENCES, "tasks_share", *METRICS], float))


def load_study_scores(path: Path = STUDY_SCORES_FILE) -> pd.DataFrame:
    """The stored scores; without a row where none were written."""
    if path.is_file():
        return pd.read_csv(path)
    return pd.DataFrame(columns=["model", "quantity", "value", "low", "high", "n"])


def further_trainings(called: Mapping[str, str], teacher: str | None = None) -> pd.DataFrame:
    """Stored scores of trainings that repeat a recipe with another seed.

    Args:
        called: model → what its recipe is called; one entry for each recipe suffices.
        teacher: whose students they are to be; nothing is stored of another one's.

    Returns:
        Columns of `study_scores` and `family`, what the recipe is called; a model that is an entry itself is left out.
    """
    families = seed_families({**load_recipes()[1], **load_study()})
    names = {families[key]: name for key, name in called.items() if key in families}
    scores = load_study_scores()
    scores["family"] = scores["model"].map(families).map(names)
    kept = scores["family"].notna() & ~scores["model"].isin(list(called))
    if teacher is not None:
        study = load_study()
        taught = {key for key, recipe in study.items() if _teachers().get(recipe.size) == teacher}
        kept &= scores["model"].isin(taught)
    return scores[kept].reset_index(drop=True)


def changes_from_start(scores: pd.DataFrame, starts: Mapping[str, str]) -> pd.DataFrame:
    """What training further changed of models that start from another one.

    Args:
        scores: columns `model`, `quantity`, `value`: "pass_…" of models and of what they start from, and "start_…".
        starts: model → what it starts from.

    Returns:
        Columns `model`, `quantity`, `value`: differences of "pass_…" where both were measured, and "start_…" without
        that beginning.
    """
    own = scores[scores["model"].isin(list(starts))]
    passes = own[own["quantity"].str.startswith("pass_")].assign(start=lambda rows: rows["model"].map(dict(starts)))
    before = scores.rename(columns={"model": "start", "value": "before"})[["start", "quantity", "before"]]
    passes = passes.merge(before, on=["start", "quantity"])
    passes["value"] -= passes["before"]
    beside = own[own["quantity"].str.startswith("start_")]
    beside = beside.assign(quantity=beside["quantity"].str.removeprefix("start_"))
    return pd.concat([passes, beside], ignore_index=True)[["model", "quantity", "value"]]


def _teachers() -> Mapping[str, str]:
    """Size → the model that students of this size learn from."""
    return {recipe.size: recipe.teacher for recipe in load_study().values() if recipe.teacher}


def _same_recipe(row: pd.DataFrame, recipe: Recipe) -> bool:
    return all((None if pd.isna(row[name].item()) else row[name].item()) == getattr(recipe, name) for name in RECIPE)
