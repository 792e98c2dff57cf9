"""Classes that a prompt defines and a program keeps as they are: their objects are plain data to program and test, and
their errors are the test's."""

import ast
import builtins
import warnings
from functools import lru_cache
from typing import NamedTuple

from compressed_code.sandbox.senses import MOST_READ

_DECORATORS = ("dataclass", "dataclasses.dataclass")
# Of Python's own errors those that a test waits for, and does not make itself.
_ERRORS = frozenset(
    name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, (AssertionError, StopIteration, StopAsyncIteration, ExceptionGroup))
)


def common_classes(setup: str, program: str) -> list[str]:
    """Names of the classes that both define in the same words, in their order.

    A class counts where it extends nothing but others of these, and is decorated by `dataclass` alone, if at all: then
    its objects are the values of their attributes. So does one that extends one of Python's errors.

    Args:
        setup: of a trial; it compiles.
        program: any text; one that is too long to be read has none of them.

    Example:
        >>> node = "class Node:\\n    def __init__(self, value):\\n        self.value = value\\n"
        >>> common_classes(node, f"import math\\n{node}def f(node):\\n    return node.value\\n")
        ['Node']
    """
    wanted = _classes(setup)
    if not wanted or len(program) > MOST_READ:
        return []
    try:
        found = _plain_classes(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    common: list[str] = []
    for name, each in wanted.items():
        if each.plain and found.get(name) == each and all(base in (*common, "object", *_ERRORS) for base in each.bases):
            common.append(name)
    return common


class _Class(NamedTuple):
    """A class as it is written: its syntax, and the names that it extends."""

    text: str
    bases: tuple[str, ...]
    plain: bool


@lru_cache(maxsize=1024)
def _classes(setup: str) -> dict[str, _Class]:
    return _plain_classes(setup) if "class" in setup else {}


def _plain_classes(source: str) -> dict[str, _Class]:
    """The classes of a module by name; of a name that is defined twice the last one, in the place of the first."""
    with warnings.catch_warnings(action="ignore"):
        tree = ast.parse(source)
    return {node.name: _read(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _read(node: ast.ClassDef) -> _Class:
    decorators = [ast.unparse(each.func if isinstance(each, ast.Call) else each) for each in node.decorator_list]
    plain = not node.keywords and all(each in _DECORATORS for each in decorators)
    return _Class(ast.dump(node), tuple(map(ast.unparse, node.bases)), plain)
