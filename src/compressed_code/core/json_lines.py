"""JSON Lines files, plain or gzip: read with line numbers in every complaint, written whole or not at all."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file with the place each stands at; blank lines are passed over.

    Args:
        path: `.jsonl` (one object a line) or `.json` (one list of objects), each also with `.gz` behind.

    Yields:
        Place for messages (`"tasks.jsonl, line 3"`), object.

    Raises:
        InputError: the file is missing or damaged, or a line is no JSON object.
    """
    text = _text(path)
    if path.name.removesuffix(".gz").endswith(".json"):
        rows = _parsed(text, str(path))
        if not isinstance(rows, list):
            raise InputError(f"{path}: must hold a list of objects, found {type(rows).__name__}")
        places = ((f"{path}, entry {number}", row) for number, row in enumerate(rows, start=1))
    else:
        lines = ((f"{path}, line {number}", line) for number, line in enumerate(text.split("\n"), start=1))
        places = ((place, _parsed(line, place)) for place, line in lines if line.strip())
    for place, row in places:
        if not isinstance(row, dict):
            raise InputError(f"{place}: must be a JSON object, found {type(row).__name__}")
        yield place, row


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one object a line, gzip where the name ends in `.gz`; the file appears whole or not at all."""
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    with written_whole(path) as part:
        part.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name the file in it") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: the gzip file is damaged ({error}); fetch or write it again") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(f"{place}: is not JSON ({reason}); correct or remove it") from None
