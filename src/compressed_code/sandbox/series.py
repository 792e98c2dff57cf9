"""One series of trials over several workers: handed out, collected in order, and repeated where that is fair."""

import select
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from compressed_code.core.errors import InputError
from compressed_code.sandbox.jail import Dead
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
        try:
            worker.send(Assignment(self.taken, trial, self.stages))
        except InputError as problem:
            raise InputError(f"trial {self.taken + 1}: {problem}") from None
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
        over = found.own_seconds > task.trial.share * self.limits.cpu_seconds
        late = over and verdict.outcome == "passed"
        # One that was ended within its own limit had waited for a processor until it reached that of wall time.
        lost = verdict.outcome == "timeout" and (found.stage == "apart" or not over)
        # A process that something else than its server killed: for memory that it took, or that another one did.
        killed = verdict.outcome == "memory" and not verdict.exception
        if (late or lost or killed) and not final:
            self.again.append(replace(task, patience=_PATIENCE * found.waited_seconds))
            return
        if late:
            verdict = replace(verdict, outcome="timeout")
        elif found.stage == "apart" and "plain" in self.stages and not verdict.passed:
            reason = verdict.reason or f"{verdict.outcome} {verdict.exception}".strip()
            verdict = replace(verdict, outcome="disputed", exception="", reason=reason)
        self.done[task.place] = verdict if verdict.outcome == "disputed" else replace(verdict, reason="")
