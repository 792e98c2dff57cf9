"""Read YAML files of keyed rows into frozen, validated records.

A bad row stops with one message that names file, row and field: duplicate keys, unknown or missing fields and
values of the wrong type (a revision that YAML read as a number) never reach the code behind.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from compressed_code.core.data_reads import Rows
from compressed_code.core.errors import InputError


class Record(BaseModel):
    """A frozen row: no unknown field, no silent conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


RecordType = TypeVar("RecordType", bound=Record)

Loaded = TypeVar("Loaded")
_KEPT: dict[tuple[Callable[[Path], Any], Path], tuple[tuple[int, int] | None, Any]] = {}

REMEDIES = {
    "extra_forbidden": "unknown field; remove it or correct its name",
    "missing": "required field is missing",
    "string_type": "must be text; quote it, since YAML reads a bare number, date or yes/no as another type",
}


class _UniqueKeyLoader(yaml.CSafeLoader):
    """PyYAML keeps the last of two equal keys without a word; this loader refuses them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = (key_node.tag, str(key_node.value))
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"duplicate key {key_node.value!r}", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping a YAML file holds.

    Raises:
        InputError: the file is missing, is no YAML, repeats a key, or holds no mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{place}: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold named rows, found {type(content).__name__}")
    return content


def kept_while_unchanged(load: Callable[[Path], Loaded], path: Path) -> Loaded:
    """What a loader makes of a file, made again when the file changed: rows are looked up very often."""
    try:
        stamp = path.stat()
    except OSError:
        return load(path)  # which says what is wrong
    key, state = (load, path), (stamp.st_mtime_ns, stamp.st_size)
    if _KEPT.get(key, (None, None))[0] != state:
        _KEPT[key] = state, load(path)
    return _KEPT[key][1]


def parse_rows(record: type[RecordType], rows: Any, path: Path, prefix: str = "") -> Mapping[str, RecordType]:
    """Rows of one kind, in the order of the file; each learns its own name through the field `key`.

    Which of them are looked up is noted (`data_reads`).

    Args:
        record: the type of a row; it has a field `key`.
        rows: mapping from key to fields, as YAML read it.
        path: the file, for messages.
        prefix: where in the file the rows stand, for messages (`"models."`).

    Raises:
        InputError: naming file, row and field of the first thing that is wrong.
    """
    if not isinstance(rows, dict):
        raise InputError(f"{path}: {prefix.rstrip('.') or 'the file'} must hold named rows")
    parsed = {}
    for key, fields in rows.items():
        if not isinstance(key, str):
            raise InputError(f"{path}: {prefix}{key}: a row's name must be text; quote it")
        if not isinstance(fields, dict):
            raise InputError(f"{path}: {prefix}{key}: must hold fields, found {type(fields).__name__}")
        odd = next((name for name in fields if not isinstance(name, str)), None)
        if odd is not None:
            raise InputError(f"{path}: {prefix}{key}.{odd}: unknown field; remove it or correct its name")
        if "key" in fields:
            raise InputError(f"{path}: {prefix}{key}.key: unknown field; the row's name is its key")
        try:
            parsed[key] = record(key=key, **fields)
        except ValidationError as error:
            first = error.errors()[0]
            field = "".join(f".{part}" for part in first["loc"] if part != "key")
            problem = REMEDIES.get(first["type"], first["msg"].removeprefix("Value error, "))
            raise InputError(f"{path}: {prefix}{key}{field}: {problem}") from None
    return Rows(parsed, path, prefix)
