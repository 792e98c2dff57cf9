"""What a server takes from a process that may run anything: words of closed sets, and names that are names."""

import json
import re
from collections.abc import Sequence
from typing import Any

PASSED_PLAIN = "passed plain"  # what the server of programs says before it runs one for a judge
_PLAIN_OUTCOMES = ("passed", "wrong answer", "exception", "syntax error", "memory")
_JUDGED_OUTCOMES = (*_PLAIN_OUTCOMES, "crashed", "output")
_DOUBTS = ("", "own object", "argument")
_LONGEST = 80
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)


def _texts(content: bytes, count: int) -> list[str] | None:
    """So many texts, as a process that may run anything wrote them; None where it wrote something else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    right = isinstance(found, list) and len(found) == count and all(type(text) is str for text in found)
    return found if right else None


def _name(text: str) -> str:
    """The name of an exception's type, or a general one: nothing else is ever printed of a program's."""
    return text if text == "" or (text.isascii() and text.isidentifier() and len(text) <= _LONGEST) else "Exception"


def plain_outcome(content: bytes) -> tuple[str, str] | None:
    """Outcome and name of an exception, as a program and its test wrote them; None for anything else."""
    found = _texts(content, 2)
    return (found[0], _name(found[1])) if found and found[0] in _PLAIN_OUTCOMES else None


def solution_answers(content: bytes | bytearray, calls: Sequence[int]) -> dict[str, Any] | None:
    """What a benchmark's own solution answered, as its process wrote it; None for anything else.

    Args:
        content: JSON.
        calls: how many inputs each list has.

    Returns:
        `lists`, each with `kept` (ascending numbers of inputs) and `answers` (base64, or empty); or `problem`, the name
        of an exception.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if isinstance(found.get("problem"), str):
        return {"problem": _name(found["problem"]) or "Exception"}
    lists = found.get("lists")
    if not isinstance(lists, list) or len(lists) != len(calls):
        return None
    parts = [_kept(part, count) for part, count in zip(lists, calls, strict=True)]
    return {"lists": parts} if all(parts) else None


def _kept(part: Any, calls: int) -> dict[str, Any] | None:
    kept, answers = (part.get("kept"), part.get("answers")) if isinstance(part, dict) else (None, None)
    if not isinstance(kept, list) or not all(type(number) is int for number in kept) or not isinstance(answers, str):
        return None
    right = kept == sorted(set(kept)) and all(0 <= number < calls for number in kept) and _BASE64.fullmatch(answers)
    return {"kept": kept, "answers": answers} if right else None


def judged_outcome(content: bytes) -> tuple[str, str, str] | None:
    """Outcome, name of an exception and doubt, as a judge wrote them; None for anything else."""
    found = _texts(content, 3)
    right = found and found[0] in _JUDGED_OUTCOMES and found[2] in _DOUBTS
    return (found[0], _name(found[1]), found[2]) if found and right else None
