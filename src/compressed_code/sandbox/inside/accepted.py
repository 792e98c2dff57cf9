"""What a server takes from a process that may run anything: words of closed sets, and names that are names."""

import json

PASSED_PLAIN = "passed plain"  # what the server of programs says before it runs one for a judge
_PLAIN_OUTCOMES = ("passed", "wrong answer", "exception", "syntax error", "memory")
_JUDGED_OUTCOMES = (*_PLAIN_OUTCOMES, "crashed", "output")
_DOUBTS = ("", "own object", "argument")
_LONGEST = 80


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


def judged_outcome(content: bytes) -> tuple[str, str, str] | None:
    """Outcome, name of an exception and doubt, as a judge wrote them; None for anything else."""
    found = _texts(content, 3)
    right = found and found[0] in _JUDGED_OUTCOMES and found[2] in _DOUBTS
    return (found[0], _name(found[1]), found[2]) if found and right else None
