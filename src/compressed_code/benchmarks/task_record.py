"""One programming task, whatever format it was read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Calls:
    """Tests in EvalPlus's own form: what the entry point is called with; the task's solution says what comes back.

    Attributes:
        base: the benchmark's own inputs, each the list of a call's arguments.
        extra: the inputs that EvalPlus adds.
        contract: statements of the entry point's body that raise where an input is none.
        tolerance: absolute tolerance for floats that differ; 0 means EvalPlus's own for floats alone, 1e-6.
        oracle: name of the comparison where equality is not what EvalPlus asks for (`in_sandbox.answer_checks`).
    """

    base: Sequence[Sequence[Any]]
    extra: Sequence[Sequence[Any]]
    contract: str
    tolerance: float
    oracle: str


@dataclass(frozen=True)
class Task:
    """One programming task.

    Attributes:
        task_id: unique within its benchmark.
        prompt: what a model continues, byte for byte.
        entry_point: name of the function that the tests call.
        canonical_solution: what, behind the prompt, solves the task.
        setup: trusted code that runs before the tests: names they use besides the function.
        test: trusted code that raises where an answer is wrong: it defines `check(candidate)` or calls the function
            by its name. Empty until the answers of `calls` are known (`expected_outputs.with_expected_outputs`).
        tier: difficulty within the benchmark; empty where there is one only.
        extra_test: trusted code as `test`, the tests that EvalPlus adds: a program that passes both passes "base +
            extra". Empty where there are none.
        calls: the tests, where the file gives inputs only.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    setup: str
    test: str
    tier: str = ""
    extra_test: str = ""
    calls: Calls | None = None
