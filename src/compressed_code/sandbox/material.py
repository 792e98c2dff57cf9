"""What decides a trial, as the jails get it: setup and test are compiled once, however many programs they judge.

A published test is up to half a million bytes long, and two processes run it for each program. The caller runs the same
Python as the jails, so it hands them code and not text.
"""

import ast
import marshal
import types
import warnings
from functools import lru_cache

from compressed_code.core.errors import InputError


@lru_cache(maxsize=1024)
def packed(setup: str, test: str, entry_point: str | None) -> bytes:
    """Setup, test and entry point of a trial as `inside.programs.unpacked` reads them.

    Raises:
        InputError: setup or test does not compile, the test is empty, or needs an entry point and has none.
    """
    codes = [_compiled(name, source) for name, source in (("setup", setup), ("test", test))]
    if entry_point is None and "check" in codes[1].co_names and _defines(test, "check"):
        raise InputError("its test defines check(candidate), so it needs an entry point")
    if codes[1].co_code == _compiled("test", "").co_code and not ast.parse(test).body:
        raise InputError("its test is empty")
    return marshal.dumps((*codes, entry_point))


def _compiled(name: str, source: str) -> types.CodeType:
    try:
        with warnings.catch_warnings(action="ignore"):
            return compile(source, f"<{name}>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"its {name} does not compile ({type(error).__name__}: {error})") from None


def _defines(source: str, name: str) -> bool:
    with warnings.catch_warnings(action="ignore"):
        return any(getattr(node, "name", "") == name for node in ast.parse(source).body)
