"""The untrusted side: runs the program, then answers the judge's requests until it is killed.

Nothing here decides anything. The program shares this process and may patch, end or impersonate it; all it can reach
is the socket to the judge, where it can give answers, right or wrong.
"""

import contextlib
import operator
import os
import threading
import types
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from . import channel, codec, decoder, programs
from .containers import is_record
from .remotes import OPERATORS
from .shared import Shared
from .standard_modules import public_callable

REQUEST_LIMIT = 1 << 40  # the judge is trusted; this only stops a program that impersonates it to itself
_SIMPLE = (str, int, float, bool, bytes, type(None))


def serve(descriptor: int, source: bytes, output_bytes: int) -> NoReturn:
    """Run the program, tell the judge how that went, then answer requests until the judge is gone."""
    with contextlib.suppress(channel.Closed):
        Program(descriptor, output_bytes).serve(source)
    os._exit(1)


class Callback:
    """A function of the test that the program was given."""

    def __init__(self, program: "Program", number: int, name: str) -> None:
        self._program, self._number = program, number
        self.__name__ = name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._program.call_back(self._number, arguments, keywords)


class Program:
    """The program's module and what the judge may ask of it; a side of `codec`."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.descriptor, self.limit = descriptor, limit
        self.printed = programs.prepare(limit // 8)
        self.module = types.ModuleType(programs.MODULE)
        self.shared = Shared(1)
        self.objects: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self.callbacks: dict[int, Any] = {}
        self.turn = threading.RLock()
        self.operations: dict[str, Callable[..., Any]] = {
            "share": self.share,
            "name": self.look_up,
            "call": lambda function, arguments, keywords: function(*arguments, **keywords),
            "attribute": getattr,
            "assign": setattr,
            "delete": delattr,
            "item": operator.getitem,
            "set item": operator.setitem,
            "delete item": operator.delitem,
            "contains": operator.contains,
            "length": len,
            "iterate": iter,
            "next": next,
            "truth": bool,
            "text": str,
            "representation": repr,
            "format": format,
            "hash": hash,
            "is instance": lambda kind, value: isinstance(value, kind),
            "is subclass": lambda kind, other: issubclass(other, kind),
            "operate": lambda name, left, right: OPERATORS[name](left, right),
            "operate_alone": lambda value, name: OPERATORS[name](value),
            "enter": lambda value: type(value).__enter__(value),
            "leave": lambda value, kind: type(value).__exit__(value, *_leaving(kind)),
            "await": _run_coroutine,
        }

    def serve(self, source: bytes) -> NoReturn:
        try:
            self.module = programs.load(source)
        except programs.NotCompiled as error:
            self.answer("syntax error", error.args[0])
        except BaseException as error:
            self.answer(*self.raised(error))
        else:
            self.answer("value", None)
        while True:
            self.reply(self.read())

    def read(self) -> tuple[Any, ...]:
        return decoder.decode(channel.receive(self.descriptor, REQUEST_LIMIT), self)

    def reply(self, request: tuple[Any, ...]) -> None:
        name, dropped, *arguments = request
        for number in dropped:
            self.shared.forget(number)
        try:
            value = self.operations[name](*arguments)
        except channel.Closed:  # within a call of the test's function
            raise
        except BaseException as error:
            self.answer(*self.raised(error))
            return
        if name == "name" and isinstance(value, types.ModuleType):
            self.answer("module", str(value.__name__))
        else:
            self.answer("value", value)

    def call_back(self, number: int, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Let the judge run a function of the test, answering what it asks meanwhile; for one thread at a time."""
        with self.turn:
            self.send(("call", number, arguments, keywords, self.printed.take()))
            while True:
                kind, *content = self.read()
                if kind == "value":
                    return content[0]
                if kind == "raised":
                    name, text = content
                    error = public_callable("builtins", name)
                    raise (error if isinstance(error, type) and issubclass(error, BaseException) else Exception)(text)
                self.reply((kind, *content))

    def share(self, *names: str) -> tuple[str, ...]:
        """Of classes that the test has, too, the names of those that are no others here."""
        found = {name: kind for name in names if is_record(kind := self.module.__dict__.get(name))}
        self.shared.records = tuple(found.values())
        return tuple(found)

    def look_up(self, name: str) -> Any:
        try:
            return self.module.__dict__[name]
        except KeyError:
            raise NameError(f"name {name!r} is not defined") from None

    def describe(self, value: Any) -> tuple[int, Any]:
        """The number of an object that stays here, and what kind of thing it is."""
        if isinstance(value, Callback):
            return value._number, None
        number = self.numbers.get(id(value))
        if number is None:
            number = 2 * len(self.objects) + 1
            self.objects[number] = value  # also keeps it alive, so that its id stays its own
            self.numbers[id(value)] = number
        if isinstance(value, type) and issubclass(value, BaseException):
            bases = tuple(base for base in value.__bases__ if issubclass(base, BaseException))
            return number, ("error class", value.__name__, (value.__module__, bases))
        if isinstance(value, types.CoroutineType):
            return number, ("coroutine", "", ())
        return number, ("object", type(value).__name__, tuple(_protocols(value)), _name(value))

    def resolve(self, number: int, about: Any) -> Any:
        if number % 2:
            return self.objects[number]
        if number == 0:
            return public_callable(*about)
        if about == ():  # an `object()`, which is only itself
            value = self.callbacks.setdefault(number, object())
            self.numbers[id(value)] = number
            return value
        return self.callbacks.setdefault(number, Callback(self, number, about))

    def own(self, number: int, value: Any) -> Any:
        return self.objects[number]

    def raised(self, error: BaseException) -> tuple[Any, ...]:
        """An exception: its class, its arguments where they are plain data, its number and its text."""
        arguments = error.args if all(type(part) in _SIMPLE for part in error.args) else ()
        try:
            text = str(error)
        except Exception:
            text = ""
        return "raised", type(error), arguments, self.describe(error)[0], text

    def answer(self, *message: Any) -> None:
        self.send((*message, self.printed.take()))

    def send(self, message: tuple[Any, ...]) -> None:
        try:
            content = codec.encode(message, self, self.limit)
        except codec.TooLarge:
            content = codec.encode(("too large", ""), self, self.limit)
        except Exception as error:
            content = codec.encode(("raised", Exception, (), 1, type(error).__name__, ""), self, self.limit)
        channel.send(self.descriptor, content)


def _protocols(value: Any) -> Iterable[str]:
    """What an object can do, by the special methods of its type (`protocols.PROTOCOLS`)."""
    bases = type(value).__mro__
    for name in ("call", "iter", "next", "len", "getitem", "setitem", "delitem", "contains", "enter", "await"):
        special = f"__{name}__"
        if next((vars(base)[special] for base in bases if special in vars(base)), None) is not None:
            yield name
    if type(value).__eq__ is not object.__eq__:
        yield "eq"
    if isinstance(value, type):
        yield "instancecheck"
    if type(value) is types.GeneratorType:
        yield "generator"


def _name(value: Any) -> str | None:
    """What is called says its name before anybody asks: who asks may tell by that what the test waits for."""
    name = getattr(value, "__name__", None) if callable(value) else None
    return name if type(name) is str else None


def _leaving(kind: str | None) -> tuple[Any, ...]:
    """What `__exit__` is told; the test's own exception stays with the test."""
    return (None, None, None) if kind is None else (Exception, Exception(kind), None)


def _run_coroutine(value: Any) -> Any:
    import asyncio  # late: see `standard_modules.LATE`

    async def wait() -> Any:
        return await value

    return asyncio.run(wait())
