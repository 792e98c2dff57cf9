"""A release of measured tables as one file, checked byte by byte.

A `.tar.xz` of the tables as they are stored (`tables/MEASUREMENT/KEY.DIGEST.parquet`), the index that leads to them
(`release.json`, see `stored_release`), and `SHA256SUMS` over all of it. The same tables give the same bytes. Members
are read by name and never extracted by path, so an archive from elsewhere can write nothing but tables.
"""

import io
import json
import lzma
import re
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compressed_code.core.atomic_files import staged, written_whole
from compressed_code.core.errors import InputError, in_one_line
from compressed_code.core.hashing import sha256_of
from compressed_code.core.stored_release import INDEX, Entry, as_entries
from compressed_code.core.table_store import find_table

FORMAT = 1
SUMS = "SHA256SUMS"
LARGEST = 1 << 29  # bytes that an archive may unfold to; those of eight notebooks need a sixteenth
_TIMEOUT = 60  # seconds in which a server has to answer
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_MEMBER = re.compile(r"tables/([a-z0-9_]+)/([0-9a-f]{64}\.[0-9a-f]{16}\.parquet)")


def pack(entries: Iterable[Entry], results: Path, archive: Path, version: str) -> str:
    """Write an archive of the tables that entries lead to.

    Args:
        entries: of one or several sessions; equal ones are one.
        results: where the tables are stored.
        archive: file to write; it appears whole or not at all.
        version: of the project that measured them.

    Returns:
        sha256 of the archive.

    Raises:
        InputError: there is no entry, or a table is not stored.
    """
    found = sorted({entry.asked: entry for entry in entries}.values(), key=lambda entry: entry.asked)
    if not found:
        raise InputError(f"{archive}: there is no table to pack; make figures measures them")
    members: dict[str, bytes] = {}
    for entry in found:
        path = find_table(results, entry.measurement, entry.key)
        if path is None:
            raise InputError(f"{results / entry.measurement}: has no table {entry.key[:16]}…; make figures measures it")
        members[f"tables/{entry.measurement}/{path.name}"] = path.read_bytes()
    index = {"format": FORMAT, "version": version, "tables": [asdict(entry) for entry in found]}
    members[INDEX] = json.dumps(index, indent=0, ensure_ascii=False).encode()
    members[SUMS] = "".join(f"{sha256_of(members[name])}  {name}\n" for name in sorted(members)).encode()
    with written_whole(archive) as part:
        with tarfile.open(part, "w:xz", format=tarfile.USTAR_FORMAT) as file:
            for name in sorted(members):
                header = tarfile.TarInfo(name)
                header.size = len(members[name])
                file.addfile(header, io.BytesIO(members[name]))
        return sha256_of(part.read_bytes())


def unpack(source: str, directory: Path, version: str) -> Path:
    """Unpack an archive once; one that has been is only looked up.

    Args:
        source: path or http(s) address of the archive; `#sha256=HEX` behind it is compared with its bytes.
        directory: where unpacked archives lie, each in a folder named by its hash.
        version: of the project; tables of another are refused.

    Returns:
        The folder, whose `results` is a release.

    Raises:
        InputError: it cannot be read, has another hash, is damaged, foreign, or of another version.
    """
    place, _, wanted = source.partition("#sha256=")
    content = _content(place)
    digest = sha256_of(content)
    if wanted and digest != wanted.lower():
        raise InputError(f"{place}: its sha256 is {digest}, expected {wanted}; it was not used")
    folder = directory / digest[:16]
    if (folder / "results" / INDEX).is_file():
        return folder
    members = _members(content, place)
    index = _index(members, place, version)
    with staged(folder) as part:
        for name, table in members.items():
            match = _MEMBER.fullmatch(name)
            if match:
                path = part / "results" / match[1] / match[2]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(table)
        (part / "results" / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return folder


def _content(place: str) -> bytes:
    try:
        if _ADDRESS.match(place):
            with urllib.request.urlopen(place, timeout=_TIMEOUT) as answer:
                content = answer.read(LARGEST + 1)
        else:
            content = Path(place).expanduser().read_bytes()
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise InputError(f"{place}: the stored tables cannot be read ({in_one_line(error)})") from None
    if len(content) > LARGEST:
        raise InputError(f"{place}: is larger than {LARGEST >> 20} MiB, which no archive of stored tables is")
    return content


def _members(content: bytes, place: str) -> dict[str, bytes]:
    """Name → bytes of every member, each as `SHA256SUMS` says."""
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_decompressed(content)), mode="r:") as file:
            for header in file:
                if not header.isreg() or not (header.name in (INDEX, SUMS) or _MEMBER.fullmatch(header.name)):
                    raise InputError(f"{place}: is no archive of stored tables (it holds {header.name!r})")
                members[header.name] = file.extractfile(header).read()
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        what = "is damaged" if content.startswith(b"\xfd7zXZ") else "is no archive of stored tables"
        raise InputError(f"{place}: {what} ({in_one_line(error)}); get it again") from None
    said = {name: digest for digest, _, name in (line.partition("  ") for line in _lines(members.pop(SUMS, b"")))}
    for name in sorted(said.keys() | members.keys()):
        if said.get(name) != sha256_of(members.get(name, b"")):
            raise InputError(f"{place}: is damaged ({name} is not what {SUMS} says); get it again")
    return members


def _decompressed(content: bytes) -> bytes:
    """The one stream that the file is, to its last byte: tarfile would not look at what follows the last member.

    Raises:
        LZMAError: it is no such stream, or not whole.
    """
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    plain = decompressor.decompress(content, LARGEST)
    if not decompressor.eof or decompressor.unused_data:
        raise lzma.LZMAError("it is cut off, goes on behind its end, or unfolds to too much")
    return plain


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", errors="replace").splitlines()


def _index(members: Mapping[str, bytes], place: str, version: str) -> dict[str, Any]:
    try:
        index = json.loads(members[INDEX])
        form, measured = index["format"], index["version"]
        present = {_MEMBER.fullmatch(name).groups() for name in members if name != INDEX}
        missing = [
            entry.key
            for entry in as_entries(index["tables"])
            if not any(entry.measurement == folder and name.startswith(entry.key) for folder, name in present)
        ]
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{place}: is no archive of stored tables ({INDEX}: {in_one_line(error)})") from None
    if form != FORMAT or measured != version:
        raise InputError(
            f"{place}: holds tables of version {measured}, and this is {version}; "
            f"take the archive of version {version}, or check out v{measured}"
        )
    if missing:
        raise InputError(f"{place}: its index names a table that it lacks ({missing[0][:16]}…); get it again")
    return index
