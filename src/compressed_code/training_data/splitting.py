"""Cut a source file into documents: its opening, then the definitions that follow.

A document never starts inside the body of a function. It starts where the file starts, where a top-level definition
starts, or, in a class or module that is longer than a document, where one of its members starts (then without the
members' common indentation). A definition that is too long is cut at a line end and its rest is left out.

    import re                    │ document 1: the opening, with the definitions that still fit
    def small(x): ...            │
    def large(x): …              │ document 2: a definition; what exceeds the limit is left out
    class Container:             │ document 3: a class longer than a document: its head,
        constant = 1             │
        def one(self): ...       │ document 4: then its members, short neighbours together, without their indentation
        def two(self): ...       │
"""

import ast
import itertools
import re
from typing import NamedTuple

LONGEST = 1400  # characters of a document
SHORTEST = 200  # characters; shorter neighbours become one document
SHORTEST_HEAD = 400  # characters; a container's head is filled up to a line end rather than be shorter than this

_CLOSING = re.compile(r"\s*([)\]}]|end\b|#\s*(else|elif|endif)\b|(public|private|protected)\s*:|else\b)")
_PREPROCESSOR = re.compile(
    r"\s*#\s*(if|ifdef|ifndef|else|elif|endif|pragma|define|undef|include|region|endregion|nullable)\b"
)
_ACCESS_LABEL = re.compile(r"\s*(public|private|protected)\s*:\s*$")
_COMMENT_LINE = re.compile(r"\s*(//|\*|#\s|--)")

# Words that open a scope of definitions, not of statements, after modifiers such as `public` or `export`.
_CONTAINER_WORDS = {
    "cpp": "class|struct|namespace",
    "csharp": "class|struct|interface|namespace|record",
    "java": "class|interface|record",
    "javascript": "class|define|require",
    "php": "class|interface|trait",
    "react": "class|interface|namespace",
    "ruby": "class|module",
    "rust": "impl|mod|trait",
    "typescript": "class|interface|namespace",
}
_MODIFIERS = (
    r"\s*((export|default|declare|public|private|protected|internal|static|final|abstract|sealed|partial|readonly|"
    r"unsafe|ref|pub(\(\w+\))?)\s+)*"
)
_CONTAINERS = {
    language: re.compile(rf"{_MODIFIERS}(({words})\b|;?\((function\b|\(\) =>))(?!.*;\s*$)")
    for language, words in _CONTAINER_WORDS.items()
}
_BACKTICK_LANGUAGES = {"go", "javascript", "typescript", "react"}


class Unit(NamedTuple):
    """Lines `start` to `end` (exclusive, from 0) of a file, indented by `indent` characters: a definition."""

    start: int
    end: int
    indent: int


def split_file(text: str, language: str) -> list[str]:
    """The documents of a file in their order; the first one starts as the file starts.

    Args:
        text: the file; it ends with a line end.
        language: key of data/keywords.yml.

    Returns:
        Documents of at most `LONGEST` characters, each ending with one line end; no document at all
        for Python that does not parse.
    """
    lines = text.removesuffix("\n").split("\n")  # not splitlines: a form feed ends no line for the parser
    if language == "python":
        try:
            inner = _python_units(ast.parse(text).body, 0)
        except (SyntaxError, ValueError, RecursionError):
            return []
    else:
        inner = _outline(lines, Unit(0, len(lines), -1), language, _hidden_lines(lines, language))
    return _pack(lines, [Unit(0, len(lines), 0), *inner])


def _pack(lines: list[str], units: list[Unit]) -> list[str]:
    """Documents from nested units, given in the order of their starts with the whole file first."""
    documents = []
    covered = 0
    for position, unit in enumerate(units):
        if position > 0 and unit.start < covered:
            continue
        following = [other for other in units[position + 1 :] if other.start > unit.start]
        end = _document_end(lines, unit, following)
        document = _cut(lines[unit.start : end], unit.indent)
        covered = end
        if document and (position == 0 or len(document) >= SHORTEST // 2):
            documents.append(document)
    return documents


def _document_end(lines: list[str], unit: Unit, following: list[Unit]) -> int:
    """The line where the document that starts with `unit` ends: the unit's end where it fits, else a member's start."""
    if _size(lines, unit.start, unit.end) > LONGEST:
        fitting = [
            other.start
            for other in following
            if other.start < unit.end and SHORTEST_HEAD <= _size(lines, unit.start, other.start) <= LONGEST
        ]
        if fitting:
            return fitting[-1]
        end = unit.start
        while end < unit.end and _size(lines, unit.start, end + 1) <= LONGEST:
            end += 1
        return max(end, unit.start + 1)
    end = unit.end
    for other in following:
        if _size(lines, unit.start, end) >= SHORTEST:
            break
        if other.start == end and other.indent == unit.indent and _size(lines, unit.start, other.end) <= LONGEST:
            end = other.end
    return end


def _cut(lines: list[str], indent: int) -> str:
    """The lines as a document: without the indentation, and without the ends of enclosing scopes after it."""
    while lines and (not lines[-1].strip() or _indentation(lines[-1]) < indent):
        lines = lines[:-1]
    text = "\n".join(line[min(indent, _indentation(line)) :] for line in lines).strip("\n")
    return text + "\n" if text else ""


def _python_units(body: list[ast.stmt], start: int) -> list[Unit]:
    """Units of the statements of a module or class; comments above a statement belong to it."""
    units = []
    for node in body:
        if node.end_lineno <= start:  # a second statement on one line
            continue
        units.append(Unit(start, node.end_lineno, node.col_offset))
        if isinstance(node, ast.ClassDef):
            first = node.body[0]
            first_line = min([first.lineno, *(item.lineno for item in getattr(first, "decorator_list", []))])
            units += _python_units(node.body, max(first_line - 1, start + 1))
        start = node.end_lineno
    return units


def _outline(lines: list[str], parent: Unit, language: str, hidden: set[int]) -> list[Unit]:
    """Units inside `parent`, told by blank lines and indentation: robust, and right for formatted code."""
    inside = range(parent.start + (parent.indent >= 0), parent.end)
    deeper = [
        _indentation(lines[number])
        for number in inside
        if lines[number].strip() and number not in hidden and not _ACCESS_LABEL.match(lines[number])
    ]
    indent = min((depth for depth in deeper if depth > parent.indent), default=None)
    if indent is None:
        return []
    starts = _starts(lines, inside, indent, hidden)
    units = []
    for start, end in itertools.pairwise([*starts, parent.end]):
        unit = Unit(start, end, indent)
        units.append(unit)
        if _size(lines, start, end) > LONGEST and _is_container(lines, unit, language):
            units += _outline(lines, unit, language, hidden)
    return units


def _starts(lines: list[str], inside: range, indent: int, hidden: set[int]) -> list[int]:
    """Lines where a unit of this indentation starts: after a blank line, once everything before it is closed."""
    starts = []
    before = inside.start  # the last line that is neither blank nor a preprocessor's
    after_blank = True
    for number in inside:
        line = lines[number]
        if not line.strip():
            after_blank = True
            continue
        is_closed = not starts or _indentation(lines[before]) <= indent
        if (
            after_blank
            and is_closed
            and _indentation(line) == indent
            and number not in hidden
            and not _CLOSING.match(line)
        ):
            starts.append(number)
        if not _PREPROCESSOR.match(line):
            before = number
        after_blank = _indentation(line) < indent  # the head of the enclosing scope separates like a blank line
    return starts


def _is_container(lines: list[str], unit: Unit, language: str) -> bool:
    """Whether the unit's first line of code opens a class, a module or the like."""
    pattern = _CONTAINERS.get(language)
    heads = (
        line
        for line in lines[unit.start : unit.end]
        if line.strip() and _indentation(line) == unit.indent and not _COMMENT_LINE.match(line)
    )
    return pattern is not None and any(pattern.match(line) for line in heads)


def _hidden_lines(lines: list[str], language: str) -> set[int]:
    """Lines inside block comments and backtick strings, where indentation means nothing."""
    hidden = set()
    closer = None
    in_backticks = False
    for number, line in enumerate(lines):
        if closer or in_backticks:
            hidden.add(number)
        stripped = line.strip()
        if closer:
            closer = None if closer in stripped else closer
        elif stripped.startswith("/*") and "*/" not in stripped:
            closer = "*/"
        elif language == "ruby" and stripped == "=begin":
            closer = "=end"
        elif language in _BACKTICK_LANGUAGES and not stripped.startswith(("//", "*")):
            in_backticks ^= stripped.count("`") % 2 == 1
    return hidden


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _size(lines: list[str], start: int, end: int) -> int:
    """Characters of the lines `start` to `end`, line ends included."""
    return sum(len(line) + 1 for line in lines[start:end])
