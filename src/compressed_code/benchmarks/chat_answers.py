"""The code in a chat-style answer. Pure functions on text.

What is looked for is the task's entry point. An answer may think first, draft, show how to install or call something,
correct itself, and close a fence that it never opened; a docstring may hold a fence of its own.

1. A thought (`<think> … </think>`) is no part of the answer; one that never ends was all that was written.
2. The rest is cut into pieces: what lies in fences, and what lies between them. A fence inside a docstring ends
   nothing: the shortest piece that is whole Python counts. `[BEGIN] … [DONE]` of MBPP's own protocol and
   `[PYTHON] … [/PYTHON]` are fences, too. Of words with code in their middle the code is the piece.
3. The last piece that is Python and defines the entry point (def, class, or a name set to a lambda or another value)
   is the answer: later ones correct earlier ones. Earlier pieces in fences that define or import names it uses come
   along.
4. Where no piece defines it, the first one that can be the function's body is: not a shell's, not a call of it.
"""

import ast
import builtins
import re
import textwrap
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_TAGS = "(?:think|thinking|thought|reasoning|reflection)"
_THOUGHT_BEGINS = re.compile(rf"(?im)^[ \t]*+<{_TAGS}>")
_THOUGHT_ENDS = re.compile(rf"(?i)</{_TAGS}>\n*")
_BRACKETS = (
    (re.compile(r"(?m)^\[(?:PYTHON|BEGIN)\]\s*$"), "```"),
    (re.compile(r"(?m)^\[(?:/PYTHON|DONE)\]\s*$"), "```"),
)
_FENCE = re.compile(r"(?P<margin>[ \t]*+)(?P<marks>`{3,}+|~{3,}+)[ \t]*+(?P<info>[^`\n]*+)$")
_LANGUAGE_ALONE = re.compile(r"(?i)\A\s*(?:python3?|py)[ \t]*\r?\n")
_OTHER_LANGUAGES = re.compile(
    r"(?i)(sh|bash|zsh|shell|console|terminal|cmd|powershell|text|txt|plaintext|output|json|ya?ml|toml|ini|diff)\b"
)
_DEFINITION = r"^(?:async[ \t]+)?def[ \t]+{}\b"
_CODE_BEGINS = re.compile(r"(?:from|import|def|async[ \t]+def|class)[ \t]+\w|@\w|\w+[ \t]*(?::[^=]*)?=[^=]")
_INDENT = "    "
# A model that repeats itself writes a thousand lines of which any might begin or end the code; so many characters are
# read as Python in search of it, and so many fences are tried as the one that closes, of so many that follow.
_MOST_READ = 1 << 19
_MOST_FENCES = 16
_MOST_FOLLOWING = 256


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
    for bracket, fence in _BRACKETS:
        spoken = bracket.sub(fence, spoken)
    pieces = [_narrowed(piece, entry_point) for piece in _pieces(spoken)]
    defining = [place for place, piece in enumerate(pieces) if _defines(piece.code, entry_point)]
    if defining:
        return _behind(prompt, _with_what_it_uses(pieces[: defining[-1] + 1], entry_point, prompt), entry_point)
    fenced = [piece for piece in pieces if piece.fenced]
    usable = [piece for piece in fenced if _may_be_body(piece, entry_point)]
    code = (usable or fenced or [_Part(spoken, fenced=False)])[0].code
    return _behind(prompt, code, entry_point)


def _without_thoughts(answer: str) -> str:
    """What is left without thoughts: those that begin a line, and a first one that the chat template began."""
    begins, ends = _THOUGHT_BEGINS.search(answer), _THOUGHT_ENDS.search(answer)
    if ends and (begins is None or ends.start() < begins.start()):
        answer = answer[ends.end() :]
    while begins := _THOUGHT_BEGINS.search(answer):
        ends = _THOUGHT_ENDS.search(answer, begins.end())
        answer = _without_empty_lines(answer[: begins.start()]) + (answer[ends.end() :] if ends else "")
    return answer


def _without_empty_lines(text: str) -> str:
    """Whole lines, but for empty ones at their end."""
    written = text.rstrip()
    return text[: text.index("\n", len(written)) + 1] if written else ""


def _narrowed(piece: _Part, entry_point: str) -> _Part:
    """Of words around code without a fence, the code that defines the entry point; any other piece as it is."""
    if piece.fenced or _is_python(piece.code) or not re.search(rf"\b{re.escape(entry_point)}\b", piece.code):
        return piece
    lines = piece.code.splitlines(keepends=True)
    naming = [place for place, line in enumerate(lines) if re.search(rf"\b{re.escape(entry_point)}\b", line)]
    starts = [place for place in range(naming[-1] + 1) if _CODE_BEGINS.match(lines[place])]
    ends = [place for place in range(1, len(lines)) if lines[place].strip() and not lines[place][0].isspace()]
    read = 0
    for start in starts:
        first = next(place for place in naming if place >= start)  # a piece without that line defines nothing
        for end in reversed([*ends, len(lines)]):
            if end <= first:
                break
            code = "".join(lines[start:end])
            read += len(code)
            if read > _MOST_READ:
                return piece
            if _is_python(code) and _defines(code, entry_point):
                return _Part(code, fenced=False)
    return piece


def _with_what_it_uses(pieces: list[_Part], entry_point: str, prompt: str) -> str:
    """The last piece, behind earlier fenced ones that define or import names it uses and nothing else offers."""
    code = pieces[-1].code
    for piece in reversed(pieces[:-1]):
        tree, offered = _parsed(piece.code), _bound(piece.code)
        used = _used(code) - _bound(code) - _bound(prompt) - set(dir(builtins))
        calls = tree is None or any(isinstance(node, ast.Expr) for node in tree.body)
        if piece.fenced and not calls and entry_point not in offered and offered & used:
            code = f"{piece.code.rstrip()}\n\n\n{code}"
    return code


def _used(code: str) -> set[str]:
    tree = _parsed(code)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if tree else set()


def _bound(code: str) -> set[str]:
    """The names that Python defines, sets or imports at module level."""
    tree = _parsed(code)
    return _names(tree.body) if tree else set()


def _names(body: list[ast.stmt]) -> set[str]:
    names: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.Name):
            names |= {node.id} if isinstance(node.ctx, ast.Store) else set()
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return names


def _pieces(answer: str) -> Iterator[_Part]:
    """Fenced and other parts in their order. A fence that opens nothing closes what stood before it."""
    lines = answer.splitlines(keepends=True)
    found = ((place, _FENCE.fullmatch(line.rstrip("\r\n"))) for place, line in enumerate(lines))
    fences = {place: fence for place, fence in found if fence}
    every, bare = [*fences], [place for place, fence in fences.items() if not fence["info"]]
    start = 0
    for place, fence in fences.items():
        if place < start:
            continue
        if start < place:
            yield _Part("".join(lines[start:place]), fenced=False)
        end = _closing(lines, place, fences, _following(bare, place), _following(every, place))
        code = _LANGUAGE_ALONE.sub("", _unmargined(lines[place + 1 : end], fence["margin"]))
        yield _Part(code, fenced=True, info=fence["info"].strip())
        start = end + 1
    if start < len(lines):
        yield _Part("".join(lines[start:]), fenced=False)


def _following(places: list[int], place: int) -> list[int]:
    """The next ones behind a place."""
    first = bisect_right(places, place)
    return places[first : first + _MOST_FOLLOWING]


def _closing(
    lines: list[str], opening: int, fences: Mapping[int, re.Match[str]], bare: Iterable[int], every: Iterable[int]
) -> int:
    """Line of the closing fence: the first one that leaves whole Python, else the first one, else behind the end.

    Args:
        fences: by their lines.
        bare: the lines of those behind the opening one that nothing follows on their line.
        every: the lines of all behind it.
    """
    fence = fences[opening]
    ends = [place for place in bare if fences[place]["marks"].startswith(fence["marks"])][:_MOST_FENCES]
    if not ends:  # one with words behind it is better than none
        ends = [place for place in every if fences[place]["marks"].startswith(fence["marks"])][:1]
    whole = (end for end in ends if _is_python(_unmargined(lines[opening + 1 : end], fence["margin"])))
    first = ends[0] if ends else len(lines)
    if ends and _is_body(_unmargined(lines[opening + 1 : first], fence["margin"])):
        return first
    return next(whole, first)


def _unmargined(lines: list[str], margin: str) -> str:
    """Lines without the margin of their fence (a list item's, for example)."""
    return "".join(line.removeprefix(margin) for line in lines)


def _defines(code: str, name: str) -> bool:
    """Whether Python defines or sets a name outside of functions; of code that is cut off, whether it begins to.

    An import defines nothing here: it shows how to call what was written elsewhere.
    """
    tree = _parsed(code)
    if tree is None:
        return re.search(_DEFINITION.format(re.escape(name)), code, re.MULTILINE) is not None
    return name in _names([node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)])


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
