"""Whether a test hands its program what perceives more than calls do: a date, whose class has a clock, a path, an
array, a function of the system.

A program that imports nothing reaches a clock by `day.now()` of a date that it is given, so it is judged first as one
with senses of its own (`senses`). A test is trusted and may be half a million bytes long, so this is told by what it
imports, as its text says.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from compressed_code.sandbox.senses import NAMING, REACHING_BUILTINS
from compressed_code.sandbox.unseeing import UNSEEING

_IMPORT = re.compile(r"\b(?:from[ \t]+([\w.]+)[ \t]+)?import\b[ \t]*(\([^)]*|[^\n;#]+)")
_COMPARING = {"numpy", "unittest"}  # modules of which a test may use what follows, or all, and hand nothing over
# Modules that setups of these benchmarks import for themselves, of which nothing is handed over but by name.
_OF_SETUPS = {"base64", "pickle", "sys", "types", "zlib"}
_NUMPY = {"np", "numpy"}
_ARRAYS = re.compile(
    r"\b(?:np|numpy)\.(?!(?:allclose|isclose|shape|ndarray|testing)\b|float\d+\b(?![ \t]*\())\w"  # a number is an array
)
# Words that are no code: texts and comments.
_PROSE = re.compile(r'''"""[\s\S]*?"""|\'{3}[\s\S]*?\'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\#[^\n]*''')
# What reads attributes by name or makes classes, and is not called, whatever name it gets; and what imports.
_GIVEN = re.compile(
    rf"(?<![\w.])(?:(?:{'|'.join(sorted(REACHING_BUILTINS | {'type'}))})\b|(?:copy\.)?(?:deep)?copy\b)(?![ \t]*[(.])"
    rf"|\b(?:__import__|{'|'.join(sorted(NAMING))})\b"
)


@lru_cache(maxsize=1024)
def lends_senses(setup: str, test: str) -> bool:
    """Whether setup and test of a trial may give more than plain data.

    Example:
        >>> lends_senses("", "import datetime\\nassert f(datetime.date(2024, 1, 1))"), lends_senses("", "assert f(1)")
        (True, False)
    """
    if any(_is_far(*bound) for bound in _bound(test)) or _ARRAYS.search(test):
        return True
    if any(_GIVEN.search(_IMPORT.sub("", _PROSE.sub("0", source))) for source in (setup, test)):
        return True
    far = [(module, name) for module, name in _bound(setup) if _is_far(module, name)]
    if any(module not in _OF_SETUPS | _COMPARING for module, _ in far):  # a constant of the setup may be one
        return True
    return any(name == "*" or re.search(rf"\b{re.escape(name)}\b", test) for _, name in far)


def _is_far(module: str, name: str) -> bool:
    return module not in {*UNSEEING, *_COMPARING} or (module == "numpy" and name not in _NUMPY)


def _bound(source: str) -> Iterator[tuple[str, str]]:
    """Modules that are imported, each with a name by which it or something of it is known then."""
    for module, names in _IMPORT.findall(source):
        for words in map(str.split, names.replace("(", " ").replace(")", " ").split(",")):
            if words or module:
                yield module or words[0], words[-1] if words else module
