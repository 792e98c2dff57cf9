"""`make zoo`: train every model of data/zoo.yml that is not there yet, two at a time, and write its card.

Each training is a process of its own with one thread; a model waits for the ones its recipe needs. A killed run goes on
where the last saved states stand. Run it as `python -m helpers.zoo.build [--only KEY]`.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from helpers.errors import InputError
from helpers.project import BUILD
from helpers.zoo.cards import write_card
from helpers.zoo.export import TRAINING_FILE, export_model
from helpers.zoo.recipes import ZOO_DIRECTORY, Recipe, load_recipes

WORKERS = 2
STATES = BUILD / "zoo" / "states"

# glibc gives large blocks back to the system at every free; keeping them halves the time of a step.
_KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "2147483647", "MALLOC_TOP_PAD_": "268435456"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing; `--train KEY` is one worker's share."""
    parser = argparse.ArgumentParser(prog="python -m helpers.zoo.build", description=__doc__)
    parser.add_argument("--only", metavar="KEY", help="train this model and what it needs")
    parser.add_argument("--train", metavar="KEY", help=argparse.SUPPRESS)
    parser.add_argument("--position", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        if options.train:
            train_one(options.train, options.position)
        else:
            build_zoo(options.only)
    except InputError as error:
        print(f"make zoo: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def build_zoo(only: str | None = None) -> None:
    """Train the models whose folder does not hold the present recipe's result, then write all cards.

    Raises:
        InputError: an unknown key, or a training failed (its own message stands above).
    """
    from helpers.zoo.materials import load_materials

    _, recipes = load_recipes()
    wanted = _with_needs(only, recipes) if only else list(recipes)
    materials = load_materials()  # once, before the workers ask for it together
    stale = [key for key in wanted if not is_current(key, recipes[key], materials.digest)]
    done = {key: Event() for key in wanted}
    failed: list[str] = []

    def work(key: str, position: int) -> None:
        for need in recipes[key].needs:
            done[need].wait()
        if key in stale and not failed and not _train_in_process(key, position):
            failed.append(key)
        done[key].set()

    with ThreadPoolExecutor(WORKERS) as pool:
        for number, key in enumerate(wanted):
            pool.submit(work, key, number % WORKERS)
    if failed:
        raise InputError(f"{failed[0]}: its training ended early; run make zoo again to go on where it stopped")
    write_cards(wanted)


def train_one(key: str, position: int = 0) -> None:
    """Train one model whose needs are there, and export it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from helpers.zoo import training
    from helpers.zoo.materials import load_materials

    logging.disable_progress_bar()  # loading a megabyte needs none
    sizes, recipes = load_recipes()
    recipe, materials = recipes[key], load_materials()
    tokenizer = AutoTokenizer.from_pretrained(materials.tokenizer_folder)
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    model = training.build_model(sizes[recipe.size], len(tokenizer), special, recipe.seed)
    if recipe.start:
        model.load_state_dict(AutoModelForCausalLM.from_pretrained(ZOO_DIRECTORY / recipe.start).float().state_dict())
    teacher = AutoModelForCausalLM.from_pretrained(ZOO_DIRECTORY / recipe.teacher).float() if recipe.teacher else None
    state = STATES / f"{key}-{materials.digest[:8]}.pt"
    losses = training.train(model, materials.dataset, recipe, state, teacher=teacher, position=position)
    digests = {"materials": materials.digest, "corpus": materials.corpus, "weights": training.weight_hash(model)}
    ZOO_DIRECTORY.mkdir(parents=True, exist_ok=True)
    export_model(
        model,
        materials.tokenizer_folder,
        ZOO_DIRECTORY / key,
        recipe=recipe,
        size=sizes[recipe.size],
        losses=losses,
        digests=digests,
    )
    state.unlink(missing_ok=True)


def is_current(key: str, recipe: Recipe, digest: str, directory: Path = ZOO_DIRECTORY) -> bool:
    """Whether a model's folder holds the result of this recipe on these materials."""
    file = directory / key / TRAINING_FILE
    if not file.exists():
        return False
    record = json.loads(file.read_text(encoding="utf-8"))
    return record["recipe"] == recipe.model_dump() and record["materials"] == digest


def write_cards(keys: Sequence[str]) -> None:
    """Score the models through `measure` and write their cards from the measured tables."""
    from helpers.languages import keyword_union, select_languages
    from helpers.measurements import measure
    from helpers.zoo.scores import zoo_first_token, zoo_loss, zoo_pass

    keywords = keyword_union(select_languages(None))
    folders = [str(ZOO_DIRECTORY / key) for key in keys]
    tables = {what.name: measure(what, folders) for what in (zoo_pass, zoo_loss, zoo_first_token)}
    for folder in folders:
        passed, loss, first = (table[table["model"] == folder] for table in tables.values())
        is_keyword = first["token"].str.strip().isin(keywords)
        top = first.nlargest(10, "probability")
        write_card(Path(folder), passed, loss, top, float(first.loc[is_keyword, "probability"].sum()))


def _train_in_process(key: str, position: int) -> bool:
    command = [sys.executable, "-m", "helpers.zoo.build", "--train", key, "--position", str(position)]
    return subprocess.run(command, env={**os.environ, **_KEEP_MEMORY}).returncode == 0


def _with_needs(key: str, recipes: Mapping[str, Recipe]) -> list[str]:
    if key not in recipes:
        raise InputError(f"{key!r} is not a model of data/zoo.yml; known: {', '.join(recipes)}")
    needed = {key}
    for name in reversed(list(recipes)):
        if name in needed:
            needed |= set(recipes[name].needs)
    return [name for name in recipes if name in needed]


if __name__ == "__main__":
    sys.exit(main())
