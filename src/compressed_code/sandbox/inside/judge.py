"""The trusted side: runs setup and test in a process that the program cannot reach and decides the verdict.

What the test calls is a stand-in that sends the arguments to the program's process and gets plain data back. Nothing
of the program runs here, nothing is imported on its word, and its answers are data of a closed set of types.
"""

import builtins
import contextlib
import io
import json
import os
import random
import sys
import threading
import types
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from . import assertions, channel, codec, decoder, messages, operations, programs, remotes
from .assertions import Failure, Failures
from .catching import Catching, ends_quietly
from .containers import is_record
from .errors import name_of_its_kind
from .names import Module, Names
from .objects import LONGEST, NotPlainData, Objects
from .operations import Effect
from .records import NOTHING_ASKED, asking
from .remotes import Remote, Standing
from .standard_modules import known_module

TEST_MODULE = "tests"
_FROM_THE_TEST = 1 << 40  # the most bytes of a message to the program


class Decided(BaseException):
    """The verdict stands, whatever the test does from here on."""


def serve(
    descriptor: int, material: int, answer: int, output_bytes: int, packages: Sequence[str], classes: Sequence[str]
) -> NoReturn:
    """Judge one trial and end.

    Args:
        descriptor: the socket to the program.
        material: a file with what `programs.unpacked` reads.
        answer: a pipe that gets JSON: outcome, name of an exception, and what could not be judged; see `decide`.
        output_bytes: the longest answer of a program that is read.
        packages: packages that were loaded for programs and tests.
        classes: names of those that setup and program define in the same words.
    """
    random.seed()  # the program must not know what a test draws
    sys.stdout = io.StringIO()  # a test may print, or look at what the program printed
    content = os.pread(material, os.fstat(material).st_size, 0)
    found = decide(descriptor, programs.unpacked(content), output_bytes, packages, classes)
    os.write(answer, json.dumps(found).encode())
    os._exit(0)


def decide(
    descriptor: int,
    task: programs.CompiledTest,
    output_bytes: int,
    packages: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> tuple[str, str, str]:
    """Outcome, name of the exception, and why this verdict may be no fault of the program: "own object" (an object of
    the program's own would have had to decide), "argument" (the test passes what cannot be sent), or nothing."""
    judge = Judge(descriptor, output_bytes, packages)
    try:
        judge.run(task, classes)
        found = ("wrong answer", "AssertionError") if judge.failures else judge.refused or ("passed", "")
    except MemoryError:
        found = "memory", "MemoryError"
    except AssertionError as error:
        found = "exception" if judge.raised is error else "wrong answer", "AssertionError"
    except BaseException as error:
        found = "exception", type(error).__name__[:LONGEST]
    return *(judge.decided or found), judge.doubt


class Judge:
    """One test run against one program."""

    def __init__(self, descriptor: int, limit: int, packages: Sequence[str]) -> None:
        self.descriptor, self.limit, self.packages = descriptor, limit, packages
        self.objects = Objects(self)
        self.shared = self.objects.shared
        self.catching = Catching(self.shared)
        self.dropped: list[int] = []
        self.names = Names(self)
        self.raised: BaseException | None = None  # the last exception that came from the program
        self.failures = Failures()
        self.asserting = False  # whether functions of setup and test assert something
        self.refused: tuple[str, str] | None = None  # what the test asked for, and took for the program's answer
        self.decided: tuple[str, str] | None = None
        self.doubt = ""
        self.changes = 0  # how often something ran in the program that may have changed its objects
        self.taken = 0  # how often an iterator gave an item, of which it has less then
        self.found = 0  # how often an object gave an item by its key, which may change it
        self.ran = 0  # how often anything ran there but a look, or to make an object
        self.made = 0  # how often the test made an object
        self.bound = 0  # how often it made one of other objects
        self.effect: Effect | None = None  # of what is asked, while it is
        self.permitted: operations.Permitted | None = None  # likewise
        self.lending: dict[int, bool] = {}  # what is kept if the answer is an object
        self.reading = False
        self.turn = threading.RLock()

    def run(self, task: programs.CompiledTest, classes: Sequence[str]) -> None:
        names = self.names
        self.asserting = assertions.has_asserting_helpers(task.setup, task.test)
        names.update(vars(builtins), __name__=TEST_MODULE, __annotations__={}, exit=sys.exit, quit=sys.exit)
        sys.modules[TEST_MODULE] = Module(names)
        self.receive("load", Standing.ANSWERED)
        exec(task.setup, names)
        self.share([name for name in classes if name != task.entry_point], task)
        if task.entry_point is not None:
            names[task.entry_point] = found = self.request("name", task.entry_point)
            if isinstance(found, Remote):
                found._its_arrive(Standing.ANSWERED)  # a class whose objects are what is tested
                found._its_be_free(task.entry_point)
        before = names.get("check")  # of the setup, or the program's own where that is the entry point
        exec(task.test, names)
        check = names.get("check")
        if check is not before:
            check(names[task.entry_point])

    def share(self, classes: Sequence[str], task: programs.CompiledTest) -> None:
        """Agree with the program on the classes of both whose objects are plain data, and on its errors."""
        for name in classes:
            if isinstance(kind := self.names.get(name), type) and issubclass(kind, Exception):
                self.objects.mirrors.agreed[name] = kind
        ours = {name: self.names[name] for name in classes if name in self.names and is_record(self.names[name])}
        theirs = self.request("share", *ours) if ours else ()
        if type(theirs) is not tuple or not all(type(name) is str and name in ours for name in theirs):
            self.report("crashed")
        self.shared.records = tuple(ours[name] for name in theirs)
        self.shared.asking = asking(task.setup, task.test) if theirs else NOTHING_ASKED

    def request(self, operation: str, *arguments: Any) -> Any:
        """Let the program do something and give back what came of it, as plain data or as a stand-in; for one thread
        of the test at a time."""
        with self.turn:
            return self._request(operation, *arguments)

    def _request(self, operation: str, *arguments: Any) -> Any:
        if self.decided:  # an `except` of the test swallowed that
            raise Decided
        if self.reading:
            raise codec.Malformed("what was answered asks while it is read")
        for number in self.shared.unused():
            self.shared.forget(number)
            self.dropped.append(number)
        dropped, self.dropped = self.dropped, []
        try:
            self.send((operation, tuple(dropped), *arguments))
        except NotPlainData:
            self.dropped = dropped
            raise
        standing = remotes.standing_of_answer(operation, arguments)
        effect, returned = operations.effect(operation, arguments, self.shared), {*self.shared.returned}
        altered = self.shared.altered
        if self.effect in operations.TAKING_NOTHING:  # it has called a function of the test: the program says when
            effect, altered = operations.within_such(effect, altered), False
        permitted = operations.permitted(operation, arguments, self.shared, effect)
        # A list of an object's that the test has changed is another one there, too.
        self.changes += altered
        self.count(effect)
        lending = operations.lending(operation, arguments, self.shared)
        if operations.keeps(operation, arguments):
            self.shared.lent |= lending
        before = self.effect, self.permitted, self.lending
        self.effect, self.permitted, self.lending = effect, permitted, lending
        try:
            return self.receive(operation, standing, permitted, arguments)
        finally:  # also where it raised an exception, which the test may have waited for
            self.effect, self.permitted, self.lending = before
            if operation in ("attribute", "item"):  # that an object keeps a list of the test's makes it no answer
                self.shared.shown |= self.shared.returned - returned
                self.shared.returned &= returned
            self.taken += operation == "next" and not arguments[0]._its_apart
            self.found += operation == "item"

    def count(self, effect: Effect | None) -> None:
        """Something runs in the program, or goes on there, that may do this to objects."""
        self.changes += effect is Effect.CHANGES_ANSWERS
        self.ran += effect in (Effect.CHANGES_ANSWERS, Effect.RUNS)
        self.made += effect in (Effect.MAKES, Effect.MAKES_OF_OBJECTS)
        self.bound += effect is Effect.MAKES_OF_OBJECTS

    def notice(self) -> None:
        """Count it as a change that the test has changed a container which the program has, too."""
        self.changes += self.shared.are_changed(self.shared.changed())

    def send(self, message: tuple[Any, ...]) -> None:
        content = codec.encode(message, self.objects, _FROM_THE_TEST)
        try:
            channel.send(self.descriptor, content)
        except channel.Closed:
            self.report("crashed")

    def receive(
        self,
        operation: str,
        standing: Standing,
        permitted: Callable[[int, bool], bool] = lambda number, grows: False,
        arguments: Sequence[Any] = (),
    ) -> Any:
        """The program's answer to an operation, after the functions of the test that it called meanwhile.

        Args:
            standing: of an object that is the answer.
            permitted: which containers it may change.
            arguments: of the operation.
        """
        failed = self.failures.last
        while True:
            self.shared.may_change = permitted
            kind, *content = self.message()
            if self.objects.arrived:
                self.shared.lent |= self.lending | self.shared.lent  # what is lent already fills as it did
            self.objects.arrive(operation, arguments, standing, content[0] if content else None, called=kind == "call")
            printed = content.pop()
            sys.stdout.write(printed)
            if kind == "call":
                self.call_back(*content)
                continue
            if kind == "value":
                (value,) = content
                self.shared.answered(value)
                if self.catching.decides(operation, value):
                    raise self.error_of_assertions(value)
                return value
            if kind == "module" and operation == "name":
                if self.catching.decides(operation, None):
                    raise self.error_of_assertions(content[0])
                return self.module(content[0])
            if kind == "raised":
                raise self.error(operation, content, failed)
            if kind == "syntax error":
                self.report("syntax error", content[0][:LONGEST])
            self.report("output" if kind == "too large" else "crashed")

    def error(self, operation: str, content: list[Any], failed: Failure) -> BaseException:
        """What the test gets for an exception that the program raised.

        Args:
            content: of the message (`candidate.raised`).
            failed: the assertion that had failed last before the operation.
        """
        self.shared.types.remove(content[0])
        if self.catching.decides(operation, None):
            return self.error_of_assertions(content[0])
        replaced = assertions.in_flight(sys.exc_info()[1])
        try:
            self.raised = self.objects.mirrors.error(*content)
        except TypeError:
            self.report("crashed")
        self.failures.reach_the_test(self.raised, failed, replaced)
        if ends_quietly(self.raised) and not (operation == "next" and isinstance(self.raised, StopIteration)):
            quiet, self.raised = self.raised, RuntimeError(f"the program raised {type(self.raised).__name__}")
            self.raised.__dict__.update(quiet.__dict__)
        return self.raised

    def message(self) -> tuple[Any, ...]:
        self.objects.arrived.clear()
        try:
            content = channel.receive(self.descriptor, self.limit)
            self.reading = True
            return messages.checked(decoder.decode(content, self.objects))
        except channel.Oversized:
            self.report("output")
        except MemoryError:
            self.report("memory", "MemoryError")
        except (channel.Closed, codec.Malformed):
            self.report("crashed")
        finally:
            self.reading = False

    def call_back(self, number: int, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """Run a function of the test that the program was given."""
        self.count(self.effect)  # an observer sees what has changed since the last time
        if self.catching.decides("call", None):
            self.refuse(arguments)
        function = self.objects.function(number)
        if function is None or not all(type(key) is str for key in keywords):
            self.report("crashed")
        try:
            answer = "value", function(*arguments, **keywords)
        except Decided:
            raise
        except BaseException as error:
            if assertions.failed(error, self.asserting):
                self.failures.add(error)
            answer = "raised", name_of_its_kind(error), self.text(error)
            error.__traceback__ = None  # it may be raised again, by a mock that always does
        try:
            self.send(answer)
            own = filter(self.shared.is_own, self.shared.reached(answer[1:]))
            self.lending |= {number: not self.shared.items(number) for number in own}
        except NotPlainData as error:
            self.send(("raised", "TypeError", str(error)))

    def text(self, error: BaseException) -> str:
        """What an error of the test's says, if anything: a key may be a number that is too long to be written, or an
        object of the program, whose text may call the test's functions."""
        with contextlib.suppress(Exception):
            if type(error) is KeyError and [*map(type, error.args)] == [str]:  # whose text is that of the key's text
                return error.args[0]
            try:
                return str(error)
            except AssertionError as failed:
                self.failures.add(failed)
        return ""

    def module(self, name: str) -> types.ModuleType:
        """A module that the program imported: the judge's own, which was there before the program."""
        found = known_module(name, self.packages)
        if found is None:
            raise NameError(f"the module {name!r} is not known to the judge")
        return found

    def opaque(self, value: Any, doubt: str = "own object") -> None:
        """What cannot be asked of the program: a failure may be no fault of it."""
        self.doubt = self.doubt or doubt

    def refuse(self, value: Any, doubt: str = "own object") -> None:
        """The test gets an exception of the judge's own; if it waits for one, it would pass what was never asked."""
        self.doubt = self.doubt or doubt
        self.refused = self.refused or ("exception", "TypeError")

    def error_of_assertions(self, value: Any) -> NameError:
        """What a test gets for an error of the program that its own failed assertions would be, too."""
        self.refuse(value)
        return NameError("an error of the program's own that would be one of the test's assertions, too")

    def report(self, outcome: str, exception: str = "") -> NoReturn:
        """The program is gone or answers nonsense: that is the verdict, even if the test swallows this exception."""
        self.decided = self.decided or (outcome, exception)
        raise Decided
