"""Names as they are given and shown: one where several may stand, and long ones in little space."""

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


def cut_in_the_middle(name: str, width: int) -> str:
    """A name in at most so many signs; its beginning and its end stay, so that two files of one folder stay apart.

    Example:
        >>> cut_in_the_middle("models/SmolLM2-135M.Q4_1.gguf", 16), cut_in_the_middle("zoo-m", 16)
        ('model….Q4_1.gguf', 'zoo-m')
    """
    if len(name) <= width:
        return name
    end = max(1, (2 * width - 1) // 3)
    return f"{name[: width - 1 - end]}…{name[-end:]}"
