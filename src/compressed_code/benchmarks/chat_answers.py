"""The code in a chat-style answer. Pure functions on text.

What is looked for is the task's entry point. An answer may think first, draft, show how to install or call something,
correct itself, and close a fence that it never opened; a docstring may hold a fence of its own.

1. A thought (`<think> … </think>`) is no part of the answer; one that never ends was all that was written.
2. The rest is cut into pieces: what lies in fences, and what lies between them. A fence inside a docstring ends
   nothing: the shortest piece that is whole Python counts.
3. The last piece that is Python and defines the entry point (def, class, or a name set to a lambda or another value)
   is the answer: later ones correct earlier ones.
4. Where no piece defines it, the first one that can be the function's body is: not a shell's, not a call of it.
"""

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_THOUGHT_BEGINS, _THOUGHT_ENDS = "<think>", "</think>"
_FENCE = re.compile(r"(?P<margin>[ \t]*)(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$")
_OTHER_LANGUAGES = re.compile(
    r"(?i)(sh|bash|zsh|shell|console|terminal|cmd|powershell|text|txt|plaintext|output|json|ya?ml|toml|ini|diff)\b"
)
_DEFINITION = r"^(?:async[ \t]+)?def[ \t]+{}\b"
_INDENT = "    "


@dataclass(frozen=True)
class _Part:
    """A part of an answer; `fenced` says whether fences stood around it, `info` what the opening one said."""

    code: str
    fenced: bool
    info: str = ""


def extract_code(answer: str, prompt: str, entry_point: str) -> str:
    """The code of a chat-style answer, so that `prompt + code` is the program.

    A repeated prompt is removed. Code that defines the entry point again follows the prompt as it is, since the later
    definition is the one that is called. A body that lost its indentation gets it back. Words around code without a
    fence stay where nothing better is found: they are what was written.

    Args:
        answer: the raw answer.
        prompt: what was asked: code that ends in the header (and docstring) of a function, or words.
        entry_point: name of the function that the tests call.

    Returns:
        Text to put behind the prompt; the answer itself where it needs no change.

    Example:
        >>> extract_code("Sure:\\n```python\\ndef one():\\n    return 1\\n```\\nCall one().", "", "one")
        'def one():\\n    return 1\\n'
    """
    spoken = _without_thoughts(answer)
    pieces = list(_pieces(spoken))
    defining = [piece.code for piece in pieces if _defines(piece.code, entry_point)]
    if defining:
        return _behind(prompt, defining[-1], entry_point)
    fenced = [piece for piece in pieces if piece.fenced]
    usable = [piece for piece in fenced if _may_be_body(piece, entry_point)]
    code = (usable or fenced or [_Part(spoken, fenced=False)])[0].code
    return _behind(prompt, code, entry_point)


def _without_thoughts(answer: str) -> str:
    """What follows the last thought; nothing where a thought never ends."""
    _, ended, spoken = answer.rpartition(_THOUGHT_ENDS)
    rest = spoken.lstrip("\n") if ended else answer
    return rest.partition(_THOUGHT_BEGINS)[0] if _THOUGHT_BEGINS in rest else rest


def _pieces(answer: str) -> Iterator[_Part]:
    """Fenced and other parts in their order. A fence that opens nothing closes what stood before it."""
    lines = answer.splitlines(keepends=True)
    start = place = 0
    while place < len(lines):
        fence = _FENCE.fullmatch(lines[place].rstrip("\r\n"))
        if fence is None:
            place += 1
            continue
        if start < place:
            yield _Part("".join(lines[start:place]), fenced=False)
        end = _closing(lines, place, fence)
        yield _Part(_unmargined(lines[place + 1 : end], fence["margin"]), fenced=True, info=fence["info"].strip())
        start = place = end + 1
    if start < len(lines):
        yield _Part("".join(lines[start:]), fenced=False)


def _closing(lines: list[str], opening: int, fence: re.Match[str]) -> int:
    """Line of the closing fence: the first one that leaves whole Python, else the first one, else behind the end."""
    ends = []
    for place in range(opening + 1, len(lines)):
        other = _FENCE.fullmatch(lines[place].rstrip("\r\n"))
        if other and other["marks"].startswith(fence["marks"]) and not other["info"]:
            ends.append(place)
    whole = (end for end in ends if _is_python(_unmargined(lines[opening + 1 : end], fence["margin"])))
    first = ends[0] if ends else len(lines)
    if ends and _is_body(_unmargined(lines[opening + 1 : first], fence["margin"])):
        return first
    return next(whole, first)


def _unmargined(lines: list[str], margin: str) -> str:
    """Lines without the margin of their fence (a list item's, for example)."""
    return "".join(line.removeprefix(margin) for line in lines)


def _defines(code: str, name: str) -> bool:
    """Whether Python sets a name at its left margin; of code that is cut off, whether it begins to define it."""
    tree = _parsed(code)
    if tree is None:
        return re.search(_DEFINITION.format(re.escape(name)), code, re.MULTILINE) is not None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return True
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return True
    return False


def _may_be_body(piece: _Part, entry_point: str) -> bool:
    called = re.search(rf"\b{re.escape(entry_point)}\s*\(", piece.code) is not None
    return not _OTHER_LANGUAGES.match(piece.info) and _is_body(piece.code) and not (called and _is_python(piece.code))


def _behind(prompt: str, code: str, entry_point: str) -> str:
    if prompt.strip() and code.lstrip("\n").startswith(prompt.strip()):
        return code.lstrip("\n")[len(prompt.strip()) :].removeprefix("\n" if prompt.endswith("\n") else "")
    if _defines(code, entry_point):
        return code if _is_python(prompt) else f"{_INDENT}pass\n\n{code}"  # a bare header needs a body first
    return _indented(code) if _defines(f"{prompt}{_INDENT}pass\n", entry_point) else code


def _indented(body: str) -> str:
    """A function's body with its indentation; a body that has it, or is none, as it is."""
    if not body.strip() or _is_python(f"def _():\n{body}\n"):
        return body
    first_line_only = _INDENT + body.lstrip()
    everything = textwrap.indent(body, _INDENT)
    return next((text for text in (everything, first_line_only) if _is_python(f"def _():\n{text}\n")), body)


def _is_body(code: str) -> bool:
    return bool(code.strip()) and _is_python(f"def _():\n{_indented(code)}\n")


def _is_python(program: str) -> bool:
    return _parsed(program) is not None


def _parsed(program: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
