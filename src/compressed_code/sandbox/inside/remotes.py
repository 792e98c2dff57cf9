"""What stands in the judge for an object of the program: a number, and what may be asked about it.

A stand-in shows the protocols that its object has and no others (`protocols`), so that a test's type checks tell what
they would tell in one process. Its operations happen in the program, and what comes back is data, but for one thing:
what decides. With data an object is compared and calculated only where the test itself made it, by calling a class of
the program by name, and has not had it as an answer since; with another object where one of them came from such an
object at least (`Standing`). An answer's own `__eq__`, `__lt__` or `__sub__` never meets what the test expects.
"""

import operator
from collections.abc import Callable
from enum import IntEnum
from types import GeneratorType
from typing import Any, NoReturn

from . import said
from .owned import PREDICATES, Asked

# Names with underscores that may be read: they say something, and nothing of Python itself asks for them.
_READABLE = frozenset(
    ("__name__", "__qualname__", "__doc__", "__annotations__", "__module__", "__dict__", "__wrapped__", "__slots__")
)
_READING_METHODS = ("items", "keys", "values")  # `dict` calls `keys`
_OF_GENERATORS = frozenset(dir(GeneratorType))
_REFLECTED = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"),
)
_ORDER = ("lt", "le", "gt", "ge")
_BINARY = (*_REFLECTED, *_ORDER)
_UNARY = ("neg", "pos", "abs", "invert")
OPERATORS: dict[str, Callable[..., Any]] = {name: getattr(operator, f"__{name}__") for name in (*_BINARY, *_UNARY)}
OPERATORS |= {"eq": operator.eq, "ne": operator.ne, "contains": operator.contains}
# What changes no object, however a program defines it; but an item that is found may have been made for its key.
READING = frozenset(
    (
        *("attribute", "contains", "format", "hash", "is instance", "is subclass", "item", "iterate", "length", "name"),
        *("next", "representation", "text", "truth"),
    )
)


class Standing(IntEnum):
    """How an object came to the test, which says what its own methods may decide; it only ever falls."""

    TOLD = 0  # by an operator that told a derived object what the test expects: it answers nothing about itself
    ANSWERED = 1  # by a function of the program, or within anything that was answered
    DERIVED = 2  # by an object or a class of the rows below
    MADE = 3  # by the test, which called a class by its name
    NAMED = 4  # a class, by the test, which knows its name


def only_looks(operation: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an operation changes no object; comparing two is looking at them.

    Args:
        arguments: of `Asked.request`.
    """
    return operation in READING or (operation == "operate" and arguments[0] in ("eq", "ne", *_ORDER))


def standing_of_answer(operation: str, arguments: tuple[Any, ...]) -> Standing:
    """What an object that answers an operation is; what lies within an answer is `DERIVED` at most.

    Args:
        arguments: of `Asked.request`.
    """
    if operation == "name":
        return Standing.NAMED
    asked = arguments[1:] if operation == "operate" else arguments[:1]
    highest = max((each._its_standing for each in asked if isinstance(each, Remote)), default=Standing.ANSWERED)
    if highest is Standing.NAMED and operation == "call":
        return Standing.MADE
    return min(highest, Standing.DERIVED)


class Remote:
    """Stands for an object of the program; see `protocols.remote_type` for what else it can do.

    Attributes:
        _its_compares: whether its class has an `==` of its own.
    """

    _its_compares = False
    _its_judge: Asked = None  # of each its own

    def __init__(self, judge: Asked, number: int) -> None:
        fields = {
            "_its_judge": judge,
            "_its_number": number,
            "_its_standing": Standing.ANSWERED,
            "_its_new": True,
            "_its_hash": None,
        }
        fields |= {"_its_said": (None, {}), "_its_passed": False, "_its_followed": (None, 0), "_its_mute": False}
        fields |= {"_its_lives": False}  # the test made it by calling its class, or has it as a class by its name
        fields |= {"_its_is_free": False, "_its_makes": False, "_its_only_reads": False}
        fields |= {"_its_apart": False}  # of an iterator: who goes through it takes nothing from another object
        fields |= {"_its_name": None}  # of what is called
        fields |= {"_its_effect": None, "_its_permitted": None}  # of what is awaited: what the call may do that gave it
        fields |= {"_its_is_shown": False}  # it only came to functions of the test, which the program called
        fields |= {"_its_is_constant": False}  # of a class that the test has by its name: an enum's member
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    def _its_ask(self, operation: str, *arguments: Any) -> Any:
        if self._its_standing is Standing.TOLD:
            self._its_judge.refuse(self)
            raise TypeError("what an object of the program makes of what the test expects answers nothing")
        return self._its_judge.request(operation, self, *arguments)

    def _its_plain(self, kind: type, operation: str, *arguments: Any) -> Any:
        """What it says, of a type that Python itself makes sure of."""
        value = self._its_ask(operation, *arguments)
        if type(value) is not kind:
            self._its_judge.refuse(self)
            raise TypeError(f"an answer should be {kind.__name__}")
        return value

    @property
    def _its_made(self) -> bool:
        return self._its_standing is Standing.MADE

    def _its_follow(self, items: said.Items, first: bool) -> None:
        """As an iterator: give the items that another one gave before it, unless it is the first, and say nothing else
        of itself."""
        object.__setattr__(self, "_its_followed", (items, 0))
        object.__setattr__(self, "_its_mute", not first)

    def _its_be_free(self, name: str) -> None:
        """The test has it by a name: it is no method, and makes objects if that is a name as classes have them."""
        object.__setattr__(self, "_its_is_free", True)
        object.__setattr__(self, "_its_makes", is_of_a_class(name))

    def _its_be_named(self, name: str | None = None) -> None:
        object.__setattr__(self, "_its_name", name)

    def _its_be_apart(self) -> None:
        """An attribute or an item is this object, or one of their iterators, and no method gave it."""
        object.__setattr__(self, "_its_apart", True)

    def _its_be_awaited(self, effect: Any, permitted: Callable[[int, bool], bool] | None) -> None:
        """Awaiting it does what the call does that gave it (`operations`)."""
        object.__setattr__(self, "_its_effect", effect)
        object.__setattr__(self, "_its_permitted", permitted)

    def _its_be_shown(self, called: bool, takes: bool) -> None:
        """It came with a call of the test's function: what no answer ever held says what it is now, each time.

        Args:
            takes: more may run in the program than a look.
        """
        object.__setattr__(self, "_its_is_shown", called and (self._its_new or self._its_is_shown))
        if self._its_is_shown and takes:
            said.renew(self, {})

    def _its_be_constant(self) -> None:
        """The test has it by the name of a class and one of a constant."""
        object.__setattr__(self, "_its_is_constant", True)

    def _its_be_answered(self) -> None:
        """It is an answer, too, whatever name the test has for it."""
        object.__setattr__(self, "_its_standing", min(self._its_standing, Standing.DERIVED))
        object.__setattr__(self, "_its_lives", False)

    def _its_only_read(self) -> None:
        """It is a method that changes nothing."""
        object.__setattr__(self, "_its_only_reads", True)

    def _its_arrive(self, standing: Standing) -> None:
        """The test got this object, now or once more."""
        object.__setattr__(self, "_its_standing", standing if self._its_new else min(self._its_standing, standing))
        object.__setattr__(self, "_its_new", False)
        # Also when a method of its own gives it back.
        object.__setattr__(self, "_its_lives", self._its_lives or self._its_standing >= Standing.MADE)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in _READABLE:
            raise AttributeError(name)
        if name == "__name__" and callable(self):
            if self._its_name is None:
                raise AttributeError(name)
            return self._its_name
        if self._its_mute and name not in _OF_GENERATORS:
            self._its_judge.refuse(self)
            raise AttributeError(name)
        found = said.attribute(self, name, lambda: self._its_ask("attribute", name))
        if isinstance(found, Remote) and name in _READING_METHODS and not self._its_made:
            found._its_only_read()
        if name in PREDICATES and self._its_standing < Standing.MADE and callable(found):
            self._its_judge.refuse(self)
            raise AttributeError(name)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        self._its_ask("assign", name, value)

    def __delattr__(self, name: str) -> None:
        self._its_ask("delete", name)

    def __bool__(self) -> bool:
        return said.once(self, "truth", lambda: self._its_ask("truth") is True)

    def __str__(self) -> str:
        return said.once(self, "text", lambda: self._its_plain(str, "text"))

    def __repr__(self) -> str:
        return said.once(self, "representation", lambda: self._its_plain(str, "representation"))

    def __format__(self, specification: str) -> str:
        return said.once(self, ("format", specification), lambda: self._its_plain(str, "format", specification))

    def __hash__(self) -> int:
        if self._its_hash is None:  # once for all: it may be the key of a dictionary when its standing falls
            asked = self._its_standing >= Standing.DERIVED and not self._its_judge.reading
            object.__setattr__(self, "_its_hash", self._its_plain(int, "hash") if asked else object.__hash__(self))
        return self._its_hash

    def __eq__(self, other: object) -> bool:
        if self._its_judge.reading:  # the keys of a dictionary, which are no others there
            return self is other
        if _may_be_equal(self, other):
            return bool(self._its_judge.request("operate", "eq", self, other))
        if self is not other:
            self._its_cannot_compare(other)
        return self is other

    def __ne__(self, other: object) -> bool:
        if _may_be_equal(self, other):
            return bool(self._its_judge.request("operate", "ne", self, other))
        return not self == other

    def _its_cannot_compare(self, other: object) -> None:
        """Two objects are themselves only, and no data; what their own `==` says is believed where it says the same."""
        self._its_judge.opaque(self)
        if (
            isinstance(other, Remote)
            and (self._its_compares or other._its_compares)
            and self._its_judge.request("operate", "eq", self, other)
        ):
            self._its_judge.refuse(self)

    def __reduce_ex__(self, version: Any) -> NoReturn:
        # A copy would stand for the same object, in its old standing; a deep one would have a judge of its own.
        self._its_judge.refuse(self)
        raise TypeError("an object of the program is copied there")

    def __mro_entries__(self, bases: Any) -> NoReturn:
        self._its_judge.refuse(self)
        raise TypeError("a class of the program is extended there")

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        # numpy would ask its length as often as it looks, and keep addresses of what an answer may change meanwhile
        self._its_judge.refuse(self)
        raise TypeError("an object of the program is no array")


def may_decide(left: Any, right: Any) -> bool:
    """Whether the program may say what comes of two operands, one of which is a stand-in at least."""
    standings = [each._its_standing for each in (left, right) if isinstance(each, Remote)]
    # A class is no value: a name that should be a constant's would decide by its metaclass.
    return max(standings) >= Standing.DERIVED if len(standings) == 2 else standings == [Standing.MADE]


def _may_be_equal(left: Any, right: Any) -> bool:
    """The same for `==`, where a class by its name is only itself: its own class would say so of any other."""
    named = any(isinstance(each, Remote) and each._its_standing is Standing.NAMED for each in (left, right))
    return not named and may_decide(left, right)


def is_of_a_class(name: str) -> bool:
    """Whether classes are called like that."""
    return name.lstrip("_")[:1].isupper()


def _binary(name: str, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def operate(self: Remote, other: Any) -> Any:
        decides = may_decide(self, other)
        if decides or (self._its_standing is Standing.DERIVED and name not in _ORDER):
            found = self._its_judge.request("operate", name, *((other, self) if swapped else (self, other)))
            if decides:
                return found
            if isinstance(found, Remote):  # a number of its own choice would be what the test expects
                found._its_arrive(Standing.TOLD)  # nor may it choose one now that it has seen that
                return found
        self._its_judge.refuse(self)
        return NotImplemented

    return operate


def _unary(name: str) -> Callable[[Any], Any]:
    def operate(self: Remote) -> Any:
        if self._its_standing not in (Standing.DERIVED, Standing.MADE):
            self._its_judge.refuse(self)
            raise TypeError(f"bad operand type for {name}: an object of the program")
        return self._its_ask("operate_alone", name)

    return operate


for _name in _BINARY:
    setattr(Remote, f"__{_name}__", _binary(_name))
for _name in _REFLECTED:
    setattr(Remote, f"__r{_name}__", _binary(_name, swapped=True))
for _name in _UNARY:
    setattr(Remote, f"__{_name}__", _unary(_name))
