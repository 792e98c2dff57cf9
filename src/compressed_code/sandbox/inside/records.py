"""What an object of a class that setup and program agree on may say of itself: what its methods set, and no more.

Such an object is its attributes, which the program chooses, and its class decides. What that class says of all its
objects (a tolerance), or setup and test say of those that lack something, is none of these.
"""

import dataclasses
import dis
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import NamedTuple

# What takes the name of an attribute as text, or lists them.
_ASKING = frozenset(("getattr_static", "getmembers", "vars", "__dict__", "dir", "attrgetter"))
_BY_TEXT = ("getattr", "hasattr")  # called with a text that stands there, they ask for that one
_WITHIN = ("__func__", "__wrapped__", "fget", "fset", "fdel", "func")  # where methods and the like keep a function

_VARIABLES = ("LOAD_FAST", "LOAD_DEREF", "LOAD_NAME", "LOAD_GLOBAL")
_BETWEEN = ("PUSH_NULL", "CACHE", "PRECALL")


class Asking(NamedTuple):
    """What setup and test of a trial ask of objects that may lack it.

    Attributes:
        names: attributes by a text (`getattr(self, "near", 0)`), where an exception is waited for, or a pattern may not
            match.
        by_text: whether they take attributes by a text that is put together, or list them.
    """

    names: frozenset[str] = frozenset()
    by_text: bool = False


NOTHING_ASKED = Asking()


def asking(*sources: CodeType) -> Asking:
    """What code asks, wherever it lies in there: a method, what a decorator wraps, a function in a table."""
    codes = [code for source in sources for code in _codes(source)]
    names = {name for code in codes if code.co_exceptiontable for name in code.co_names}
    matching = [code for code in codes if any(step.opname == "MATCH_CLASS" for step in dis.get_instructions(code))]
    names |= {text for code in matching for part in code.co_consts if type(part) is tuple for text in part}
    texts = {text for code in codes for text in _texts(code)}
    listing = any(not _ASKING.isdisjoint(code.co_names) for code in codes)
    return Asking(frozenset(names | {text for text in texts if text is not None}), listing or None in texts)


def _texts(code: CodeType) -> Iterator[str | None]:
    """The attributes that code asks for by `getattr` and `hasattr`; None where it does not say which."""
    if set(_BY_TEXT).isdisjoint(code.co_names):
        return
    steps = [step for step in dis.get_instructions(code) if step.opname not in _BETWEEN]
    for place, step in enumerate(steps):
        if step.argval in _BY_TEXT:
            called = step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and _calls(steps[place + 1 : place + 5])
            yield steps[place + 2].argval if called else None


def _calls(steps: list[dis.Instruction]) -> bool:
    """Whether these load a variable and a text, and at most a third value, and call what was loaded before."""
    kinds = ["call" if each.opname.startswith("CALL") else each.opname for each in steps]
    if (
        len(steps) < 3
        or not kinds[0].startswith(_VARIABLES)
        or kinds[1] != "LOAD_CONST"
        or type(steps[1].argval) is not str
    ):
        return False
    if kinds[2] == "call":
        return steps[2].argval == 2
    return kinds[2].startswith("LOAD_") and kinds[3:] == ["call"] and steps[3].argval == 3


def says_otherwise(kind: type, names: Iterable[str], asked: Asking) -> bool:
    """Whether attributes of an object would hide what its class says of all its objects, a tolerance that its `__eq__`
    asks for; or what it says of objects that lack them (`__getattr__`, `getattr(self, "near", 0)`, `vars(self)`, an
    exception that it waits for, a pattern that does not match), itself or in any function beside it.

    What a method sets of its `self`, and a field of a dataclass, is the object's own; and so is what only waits for an
    object to have something (`left = None`). Where attributes are asked for by texts, objects have no others.
    """
    own = _set_by_class(kind)
    held = {name: value for base in reversed(kind.__mro__[:-1]) for name, value in vars(base).items()}
    said = {name for name, value in held.items() if not name.startswith("__") and value is not None} | asked.names
    gives = hasattr(kind, "__getattr__") or kind.__getattribute__ is not object.__getattribute__
    return not (said - own).isdisjoint(names) or ((gives or asked.by_text) and not own.issuperset(names))


@lru_cache(maxsize=64)
def _set_by_class(kind: type) -> frozenset[str]:
    """The attributes that are its objects' own."""
    held = [value for base in kind.__mro__[:-1] for value in vars(base).values()]
    methods = [value for value in held if not isinstance(value, classmethod | staticmethod)]
    methods += [getattr(value, name, None) for value in methods for name in _WITHIN]
    own = {name for each in methods if isinstance(each, FunctionType) for name in _set_of_self(each.__code__)}
    return frozenset(
        own | ({each.name for each in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set())
    )


def _set_of_self(code: CodeType) -> Iterator[str]:
    """The attributes that a method sets of its first argument, itself or in a function within it; of anything else,
    a class for one, they are not its objects'."""
    if code.co_argcount == 0:
        return
    first = code.co_varnames[0]
    for part in _codes(code):
        kinds = ("LOAD_FAST", "LOAD_DEREF") if part is code else ("LOAD_DEREF",)
        steps = list(dis.get_instructions(part))
        for place, step in enumerate(steps):
            if step.opname == "STORE_ATTR" and _is_loaded(first, kinds, steps[:place], step.argval):
                yield step.argval


def _is_loaded(name: str, kinds: tuple[str, ...], steps: list[dis.Instruction], attribute: str) -> bool:
    """Whether a variable is what was loaded last; of `self.count += 1`, before the attribute itself was."""
    if steps and steps[-1].opname == "SWAP":
        read = [place for place, step in enumerate(steps) if step.opname == "LOAD_ATTR" and step.argval == attribute]
        steps = [step for step in steps[: max(read, default=0)] if step.opname != "COPY"]
    if not steps or not steps[-1].opname.startswith(kinds):
        return False
    loaded = steps[-1].argval  # two of them, where one instruction loads two
    return (loaded[-1] if isinstance(loaded, tuple) else loaded) == name


def _codes(code: object) -> Iterator[CodeType]:
    """The code of a function or module, and that of those within it."""
    if isinstance(code, CodeType):
        yield code
        for part in code.co_consts:
            yield from _codes(part)
