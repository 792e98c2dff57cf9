"""Docstrings and signatures as they are written: prose with code between backticks, and what is laid out stays so.

In reStructuredText `|a|` is a substitution, `*.bin` begins emphasis and `mean_` is a reference.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator

_CODE = re.compile(r"(`[^`]*`)")
_SIGN = re.compile(r"(?<!\\)([*|])|(?<=\w)(_)(?!\w)")
_DIRECTIVE = re.compile(r"\s*\.\.\.? ")
_FIELD = re.compile(r"(\s*:\w[^:]*:|)(.*)", re.DOTALL)


def escaped(lines: list[str]) -> list[str]:
    """The lines of a docstring, after napoleon has made directives and fields of its sections.

    Lines of examples (up to the next empty one) and of directives, and the names of fields are left as they are. What
    is indented below a paragraph of the text before them becomes a literal block.

    Example:
        >>> escaped(["the largest |x| of `*args`, in *.bin"])
        ['the largest \\\\|x\\\\| of `*args`, in \\\\*.bin']
    """
    return list(_escaped(lines))


def written_signature(thing: object) -> tuple[str, str] | None:
    """Arguments and result of a function as its source has them; evaluated, an alias is a page of types.

    Returns:
        `(a: ArrayLike, b: int = 1)` and the result's annotation, which may be empty; nothing where there is no source.

    Example:
        >>> written_signature(escaped)
        ('(lines: list[str])', 'list[str]')
    """
    function = inspect.unwrap(thing) if callable(thing) else thing
    if not inspect.isfunction(function):
        return None
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, ValueError):
        return None
    if not isinstance(node, ast.FunctionDef):
        return None
    if node.args.args and node.args.args[0].arg in ("self", "cls"):
        del node.args.args[0]
    return f"({ast.unparse(node.args)})", ast.unparse(node.returns) if node.returns else ""


def _escaped(lines: list[str]) -> Iterator[str]:
    example = literal = False
    text, before, said = (
        True,
        "",
        "",
    )  # whether no field or directive has come yet; the line before; the last with words
    for line in lines:
        text = text and not (_DIRECTIVE.match(line) or line.startswith((":", ">>>")))
        indented = line.startswith("    ")
        if text and indented and not before.strip() and not literal:
            yield from () if said.endswith("::") else ("::", "")
            literal = True
        literal = literal and (indented or not line.strip())
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if example or literal or _DIRECTIVE.match(line):
            yield line
        else:
            name, words = _FIELD.match(line).groups()
            yield name + "".join(map(_escaped_part, _CODE.split(words)))
        before, said = line, line.strip() or said


def _escaped_part(part: str) -> str:
    """Prose, or code between backticks, whose blanks at an end are shown, since there may be none."""
    if part.startswith("`"):
        return re.sub(r"(?<=^`) | (?=`$)", "␣", part)
    return _SIGN.sub(r"\\\1\2", part)
