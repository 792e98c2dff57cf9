"""Build the zoo: train what is missing of data/zoo.yml, two models at a time, and write the cards.

Each training is a process of its own with one thread; a model waits for the ones its recipe needs. A killed run goes on
where the last saved states stand.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pandas as pd

from compressed_code.checkpoints.model_files import TRAINING_RECORD
from compressed_code.core.errors import InputError
from compressed_code.core.memory import KEEPING_ENVIRONMENT
from compressed_code.core.paths import BUILD
from compressed_code.zoo.export import export_model
from compressed_code.zoo.recipes import (
    STUDY_DIRECTORY,
    ZOO_DIRECTORY,
    Recipe,
    load_recipes,
    load_study,
    lone_counterpart,
)

WORKERS = 2
STATES = BUILD / "zoo" / "states"


def build_zoo(only: str | None = None) -> list[str]:
    """Train the models whose folder does not hold the present recipe's result, then write the cards.

    Where there is nothing to train, nothing is loaded and nothing is written.

    Returns:
        Keys of the models that were trained.

    Raises:
        InputError: an unknown key, or a training failed (its own message stands above).
    """
    from compressed_code.zoo.materials import load_materials, pin_digest, pinned_digest
    from compressed_code.zoo.mixtures import FIRST_TOKENS_FILE, write_first_tokens

    _, recipes = load_recipes()
    wanted = _with_needs(only, recipes) if only else list(recipes)
    pinned = pinned_digest()
    if pinned and FIRST_TOKENS_FILE.exists() and all(is_current(key, recipes[key], pinned) for key in wanted):
        return []
    materials = load_materials()  # once, before the workers ask for it together
    stale = [key for key in wanted if not is_current(key, recipes[key], materials.digest)]
    _train_all(stale, recipes, "make zoo")
    if materials.digest != pinned or not FIRST_TOKENS_FILE.exists():
        write_first_tokens(materials.dataset)
        pin_digest(materials.digest)
    if stale:
        write_cards(wanted)
    return stale


def build_study(only: str | None = None) -> list[str]:
    """Train the models of the study that are not there yet, into build/study, and sum up cold starts and scores of all.

    The models of the zoo must be there; some of them are compressed and measured for notebook 07, too. What stands is
    summed up where a training ends early.

    Returns:
        Keys of the models that were trained.

    Raises:
        InputError: an unknown key, or a training failed (its own message stands above).
    """
    from compressed_code.core.reference_files import declare
    from compressed_code.zoo.materials import load_materials
    from compressed_code.zoo.study import STUDY_FILE, STUDY_SCORES_FILE, write_study
    from compressed_code.zoo.study_variants import VARIANTS_FILE, write_study_variants

    study = load_study()
    if only and only not in study:
        raise InputError(f"{only!r} is not a model of the study in data/zoo.yml; known: {', '.join(study)}")
    digest = load_materials().digest
    stale = [key for key in ([only] if only else study) if not is_current(key, study[key], digest, STUDY_DIRECTORY)]
    try:
        _train_all(stale, study, "make study")
    finally:
        there = [key for key, recipe in study.items() if is_current(key, recipe, digest, STUDY_DIRECTORY)]
        if there:
            write_study(there)
            for file in (STUDY_FILE, STUDY_SCORES_FILE):
                declare(file, "recomputed", "make study")
    if not only:
        write_study_variants()
        declare(VARIANTS_FILE, "recomputed", "make study")
    return stale


def train_one(key: str, position: int = 0) -> None:
    """Train one model whose needs are there, and export it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from compressed_code.zoo import training
    from compressed_code.zoo.materials import load_materials

    logging.disable_progress_bar()  # loading a megabyte needs none
    (sizes, recipes), study, materials = load_recipes(), load_study(), load_materials()
    recipe = {**recipes, **study}[key]
    folders = {known: ZOO_DIRECTORY / known for known in recipes} | {known: STUDY_DIRECTORY / known for known in study}
    tokenizer = AutoTokenizer.from_pretrained(materials.tokenizer_folder)
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    model = training.build_model(sizes[recipe.size], len(tokenizer), special, recipe.seed)
    if recipe.start:
        model.load_state_dict(AutoModelForCausalLM.from_pretrained(folders[recipe.start]).float().state_dict())
    teacher = AutoModelForCausalLM.from_pretrained(folders[recipe.teacher]).float() if recipe.teacher else None
    state = STATES / f"{key}-{materials.digest[:8]}.pt"
    losses = training.train(model, materials.dataset, recipe, state, teacher=teacher, position=position)
    digests = {"materials": materials.digest, "corpus": materials.corpus, "weights": training.weight_hash(model)}
    folders[key].parent.mkdir(parents=True, exist_ok=True)
    export_model(
        model,
        materials.tokenizer_folder,
        folders[key],
        recipe=recipe,
        size=sizes[recipe.size],
        losses=losses,
        digests=digests,
    )
    state.unlink(missing_ok=True)


def is_current(key: str, recipe: Recipe, digest: str, directory: Path = ZOO_DIRECTORY) -> bool:
    """Whether a model's folder holds the result of this recipe on these materials."""
    file = directory / key / TRAINING_RECORD
    if not file.exists():
        return False
    record = json.loads(file.read_text(encoding="utf-8"))
    return record["recipe"] == recipe.model_dump() and record["materials"] == digest


def write_cards(keys: Sequence[str]) -> None:
    """Score the models through `measure`, put the scores in the reference table and write the cards from it."""
    from compressed_code.core.reference_files import declare
    from compressed_code.zoo.cards import write_card
    from compressed_code.zoo.scores import SCORES_FILE

    _, recipes = load_recipes()
    scores = write_scores(SCORES_FILE, keys)
    declare(SCORES_FILE, "recomputed", "make zoo")
    for key in keys:
        write_card(ZOO_DIRECTORY / key, scores, lone_counterpart(recipes[key], recipes))


def write_scores(path: Path, keys: Sequence[str] | None = None) -> pd.DataFrame:
    """Score models and write the table, in which the scores of other models stay.

    Args:
        path: the table.
        keys: of the models; by default all of data/zoo.yml.

    Returns:
        The whole table (`measurements.zoo.zoo_scores`), in the order of data/zoo.yml.
    """
    from compressed_code.zoo.scores import zoo_scores

    _, recipes = load_recipes()
    keys = list(recipes) if keys is None else keys
    scores = zoo_scores([str(ZOO_DIRECTORY / key) for key in keys])
    scores["model"] = [Path(folder).name for folder in scores["model"]]
    if path.exists():
        earlier = pd.read_csv(path)
        scores = pd.concat([earlier[~earlier["model"].isin(keys)], scores])
    order = {key: number for number, key in enumerate(recipes)}
    scores = scores[scores["model"].isin(order)].sort_values("model", key=lambda names: names.map(order), kind="stable")
    path.parent.mkdir(parents=True, exist_ok=True)
    scores.to_csv(path, index=False, float_format="%.6f", lineterminator="\n")
    return scores


def _train_all(stale: Sequence[str], recipes: Mapping[str, Recipe], again: str) -> None:
    """Train models side by side, each when those it needs are there."""
    done = {key: Event() for key in stale}
    failed: list[str] = []

    def work(key: str, position: int) -> None:
        for need in recipes[key].needs:
            if need in done:
                done[need].wait()
        if not failed and not _train_in_process(key, position):
            failed.append(key)
        done[key].set()

    with ThreadPoolExecutor(WORKERS) as pool:
        for number, key in enumerate(stale):
            pool.submit(work, key, number % WORKERS)
    if failed:
        raise InputError(f"{failed[0]}: its training ended early; run {again} again to go on where it stopped")


def _train_in_process(key: str, position: int) -> bool:
    command = [sys.executable, "-P", "-m", "compressed_code", "zoo", "--train", key, "--position", str(position)]
    return subprocess.run(command, env={**os.environ, **KEEPING_ENVIRONMENT}).returncode == 0


def _with_needs(key: str, recipes: Mapping[str, Recipe]) -> list[str]:
    if key not in recipes:
        raise InputError(f"{key!r} is not a model of data/zoo.yml; known: {', '.join(recipes)}")
    needed = {key}
    for name in reversed(list(recipes)):
        if name in needed:
            needed |= set(recipes[name].needs)
    return [name for name in recipes if name in needed]
