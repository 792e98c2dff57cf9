"""Rows of HumanEval's and MBPP's forms as tasks. A field that is not known is refused: it may say what is tested."""

import ast
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any

from compressed_code.benchmarks.task_record import Task
from compressed_code.core.errors import InputError

HUMANEVAL_FIELDS = {"task_id", "prompt", "entry_point", "canonical_solution", "test"}
MBPP_FIELDS = {"task_id", "text", "prompt", "code", "test_list", "test_imports", "test_setup_code"}
MBPP_FIELDS |= {"challenge_test_list", "test"}
_MODULE = (
    "import sys, types\nsys.modules.setdefault(__name__, types.ModuleType(__name__))\n"
    "__annotations__ = globals().get('__annotations__', {})\n"
)
# How EvalPlus compares with a tolerance in these forms. A shape without elements is close to every number and list, so
# shapes are compared, too, as `in_sandbox.answer_checks` does for EvalPlus's own form.
_NEAR = "np.allclose(out, exp, rtol=1e-07, atol=atol)"
_NEAR_OF_ONE_SHAPE = f"np.shape(out) == np.shape(exp) and {_NEAR}"
# Of three tasks of MBPP+ (737, 787, 794) an answer counts as found or not; that is compared there, and not asserted.
_FOUND = "        exact_match = exp == (out is not None)\n"
_FOUND_ASSERTED = f"{_FOUND}    assert exact_match\n"
# Where the answers are too large to keep, the solution is asked for them, with what the program was given before it and
# may have emptied since. It gets a copy.
_BEFORE_SOLUTION = re.compile(r"\bassertion\((\w+)\(\*inp\), ref_func\(\*inp\),")
_OF_A_COPY = r"assertion(\1(*_copies.deepcopy(inp)), ref_func(*inp),"
DESCRIPTIVE_FIELDS = {"tier", "composition", "source_file"}  # they decide nothing about a verdict


def humaneval_task(row: Mapping[str, Any], place: str) -> Task:
    """A row of HumanEval's form.

    Raises:
        InputError: naming place, task and field.
    """
    where = check_fields(row, HUMANEVAL_FIELDS, place)
    task_id, name = task_id_of(row, place), entry_point_of(row, place)
    prompt, solution = text_of(row, "prompt", place), text_of(row, "canonical_solution", place)
    test = _exact(text_of(row, "test", place))
    body = _parsed(test, "tests", where)
    if not _running(body) and not any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in body):
        raise InputError(f"{where}: has no tests; `test` must define check(candidate) or hold asserts")
    tier = text_of(row, "tier", place) if "tier" in row else ""
    return Task(task_id, prompt, name, solution, setup=_setup(prompt), test=test, tier=tier)


def mbpp_task(row: Mapping[str, Any], place: str, challenge: bool = False) -> Task:
    """A row of MBPP's form, full, sanitized, or EvalPlus's with the field `test`, its tests beyond `test_list`.

    The prompt is a docstring of the text and the first assert, as Fried et al. (2022, InCoder) ask MBPP. The tests are
    those of `test_list`, as Austin et al. (2021, Program Synthesis with Large Language Models, §3) count; they call
    `challenge_test_list` a separate, harder set. `test_setup_code` runs behind the program, whose classes it uses.

    Args:
        challenge: `challenge_test_list` counts, too.

    Raises:
        InputError: naming place, task and field.
    """
    where = check_fields(row, MBPP_FIELDS, place)
    task_id, code = task_id_of(row, place), text_of(row, "code", place).replace("\r\n", "\n")
    sentence = text_of(row, "text" if "text" in row else "prompt", place)
    asserts, challenges = _lines(row, "test_list", place), _lines(row, "challenge_test_list", place)
    counted = "\n".join([*asserts, *(challenges if challenge else [])]) + "\n"
    calls = _running(_parsed(counted, "tests", where))
    if not asserts or not calls:
        raise InputError(f"{where}: has no tests; give at least one assert in test_list")
    name = _called_function(code, calls, where)
    imports, objects = ("\n".join(_lines(row, field, place)) for field in ("test_imports", "test_setup_code"))
    setup, test = f"{imports}\n", f"{objects}\n{counted}".lstrip("\n").replace("\r\n", "\n")
    extra = _exact(text_of(row, "test", place)) if "test" in row else ""
    if extra:
        _parsed(extra, "tests", where)
    prompt = f'"""\n{sentence}\n{asserts[0]}\n"""\n'
    return Task(task_id, prompt, name, f"{code}\n", setup, test, extra_test=extra)


def check_fields(row: Mapping[str, Any], known: AbstractSet[str], place: str) -> str:
    """Refuse a field that nobody here understands.

    Returns:
        Place and task, for other messages.

    Raises:
        InputError: naming it.
    """
    where = f"{place}: task {task_id_of(row, place)}"
    unknown = [field for field in row if field not in known | DESCRIPTIVE_FIELDS]
    if unknown:
        raise InputError(
            f"{where}: the field {unknown[0]!r} is not understood, so what it asks for would not be tested;"
            f" remove it if it decides nothing (understood are {', '.join(sorted(known | DESCRIPTIVE_FIELDS))})"
        )
    return where


def task_id_of(row: Mapping[str, Any], place: str) -> str:
    """MBPP counts its tasks; a number and its text are the same id."""
    value = row.get("task_id")
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise InputError(f"{place}: task_id must be text or a whole number, found {value!r}")
    if any("\ud800" <= sign <= "\udfff" for sign in str(value)):
        raise InputError(f"{place}: task_id {value!r} holds half a character, which no table can store; correct it")
    return str(value)


def entry_point_of(row: Mapping[str, Any], place: str) -> str:
    """The name of the function that the tests call."""
    name = text_of(row, "entry_point", place)
    if not name.isidentifier():
        task_id = task_id_of(row, place)
        raise InputError(f"{place}: task {task_id}: entry_point {name!r} is not the name of a function")
    return name


def text_of(row: Mapping[str, Any], field: str, place: str) -> str:
    """A field that must hold text."""
    value = row.get(field)
    if not isinstance(value, str):
        found = "no such field" if field not in row else type(value).__name__
        raise InputError(f"{place}: {field} must be text, found {found}")
    return value


def _exact(test: str) -> str:
    """A test of EvalPlus's that asserts what it compares, by shape, too, and whatever became of the arguments."""
    test, found = _BEFORE_SOLUTION.subn(_OF_A_COPY, test.replace(f"assert {_NEAR}\n", f"assert {_NEAR_OF_ONE_SHAPE}\n"))
    test = test if "assert exact_match" in test else test.replace(_FOUND, _FOUND_ASSERTED)
    return f"import copy as _copies\n{test}" if found else test


def _setup(prompt: str) -> str:
    """The prompt as a program of its own, since some tests call a helper function that it defines.

    What Python gives a module, and tests' names have not, is made where the prompt needs it: annotated names write to
    `__annotations__`, and a dataclass looks its module up.
    """
    for program in (prompt, f"{prompt}    pass\n"):  # a header without a docstring needs a body
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            body = ast.parse(program).body
            if not any(isinstance(node, ast.AnnAssign | ast.ClassDef) for node in body):
                return program
            lines = program.splitlines(keepends=True)
            place = max((node.end_lineno for node in body if _is_future(node)), default=0)
            return "".join([*lines[:place], _MODULE, *lines[place:]])
    return ""


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _running(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements that do more than define, import or describe something."""
    definitions = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Pass)
    return [
        node
        for node in body
        if not isinstance(node, definitions) and not isinstance(getattr(node, "value", None), ast.Constant)
    ]


def _parsed(code: str, what: str, where: str) -> list[ast.stmt]:
    try:
        return ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{where}: its {what} cannot be read as Python ({error}); correct the file") from None


def _called_function(code: str, calls: Sequence[ast.stmt], where: str) -> str:
    """The first function of the solution that the tests call."""
    solution = ast.Module(_parsed(code, "solution", where), [])
    defined = {node.name for node in ast.walk(solution) if isinstance(node, ast.FunctionDef)}
    for statement in calls:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in defined:
                return node.func.id
    raise InputError(f"{where}: its tests call no function that its solution defines")


def _lines(row: Mapping[str, Any], field: str, place: str) -> list[str]:
    """A field that holds a list of lines, one text, or nothing."""
    value = row.get(field) or []
    lines = [value] if isinstance(value, str) else value
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InputError(f"{place}: {field} must be a list of lines of code")
    return lines
