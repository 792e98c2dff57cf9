"""Markdown from texts that may hold anything: what a model wrote, a caption, a cell of a table."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def escape(text: object) -> str:
    """A text as Markdown shows it literally, in one line: CommonMark lets any ASCII punctuation be escaped.

    Example:
        >>> print(escape("<b> *x* | y"))
        \\<b\\> \\*x\\* \\| y
    """
    return _PUNCTUATION.sub(r"\\\1", " ".join(str(text).split()))


def link(text: object, target: str) -> str:
    """A link to a page or file; `target` starts with a slash, which is the folder of sources."""
    return f"[{escape(text)}](<{target}>)"


def table(header: Sequence[object], rows: Iterable[Sequence[str]]) -> str:
    """A table; the header is plain text, cells are Markdown already.

    Raises:
        ValueError: a row has not as many cells as the header.
    """
    lines = [_row([escape(name) or "\u00a0" for name in header]), _row(["---"] * len(header))]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row of {len(row)} cells under a header of {len(header)}")
        lines.append(_row(row))
    return "\n".join(lines)


def directive(name: str, argument: str = "", body: str = "", **options: str) -> str:
    """A MyST directive; values of options are quoted, so that any text can be one.

    The fence is longer than any run of backticks or colons in the body.
    """
    fence = ":" * max([3, *(len(run) + 1 for run in re.findall(r":{3,}", body))])
    lines = [f"{fence}{{{name}}} {argument}".rstrip()]
    lines += [f":{key.replace('_', '-')}: {json.dumps(value, ensure_ascii=False)}" for key, value in options.items()]
    return "\n".join([*lines, "", body, fence] if body else [*lines, fence])


def rst(name: str, argument: str = "", **options: str) -> str:
    """A directive that writes reStructuredText, which MyST takes between backticks only."""
    lines = [f".. {name}:: {argument}".rstrip()]
    lines += [f"   :{key}: {value}".rstrip() for key, value in options.items()]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def contents(documents: Iterable[str] | Mapping[str, str], *, hidden: bool = True, depth: int = 1) -> str:
    """A table of contents of pages, named from the folder of sources, without their endings.

    A mapping gives each page a title in the contents; without one it is the page's own.
    """
    flag = "\n:hidden:" if hidden else ""
    titles = documents if isinstance(documents, Mapping) else {}
    listed = "\n".join(f"{titles[name]} </{name}>" if name in titles else f"/{name}" for name in documents)
    return f"```{{toctree}}\n:maxdepth: {depth}{flag}\n\n{listed}\n```"


def page(*parts: str) -> str:
    """Parts of a page, a blank line between two, empty ones left out."""
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
