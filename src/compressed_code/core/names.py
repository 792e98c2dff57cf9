"""One name where several may stand: a text is one of them, not its letters."""

from collections.abc import Iterable
from pathlib import Path


def as_names(given: str | Path | Iterable[str | Path]) -> list[str]:
    """The names given, in their order and each once.

    Example:
        >>> as_names("zoo-s"), as_names(["a", Path("b"), "a"])
        (['zoo-s'], ['a', 'b'])
    """
    several = [given] if isinstance(given, str | Path) else given
    return list(dict.fromkeys(map(str, several)))
