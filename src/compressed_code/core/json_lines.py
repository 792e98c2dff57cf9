"""JSON Lines files, plain or gzip: read with line numbers in every complaint, written whole or not at all."""

import codecs
import gzip
import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError

# Far beyond any file of tasks or samples: a small gzip file may unpack to what no memory holds. The longest line of
# HumanEval+ has 0.5 MB, and 200 long samples for each of 164 tasks have 0.2 GB.
MOST_BYTES_OF_A_LINE = 64 << 20
MOST_BYTES = 2 << 30
MOST_LINES = 10_000_000


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file with the place each stands at; blank lines are passed over.

    Args:
        path: `.jsonl` (one object a line) or `.json` (one list of objects), each also with `.gz` behind.

    Yields:
        Place for messages (`"tasks.jsonl, line 3"`), object.

    Raises:
        InputError: the file is missing, damaged, no regular file or larger than the limits above, or a line is no JSON
            object.
    """
    if path.name.removesuffix(".gz").endswith(".json"):
        rows = _parsed(_decoded(b"".join(_lines(path)), str(path)), str(path))
        if not isinstance(rows, list):
            raise InputError(f"{path}: must hold a list of objects, found {type(rows).__name__}")
        places = ((f"{path}, entry {number}", row) for number, row in enumerate(rows, start=1))
    else:
        lines = ((f"{path}, line {number}", line) for number, line in enumerate(_lines(path), start=1))
        places = ((place, _parsed(_decoded(line, place), place)) for place, line in lines if line.strip())
    for place, row in places:
        if not isinstance(row, dict):
            raise InputError(f"{place}: must be a JSON object, found {type(row).__name__}")
        yield place, row


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one object a line, gzip where the name ends in `.gz`; the file appears whole or not at all."""
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    with written_whole(path) as part:
        part.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a regular file, unpacked piece by piece and no further than the limits."""
    size = 0
    try:
        if path.exists() and not path.is_file():
            kind = "a folder; name the file in it" if path.is_dir() else "no regular file; write it to one first"
            raise InputError(f"{path}: is {kind}")
        with path.open("rb") as file, gzip.open(file) if path.suffix == ".gz" else file as content:
            for number in itertools.count(1):
                line = content.readline(MOST_BYTES_OF_A_LINE + 1)
                size += len(line)
                if len(line) > MOST_BYTES_OF_A_LINE:
                    raise InputError(
                        f"{path}, line {number}: is longer than {MOST_BYTES_OF_A_LINE >> 20} MiB; no file of tasks or"
                        " samples has such lines, correct it"
                    )
                if size > MOST_BYTES or number > MOST_LINES:
                    most = f"{MOST_BYTES >> 30} GiB or {MOST_LINES:,} lines"
                    raise InputError(f"{path}: is larger than {most} when unpacked; split it into several files")
                if not line:
                    return
                yield line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: the gzip file is damaged ({error}); fetch or write it again") from None
    except (OSError, ValueError) as error:  # a name that is too long or holds a NUL, a file that may not be read
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _decoded(content: bytes, place: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(f"{place}: is not JSON ({reason}); correct or remove it") from None
