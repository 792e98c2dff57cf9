"""How the pieces of a tokenizer become bytes, and in which order merges made them."""

import re
from collections.abc import Iterable
from functools import cache

METASPACE = "\N{LOWER ONE EIGHTH BLOCK}"
BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


@cache
def byte_of_character() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes stand for themselves, the others for characters from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}


def decode_byte_level(piece: str) -> bytes:
    """A piece in GPT-2's alphabet; one with other characters is text.

    Example:
        >>> decode_byte_level("Ġdef"), decode_byte_level("a b")
        (b' def', b'a b')
    """
    try:
        return bytes(map(byte_of_character().__getitem__, piece))
    except KeyError:
        return piece.encode()


def decode_metaspace(piece: str) -> bytes:
    """A SentencePiece piece.

    Example:
        >>> decode_metaspace("▁def"), decode_metaspace("<0x0A>")
        (b' def', b'\\n')
    """
    byte = BYTE_PIECE.fullmatch(piece)
    return bytes.fromhex(byte[1]) if byte else piece.replace(METASPACE, " ").encode()


def decode_byte_fallback(piece: str) -> bytes:
    """Plain text with pieces for single bytes."""
    byte = BYTE_PIECE.fullmatch(piece)
    return bytes.fromhex(byte[1]) if byte else piece.encode()


def rank_in_order(ids: Iterable[int]) -> dict[int, int]:
    """Tokens by the order in which merges first make them; several merges may make the same token."""
    return {token_id: rank for rank, token_id in enumerate(dict.fromkeys(ids))}
