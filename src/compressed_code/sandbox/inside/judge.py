"""The trusted side: runs setup and test in a process that the program cannot reach and decides the verdict.

What the test calls is a stand-in that sends the arguments to the program's process and gets plain data back. Nothing
of the program runs here, so no object, patch or exit of the program can make an assertion hold.
"""

import builtins
import importlib
import json
import os
import random
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from . import channel, codec

_IN_PLACE = (list, dict, set, bytearray)
_NAME_LENGTH = 80
_TEXT_LENGTH = 300  # so that an answer is one whole write to a pipe, whatever its characters


class Decided(BaseException):
    """The verdict stands, whatever the test does from here on."""


class NotPlainData(Exception):
    """The test wants to send something that is not plain data."""


def serve(descriptor: int, material: int, answer: int, output_bytes: int) -> NoReturn:
    """Judge one trial and end.

    Args:
        descriptor: the socket to the program.
        material: a file with a JSON object: `setup`, `test` and `entry_point`.
        answer: a pipe that gets JSON: outcome and exception.
        output_bytes: the longest answer of a program that is read.
    """
    content = os.pread(material, os.fstat(material).st_size, 0)
    outcome, exception = decide(descriptor, json.loads(content), output_bytes)
    os.write(answer, json.dumps([outcome, exception[:_TEXT_LENGTH]]).encode())
    os._exit(0)


def decide(descriptor: int, task: dict[str, Any], output_bytes: int) -> tuple[str, str]:
    """Outcome and exception of one trial."""
    random.seed(0)  # the same verdict every time
    judge = Judge(descriptor, output_bytes)
    try:
        judge.run(**task)
        found = "passed", ""
    except MemoryError:
        found = "memory", "MemoryError"
    except AssertionError as error:
        found = "exception" if judge.raised is error else "wrong answer", "AssertionError"
    except BaseException as error:
        found = "exception", type(error).__name__
    return judge.decided or found


class Judge:
    """One test run against one program."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.descriptor = descriptor
        self.limit = limit
        self.raised: BaseException | None = None  # the last exception that came from the program
        self.decided: tuple[str, str] | None = None

    def run(self, setup: str, test: str, entry_point: str | None) -> None:
        names = Names(self)
        names.update(vars(builtins), __name__="test")
        try:
            exec(compile(setup, "<setup>", "exec", dont_inherit=True), names)
        except Exception as error:
            self.report("broken setup", f"{type(error).__name__}: {error}")
        self.receive()  # the program is loaded
        if entry_point is not None:
            names[entry_point] = Remote(self, entry_point)
        before = names.get("check")  # of the setup, or the program's own where that is the entry point
        exec(compile(test, "<test>", "exec", dont_inherit=True), names)
        check = names.get("check")
        if check is not before:
            check(Remote(self, entry_point))

    def request(self, operation: str, *arguments: Any) -> Any:
        """Let the program do something and give back what came of it, as plain data or as a `Remote`."""
        message = codec.encode((operation, *arguments), _number, 1 << 62)
        if self.decided:  # an `except` of the test swallowed that
            raise Decided
        try:
            channel.send(self.descriptor, message)
        except channel.Closed:
            self.report("crashed")
        return self.receive(operation, arguments)

    def receive(self, operation: str = "", arguments: tuple[Any, ...] = ()) -> Any:
        """The program's answer to an operation; the first one, to none, says that it is loaded."""
        try:
            kind, *content = codec.decode(channel.receive(self.descriptor, self.limit), self.object)
            if kind == "value":
                value, after = content
                if after is not None:
                    _update(list(arguments), after)
                return value
            if kind == "module" and operation == "name":
                return self.module(content[0])
            if kind == "raised":
                self.raised = _exception(*content)
            elif kind == "syntax error":
                self.report("syntax error", content[0])
            else:
                self.report("output" if kind == "too large" else "crashed")
        except channel.Oversized:
            self.report("output")
        except (channel.Closed, codec.Malformed, ValueError, TypeError, AttributeError, RecursionError):
            self.report("crashed")
        raise self.raised

    def object(self, number: int) -> "Remote":
        return Remote(self, number)

    def module(self, name: str) -> Any:
        """A module that the program imported: the judge's own copy of it, never the program's."""
        parts = name.split(".")
        if parts[0] not in sys.stdlib_module_names or parts[-1] == "__main__":
            raise NameError(f"name {name!r} is not defined")
        return importlib.import_module(name)

    def report(self, outcome: str, exception: str = "") -> NoReturn:
        """The program is gone or answers nonsense: that is the verdict, even if the test swallows this exception."""
        self.decided = outcome, exception
        raise Decided


class Names(dict[str, Any]):
    """The global names of the test; what it does not define itself is looked up in the program."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def __missing__(self, name: str) -> Any:
        try:
            return self.judge.request("name", name)
        except NameError:
            raise KeyError(name) from None


class Remote:
    """Stands for a function or object of the program. It is equal to nothing; its operations happen over there."""

    __slots__ = ("_judge", "_number")

    def __init__(self, judge: Judge, number: int | str) -> None:
        object.__setattr__(self, "_judge", judge)
        object.__setattr__(self, "_number", number)

    def _resolved(self) -> int:
        if isinstance(self._number, str):  # the entry point: a program without it fails when it is first used
            found = self._judge.request("name", self._number)
            if not isinstance(found, Remote):
                raise TypeError(f"{type(found).__name__!r} object is not callable")
            object.__setattr__(self, "_number", found._number)
        return self._number

    def _request(self, operation: str, *arguments: Any) -> Any:
        self._resolved()
        return self._judge.request(operation, self, *arguments)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        try:
            return self._request("call", arguments, keywords)
        except StopIteration as error:  # would end a loop of the test that maps over calls, as if all were done
            raise RuntimeError("the program raised StopIteration") from error

    def __getattr__(self, name: str) -> Any:
        return self._request("attribute", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._request("assign", name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._request("item", key)

    def __len__(self) -> int:
        return self._request("length")

    def __iter__(self) -> Iterator[Any]:
        return self._request("iterate")

    def __next__(self) -> Any:
        return self._request("next")

    def __bool__(self) -> bool:
        return self._request("truth")

    def __str__(self) -> str:
        return self._request("text")

    def __repr__(self) -> str:
        return self._request("representation")

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__


def _number(value: Any) -> int:
    if not isinstance(value, Remote):
        raise NotPlainData(f"the test passes a {type(value).__name__} to the program; only plain data can be sent")
    return value._resolved()


def _update(old: Any, new: Any) -> Any:
    """What the program did to its arguments in place, done to the test's own; gives the object that now stands there.

    Containers that stay containers of the same type keep their identity, so names the test holds see the change.
    """
    if type(old) is not type(new) or not isinstance(old, (*_IN_PLACE, tuple)):
        return new
    if isinstance(old, list):
        old[:] = [_update(old[place], value) if place < len(old) else value for place, value in enumerate(new)]
    elif isinstance(old, dict):
        changed = {key: _update(old[key], value) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(changed)
    elif isinstance(old, set):
        old.clear()
        old.update(new)
    elif isinstance(old, bytearray):
        old[:] = new
    elif len(old) == len(new):
        return tuple(_update(before, after) for before, after in zip(old, new, strict=True))
    return old


def _exception(name: str, base: str, arguments: tuple[Any, ...]) -> BaseException:
    """An exception of the program as the test would have seen it: same name, same nearest builtin base."""
    kind = getattr(builtins, base)
    if not isinstance(kind, type) or not issubclass(kind, BaseException):
        raise ValueError(base)
    if kind.__name__ != name:
        kind = type(name[:_NAME_LENGTH] if name.isidentifier() else "Exception", (kind,), {})
    try:
        return kind(*arguments)
    except TypeError:  # UnicodeDecodeError and its like want arguments of certain types
        return kind.__new__(kind)
