"""Docstrings as Sphinx reads them: prose with code between backticks, in which other signs mean themselves.

In reStructuredText `|a|` is a substitution, `*.bin` begins emphasis and `mean_` is a reference.
"""

import re
from collections.abc import Iterator

_CODE = re.compile(r"(`[^`]*`)")
_SIGN = re.compile(r"(?<!\\)([*|])|(?<=\w)(_)(?!\w)")
_DIRECTIVE = re.compile(r"\s*\.\.\.? ")
_FIELD = re.compile(r"(\s*:\w[^:]*:|)(.*)", re.DOTALL)


def escaped(lines: list[str]) -> list[str]:
    """The lines of a docstring, after napoleon has made directives and fields of its sections.

    Lines of examples (up to the next empty one) and of directives, and the names of fields are left as they are.

    Example:
        >>> escaped(["the largest |x| of `*args`, in *.bin"])
        ['the largest \\\\|x\\\\| of `*args`, in \\\\*.bin']
    """
    return list(_escaped(lines))


def _escaped(lines: list[str]) -> Iterator[str]:
    example = False
    for line in lines:
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if example or _DIRECTIVE.match(line):
            yield line
        else:
            name, text = _FIELD.match(line).groups()
            yield name + "".join(map(_escaped_part, _CODE.split(text)))


def _escaped_part(part: str) -> str:
    """Prose, or code between backticks, whose blanks at an end are shown, since there may be none."""
    if part.startswith("`"):
        return re.sub(r"(?<=^`) | (?=`$)", "␣", part)
    return _SIGN.sub(r"\\\1\2", part)
