"""Types that a program answers: would an `except` that waits for one take the test's own failed assertion?"""

import sys
from typing import Any

from .remotes import Remote
from .shared import Shared

_SINGLE = (type(None), bool, int, float, complex, str, bytes, type, Remote)  # holds no others that are not asked for


class Catching:
    """What the types in the answers of one program would decide.

    Args:
        shared: has the types of the last message.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.holds_all = False  # the program's containers have held `object`, which every error is
        self.holds_errors = False  # the test has a container of the program's by a name or a key

    def decides(self, operation: str, value: Any) -> bool:
        """Whether an answer holds classes by which a test would take its own failed assertions for the program's
        errors, or a set's methods for a set's: `set.union({1})` is what it is told."""
        named, types = operation in ("name", "attribute", "item"), tuple(self.shared.types)
        itself = operation == "name" and (value is set or value is frozenset)
        if any(kind in (set, frozenset) for kind in types[itself:]):
            return True
        self.holds_errors |= named and not isinstance(value, _SINGLE)
        self.holds_all |= any(kind is object for kind in (types[1:] if value is object else types))
        both = self.holds_errors and self.holds_all  # whichever came first, and whatever changed meanwhile
        return both or _catches_failures(value, named) or _catches_failures(types, named)


def _catches_failures(value: Any, named: bool) -> bool:
    """Whether an `except` that waits for this, or `isinstance`, takes an assertion of the test that failed.

    Args:
        named: the test asked for it by a name or a key, as for an error; any other answer may be `object`.
    """
    if isinstance(value, tuple):  # isinstance takes those within, too
        return any(_catches_failures(part, named) for part in value)
    return isinstance(value, type) and issubclass(AssertionError, value) and (named or value is not object)


def ends_quietly(error: BaseException) -> bool:
    """Whether an exception would end a loop of the test over calls, or a task of it, as if all were done."""
    cancelled = getattr(sys.modules.get("asyncio"), "CancelledError", ())
    return isinstance(error, (StopIteration, StopAsyncIteration, GeneratorExit, cancelled))
