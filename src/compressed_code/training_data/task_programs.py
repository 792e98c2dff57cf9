"""From building blocks to one task: which compositions exist, their constants, their English and their Python."""

import hashlib
import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from compressed_code.core.errors import InputError
from compressed_code.training_data.task_grammar import FAMILIES, REDUCERS, Constant, Map, Predicate, Reducer, TaskFamily

Tier = Literal["standard", "hard", "ood"]
Split = Literal["train", "held-out"]
Test = Callable[[Constant], Constant]

PREDICATES_OF_TIER: Mapping[Tier, tuple[int, ...]] = {"standard": (0, 1), "hard": (2,), "ood": (3,)}
# Three predicates are trained in these families only; the tier ood asks for them in the others. Without any training at
# three, models write two and stop, and the tier would tell nothing apart.
TEACHES_THREE = ("numbers", "integers", "digits")
_HELD_OUT_ONE_IN = 8
_ATTEMPTS = 5_000
_STRICT_ATTEMPTS = 20


class NoConstants(Exception):
    """No constants were found under which every block of a composition has an effect."""


@dataclass(frozen=True)
class Composition:
    """The blocks of a task; predicates stand in the order of the family's table."""

    family: TaskFamily
    reducer: Reducer
    mapping: Map | None
    predicates: tuple[Predicate, ...]

    @property
    def key(self) -> str:
        """Readable name of the composition; what the split hashes."""
        mapping = self.mapping.name if self.mapping else "-"
        chosen = "+".join(predicate.name for predicate in self.predicates) or "-"
        return f"{self.family.name}|{self.reducer.name}|{mapping}|{chosen}"

    @property
    def function_name(self) -> str:
        """Name of the function that a task of this composition asks for."""
        return f"{self.reducer.name}_{self.family.name}"

    @property
    def held_out(self) -> bool:
        """Never trained on: one composition in eight, and three predicates in the families that do not teach them."""
        if len(self.predicates) in PREDICATES_OF_TIER["ood"]:
            return self.family.name not in TEACHES_THREE
        return int(hashlib.sha256(self.key.encode()).hexdigest(), 16) % _HELD_OUT_ONE_IN == 0


@dataclass(frozen=True)
class Constants:
    """The constants of one task, one entry per block; `None` where the block takes none."""

    predicates: tuple[Constant | None, ...]
    mapping: Constant | None
    reducer: Constant | None

    def stated(self) -> list[Constant]:
        """Those that occur, without the gaps."""
        return [constant for constant in (*self.predicates, self.mapping, self.reducer) if constant is not None]


@cache
def compositions(tier: Tier, split: Split) -> Mapping[str, Sequence[Composition]]:
    """Every composition of a tier and split, grouped by `family|reducer`, in the order of the tables.

    Raises:
        InputError: the tier does not exist.
    """
    if tier not in PREDICATES_OF_TIER:
        raise InputError(f"tier {tier!r} does not exist; known: {', '.join(PREDICATES_OF_TIER)}")
    groups = defaultdict(list)
    for family, reducer in itertools.product(FAMILIES, REDUCERS):
        choices = [choice for count in PREDICATES_OF_TIER[tier] for choice in _predicate_choices(family, count)]
        for mapping, predicates in itertools.product((None, *family.maps), choices):
            composition = Composition(family, reducer, mapping, predicates)
            if _makes_sense(composition) and composition.held_out == (split == "held-out"):
                groups[f"{family.name}|{reducer.name}"].append(composition)
    return dict(groups)


def draw_constants(composition: Composition, rng: random.Random) -> Constants:
    """Constants under which every block has an effect; letters differ from one another.

    Raises:
        NoConstants: none were found; some chains of three predicates leave none.
    """
    family, mapping, reducer = composition.family, composition.mapping, composition.reducer
    kinds = [*(p.constant for p in composition.predicates), mapping.constant if mapping else None, reducer.constant]
    for attempt in range(_ATTEMPTS):
        drawn = [None if kind is None else rng.choice(family.constants(kind)) for kind in kinds]
        letters = [constant for constant, kind in zip(drawn, kinds, strict=True) if kind == "letter"]
        constants = Constants(tuple(drawn[:-2]), drawn[-2], drawn[-1])
        if len(set(letters)) == len(letters) and _have_effect(
            composition, constants, strict=attempt < _STRICT_ATTEMPTS
        ):
            return constants
    raise NoConstants(composition.key)


def sentence(composition: Composition, constants: Constants) -> str:
    """The task in English, one sentence."""
    family, reducer, mapping = composition.family, composition.reducer, composition.mapping
    stated = list(zip(composition.predicates, constants.predicates, strict=True))
    asked = stated.pop() if reducer.asks else None
    adjectives = "".join(f"{predicate.adjective} " for predicate, _ in stated if predicate.adjective)
    clauses = [_say(predicate.plural, constant) for predicate, constant in stated if not predicate.adjective]
    elements = f"the {adjectives}{family.noun} {family.place}{_relative_clause(clauses)}"
    if mapping:
        elements = _say(mapping.before, constants.mapping) + elements + _say(mapping.after, constants.mapping)
    if asked:
        predicate, constant = asked
        elements += " " + _say(predicate.singular, constant)
    return f"Return {_say(reducer.phrase, constants.reducer)} {elements}{reducer.ending}."


def conditions(composition: Composition, constants: Constants) -> list[str]:
    """The predicates in Python, with the family's name for an element."""
    return [
        _fill(predicate.expression, composition.family.variable, constant)
        for predicate, constant in zip(composition.predicates, constants.predicates, strict=True)
    ]


def solution(composition: Composition, constants: Constants) -> str:
    """The body of the canonical program, indented by four spaces."""
    family, reducer, mapping = composition.family, composition.reducer, composition.mapping
    tests = conditions(composition, constants)
    value = _fill(mapping.expression, family.variable, constants.mapping) if mapping else family.variable
    if reducer.asks:
        value = tests.pop()
    loop = f"{family.variable} in {family.iterable}"
    if any(predicate.variable == "v" for predicate in composition.predicates):
        loop = f"{family.variable}, v in {family.iterable}.items()"
    where = " and ".join(tests)
    if reducer.loop and (family.prefers_loop or not reducer.expression):
        lines = _loop_lines(reducer, loop, where, value)
    else:
        where = f" if {where}" if where else ""
        items = f"{value} for {loop}{where}"
        lines = [f"return {reducer.expression}".format(items=items, loop=loop, where=where, k=constants.reducer)]
    return "".join(f"    {line}\n" for line in lines)


def _loop_lines(reducer: Reducer, loop: str, where: str, value: str) -> list[str]:
    steps = [f"    {step}" for step in reducer.loop.step.format(value=value).splitlines()]
    if where:
        steps = [f"    if {where}:", *(f"    {step}" for step in steps)]
    return [*reducer.loop.before.splitlines(), f"for {loop}:", *steps, f"return {reducer.loop.result}"]


def _predicate_choices(family: TaskFamily, count: int) -> Iterator[tuple[Predicate, ...]]:
    for predicates in itertools.combinations(family.predicates, count):
        axes = [axis for predicate in predicates for axis in predicate.axes]
        if len(set(axes)) == len(axes):
            yield predicates


def _makes_sense(composition: Composition) -> bool:
    family, reducer, mapping = composition.family, composition.reducer, composition.mapping
    predicates = composition.predicates
    kind = mapping.result if mapping else family.kind
    if kind not in reducer.accepts or reducer.name in family.excluded:
        return False
    if not predicates and (mapping is None or reducer.needs_predicate or (family.never_empty and reducer.ending)):
        return False
    keeps_apart = mapping is None or mapping.one_to_one
    if reducer.merges and keeps_apart and (family.distinct or (mapping and reducer.name == "varieties")):
        return False
    if reducer.name == "all" and _says_nothing_of_all(predicates):
        return False
    if mapping is None:
        # From two predicates on a task has a map, too, wherever its reducer takes one.
        return not reducer.takes_map or len(predicates) < 2
    return reducer.takes_map and not any(mapping.axes & predicate.axes for predicate in predicates)


def _says_nothing_of_all(predicates: Sequence[Predicate]) -> bool:
    """Whether `all` would ask what makes the other conditions idle.

    All numbers above 3 are below 9 exactly if all numbers are below 9; all even numbers differ from 4 exactly if all
    numbers do.
    """
    *chosen_by, asked = predicates
    bounds = {axis.replace("low", "high") for predicate in chosen_by for axis in predicate.axes if _is_bound(axis)}
    asked_bounds = {axis.replace("low", "high") for axis in asked.axes if _is_bound(axis)}
    return bool(chosen_by) and (any("equal" in axis for axis in asked.axes) or bool(bounds & asked_bounds))


def _is_bound(axis: str) -> bool:
    return axis.removeprefix("value ") in ("low", "high")


def _have_effect(composition: Composition, constants: Constants, strict: bool) -> bool:
    """Whether no block could be left out, tried on the family's universe of single elements.

    Conditions on the keys of a dictionary are not tried: their constants are sound by choice, as those of words are.
    """
    tried = _tried(composition, constants)
    universe = composition.family.universe
    if not tried:
        return True
    if not all(_matters(place, tried, universe, strict) for place in range(len(tried))):
        return False
    left = [x for x in universe if all(function(x) for function, _ in tried)]
    if composition.reducer.asks:
        return bool(left)
    return _enough(left, composition, constants)


def _tried(composition: Composition, constants: Constants) -> list[tuple[Test, Constant | None]]:
    """The predicates on elements of the universe as functions, each with its bound, if it has one.

    What `all` asks enters negated, since it looks for an element that is chosen and does not comply.
    """
    family = composition.family
    signs = [""] * len(composition.predicates)
    if composition.reducer.name == "all":
        signs[-1] = "not "
    return [
        (
            _function(sign + _fill(predicate.expression, "x", constant, "x")),
            constant if predicate.constant == "bound" else None,
        )
        for sign, predicate, constant in zip(signs, composition.predicates, constants.predicates, strict=True)
        if family.universe and predicate.variable == ("v" if family.name == "keys" else "x")
    ]


def _matters(place: int, tried: Sequence[tuple[Test, Constant | None]], universe: Sequence, strict: bool) -> bool:
    """Whether a predicate excludes something that the others let through, and its bound is the one that decides.

    The others let the bound itself through, so that `>` and `>=` differ. In the strict form they let through the whole
    numbers on both sides, too, so that the bound differs from its neighbours; beside a parity this cannot be had.
    """
    function, bound = tried[place]
    others = [other for other, _ in tried[:place] + tried[place + 1 :]]
    around = [] if bound is None else [bound]
    if strict and isinstance(bound, int):
        around += [bound - 1, bound + 1]
    if not all(other(x) for other in others for x in around):
        return False
    return any(not function(x) for x in universe if all(other(x) for other in others))


def _enough(left: list, composition: Composition, constants: Constants) -> bool:
    """Whether the map changes the elements left and keeps some apart, and the reducer leaves out some of them."""
    family, mapping = composition.family, composition.mapping
    needed = constants.reducer if composition.reducer.constant and family.distinct else 1
    if len(left) <= needed:
        return False
    if mapping is None or family.name == "keys":
        return True
    mapped = [_function(_fill(mapping.expression, "x", constants.mapping))(x) for x in left]
    return mapped != left and len(set(mapped)) > 1


@cache
def _function(expression: str) -> Test:
    return eval(f"lambda x: {expression}")


def _fill(template: str, variable: str, constant: Constant | None, value: str = "v") -> str:
    """A block's Python with names and constant in place; letters in double quotes."""
    return template.format(x=variable, v=value, k=f'"{constant}"' if isinstance(constant, str) else constant)


def _say(phrase: str, constant: Constant | None) -> str:
    """A phrase with its constant in place; letters in single quotes."""
    return phrase.format(k=f"'{constant}'" if isinstance(constant, str) else constant)


def _relative_clause(clauses: list[str]) -> str:
    """The words " that are A, B and C", with "are" said once where all clauses share it."""
    if not clauses:
        return ""
    if all(clause.startswith("are ") for clause in clauses):
        clauses = [clauses[0], *(clause.removeprefix("are ") for clause in clauses[1:])]
    *most, last = clauses
    return " that " + (f"{', '.join(most)} and {last}" if most else last)
