"""One series of trials over several workers: handed out, collected in order, and repeated where that is fair.

A program runs with its test in one process first, since what fails there needs no judge. One that has senses is judged
first: it could learn its test in the plain run and tell its judged run, or that of the next program. No such plain run
begins before all those of the window are judged.
"""

import select
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from compressed_code.core.errors import InputError
from compressed_code.sandbox.jail import Dead
from compressed_code.sandbox.lent_senses import lends_senses
from compressed_code.sandbox.senses import has_senses
from compressed_code.sandbox.trials import Limits, Stage, Trial, Verdict
from compressed_code.sandbox.worker import Assignment, Result, Worker

_QUEUE = 2  # a worker that has answered finds its next trial waiting
_WINDOW = 512  # trials judged ahead of one that waits to be repeated
# A program may wait for its judge so many times as long as both waited for a processor, when it runs again.
_PATIENCE = 10.0
_LOST = Verdict("crashed", "", 0.0, 0.0)


class Series:
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
        # Of programs with senses: which are being judged, what came of the others, and plain runs that wait for all.
        self.unjudged: set[int] = set()
        self.judged: dict[int, Verdict] = {}
        self.later: deque[Assignment] = deque()
        self.catching_up = False  # with those

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
                if len(worker.tasks) == length:
                    self.give_next(worker)

    def give_next(self, worker: Worker) -> None:
        """The next trial; or, where all that may be taken are judged, a plain run that waited for that."""
        room = self.taken < self.given + _WINDOW
        if room and not self.exhausted and not self.catching_up and self.give_new(worker):
            return
        if self.later and not self.unjudged:
            worker.send(self.later.popleft())
            self.catching_up = bool(self.later)

    def give_new(self, worker: Worker) -> bool:
        """Whether there was one."""
        trial = next(self.trials, None)
        if trial is None:
            self.exhausted = True
            return False
        stages = self.stages
        if len(stages) > 1 and (has_senses(trial.program) or lends_senses(trial.setup, trial.test)):
            stages = ("apart",)
            self.unjudged.add(self.taken)
        try:
            worker.send(Assignment(self.taken, trial, stages))
        except InputError as problem:
            raise InputError(f"trial {self.taken + 1}: {problem}") from None
        self.taken += 1
        return True

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
            self.stand(task, "plain", _LOST)

    def settle(self, found: Result, final: bool) -> None:
        """Let a verdict stand, or try once more."""
        verdict, task = found.verdict, found.task
        limit = task.trial.share * self.limits.cpu_seconds
        over = found.own_seconds > limit
        late = over and verdict.outcome == "passed"
        # One that was ended within its own limit had waited for a processor until it reached that of wall time, or for
        # its judge. One that let its judge wait is none of these.
        lost = verdict.outcome == "timeout" and not over and found.slept_seconds <= limit
        # A process that something else than its server killed: for memory that it took, or that another one did.
        killed = verdict.outcome == "memory" and not verdict.exception
        if (late or lost or killed) and not final:
            self.again.append(replace(task, patience=_PATIENCE * found.waited_seconds))
            return
        self.stand(task, found.stage, replace(verdict, outcome="timeout") if late else verdict)

    def stand(self, task: Assignment, stage: Stage, verdict: Verdict) -> None:
        """Take in what a stage came to, and say what both came to where it was the last."""
        if task.place in self.unjudged:
            self.unjudged.remove(task.place)
            self.judged[task.place] = verdict
            self.later.append(Assignment(task.place, task.trial, ("plain",)))
            return
        judged = self.judged.pop(task.place, None)
        if judged is not None and verdict.passed:
            stage, verdict = "apart", judged
        if stage == "apart" and "plain" in self.stages and not verdict.passed:
            reason = verdict.reason or f"{verdict.outcome} {verdict.exception}".strip()
            verdict = replace(verdict, outcome="disputed", exception="", reason=reason)
        self.done[task.place] = verdict if verdict.outcome == "disputed" else replace(verdict, reason="")
