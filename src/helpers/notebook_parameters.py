"""The parameters cell of a notebook, and the values that a run gives instead: checked before anything runs.

The kind of a value is that of its default. A comment that begins with `model:`, `models:`, `tokenizer:`, `tokenizers:`
or `quantizations:`, behind a parameter or on the line above it, says what its texts name; they must then exist.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

import nbformat

from compressed_code.core.errors import InputError, in_one_line
from compressed_code.registry.lookup import Registry, find_model, find_tokenizer, load_registry
from compressed_code.registry.quantizations import load_quantizations
from helpers.notebook_cells import has_tag, plain_python

TAG = "parameters"
FIGURES_PARAMETER = "figures"

_DECLARED = re.compile(r"(model|tokenizer|quantization)s?:")
_KINDS: Mapping[type, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list, such as ['a', 'b']",
    dict: "a mapping, such as {'a': 'b'}",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter: its default, and what its texts name ("model", "tokenizer", "quantization", or nothing)."""

    name: str
    default: Any
    names: str = ""


def read_parameters(source: Path) -> Mapping[str, Parameter]:
    """The parameters of a notebook, in their order.

    Raises:
        InputError: the file is no notebook, or its parameters cell does not run by itself.
    """
    try:
        cells = nbformat.read(source, as_version=4).cells
    except (OSError, ValueError, AttributeError, KeyError, nbformat.ValidationError) as error:
        raise InputError(f"{source}: no notebook ({in_one_line(error, 80)})") from None
    code = "\n".join(plain_python(cell.source) for cell in cells if cell.cell_type == "code" and has_tag(cell, TAG))
    defaults: dict[str, Any] = {}
    try:
        statements = ast.parse(code).body
        exec(compile(code, source.name, "exec"), {}, defaults)
    except Exception as error:
        raise InputError(f"{source.name}: its parameters cell cannot be read ({error})") from None
    comments = _comments(code)
    declared = {}
    for statement in statements:
        lines = [statement.lineno - 1, *range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)]
        texts = [
            comments[line].removeprefix("# ") for line in lines if line in comments and _belongs(line, statement, code)
        ]
        kinds = [match[1] for match in map(_DECLARED.match, texts) if match]
        for target in ast.walk(statement):
            if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store) and kinds:
                declared[target.id] = kinds[-1]
    return {name: Parameter(name, default, declared.get(name, "")) for name, default in defaults.items()}


def checked(source: Path, given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The values of a run, with paths that start at `folder` made absolute.

    Args:
        source: the notebook.
        given: name → value.
        folder: where the command was typed.

    Raises:
        InputError: an unknown parameter, a value of another kind than the default's, or a name of nothing.
    """
    known = read_parameters(source) if given else {}
    for name, value in given.items():
        if name not in known:
            raise InputError(f"{source.name}: unknown parameter {name!r}; its parameters cell has {', '.join(known)}")
        wanted = _wrong_kind(value, known[name].default)
        if wanted:
            raise InputError(f"{source.name}: parameter {name!r} must be {wanted}; got {value!r}")
    registry = load_registry() if any(known[name].names for name in given) else None
    values = {}
    for name, value in given.items():
        try:
            values[name] = _resolved(known[name], value, folder, registry)
        except InputError as error:
            raise InputError(f"{source.name}: parameter {name!r}: {error}") from None
    return values


def _comments(code: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def _belongs(line: int, statement: ast.stmt, code: str) -> bool:
    """Whether the comment of a line is of this statement: the line above it holds nothing else."""
    return line >= statement.lineno or code.splitlines()[line - 1].lstrip().startswith("#")


def _wrong_kind(value: Any, default: Any) -> str:
    """What a value must be, where it is not; empty where it is."""
    kind = type(default)
    if kind not in _KINDS:  # None says nothing
        return ""
    fitting = int | float if kind is float else kind
    if not isinstance(value, fitting) or (isinstance(value, bool) and kind is not bool):
        return _KINDS[kind]
    entries, usual = _entries(value), _entries(default)
    kinds = {type(entry) for entry in usual}
    if len(kinds) == 1 and any(_wrong_kind(entry, usual[0]) for entry in entries):
        return f"{_KINDS[kind].partition(',')[0]} of values like {usual[0]!r}"
    return ""


def _entries(value: Any) -> list[Any]:
    """Entries of a list, keys and values of a mapping, nothing of other values."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(entry, change) for entry in value]
    if isinstance(value, dict):
        return {_each_text(key, change): _each_text(entry, change) for key, entry in value.items()}
    return value


def _resolved(parameter: Parameter, value: Any, folder: Path, registry: Registry | None) -> Any:
    """A value with absolute paths; what it names exists."""
    if parameter.name == FIGURES_PARAMETER:
        return str(folder / Path(value).expanduser())
    if parameter.names and registry is not None:
        return _each_text(value, lambda text: _named(text, parameter.names, folder, registry))
    return _each_text(value, lambda text: _placed(text, folder) if "/" in text else text)


def _named(text: str, kind: str, folder: Path, registry: Registry) -> str:
    """A name that exists; a path is made absolute. Nothing is downloaded: of a Hub id only its form is looked at."""
    if kind == "quantization":
        rows = load_quantizations()
        if text not in rows:
            close = get_close_matches(text, rows, n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else f", such as {', '.join(islice(rows, 3))}"
            raise InputError(f"{text!r} is not a row of data/quantizations.yml{hint}")
        return text
    known = registry.models if kind == "model" else registry.tokenizers
    base, plus, quantization = text.rpartition("+")
    if text in known:
        placed = text
    elif plus and base and kind == "model" and not (folder / text).exists():
        placed = f"{_named(base, kind, folder, registry)}+{quantization}"
    else:
        placed = _placed(text, folder)
    (find_model if kind == "model" else find_tokenizer)(placed, registry)
    return placed


def _placed(text: str, folder: Path) -> str:
    try:
        path = folder / Path(text).expanduser()
        return str(path.absolute()) if text and path.exists() else text
    except (OSError, RuntimeError):  # too long for a path; ~somebody without a home
        return text
