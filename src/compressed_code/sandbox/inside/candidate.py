"""The untrusted side: runs the program, then answers the judge's requests until it is killed.

Nothing here decides anything. The program shares this process and may patch, end or impersonate it; all it can reach
is the socket to the judge, where it can give answers, right or wrong.
"""

import builtins
import operator
import os
import random
import sys
import types
from collections.abc import Callable
from typing import Any

from . import channel, codec

MODULE = "program"
REQUEST_LIMIT = 1 << 30  # the judge is trusted; this only stops a program that impersonates it to itself


def serve(descriptor: int, source: bytes, output_bytes: int) -> None:
    """Run the program, tell the judge how that went, then answer requests for ever."""
    random.seed(0)  # the same verdict every time
    Program(descriptor, output_bytes).serve(source)


class Program:
    """The program's module and what the judge may ask of it."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.descriptor = descriptor
        self.limit = limit
        # A program's own __name__ is not "__main__": its demonstration code does not run, as in the usual harness.
        self.module = types.ModuleType(MODULE)
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.operations: dict[str, Callable[..., Any]] = {
            "name": self.look_up,
            "call": lambda function, arguments, keywords: function(*arguments, **keywords),
            "attribute": getattr,
            "assign": setattr,
            "item": operator.getitem,
            "length": len,
            "iterate": iter,
            "next": next,
            "truth": bool,
            "text": str,
            "representation": repr,
        }

    def serve(self, source: bytes) -> None:
        self.answer(self.load(source))
        while True:
            request = channel.receive(self.descriptor, REQUEST_LIMIT)
            self.answer(self.reply(request))

    def load(self, source: bytes) -> bytes:
        try:
            code = compile(source.decode("utf-8", "surrogatepass"), "<program>", "exec", dont_inherit=True)
        except Exception as error:
            return self.pack(("syntax error", type(error).__name__))
        sys.modules[MODULE] = self.module
        try:
            exec(code, self.module.__dict__)
        except BaseException as error:
            return self.describe(error)
        return self.pack(("value", None, None))

    def reply(self, request: bytes) -> bytes:
        operation, *arguments = codec.decode(request, self.objects.__getitem__)
        before = [self.snapshot(argument) for argument in arguments]
        try:
            value = self.operations[operation](*arguments)
        except BaseException as error:
            return self.describe(error)
        after = arguments if [self.snapshot(argument) for argument in arguments] != before else None
        if operation == "name" and isinstance(value, types.ModuleType):
            return self.pack(("module", value.__name__))
        return self.pack(("value", value, after))

    def snapshot(self, argument: Any) -> bytes | None:
        """The argument as bytes where a call could change it in place."""
        if type(argument) in (list, tuple, dict) and argument:
            return codec.encode(argument, self.keep, REQUEST_LIMIT)
        return None

    def look_up(self, name: str) -> Any:
        try:
            return self.module.__dict__[name]
        except KeyError:
            raise NameError(f"name {name!r} is not defined") from None

    def keep(self, value: Any) -> int:
        """The number under which the judge may ask for an object that is not plain data."""
        number = self.numbers.setdefault(id(value), len(self.objects))
        if number == len(self.objects):
            self.objects.append(value)  # also keeps it alive, so that its id stays its own
        return number

    def describe(self, error: BaseException) -> bytes:
        """An exception as its own name, its nearest builtin base and, where they are plain data, its arguments."""
        kind = type(error)
        base = next(base for base in kind.__mro__ if getattr(builtins, base.__name__, None) is base)
        arguments = error.args if all(type(part) in (str, int, float, bool) for part in error.args) else ()
        return self.pack(("raised", kind.__name__, base.__name__, arguments))

    def pack(self, message: tuple[Any, ...]) -> bytes:
        try:
            return codec.encode(message, self.keep, self.limit)
        except codec.TooLarge:
            return codec.encode(("too large",), self.keep, self.limit)
        except Exception as error:
            return codec.encode(("raised", type(error).__name__, "Exception", ()), self.keep, self.limit)

    def answer(self, message: bytes) -> None:
        try:
            channel.send(self.descriptor, message)
        except channel.Closed:
            os._exit(1)
