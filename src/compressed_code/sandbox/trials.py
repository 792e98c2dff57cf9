"""What goes into the sandbox and what comes out of it."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal[
    *("passed", "disputed", "wrong answer", "exception", "syntax error", "timeout", "memory", "output", "crashed")
]
# How a program is run: with its test in one process, and apart from it.
Stage = Literal["plain", "apart"]
STAGES: tuple[Stage, ...] = ("plain", "apart")


@dataclass(frozen=True)
class Limits:
    """What one trial may use; the program and all processes it starts share each of them.

    Attributes:
        cpu_seconds: processor time of program and test, and as much time awake or asleep: what a busy machine takes
            from a program does not count. Of every process that the program started, whether it was waited for or not.
            Measured every 0.05 s and at the end.
        wall_seconds: the most that anything takes, for programs that wait for each other on a busy machine.
        memory_bytes: address space of each process and resident memory of all of them together.
        processes: processes and threads alive at the same time, the program's own included.
        file_bytes: largest single file.
        disk_bytes: everything written to the throw-away directory.
        output_bytes: the size of one answer to the test; an eighth of it is kept of what is printed.
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
        setup: trusted source that runs beside the test, once the program is there, for helper functions the test
            calls (HumanEval: the prompt); may be empty.
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
        outcome: "passed" (with its test in one process, and judged apart from it); "disputed" (it passes in one
            process, and the judge says otherwise or cannot say); "wrong answer" (an assertion of the test failed);
            "exception" (the program raised something else); "syntax error" (it does not compile); "timeout"; "memory";
            "output" (an answer is larger than the limit); "crashed" (its process ended before it answered).
        exception: type name of the exception, an ASCII identifier; empty where there was none.
        cpu_seconds: processor time of program and test, of the run that took longer.
        wall_seconds: time from start to verdict, of the same run.
        reason: what the judge found instead, of a disputed one.
    """

    outcome: Outcome
    exception: str
    cpu_seconds: float
    wall_seconds: float
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether the program passed its test, judged apart from it."""
        return self.outcome == "passed"

    @property
    def passed_plain(self) -> bool:
        """Whether it passed with its test in one process, which a program can forge."""
        return self.outcome in ("passed", "disputed")
