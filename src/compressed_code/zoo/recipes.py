"""The zoo's models as rows of data/zoo.yml: what each is made of and how it is trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from compressed_code.core.errors import InputError
from compressed_code.core.paths import BUILD, DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml

RECIPES_FILE = DATA / "zoo.yml"
ZOO_DIRECTORY = DATA / "zoo"
STUDY_DIRECTORY = BUILD / "study" / "models"  # trained for their measurements; too many to be committed


class Size(Record):
    """Shape of a Llama model.

    Attributes:
        hidden: width of the residual stream; divisible by `heads`.
        layers, heads: numbers of blocks and of attention heads.
        feed_forward: inner width of the gated MLP.
    """

    key: str
    hidden: int
    layers: int
    heads: int
    feed_forward: int


class Recipe(Record):
    """How one model is trained.

    Attributes:
        size: key of its size.
        mixture: what it is trained on, see `dataset.MIXTURES`.
        tokens: token budget; training stops after this many tokens, whatever the machine's speed.
        seed: of initial weights and data order.
        start: key of the model whose weights it starts from; `None` starts from random weights.
        teacher: key of the model whose distribution it learns; `None` learns from the text alone.
        learning_rate: multiplies the base rates of `training`.
    """

    key: str
    label: str
    size: str
    mixture: Literal["base", "instruct", "tasks-0", "tasks-25", "tasks-85"]
    tokens: int
    seed: int = 0
    start: str | None = None
    teacher: str | None = None
    learning_rate: float = 1.0

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the models that must be trained before this one."""
        return tuple(key for key in (self.start, self.teacher) if key is not None)


def load_recipes(path: Path = RECIPES_FILE) -> tuple[Mapping[str, Size], Mapping[str, Recipe]]:
    """Sizes and recipes; a recipe stands after the ones it needs.

    Raises:
        InputError: naming file, row and field.
    """
    content = read_yaml(path)
    sizes = parse_rows(Size, content.get("sizes", {}), path, "sizes.")
    recipes = parse_rows(Recipe, content.get("models", {}), path, "models.")
    _check(recipes, {}, sizes, f"{path}: models")
    return sizes, recipes


def load_study(path: Path = RECIPES_FILE) -> Mapping[str, Recipe]:
    """Recipes of the models that are trained for their measurements only (`make study`), by key.

    A recipe stands after the ones it needs, among them any of `load_recipes`.

    Raises:
        InputError: naming file, row and field.
    """
    content = read_yaml(path)
    sizes, recipes = load_recipes(path)
    study = parse_rows(Recipe, content.get("study", {}), path, "study.")
    _check(study, recipes, sizes, f"{path}: study")
    return study


def _check(recipes: Mapping[str, Recipe], before: Mapping[str, Recipe], sizes: Mapping[str, Size], place: str) -> None:
    """Sizes exist, and needs stand before."""
    seen = dict(before)
    for key, recipe in recipes.items():
        if recipe.size not in sizes:
            raise InputError(f"{place}.{key}.size: {recipe.size!r} is not a size")
        if key in before:
            raise InputError(f"{place}.{key}: is a model already; choose another key")
        missing = [need for need in recipe.needs if need not in seen]
        if missing:
            raise InputError(f"{place}.{key}: needs {missing[0]!r}, which must be a row before it")
        if recipe.start is not None and seen[recipe.start].size != recipe.size:
            raise InputError(f"{place}.{key}.start: {recipe.start!r} has another size")
        seen[key] = recipe


def seed_families(recipes: Mapping[str, Recipe]) -> Mapping[str, str]:
    """Each model and the first one with the same recipe but for the seed.

    What it starts from or learns from counts by its own family, so that fine-tuned models go together, too.

    Args:
        recipes: of which each stands after the ones it needs.
    """
    families: dict[str, str] = {}
    first: dict[str, str] = {}
    for key, recipe in recipes.items():
        needs = {"start": families.get(recipe.start or ""), "teacher": families.get(recipe.teacher or "")}
        fields = recipe.model_copy(update=needs).model_dump_json(exclude={"key", "label", "seed"})
        families[key] = first.setdefault(fields, key)
    return families


def model_kind(recipe: Recipe | None) -> Literal["base", "distilled", "fine-tuned", "other"]:
    """What a model is for figures: fine-tuned on another mixture, distilled, neither, or none of the zoo's."""
    if recipe is None:
        return "other"
    return "fine-tuned" if recipe.mixture == "instruct" else "distilled" if recipe.teacher else "base"


def lone_counterpart(recipe: Recipe, recipes: Mapping[str, Recipe]) -> str | None:
    """The model trained without a teacher but otherwise by the same recipe; `None` for one that had no teacher."""
    if recipe.teacher is None:
        return None
    alone = recipe.model_copy(update={"teacher": None}).model_dump(exclude={"key", "label"})
    return next((key for key, other in recipes.items() if other.model_dump(exclude={"key", "label"}) == alone), None)


def load_targets(path: Path = RECIPES_FILE) -> Mapping[str, Mapping[str, tuple[float, float]]]:
    """What models were meant to reach: model → quantity of data/reference/zoo-scores.csv → lowest and highest value.

    Raises:
        InputError: naming file and row.
    """
    content = read_yaml(path)
    targets = {}
    for key, row in content.get("targets", {}).items():
        if key not in content.get("models", {}):
            raise InputError(f"{path}: targets.{key}: is not a model")
        for quantity, bounds in row.items():
            if not (isinstance(bounds, list) and len(bounds) == 2):
                raise InputError(f"{path}: targets.{key}.{quantity}: must be [lowest, highest]")
        targets[key] = {quantity: (float(low), float(high)) for quantity, (low, high) in row.items()}
    return targets
