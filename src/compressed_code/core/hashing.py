"""Hashes of bytes and files."""

import hashlib
from pathlib import Path

from compressed_code.core.errors import InputError


def sha256_of(content: bytes) -> str:
    """Hexadecimal sha256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hexadecimal sha256 of a file of any size.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
