"""The zoo's benchmark: are the tasks right, are their tests strong, is nothing held out ever trained on?"""

import ast
import copy
import itertools
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter

import pytest

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA
from compressed_code.training_data.task_grammar import FAMILIES, REDUCERS
from compressed_code.training_data.task_programs import (
    PREDICATES_OF_TIER,
    TEACHES_THREE,
    Composition,
    Constants,
    compositions,
    draw_constants,
    sentence,
    solution,
)
from compressed_code.training_data.tasks import (
    BENCHMARK_TASKS,
    GeneratedTask,
    held_out_tasks,
    training_tasks,
    training_text,
    write_benchmarks,
)

TIERS = tuple(PREDICATES_OF_TIER)
BENCHMARKS = DATA / "benchmarks"
CONSTANT_PROGRAMS = ("0", "1", "-1", "2", "[]", "''", "None", "True", "False", "{}")


def committed(tier):
    lines = (BENCHMARKS / f"zoo-{tier}.jsonl").read_text(encoding="utf-8").splitlines()
    return [GeneratedTask(**json.loads(line)) for line in lines]


def passes(program, task):
    """Whether a whole program passes a task's tests; both are our own, so they run here."""
    namespace = {}
    try:
        exec(program, namespace)
        exec(task.test, namespace)
        namespace["check"](namespace[task.entry_point])
    except Exception:
        return False
    return True


# --- mutants -----------------------------------------------------------------------------------------------------

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult}


def changes_of(node):
    """The ways to change one node of a program: functions that return what stands in its place."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            for other in COMPARISONS[type(operator)]:
                yield lambda node, other=other: ast.Compare(node.left, [other()], node.comparators)
            if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mod) and ast.unparse(left.right) == "2":
                swapped = ast.Constant(1 - right.value)
                yield lambda node: ast.Compare(node.left, node.ops, [swapped])
        case ast.BinOp(op=operator) if type(operator) in ARITHMETIC:
            yield lambda node: ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
        case ast.AugAssign(op=operator) if type(operator) in ARITHMETIC:
            yield lambda node: ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)
        case ast.Constant(value=int()) if not isinstance(node.value, bool):
            yield lambda node: ast.Constant(node.value + 1)
            yield lambda node: ast.Constant(node.value - 1)
        case ast.BoolOp(op=operator):
            other = ast.Or if isinstance(operator, ast.And) else ast.And
            yield lambda node: ast.BoolOp(other(), node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield lambda node: node.operand


class Change(ast.NodeTransformer):
    """Puts something else in the place of the node with one number, counted in the order of `ast.walk`."""

    def __init__(self, node, change):
        self.node, self.change = node, change

    def visit(self, node):
        return self.change(node) if node is self.node else self.generic_visit(node)


def mutants(program):
    tree = ast.parse(program)
    for number, node in enumerate(ast.walk(tree)):
        for change in changes_of(node):
            fresh = copy.deepcopy(tree)
            place = next(itertools.islice(ast.walk(fresh), number, None))
            yield ast.unparse(ast.fix_missing_locations(Change(place, change).visit(fresh)))


def test_the_mutant_generator_makes_every_kind_of_mutant():
    program = "def f(n):\n    return n + 3 if not n % 2 == 0 and n > 5 else n * 2"
    bodies = {mutant.splitlines()[1].strip().removeprefix("return ") for mutant in mutants(program)}
    assert bodies >= {
        "n - 3 if not n % 2 == 0 and n > 5 else n * 2",
        "n + 4 if not n % 2 == 0 and n > 5 else n * 2",
        "n + 3 if not n % 2 != 0 and n > 5 else n * 2",
        "n + 3 if not n % 2 == 1 and n > 5 else n * 2",
        "n + 3 if n % 2 == 0 and n > 5 else n * 2",
        "n + 3 if not n % 2 == 0 or n > 5 else n * 2",
        "n + 3 if not n % 2 == 0 and n >= 5 else n * 2",
        "n + 3 if not n % 2 == 0 and n > 5 else n // 2",
    }
    assert program not in bodies


@pytest.mark.parametrize("tier", TIERS)
def test_tests_kill_95_percent_of_all_mutants(tier):
    """Every fourth task; mutants that compute the same as the solution count as survivors."""
    survived = [passes(mutant, task) for task in committed(tier)[::4] for mutant in mutants(training_text(task))]
    assert len(survived) >= 400
    assert sum(survived) / len(survived) <= 0.05


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("tier", TIERS)
def test_tests_kill_95_percent_of_all_mutants_of_the_whole_benchmark(tier):
    survived = [passes(mutant, task) for task in committed(tier) for mutant in mutants(training_text(task))]
    assert len(survived) >= 1600
    assert sum(survived) / len(survived) <= 0.05


@pytest.mark.parametrize("tier", TIERS)
def test_programs_that_return_a_constant_pass_under_1_percent(tier):
    tasks = committed(tier)
    for constant in CONSTANT_PROGRAMS:
        passed = sum(passes(f"{task.prompt}    return {constant}\n", task) for task in tasks)
        assert passed < 0.01 * len(tasks), constant


# --- the committed benchmark -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", TIERS)
def test_canonical_solutions_pass(tier):
    tasks = committed(tier)
    assert len(tasks) == BENCHMARK_TASKS
    assert [task.task_id for task in tasks if not passes(training_text(task), task)] == []


@pytest.mark.parametrize(("tier", "longest"), [("standard", 380), ("hard", 450), ("ood", 450)])
def test_tasks_have_the_promised_form(tier, longest):
    tasks = committed(tier)
    assert len({task.composition for task in tasks}) == len({task.task_id for task in tasks}) == len(tasks)
    for task in tasks:
        assert task.tier == tier
        assert re.fullmatch(rf'def {task.entry_point}\([a-z, ]+\):\n    """Return [^"\n]+\."""\n', task.prompt)
        assert all(line.startswith("    ") for line in task.canonical_solution.splitlines())
        assert task.canonical_solution.endswith("\n")
        assert len(training_text(task)) <= longest
        assert 6 <= task.test.count("    assert candidate(") <= 10
        *_, predicates = task.composition.split("|")
        count = 0 if predicates == "-" else predicates.count("+") + 1
        assert count in PREDICATES_OF_TIER[tier]


@pytest.mark.slow
@pytest.mark.parametrize("tiers", [TIERS[:1], pytest.param(TIERS, marks=pytest.mark.long)], ids="+".join)
def test_the_committed_files_are_what_is_written_now(tiers, tmp_path, monkeypatch):
    chosen = {tier: PREDICATES_OF_TIER[tier] for tier in tiers}
    monkeypatch.setattr("compressed_code.training_data.tasks.PREDICATES_OF_TIER", chosen)
    written = write_benchmarks(tmp_path / "benchmarks")
    assert [path.name for path in written] == [f"zoo-{tier}.jsonl" for tier in tiers]
    assert sorted((tmp_path / "benchmarks").iterdir()) == sorted(written)
    for path in written:
        assert path.read_bytes() == (BENCHMARKS / path.name).read_bytes()


def test_empty_and_boundary_inputs_are_asked():
    """Each task on numbers asks for the empty list, and some input holds the bound of `greater than k` itself."""
    asked = 0
    for task in committed("standard"):
        if task.composition.startswith("numbers|"):
            assert "candidate([])" in task.test
        bound = re.search(r"greater than (-?\d+)", task.prompt)
        if bound and task.composition.startswith("numbers|"):
            inputs = re.findall(r"candidate\(\[(.*?)\]\)", task.test)
            assert any(bound[1] in numbers.split(", ") for numbers in inputs)
            asked += 1
    assert asked


# --- the split ---------------------------------------------------------------------------------------------------


def test_no_composition_is_both_trained_and_held_out():
    keys = {
        (tier, split): [composition.key for group in compositions(tier, split).values() for composition in group]
        for tier in TIERS
        for split in ("train", "held-out")
    }
    for chosen in keys.values():
        assert len(set(chosen)) == len(chosen)
    families = {split: {key.split("|")[0] for key in keys["ood", split]} for split in ("train", "held-out")}
    assert families == {
        "train": set(TEACHES_THREE),
        "held-out": {family.name for family in FAMILIES} - set(TEACHES_THREE),
    }
    for tier in TIERS:
        assert not set(keys[tier, "train"]) & set(keys[tier, "held-out"])
        assert len(keys[tier, "held-out"]) >= 300
    for tier in ("standard", "hard"):
        share = len(keys[tier, "held-out"]) / (len(keys[tier, "train"]) + len(keys[tier, "held-out"]))
        assert share == pytest.approx(1 / 8, abs=0.01)


@pytest.mark.slow
@pytest.mark.long
def test_nothing_held_out_occurs_in_50_000_training_tasks():
    held_out = [task for tier in TIERS for task in committed(tier)]
    trained = list(training_tasks(seed=11, n=50_000))
    for part in ("composition", "prompt", "canonical_solution"):
        assert not {getattr(task, part) for task in trained} & {getattr(task, part) for task in held_out}, part
    assert {task.tier for task in trained} == set(TIERS)
    assert max(len(training_text(task)) for task in trained) <= 450


def test_different_compositions_never_read_the_same():
    """With constants blanked, a prompt belongs to one composition: no held-out task is a trained one in disguise."""
    by_text = {}
    for task in training_tasks(seed=5, n=6_000):
        text = re.sub(r"-?\b\d+\b|'[a-zA-Z]'", "K", training_text(task))
        assert by_text.setdefault(text, task.composition) == task.composition


# --- generation --------------------------------------------------------------------------------------------------


def test_training_tasks_follow_from_the_seed_alone():
    first, again = list(training_tasks(3, 200)), list(training_tasks(3, 200))
    assert first == again
    assert list(training_tasks(3, 50)) == first[:50]
    assert list(training_tasks(4, 200)) != first
    assert all(task.test == "" for task in first)


def test_tests_do_not_change_the_tasks():
    with_tests = list(training_tasks(3, 40, with_tests=True))
    for task, bare in zip(with_tests, training_tasks(3, 40), strict=True):
        assert training_text(task) == training_text(bare)
        assert passes(training_text(task), task)


@pytest.mark.slow
def test_the_order_of_string_hashes_does_not_matter():
    """A held-out task of every family and reducer: a set of strings is listed in another order in every process."""
    program = (
        "import hashlib\n"
        "from compressed_code.training_data.tasks import held_out_tasks, training_tasks\n"
        "tasks = [*training_tasks(1, 300), *held_out_tasks('standard', 114, 1)]\n"
        "print(hashlib.sha256(repr(tasks).encode()).hexdigest())\n"
    )
    digests = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        finished = subprocess.run(
            [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
        )
        digests.add(finished.stdout)
    assert len(digests) == 1


def test_families_reducers_and_tiers_are_drawn_evenly():
    tasks = list(training_tasks(9, 4_000))
    assert Counter(task.tier for task in tasks)["standard"] == pytest.approx(1_800, abs=150)
    pairs = Counter(tuple(task.composition.split("|")[:2]) for task in tasks)
    assert len(pairs) == len(compositions("standard", "train"))
    assert max(pairs.values()) <= 4 * 4_000 / len(pairs)


def test_family_and_reducer_decide_the_style():
    styles = {}
    for task in training_tasks(2, 4_000):
        style = "for" if re.search(r"^    for ", task.canonical_solution, re.MULTILINE) else "expression"
        assert styles.setdefault(tuple(task.composition.split("|")[:2]), style) == style
    assert set(styles.values()) == {"for", "expression"}


def test_an_unknown_tier_is_refused():
    with pytest.raises(InputError, match="tier 'easy' does not exist; known: standard, hard, ood"):
        next(held_out_tasks("easy", 1, 0))


def test_compositions_repeat_only_after_all_were_used():
    keys = [composition.key for group in compositions("standard", "held-out").values() for composition in group]
    drawn = [task.composition for task in held_out_tasks("standard", 40, seed=8)]
    assert len(set(drawn)) == 40
    assert set(drawn) <= set(keys)


def test_constants_are_found_for_every_choice_of_predicates():
    """One composition for each family and set of predicates, `all` apart, which asks for something else."""
    rng, seen = random.Random(0), set()
    for tier, split in itertools.product(TIERS, ("train", "held-out")):
        for composition in itertools.chain.from_iterable(compositions(tier, split).values()):
            kind = (composition.family.name, composition.predicates, composition.reducer.name == "all")
            if kind not in seen:
                seen.add(kind)
                draw_constants(composition, rng)
    assert len(seen) > 1_000


# --- English and Python, compared with what a person wrote ---------------------------------------------------------


def build(family, reducer, mapping, predicates, of_predicates=(), of_map=None, of_reducer=None):
    """Sentence, program and constants of one composition, blocks given by name."""
    family = next(row for row in FAMILIES if row.name == family)
    composition = Composition(
        family,
        next(row for row in REDUCERS if row.name == reducer),
        next((row for row in family.maps if row.name == mapping), None),
        tuple(next(row for row in family.predicates if row.name == name) for name in predicates),
    )
    constants = Constants(of_predicates, of_map, of_reducer)
    program = f"def f({family.arguments}):\n{solution(composition, constants)}"
    return sentence(composition, constants), program


WRITTEN_BY_HAND = [
    (
        build("numbers", "sum", "square", ["even", "above"], (None, 3)),
        "Return the sum of the squares of the even numbers in numbers that are greater than 3.",
        "return sum(x * x for x in numbers if x % 2 == 0 and x > 3)",
        [(([4, 2, 3, 5, 6],), 52), (([],), 0), (([3],), 0)],
    ),
    (
        build("digits", "product", "add", ["odd"], (None,), 2),
        "Return the product of the odd digits of n, each increased by 2, or 1 if there are none.",
        "result = 1\n    for d in map(int, str(n)):\n        if d % 2 == 1:\n            result *= d + 2\n"
        "    return result",
        [((1234,), 15), ((0,), 1), ((99,), 121)],
    ),
    (
        build("words", "longest", "append", ["starts", "ends-not", "longer"], ("a", "b", 2), "z"),
        "Return the longest (first if tied) of the words in words that start with 'a', do not end with 'b' and have "
        "more than 2 characters, each followed by 'z', or '' if there are none.",
        'return max((w + "z" for w in words if w.startswith("a") and not w.endswith("b") and len(w) > 2), '
        'key=len, default="")',
        [((["abc", "axd", "aaab", "ac"],), "abcz"), (([],), "")],
    ),
    (
        build("keys", "count", None, ["value-even", "value-at-least"], (None, 4)),
        "Return the count of the keys in scores that have even values and have values of at least 4.",
        "count = 0\n    for k, v in scores.items():\n        if v % 2 == 0 and v >= 4:\n            count += 1\n"
        "    return count",
        [(({"a": 4, "b": 3, "c": 6, "d": 2},), 2), (({},), 0)],
    ),
    (
        build("keys", "joined", "reverse", []),
        "Return a string made of the keys in scores, each reversed.",
        'return "".join(k[::-1] for k in scores)',
        [(({"ab": 1, "cd": 0},), "badc")],
    ),
    (
        build("integers", "leading", "negate", ["divisible", "unequal"], (3, 6), None, 2),
        "Return a list of the first 2 of the negations of the integers from a through b that are divisible by 3 and "
        "not equal to 6.",
        "return [-x for x in range(a, b + 1) if x % 3 == 0 and x != 6][:2]",
        [((1, 20), [-3, -9]), ((3, 3), [-3]), ((2, 1), [])],
    ),
    (
        build("characters", "any", None, ["not-vowel", "unequal"], (None, "b")),
        "Return True if at least one of the characters in text that are not vowels is not equal to 'b', otherwise "
        "False.",
        'return any(c != "b" for c in text if c.lower() not in "aeiou")',
        [(("aEb",), False), (("abc",), True), (("",), False)],
    ),
    (
        build("values", "all", None, ["odd", "below"], (None, 5)),
        "Return True if each of the odd values in scores is less than 5 (or there are none), otherwise False.",
        "return all(v < 5 for v in scores.values() if v % 2 == 1)",
        [(({"a": 3, "b": 8},), True), (({"a": 5},), False), (({},), True)],
    ),
    (
        build("values", "first", "subtract-from", ["negative"], (None,), 4),
        "Return the first of the negative values in scores, each subtracted from 4, or None if there are none.",
        "for v in scores.values():\n        if v < 0:\n            return 4 - v\n    return None",
        [(({"a": 1, "b": -2, "c": -9},), 6), (({"a": 0},), None)],
    ),
    (
        build("characters", "running", "code", ["upper"], (None,)),
        "Return a list of the running totals of the code points of the uppercase characters in text.",
        "total = 0\n    result = []\n    for c in text:\n        if c.isupper():\n            total += ord(c)\n"
        "            result.append(total)\n    return result",
        [(("AbB",), [65, 131]), (("",), [])],
    ),
    (
        build("words", "varieties", "length", ["lacks"], ("a",)),
        "Return the number of distinct values among the lengths of the words in words that do not contain 'a'.",
        'return len({len(w) for w in words if "a" not in w})',
        [((["b", "cd", "ef", "aaa"],), 2), (([],), 0)],
    ),
]


@pytest.mark.parametrize(("built", "english", "body", "results"), WRITTEN_BY_HAND)
def test_english_python_and_results_are_what_a_person_would_write(built, english, body, results):
    said, program = built
    assert said == english
    assert program.split("\n", 1)[1] == f"    {body}\n"
    namespace = {}
    exec(program, namespace)
    for arguments, expected in results:
        assert namespace["f"](*arguments) == expected


def test_no_prompt_holds_a_broken_phrase():
    broken = re.compile(
        r"\bthat are (start|end|contain|have|do)\b|\{|\}|None\b(?! if)|  | ,|\bthe the\b|\ba [aeiou]\w* "
    )
    for task in itertools.chain(training_tasks(6, 3_000), committed("ood")):
        text = task.prompt.split('"""')[1].replace("a through b", "1 through 9")
        assert not broken.search(text), text
