"""What both sides know by name: the modules that are there for them, and the types that answers may name.

The lists are closed. A program can say that something is one of these; it can make its judge load nothing.
"""

import builtins
import importlib
import sys
from collections.abc import Iterable
from types import MappingProxyType, ModuleType
from typing import Any

# What programs of this kind import. Loaded once in each server and shared by every fork, but for `LATE`: each of them
# makes every fork take half as long again.
LATE = ("asyncio", "threading")
MODULES = (
    *("abc", "array", "asyncio", "base64", "bisect", "calendar", "cmath", "collections", "collections.abc"),
    *("contextlib", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq"),
    *(
        "inspect",
        "io",
        "itertools",
        "json",
        "math",
        "numbers",
        "operator",
        "os",
        "pathlib",
        "posixpath",
        "random",
        "re",
    ),
    *("statistics", "string", "struct", "sys", "textwrap", "threading", "time", "types", "typing", "uuid", "zoneinfo"),
)
# Types that are values of their own where a test asks for them. None of them runs code of its arguments.
_PLAIN = (
    *(object, int, float, complex, bool, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, slice),
    *(type(None), type(...), MappingProxyType),
)
_NAMED = {
    "array": ("array",),
    "collections": ("ChainMap", "Counter", "OrderedDict", "UserDict", "UserList", "UserString", "defaultdict", "deque"),
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "pathlib": ("Path", "PosixPath", "PurePath", "PurePosixPath"),
    "re": ("Pattern",),
    "types": ("SimpleNamespace",),
    "uuid": ("UUID",),
    "zoneinfo": ("ZoneInfo",),
}


def load(packages: Iterable[str] = ()) -> None:
    """Import what programs and tests of this kind need, before any of them is there."""
    for name in (*MODULES, *packages):
        if name not in LATE:
            importlib.import_module(name)


def known_module(name: str, packages: Iterable[str] = ()) -> ModuleType | None:
    """This process's own module of that name, where it is among those that are there for programs and tests."""
    if name in LATE:
        return importlib.import_module(name)
    return sys.modules.get(name) if name in MODULES or name in packages else None


# What modules are called by custom.
CALLED = {"np": "numpy", "pd": "pandas"}
_ABSENT = object()
_MODULE_NAMES = frozenset((*sys.stdlib_module_names, *CALLED, *CALLED.values(), "pytest", "hypothesis", "scipy"))


def own_meaning(name: str, packages: Iterable[str] = ()) -> tuple[Any, ...]:
    """What a name means that is a module's, or a type's of those modules; empty for any other name.

    Of a module that is not there, but tests are used to, it is something that nobody has.
    """
    module = known_module(CALLED.get(name, name), packages)
    kind = TYPES.get(name)
    found = tuple(each for each in (module, kind) if each is not None)
    return found or ((_ABSENT,) if name in _MODULE_NAMES else ())


def _types() -> dict[str, type]:
    known = {kind.__name__: kind for kind in _PLAIN}
    known |= {
        name: getattr(importlib.import_module(module), name) for module, names in _NAMED.items() for name in names
    }
    errors = {name: kind for name, kind in vars(builtins).items() if _is_error(kind) and kind.__name__ == name}
    return known | errors


def _is_error(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


TYPES = _types()
_NAMES = {id(kind): name for name, kind in TYPES.items()}
ERRORS = {name: kind for name, kind in TYPES.items() if issubclass(kind, BaseException)}


def type_name(value: Any) -> str | None:
    """The name of a type that both sides know; found by identity, since a type may have an `__eq__` of its own."""
    return _NAMES.get(id(value))


def public_callable(module: str, name: str) -> Any:
    """A function or type that such a module shows under that name; None where there is none."""
    owner = builtins if module == "builtins" else known_module(module)
    found = getattr(owner, name, None) if owner is not None else None
    return found if callable(found) else None


def place_of(value: Any) -> tuple[str, str] | None:
    """The module and name under which `public_callable` finds a function or type."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    aliases = {"_operator": "operator", "_functools": "functools", "_bisect": "bisect", "_heapq": "heapq"}
    module = aliases.get(module, module)
    if isinstance(module, str) and isinstance(name, str) and public_callable(module, name) is value:
        return module, name
    return None
