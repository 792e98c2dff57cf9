"""Runs an untrusted program's own text: the module it becomes, what it prints, and what decides about it."""

import builtins
import io
import marshal
import random
import sys
import types
from typing import NamedTuple

MODULE = "program"


class CompiledTest(NamedTuple):
    """What decides about a program, all of it trusted: code that the caller compiled, and the function under test."""

    setup: types.CodeType
    test: types.CodeType
    entry_point: str | None


def unpacked(content: bytes) -> CompiledTest:
    """A task as the caller packed it, marshalled by the same Python."""
    return CompiledTest(*marshal.loads(content))


class NotCompiled(Exception):
    """The program is no valid Python; the argument names the exception's type."""


class Printed(io.StringIO):
    """Text that a program prints, up to a number of characters; what follows is lost, as it is in the usual scorer."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def write(self, text: str) -> int:
        kept = text[: self.left]
        self.left -= len(kept)
        super().write(kept)
        return len(text)

    def take(self) -> str:
        """What was printed since the last call."""
        text = self.getvalue()
        if text:
            self.left += len(text)
            self.seek(0)
            self.truncate()
        return text


def prepare(printed: int) -> Printed:
    """Make chance repeat, and let what is printed be kept; up to `printed` characters."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # as `site` does
    sys.stdout = output = Printed(printed)
    sys.stderr = Printed(0)
    return output


def load(source: bytes) -> types.ModuleType:
    """Run a program as a module. Its __name__ is not "__main__", so its demonstration does not run, as usual.

    Raises:
        NotCompiled: it is no valid Python.
        BaseException: whatever it raises.
    """
    try:
        code = compile(source.decode("utf-8", "surrogatepass"), "<program>", "exec", dont_inherit=True)
    except Exception as error:
        raise NotCompiled(type(error).__name__) from None
    module = sys.modules[MODULE] = types.ModuleType(MODULE)
    exec(code, module.__dict__)
    return module
