"""Two jails as seen from outside, one for programs and one for their judges: hand them trials, read their verdicts."""

import os
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.sandbox import isolators
from compressed_code.sandbox.common_classes import common_classes
from compressed_code.sandbox.inside.accepted import PASSED_PLAIN
from compressed_code.sandbox.isolators import Role
from compressed_code.sandbox.jail import Dead, Jail
from compressed_code.sandbox.material import packed
from compressed_code.sandbox.trials import STAGES, Limits, Stage, Trial, Verdict

_START_SECONDS = 600.0  # one that ends is seen at once; a busy machine takes its time
_GRACE_SECONDS = 30.0
_STARVED = 20.0  # so many times the wall limit may a trial wait for a processor when it runs alone
_ROLES: tuple[Role, ...] = ("programs", "judges")
# A correct program, if it has nothing but its standard streams and the channel to its judge.
_PROBE = Trial(
    """
import os

def opened():
    numbers = []
    for number in range(4096):
        try:
            os.fstat(number)
        except OSError:
            continue
        numbers.append(number)
    return numbers
""",
    "",
    "def check(candidate):\n    assert candidate() == [0, 1, 2, 3]\n",
    "opened",
)
# What an answer of the judge's own says where the verdict may be no fault of the program.
_DOUBTS = {
    "own object": "an object of the program's own would decide",
    "argument": "the test passes what cannot be sent",
}


@dataclass(frozen=True)
class Assignment:
    """A trial with its place in the caller's order, and what it gets.

    Attributes:
        stages: how the program is run.
        patience: as of `inside.server.Programs.run`; None of a first run.
    """

    place: int
    trial: Trial
    stages: Sequence[Stage] = STAGES
    patience: float | None = None


@dataclass(frozen=True)
class Result:
    """What came of a trial.

    Attributes:
        task: the trial.
        stage: the last one that was run.
        verdict: of that stage, as if there had been no other.
        own_seconds: the program's own time awake or asleep, in the stage that counts for its limit.
        slept_seconds: of a program apart from its test, in which it did nothing though it was its turn.
        waited_seconds: how long program and judge waited for a processor.
    """

    task: Assignment
    stage: Stage
    verdict: Verdict
    own_seconds: float
    slept_seconds: float
    waited_seconds: float


class _ForJudge(NamedTuple):
    """What the judge of a trial gets: a share of the limits, patience, names of common classes, and open files (the
    test, the socket to its program, and the file of a `Turn`); `at_once` where no plain run comes first."""

    share: float
    patience: float | None
    classes: Sequence[str]
    files: Sequence[int]
    at_once: bool

    def close(self) -> None:
        for file in self.files:
            os.close(file)


class Worker:
    """A pair of jails with the trials it was given and has not answered yet, oldest first."""

    def __init__(self, isolation: isolators.Isolation, limits: Limits, packages: tuple[str, ...] = ()) -> None:
        """Start the jails without waiting for them; `check` does.

        Raises:
            InputError: a package is not installed.
            Unavailable: this machine lacks what the isolator needs.
        """
        self.isolation, self.limits, self.packages = isolation, limits, packages
        self.tasks: deque[Assignment] = deque()
        # What their judges need, of trials whose programs are not through; nothing where the judge has it.
        self.unanswered: deque[_ForJudge | None] = deque()
        self.deadline = time.monotonic() + _START_SECONDS
        self.jails = {role: Jail(isolation, role, limits, packages) for role in _ROLES}

    def check(self) -> None:
        """Let the jails judge one correct program before they are trusted with others.

        Raises:
            Unavailable: they do not start, or get that program wrong; the message is the jail's own.
        """
        outcome = "not at all"
        try:
            while not all(jail.answers for jail in self.jails.values()):  # each says that it is there
                self._wait()
            for jail in self.jails.values():
                jail.answers.clear()
            # A machine that is busy while jails start says nothing about them.
            self.send(Assignment(0, _PROBE, stages=("apart",), patience=_START_SECONDS))
            outcome = self.receive().verdict.outcome
        except Dead:
            self.tasks.clear()
        if outcome != "passed":
            errors = [jail.last_error() for jail in self.jails.values()]
            raise Unavailable(next(filter(None, errors), f"a correct program was judged {outcome}"))

    def restart(self) -> None:
        """Start over with new jails, without the trials of the old ones."""
        self.stop()
        self.__init__(self.isolation, self.limits, self.packages)
        self.check()

    def send(self, task: Assignment) -> None:
        """Queue a trial; the jails take them one after another.

        Raises:
            InputError: it cannot be judged.
        """
        trial = task.trial
        material = packed(trial.setup, trial.test, trial.entry_point)
        test = _file(material)
        try:
            program = _file(trial.program.encode("utf-8", "surrogatepass"))
        except InputError:
            os.close(test)
            raise
        here, there = (end.detach() for end in socket.socketpair())
        turn = _file(b"")
        self.tasks.append(task)
        if len(self.tasks) == 1:
            self._extend_deadline()
        classes = common_classes(trial.setup, trial.program) if "apart" in task.stages else []
        judged = _ForJudge(trial.share, task.patience, classes, (test, there, turn), "plain" not in task.stages)
        limits = {"share": trial.share, "patience": task.patience}
        self.jails["programs"].send({**limits, "stages": list(task.stages)}, [program, test, here, turn])
        os.close(program)
        os.close(here)
        self.unanswered.append(judged)
        self._begin_next()

    def ready(self) -> bool:
        """Whether the oldest trial has all its answers."""
        return bool(self.tasks) and all(self.jails[role].answers for role in self._awaited())

    def collect(self, role: Role) -> None:
        """Take in an answer of a jail that has one.

        That a program passed in one process with its test is none yet: now its judge begins, which most never need.

        Raises:
            Dead: there will be none, or not the one that is due.
        """
        answer = self.jails[role].receive()
        if role == "programs" and self.unanswered:
            judged, passed = self.unanswered[0], answer == PASSED_PLAIN
            if passed and judged:
                self._hand_to_judge(judged)
                self.unanswered[0] = None
                return
            if passed or (answer["stage"] == "apart") != (judged is None):
                raise Dead  # the judge's answers would be taken for those to other trials
            self.unanswered.popleft()
            if judged:
                judged.close()
            self._begin_next()
        self.jails[role].answers.append(answer)

    def receive(self) -> Result:
        """What came of the oldest trial; waits for it.

        Raises:
            Dead: there will be no answer.
        """
        while not self.ready():
            self._wait()
        answers = [self.jails[role].answers.popleft() for role in self._awaited()]
        task = self.tasks.popleft()
        self._extend_deadline()
        return _result(task, *answers)

    def stop(self) -> None:
        """End the jails and everything in them."""
        for judged in filter(None, self.unanswered):
            judged.close()
        self.unanswered.clear()
        for jail in self.jails.values():
            jail.stop()

    def _begin_next(self) -> None:
        """Let the judge of the program that is next begin where no plain run comes first; judges keep the order too."""
        if self.unanswered and self.unanswered[0] and self.unanswered[0].at_once:
            self._hand_to_judge(self.unanswered[0])
            self.unanswered[0] = None

    def _hand_to_judge(self, judged: "_ForJudge") -> None:
        request = {"share": judged.share, "patience": judged.patience, "classes": judged.classes}
        self.jails["judges"].send(request, judged.files)
        judged.close()

    def _awaited(self) -> Sequence[Role]:
        """The jails whose answers the oldest trial needs, as far as that is known."""
        first = next(iter(self.jails["programs"].answers), {})
        return _ROLES if first.get("stage") == "apart" else _ROLES[:1]

    def _wait(self) -> None:
        """Wait for an answer of any jail."""
        poll = select.poll()
        roles = {jail.socket.fileno(): role for role, jail in self.jails.items()}
        for file in roles:
            poll.register(file, select.POLLIN)
        ready = poll.poll(1000 * max(0.001, self.deadline - time.monotonic()))
        if not ready:
            raise Dead
        for file, _ in ready:
            self.collect(roles[file])

    def _extend_deadline(self) -> None:
        """Give the oldest trial, which begins now, its time."""
        alone = bool(self.tasks) and self.tasks[0].patience is not None
        seconds = len(STAGES) * self.limits.wall_seconds * (_STARVED if alone else 1.0)
        self.deadline = time.monotonic() + seconds + _GRACE_SECONDS


def _result(task: Assignment, program: dict[str, Any], judge: dict[str, Any] | None = None) -> Result:
    """What the two jails found, as one verdict.

    Args:
        program: the answer of the programs' jail; its `stage` is the last one that was run.
        judge: the answer of the judges' jail.
    """
    seconds, own_seconds = program["cpu_seconds"], program.get("plain_seconds", program["own_seconds"])
    if program["stage"] == "plain" or judge is None:
        verdict = Verdict(program["outcome"], program["exception"], seconds, program["wall_seconds"])
        return Result(task, "plain", verdict, own_seconds, 0.0, program["waited_seconds"])
    # Limits of the program come first: what the judge saw is that it was gone.
    outcome, exception = program["outcome"], ""
    if outcome in ("ended", "crashed"):
        outcome, exception = judge["outcome"], judge["exception"]
    outcome = "crashed" if outcome == "skipped" else outcome
    wall_seconds = max(program["wall_seconds"], judge["wall_seconds"])
    verdict = Verdict(outcome, exception, seconds + judge["cpu_seconds"], wall_seconds, _DOUBTS.get(judge["doubt"], ""))
    waited = program["waited_seconds"] + judge["waited_seconds"]
    own_seconds = max(seconds, program.get("plain_seconds", 0.0))
    return Result(task, "apart", verdict, own_seconds, program["slept_seconds"], waited)


def _file(content: bytes) -> int:
    """An open file in memory that holds some bytes, all of them.

    Raises:
        InputError: there is no room for it, or the user may write no such file.
    """
    file = os.memfd_create("trial")
    left = memoryview(content)
    try:
        while left:
            left = left[os.write(file, left) :]  # one write may take less, by `ulimit -f` or for lack of memory
    except OSError as error:
        os.close(file)
        raise InputError(
            f"{len(content)} bytes cannot be handed to a jail ({error.strerror}); free memory, or raise ulimit -f"
        ) from None
    return file
