"""Where a completion ends, and where the code of a chat-style answer lies. Pure functions on text."""

import ast
import re
import textwrap
import warnings
from collections.abc import Sequence

# For the completion of one function: text at the left margin that begins something else
# (Chen et al. 2021, Evaluating Large Language Models Trained on Code, §3.2).
STOP_SEQUENCES = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

_FENCE = re.compile(
    r"^(?P<margin>[ \t]*)(?P<marks>`{3,}|~{3,})[^\n`]*\n(?P<code>.*?)(?:^[ \t]*(?P=marks)|\Z)", re.MULTILINE | re.DOTALL
)
_DEFINITION = re.compile(r"^(?:async[ \t]+)?def[ \t]+(\w+)", re.MULTILINE)
_INDENT = "    "


def truncate(completion: str, stop: Sequence[str] = STOP_SEQUENCES) -> str:
    """A completion up to the earliest stop string; the stop string itself is cut off.

    Args:
        completion: what was written after the prompt.
        stop: strings that end it; none cuts nothing.

    Example:
        >>> truncate("    return n + 1\\n\\ndef test():\\n    pass\\n", ["\\nclass", "\\ndef"])
        '    return n + 1\\n'
    """
    return completion[: min((place for place in map(completion.find, stop) if place >= 0), default=len(completion))]


def extract_code(completion: str, prompt: str) -> str:
    """The code of a chat-style answer, so that `prompt + code` is the program.

    Of several fenced blocks the first that defines the prompt's function counts, else the first one; a fence left
    open runs to the end. An answer without a fence is taken whole. A repeated prompt is removed. Code that defines
    the function again follows the prompt as it is, since the later definition is the one that is called. A body
    that lost its indentation gets it back. Words around code without a fence stay: they are what was written.

    Args:
        completion: the raw answer.
        prompt: what was asked: code that ends in the header (and docstring) of a function.

    Returns:
        Text to put behind the prompt; the answer itself where it needs no change.
    """
    name = _last_definition(prompt)
    blocks = [_block(match) for match in _FENCE.finditer(completion)]
    code = next((block for block in blocks if _defines(block, name)), blocks[0] if blocks else completion)
    if prompt.strip() and code.lstrip("\n").startswith(prompt.strip()):
        return code.lstrip("\n")[len(prompt.strip()) :].removeprefix("\n" if prompt.endswith("\n") else "")
    if _defines(code, name):
        return code if _is_python(prompt) else f"{_INDENT}pass\n\n{code}"  # a bare header needs a body first
    return _indented(code) if name else code


def _block(match: re.Match[str]) -> str:
    """A fenced block without the margin of its fence (a list item's, for example)."""
    margin = match["margin"]
    return "".join(line.removeprefix(margin) for line in match["code"].splitlines(keepends=True))


def _last_definition(prompt: str) -> str | None:
    names = _DEFINITION.findall(prompt)
    return names[-1] if names else None


def _defines(code: str, name: str | None) -> bool:
    return name is not None and name in _DEFINITION.findall(code)


def _indented(body: str) -> str:
    """A function's body with its indentation; a body that has it, or is none, as it is."""
    if not body.strip() or _is_python(f"def _():\n{body}\n"):
        return body
    first_line_only = _INDENT + body.lstrip()
    everything = textwrap.indent(body, _INDENT)
    return next((text for text in (everything, first_line_only) if _is_python(f"def _():\n{text}\n")), body)


def _is_python(program: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
