"""The objects of both sides by number, as the judge has them."""

import inspect
import types
from collections.abc import Coroutine, Sequence
from typing import Any
from weakref import WeakValueDictionary

from . import owned
from .containers import kind_of
from .errors import Mirrors
from .operations import TAKING_NOTHING
from .owned import Asked, Owned
from .protocols import remote_type
from .remotes import Remote, Standing
from .said import made_by_the_test
from .shared import Shared
from .standard_modules import place_of

LONGEST = 80  # characters of a name


class NotPlainData(TypeError):
    """The test wants to send something that is not plain data."""


class Objects:
    """What stands for what: objects of the program have odd numbers, those of the test even ones; a side of `codec`.

    Args:
        judge: asks the program.
    """

    def __init__(self, judge: Asked) -> None:
        self.judge = judge
        self.shared = Shared(2)
        self.mirrors = Mirrors(judge, self)
        self.arrived: list[Remote] = []  # with the last message
        self._theirs: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._owned: dict[int, Any] = {}
        self._ours: dict[int, Any] = {}  # functions that the program may call, and nothing but objects

    def describe(self, value: Any) -> tuple[int, Any]:
        """A number of the program's for what came from there; of what can be called the place, or the test's number."""
        if isinstance(value, Owned) and kind_of(type(value)) is not None and self.shared.number(value) is None:
            self.judge.refuse(value)
            raise NotPlainData("what an answer of the program's own held before it changed is passed to the program")
        if isinstance(value, Remote | Owned):
            return value._its_number, None
        if (number := self.mirrors.number(value)) is not None:
            return number, None
        if isinstance(value, types.BuiltinFunctionType | type | types.FunctionType) and (place := place_of(value)):
            return 0, place
        if callable(value) and not isinstance(value, type):
            if not inspect.isroutine(value):  # what else it can do stays here
                self.judge.opaque(value, "argument")
            return self._number_of(value), str(getattr(value, "__name__", "function"))[:LONGEST]
        if type(value) is object:
            return self._number_of(value), ()
        self.judge.refuse(value, "argument")
        raise NotPlainData(f"the test passes a {type(value).__name__} to the program; only plain data can be sent")

    def function(self, number: int) -> Any:
        """What the program calls: of the test's own, which it was given; None where there is none."""
        return self._ours.get(number)

    def _number_of(self, value: Any) -> int:
        """The number of something of the test's own that the program is given."""
        bound = isinstance(value, types.MethodType)  # another object each time that it is looked up
        same = (
            known
            for known, each in self._ours.items()
            if each is value or (bound and type(each) is type(value) and each == value)
        )
        found = next(same, 0)
        found = found or 2 * len(self._ours) + 2
        self._ours[found] = value
        return found

    def resolve(self, number: int, about: Any) -> Any:
        """What stands here for an object of the program, the same for the same object."""
        if number % 2 == 0:
            return self._ours[number]
        found = self._theirs.get(number)
        if found is None:
            kind, name, more, *named = about
            if kind == "error class":
                return self.mirrors.kind(number, name, more)
            if kind == "coroutine":
                return _coroutine(self.judge, number)
            found = remote_type(frozenset(more))(self.judge, number)
            found._its_be_named(*named)
            self._theirs[number] = found
        if hasattr(type(found), "__await__"):
            found._its_be_awaited(self.judge.effect, self.judge.permitted)
        self.arrived.append(found)
        return found

    def arrive(self, operation: str, arguments: Sequence[Any], standing: Standing, answer: Any, called: bool) -> None:
        """Say of the objects in a message how they came: the answer itself, within it, or to a function of the test."""
        apart = operation in ("attribute", "item") or (operation == "iterate" and not made_by_the_test(arguments[0]))
        constant = not called and _is_a_constant(operation, arguments)
        by_a_name = operation in ("attribute", "item") and not called and getattr(arguments[0], "_its_is_free", False)
        takes = self.judge.effect not in TAKING_NOTHING
        for each in self.arrived:
            if each._its_new and apart and not called:
                each._its_be_apart()
            each._its_be_shown(called, takes)
            within = Standing.ANSWERED if called else Standing.DERIVED
            each._its_arrive(standing if each is answer else min(standing, within))
            if each._its_is_free and operation != "name" and not by_a_name:
                each._its_be_answered()
            if constant:
                each._its_be_constant()
        self.arrived.clear()

    def own(self, number: int, value: Any) -> Any:
        """A plain value with the attributes of an object of the program; the same for the same object."""
        if kind_of(type(value)) is not None:  # a container has a number of its own
            return owned.own(self.judge, number, value)
        found = self._owned.get(number)
        # A list within may be another one now.
        if found is None or type(found).__mro__[2] is not type(value) or self.shared.reached([value]):
            self._owned[number] = found = owned.own(self.judge, number, value)
        return found


def _is_a_constant(operation: str, arguments: Sequence[Any]) -> bool:
    """Whether a class that the test has by its name is asked for what it keeps (`Order.UP`)."""
    return operation in ("attribute", "item") and isinstance(arguments[0], Remote) and arguments[0]._its_makes


def _coroutine(judge: Asked, number: int) -> Coroutine[Any, Any, Any]:
    """A coroutine of the program: it runs to its end over there when it is awaited here."""
    stand_in = remote_type(frozenset())(judge, number)
    stand_in._its_be_awaited(judge.effect, judge.permitted)
    return _awaited(stand_in)


async def _awaited(stand_in: Remote) -> Any:
    return stand_in._its_judge.request("await", stand_in)
