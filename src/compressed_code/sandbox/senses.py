"""Whether a program can perceive anything but what it is asked: a clock, files, other processes, its own interpreter.

One that can may learn what its test expects in its plain run and tell its judged run: by the moment at which the plain
run ends, or by any trace that a process leaves in the kernel, of which there are more than a filter can know. So such a
program is judged first (`series`). The check is of the program's text, and errs on the safe side: what it does not know
has senses. That costs time, and no verdict.
"""

import ast
import importlib
import re
import string
import types
import warnings
from collections.abc import Sequence
from functools import cache

from compressed_code.sandbox.unseeing import UNSEEING

# The most characters of a program that are read outside of a jail: the syntax of two million takes a minute and 2 GB.
MOST_READ = 1 << 16
# Builtins that reach further, or run text.
REACHING_BUILTINS = {
    *("breakpoint", "compile", "delattr", "eval", "exec", "getattr", "globals", "input", "locals", "open", "setattr"),
    "vars",
}
# Attributes that take the name of an attribute as text, or run what an annotation says. The key of a cached property is
# the name that it looks up, and reductors are asked what attributes a copy gets; so is a class (`_COPIES`).
NAMING = {
    *("UserDict", "attrgetter", "methodcaller", "Formatter", "ForwardRef", "get_type_hints", "singledispatch"),
    *("singledispatchmethod", "update_wrapper", "wraps"),
}
_ATTRIBUTES = {*NAMING, "attrname", "dispatch_table", "register", "evaluate", "evaluate_forward_ref"}
# What leads to a maker of classes that has no name here: `get_origin(Type[int])` is `type`, and re's flags extend Enum.
_ATTRIBUTES |= {"get_origin", "mro"}
# What leads from a running program to its frames, and to code that can be made into any other.
_RUNNING = (
    *(types.AsyncGeneratorType, types.CodeType, types.CoroutineType, types.FrameType, types.GeneratorType),
    types.TracebackType,
)
_ATTRIBUTES |= {name for kind in _RUNNING for name in dir(kind) if re.match("[a-z]{1,2}_", name)}
_TEMPLATES = {"format", "format_map"}  # of a text, which names attributes and elements of what it is given
_DEEPEST = 3  # a field within the format of a field, and text there; Python fills in no more
_COPIES = "copy"  # asks a class of the program what to set on what, by names that are text
_MAKERS = {"type", "ABCMeta", "NamedTupleMeta"}  # of classes, by names that are text; the latter two are of typing
_NAMESPACE = "__builtins__"
_BINDING = {"arg", "asname", "name", "rest"}
_HARMLESS_SPECIALS = {"__init__", "__name__"}
_AWAITING = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
_AWAITED = {"__await__", "__aiter__", "__anext__", "__aenter__", "__aexit__"}  # runs in somebody's event loop


def has_senses(program: str) -> bool:
    """Whether a program may perceive more than the calls it gets.

    False for one that does not compile, True for one that is too long to be read.

    Example:
        >>> has_senses("import math\\ndef f(x):\\n    return math.sqrt(x)\\n"), has_senses("import time\\n")
        (False, True)
    """
    if len(program) > MOST_READ:
        return True
    try:
        with warnings.catch_warnings(action="ignore"):  # of a program's invalid escapes
            tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return False
    except (RecursionError, MemoryError):
        return True
    named = _NAMESPACE in program or not program.isascii()  # an identifier may be spelled in other letters
    nodes = list(ast.walk(tree))
    if any(map(_imports_copies, nodes)) and any(map(_makes_classes, nodes)):
        return True
    if _uses_more_of_modules(nodes):
        return True
    return any(_reaches_out(node) or (named and _binds_builtins(node)) for node in nodes)


def _uses_more_of_modules(nodes: Sequence[ast.AST]) -> bool:
    """Whether a module's name stands for anything but the names of it that are known: else it could be given away."""
    aliases = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules: dict[str, frozenset[str]] = {}
    for alias in aliases:
        name, allowed = alias.asname or alias.name, UNSEEING.get(alias.name, frozenset())
        modules[name] = modules.get(name, allowed) & allowed  # two may have one name, by turns
    known = {
        id(node.value)
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.attr in modules.get(node.value.id, ())
    }
    return any(isinstance(node, ast.Name) and node.id in modules and id(node) not in known for node in nodes)


def _imports_copies(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name == _COPIES for alias in node.names)
    return isinstance(node, ast.ImportFrom) and node.module == _COPIES


def _makes_classes(node: ast.AST) -> bool:
    named = (getattr(node, field, None) for field in ("id", "attr", "name"))
    return isinstance(node, ast.ClassDef) or not _MAKERS.isdisjoint(named)


def _binds_builtins(node: ast.AST) -> bool:
    """Whether a statement of any kind gives all names that are defined nowhere another meaning."""
    return any(value == _NAMESPACE for field, value in ast.iter_fields(node) if field in _BINDING) or (
        isinstance(node, ast.Global | ast.Nonlocal) and _NAMESPACE in node.names
    )


def _reaches_out(node: ast.AST) -> bool:
    if isinstance(node, _AWAITING) or (isinstance(node, ast.FunctionDef) and node.name in _AWAITED):
        return True
    if isinstance(node, ast.Import):
        return any(alias.name not in UNSEEING or ("." in alias.name and not alias.asname) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or any(alias.name not in UNSEEING.get(node.module, ()) for alias in node.names)
    if isinstance(node, ast.Name):
        return node.id in REACHING_BUILTINS or (node.id.startswith("__") and node.id not in _HARMLESS_SPECIALS)
    if isinstance(node, ast.MatchClass):  # the class says as text what its parts in order are
        return bool(node.patterns) or any(_reaching(name) or name in _TEMPLATES for name in node.kwd_attrs)
    return isinstance(node, ast.Attribute) and (_reaching(node.attr) or _shows_parts(node) or _replaces(node))


def _replaces(node: ast.Attribute) -> bool:
    """Whether an attribute is set or deleted that those modules may have; of what it is one the text cannot say."""
    return not isinstance(node.ctx, ast.Load) and node.attr in _shown()


def _shows_parts(node: ast.Attribute) -> bool:
    """Whether a text is filled in that may name parts of what it shows."""
    constant = node.value.value if isinstance(node.value, ast.Constant) else None
    return node.attr in _TEMPLATES and not _shows_wholes(constant)


def _shows_wholes(template: object, depth: int = _DEEPEST) -> bool:
    """Whether a text shows what it is given as a whole: "{}" or "{0:{1}}", not "{0.x}" or "{0[x]}"."""
    if not isinstance(template, str) or depth == 0:
        return False
    try:
        fields = [(name, more) for _, name, more, _ in string.Formatter().parse(template) if name is not None]
    except ValueError:  # it raises where it is used, but maybe after it has shown something
        return False
    return all(not set(name) & set(".[") and _shows_wholes(more, depth - 1) for name, more in fields)


def _reaching(name: str) -> bool:
    """Whether an attribute of that name, or what is imported under it, may be more than a value."""
    known = name in _ATTRIBUTES or name in _others()
    return known or name == "*" or (name.startswith("_") and name not in _HARMLESS_SPECIALS)


@cache
def _shown() -> frozenset[str]:
    """Names of what these modules and their classes have: others call it, too, with what is theirs.

    asyncio hands `functools.partial` the task that it runs, and with that a clock.
    """
    modules = [importlib.import_module(name) for name in sorted(UNSEEING)]
    held = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return frozenset(name for each in (*modules, *held) for name in vars(each) if not name.startswith("_"))


@cache
def _others() -> frozenset[str]:
    """Names under which these modules show other modules (typing.sys)."""
    modules = [importlib.import_module(name) for name in sorted(UNSEEING)]
    shown = [(name, value) for module in modules for name, value in vars(module).items()]
    return frozenset(
        name for name, value in shown if isinstance(value, types.ModuleType) and value.__name__ not in UNSEEING
    )
