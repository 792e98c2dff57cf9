"""What a notebook's cells define and need, read from their source without running it."""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator

from nbformat import NotebookNode

SANDBOX_TAG = "sandbox"
INJECTED_TAG = "injected-parameters"  # papermill's name for the cell that it adds


def plain_python(code: str) -> str:
    """The code without IPython's own lines (`%matplotlib inline`, `!command`)."""
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in code.splitlines())


def has_tag(cell: NotebookNode, tag: str) -> bool:
    """Whether a cell carries a tag."""
    return tag in cell.metadata.get("tags", [])


def names_of(code: str) -> tuple[set[str], set[str]]:
    """Names that a cell binds, and names it needs from the cells before it.

    A name that one of its statements binds is not needed by the statements that follow. What a function's body reads
    counts where the function is defined. Changing an object in place (`table["x"] = 1`) needs its name and binds none.

    Example:
        >>> [sorted(names) for names in names_of("import math\\nx = [y + z for z in range(3)]")]
        [['math', 'x'], ['y']]
    """
    bound: set[str] = set()
    needed: set[str] = set()
    for statement in ast.parse(plain_python(code)).body:
        source = ast.unparse(statement)
        table = symtable.symtable(source, "cell", "exec")
        own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        read = {name for scope in _scopes(table) for name in _global_reads(scope)}
        if isinstance(statement, ast.AugAssign):
            read |= own
        if hasattr(statement, "body"):  # of what stands in a block, its head binds first
            read -= own
        needed |= read - bound - set(dir(builtins))
        bound |= own
    return bound, needed


def headings(cells: list[NotebookNode]) -> list[str]:
    """For every cell the last heading at or above it; empty before the first."""
    found, current = [], ""
    for cell in cells:
        titles = re.findall(r"^#+ (.+)$", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else []
        current = titles[-1] if titles else current
        found.append(current)
    return found


def place_of(cells: list[NotebookNode], index: int) -> str:
    """How a message names a cell: "code cell 3 (under 'Title')", counted as in the notebook's own source."""
    own = [cell for cell in cells[: index + 1] if cell.cell_type == "code" and not has_tag(cell, INJECTED_TAG)]
    heading = headings(cells)[index]
    return f"code cell {len(own)} ({f'under {heading!r}' if heading else 'before the first heading'})"


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _scopes(child)


def _global_reads(scope: symtable.SymbolTable) -> set[str]:
    outermost = scope.get_type() == "module"
    return {
        symbol.get_name()
        for symbol in scope.get_symbols()
        if symbol.is_referenced() and (outermost or symbol.is_global())
    }
