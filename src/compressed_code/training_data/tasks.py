"""The zoo's programming tasks: a program-generated benchmark in HumanEval's format.

A task is one composition of building blocks with constants filled in. Whether a composition is trained on or held out
follows from the sha256 of its key, so no seed and no number of tasks can mix the two. Everything drawn is drawn from
`random.Random(seed)`.
"""

import itertools
import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.paths import DATA
from compressed_code.training_data.task_grammar import LETTERS, Constant, TaskFamily
from compressed_code.training_data.task_programs import (
    PREDICATES_OF_TIER,
    Composition,
    NoConstants,
    Tier,
    compositions,
    conditions,
    draw_constants,
    sentence,
    solution,
)

BENCHMARKS_DIRECTORY = DATA / "benchmarks"
BENCHMARK_SEED = 20_240
BENCHMARK_TASKS = 320
_TRAINING_SHARES = {"standard": 0.45, "hard": 0.45, "ood": 0.1}
_LEAST_ASSERTS, _MOST_ASSERTS = 8, 10
_CONSTANT_PROGRAMS = ("0", "1", "-1", "2", "[]", "''", "None", "True", "False", "{}")
# What may stand in a token's place. A set is not listed unsorted: its order would differ from run to run.
_NEAR_TOKENS = {
    "<": ("<=", ">", ">="),
    "<=": ("<", ">", ">="),
    ">": (">=", "<", "<="),
    ">=": (">", "<", "<="),
    "==": ("!=",),
    "!=": ("==",),
    "+": ("-",),
    "-": ("+", ""),
    "*": ("//", "+"),
    "//": ("*",),
    "%": ("//",),
    "and": ("or",),
    "not ": ("",),
    "max": ("min",),
    "min": ("max",),
    "startswith": ("endswith",),
    "endswith": ("startswith",),
    "sorted": ("list",),
    "reverse=True": ("reverse=False",),
}
_TOKEN = re.compile(
    r"\d+|[<>=!]=|//|[-+*%<>]|\b(?:and|max|min|startswith|endswith)\b|\bnot |\bsorted\b(?!\(\{)|reverse=True"
)
_OF_A_SORT = 6
_FAILED = object()


@dataclass(frozen=True)
class GeneratedTask:
    """One task; the first five fields are HumanEval's.

    Attributes:
        task_id: unique within one draw.
        prompt: def line and docstring, up to the line break before the body.
        entry_point: name of the function.
        canonical_solution: the body, indented by four spaces, with its line break.
        test: `def check(candidate):` with asserts; empty for a training task drawn without tests.
        tier: standard (at most one predicate), hard (two) or ood (three; in the benchmark, in families that training
            shows with two at most).
        composition: key of the composition, `family|reducer|map|predicate+predicate`.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str
    tier: Tier
    composition: str


def training_text(task: GeneratedTask) -> str:
    """The document a model is trained on."""
    return task.prompt + task.canonical_solution


def training_tasks(seed: int, n: int, with_tests: bool = False) -> Iterator[GeneratedTask]:
    """Tasks of the train compositions in fixed shares of tiers; pairs of family and reducer are drawn evenly.

    Those of the tier ood come from the families that teach three predicates; the benchmark asks for the others.

    Args:
        with_tests: also make the tests (much slower); the tasks are otherwise the same.
    """
    rng = random.Random(seed)
    groups = {tier: list(compositions(tier, "train").values()) for tier in _TRAINING_SHARES}
    for number in range(n):
        (tier,) = rng.choices(list(_TRAINING_SHARES), list(_TRAINING_SHARES.values()))
        task = None
        while task is None:
            with suppress(NoConstants):  # then another composition of the tier takes its place
                task = _make_task(f"zoo-train/{number}", rng.choice(rng.choice(groups[tier])), tier, rng, with_tests)
        yield task


def held_out_tasks(tier: Tier, n: int, seed: int) -> Iterator[GeneratedTask]:
    """Tasks of held-out compositions, with tests; compositions repeat only after all were used.

    Raises:
        InputError: the tier does not exist (at the first task).
    """
    rng = random.Random(seed)
    groups = [rng.sample(group, len(group)) for group in compositions(tier, "held-out").values()]
    rng.shuffle(groups)
    turns = itertools.zip_longest(*groups)
    rounds = [composition for turn in turns for composition in turn if composition is not None]
    for number, composition in enumerate(itertools.islice(itertools.cycle(rounds), n)):
        yield _make_task(f"zoo-{tier}/{number}", composition, tier, rng, with_tests=True)


def write_benchmarks(directory: Path = BENCHMARKS_DIRECTORY) -> list[Path]:
    """Write the three held-out files `zoo-TIER.jsonl`; the same bytes on every machine."""
    paths = []
    for tier in PREDICATES_OF_TIER:
        tasks = held_out_tasks(tier, BENCHMARK_TASKS, BENCHMARK_SEED)
        lines = [json.dumps(asdict(task), sort_keys=True, ensure_ascii=True) for task in tasks]
        paths.append(directory / f"zoo-{tier}.jsonl")
        with written_whole(paths[-1]) as part:
            part.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return paths


def task_families(tier: Tier, directory: Path = BENCHMARKS_DIRECTORY) -> dict[str, str]:
    """Task of a held-out file → its family, what its program is given: "characters", "words" …

    Tasks of one family are alike, so that a mean over a tier can hide that a model has learned one of them.
    """
    lines = (directory / f"zoo-{tier}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = map(json.loads, lines)
    return {row["task_id"]: row["composition"].partition("|")[0] for row in rows}


def _make_task(
    task_id: str, composition: Composition, tier: Tier, rng: random.Random, with_tests: bool
) -> GeneratedTask:
    family, name = composition.family, composition.function_name
    constants = draw_constants(composition, rng)
    prompt = f'def {name}({family.arguments}):\n    """{sentence(composition, constants)}"""\n'
    body = solution(composition, constants)
    input_seed = rng.getrandbits(64)  # drawn in any case, so that tests do not change the tasks that follow
    test = ""
    if with_tests:
        inputs = random.Random(input_seed)
        tests = conditions(composition, constants)
        candidates = _candidates(family, tests, constants.stated(), inputs)
        test = _make_check(prompt.splitlines()[0] + "\n", name, body, tests, candidates)
    return GeneratedTask(task_id, prompt, name, body, test, tier, composition.key)


def _make_check(header: str, name: str, body: str, conditions: Sequence[str], candidates: Sequence[tuple]) -> str:
    """A `check` function: a few of the candidate inputs, chosen so that programs near the solution fail.

    Near programs are those one token away, those that forget a condition and those that return a constant. The first
    candidate is always taken, then again and again the one that tells most of the remaining near programs from the
    solution.
    """
    expected = _outcomes(header + body, name, candidates)
    if _FAILED in expected:
        raise RuntimeError(f"{name}: the canonical solution fails on {candidates[expected.index(_FAILED)]!r}")
    near = [_outcomes(header + program, name, candidates) for program in _near_programs(body, conditions)]
    told = [
        {number for number, outcomes in enumerate(near) if outcomes[place] != expected[place]}
        for place in range(len(candidates))
    ]
    chosen = [0]
    remaining = set(range(len(near))) - told[0]
    while len(chosen) < _MOST_ASSERTS:
        best = max(range(len(candidates)), key=lambda place: len(told[place] & remaining))
        if not told[best] & remaining:
            break
        chosen.append(best)
        remaining -= told[best]
    # The last candidates are the long ones: they fill up where few inputs suffice.
    fill = (place for place in reversed(range(len(candidates))) if place not in chosen)
    while len(chosen) < _LEAST_ASSERTS:
        chosen.append(next(fill))
    lines = ["def check(candidate):"]
    for place in sorted(chosen):
        lines.append(f"    assert candidate({', '.join(map(repr, candidates[place]))}) == {expected[place]!r}")
    return "".join(f"{line}\n" for line in lines)


def _near_programs(body: str, conditions: Sequence[str]) -> Iterator[str]:
    """Bodies a slip away from the solution; some are no programs, and some compute the same."""
    for value in _CONSTANT_PROGRAMS:
        yield f"    return {value}\n"
    for condition in conditions:
        yield body.replace(condition, "True", 1)
    for match in _TOKEN.finditer(body):
        token = match.group()
        others = (str(int(token) - 1), str(int(token) + 1)) if token.isdigit() else _NEAR_TOKENS[token]
        for other in others:
            yield body[: match.start()] + other + body[match.end() :]


def _outcomes(program: str, name: str, candidates: Sequence[tuple]) -> list[Any]:
    """What a program returns for each input; `_FAILED` where it raises, everywhere if it is no program at all."""
    namespace: dict[str, Any] = {}
    try:
        exec(program, namespace)
    except SyntaxError:
        return [_FAILED] * len(candidates)
    outcomes = []
    for arguments in candidates:
        try:
            outcomes.append(namespace[name](*arguments))
        except Exception:
            outcomes.append(_FAILED)
    return outcomes


def _candidates(
    family: TaskFamily, conditions: Sequence[str], constants: Sequence[Constant], rng: random.Random
) -> list[tuple]:
    """Argument tuples: no element first, then every boundary element alone, then mixtures with repeats."""
    accepted, others = _elements(family, conditions, constants, rng)
    if family.name == "integers":
        starts = [number for number in accepted + others if -60 < number < 80]
        return [(3, 2), *((a, a + step) for a in starts for step in (-1, 0, 1, rng.randint(2, 6), rng.randint(7, 30)))]
    mixtures = [
        [rng.choice(accepted if rng.random() < 0.6 or not others else others) for _ in range(size)]
        for size in (2, 2, 3, 3, 4, 4, 5, 6, 7, 8)
        for _ in range(6)
    ]
    lists = [[], *([element] for element in accepted + others), *mixtures]
    return [_arguments(family, elements) for elements in lists if elements or family.name != "digits"]


def _elements(
    family: TaskFamily, conditions: Sequence[str], constants: Sequence[Constant], rng: random.Random
) -> tuple[list, list]:
    """Single elements at and around every boundary and some more: those that meet the conditions, and the others."""
    numbers = {number for k in constants if isinstance(k, int) for number in (k - 1, k, k + 1, -k, 2 * k, 3 * k)}
    numbers |= {-3, -2, -1, 0, 1, 2, 3, 4} | set(rng.sample(range(-30, 51), 12))
    match family.name:
        case "words":
            return _words(family.variable, conditions, constants, rng)
        case "keys":
            good_words, bad_words = _words("k", [c for c in conditions if not c.startswith("v ")], constants, rng)
            good, bad = _divide(family.universe, "v", [c for c in conditions if c.startswith("v ")], numbers, rng)
            accepted = [(word, rng.choice(good)) for word in good_words]
            accepted += [(rng.choice(good_words), v) for v in good for _ in range(3)]
            missed = [(rng.choice(good_words), v) for v in bad for _ in range(3)]
            missed += [(word, rng.choice(good)) for word in bad_words]
            missed += [(rng.choice(bad_words), rng.choice(bad)) for _ in range(10) if bad]
            return accepted, missed
        case "characters":
            near = {chr(ord(k) + step) for k in constants if isinstance(k, str) for step in (-1, 0, 1)}
            return _divide(family.universe, family.variable, conditions, near | set("aeAEIubzBZtT059 .-"), rng)
        case "digits":
            return _divide(family.universe, family.variable, conditions, set(range(10)), rng)
    return _divide(family.universe, family.variable, conditions, numbers, rng)


def _divide(
    universe: Sequence, variable: str, conditions: Sequence[str], wanted: set, rng: random.Random
) -> tuple[list, list]:
    """Elements that meet the conditions and elements that do not: the wanted ones, and a few of each sort."""
    tests = [eval(f"lambda {variable}: {condition}") for condition in conditions]
    sorts: dict[tuple[bool, ...], list] = {}
    for element in [*sorted(wanted), *rng.sample(universe, len(universe))]:
        sort = tuple(bool(test(element)) for test in tests)
        elements = sorts.setdefault(sort, [])
        few = _OF_A_SORT if sort.count(False) < 2 else 2
        if element not in elements and (element in wanted or len(elements) < few):
            elements.append(element)
    accepted = sorts.pop((True,) * len(tests), [])
    return accepted, [element for sort in sorted(sorts) for element in sorts[sort]]


def _words(
    variable: str, conditions: Sequence[str], constants: Sequence[Constant], rng: random.Random
) -> tuple[list[str], list[str]]:
    """Words of boundary lengths that do and do not meet the conditions, rich in the task's letters."""
    letters = [k for k in constants if isinstance(k, str)]
    accepted: list[str] = []
    others = ["", *letters]
    lengths = {1, 3, 4, 5, 6}
    lengths |= {k + step for k in constants if isinstance(k, int) and 0 < k < 10 for step in (-1, 0, 1)}
    for length in sorted(lengths):
        drawn = []
        for _ in range(500):
            share = rng.random() if letters else 0.0
            drawn.append("".join(rng.choice(letters if rng.random() < share else LETTERS) for _ in range(length)))
        meeting, missing = _divide(list(dict.fromkeys(drawn)), variable, conditions, set(), rng)
        accepted += meeting
        others += missing
    return accepted, others


def _arguments(family: TaskFamily, elements: list) -> tuple:
    """The elements in the shape in which the family's functions take them."""
    match family.name:
        case "digits":
            return (int("".join(map(str, elements))),)
        case "characters":
            return ("".join(elements),)
        case "values":
            return (dict(zip(LETTERS, elements, strict=False)),)
        case "keys":
            return (dict(elements),)
    return (elements,)
