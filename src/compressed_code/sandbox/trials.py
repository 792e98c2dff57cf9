"""What goes into the sandbox and what comes out of it."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "wrong answer", "exception", "syntax error", "timeout", "memory", "output", "crashed"]


@dataclass(frozen=True)
class Limits:
    """What one trial may use; the program and all processes it starts share each of them.

    Attributes:
        cpu_seconds: processor time of program and test together; this decides, so that a busy machine does not.
            Measured every 0.05 s and at the end.
        wall_seconds: the backstop for programs that sleep or wait for each other.
        memory_bytes: address space of each process and resident memory of all of them together.
        processes: processes and threads alive at the same time, the program's own included.
        file_bytes: largest single file.
        disk_bytes: everything written to the throw-away directory.
        output_bytes: text printed, and separately the size of one answer to the test.
    """

    cpu_seconds: float = 3.0
    wall_seconds: float = 30.0
    memory_bytes: int = 1 << 30
    processes: int = 16
    file_bytes: int = 16 << 20
    disk_bytes: int = 32 << 20
    output_bytes: int = 8 << 20


@dataclass(frozen=True)
class Trial:
    """One untrusted program and the trusted test that decides about it.

    Attributes:
        program: what a model wrote, with its prompt. It runs in a process of its own and only ever answers calls.
        setup: trusted source that runs beside the test first, for helper functions the test calls (HumanEval: the
            prompt); may be empty.
        test: trusted source. HumanEval defines `check(candidate)`; MBPP is a list of plain assert statements.
        entry_point: the function under test; `check` is called with it where the test defines one.
        share: part of the sandbox's time limits that this trial may use, above 0 and at most 1.

    Names in the test mean, in this order: the entry point of the program, what setup and test define, Python's
    builtins, any other global of the program. What decides (a comparison, a tolerance) must therefore come from setup
    or test: a test that takes it from the program believes what the program says.
    """

    program: str
    setup: str
    test: str
    entry_point: str | None
    share: float = 1.0


@dataclass(frozen=True)
class Verdict:
    """What became of one trial.

    Attributes:
        outcome: "passed"; "wrong answer" (an assertion of the test failed); "exception" (the program raised
            something else); "syntax error" (it does not compile); "timeout"; "memory"; "output" (it printed or
            answered more than the limit); "crashed" (its process ended before it answered).
        exception: type name of the exception, empty where there was none.
        cpu_seconds: processor time of program and test.
        wall_seconds: time from start to verdict.
    """

    outcome: Outcome
    exception: str
    cpu_seconds: float
    wall_seconds: float

    @property
    def passed(self) -> bool:
        """Whether the program passed its test."""
        return self.outcome == "passed"
