"""SentencePiece models, read and encoded by their own library, which does not tell the types of all pieces.

A model is a protocol buffer: field 1 is a piece, and of a piece field 3 is its type.
Source: google/sentencepiece, src/sentencepiece_model.proto; Protocol Buffers, "Encoding".
"""

from collections.abc import Iterator, Sequence
from typing import Any

from compressed_code.core.errors import InputError
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.named_tokens import NamedToken
from compressed_code.tokenizers.pieces import METASPACE, decode_metaspace, rank_in_order
from compressed_code.tokenizers.tokenizer_file import TokenizerFile
from compressed_code.tokenizers.vocabulary import Vocabulary, checked

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
ADDED_TYPES = (UNKNOWN, CONTROL, USER_DEFINED)
_PIECE, _TYPE = 1, 3
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def read_sentencepiece(file: TokenizerFile, _: TokenizerSpec) -> Vocabulary:
    """A model as a vocabulary.

    Raises:
        InputError: no SentencePiece model.
    """
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor()
    try:
        loaded = processor.LoadFromSerializedProto(file.content)
    except RuntimeError:
        loaded = False
    if not loaded or not processor.get_piece_size():
        raise _no_model(file)
    ids = range(processor.get_piece_size())
    types = piece_types(file.content)
    added = frozenset(i for i in ids if types[i] in ADDED_TYPES)
    tokens = tuple(decode_metaspace(processor.id_to_piece(i)) for i in ids)
    plain = [i for i in ids if i not in added and not processor.is_byte(i)]
    scores = {i: processor.get_score(i) for i in plain}
    # In a BPE model a piece's score is minus its merge number; a unigram model holds log-probabilities and no merges.
    is_bpe = all(score == int(score) for score in scores.values())
    merged = sorted((i for i in plain if len(processor.id_to_piece(i)) > 1), key=lambda i: -scores[i]) if is_bpe else []
    return Vocabulary(tokens, added, rank_in_order(merged), checked(processor.encode, tokens, file.origin))


def piece_types(content: bytes) -> list[int]:
    """The type of each piece, by id; `NORMAL` where none is said.

    Raises:
        ValueError: no protocol buffer.
    """
    return [_last(piece, _TYPE, NORMAL) for field, piece, _ in _fields(content) if field == _PIECE]


def with_pieces(file: TokenizerFile, named: Sequence[NamedToken]) -> bytes:
    """A model's content with tokens that other files name: as another type of a piece, or as pieces behind all others.

    Raises:
        InputError: no SentencePiece model.
    """
    missing = {token.text.replace(" ", METASPACE).encode(): token for token in named}
    parts, place = [], 0
    try:
        for field, value, end in _fields(file.content):
            kind = _last(value, _TYPE, NORMAL) if field == _PIECE else None
            token = missing.pop(_last(value, _PIECE, b""), None) if field == _PIECE else None
            if token and (kind == NORMAL or (token.is_listed and kind in (CONTROL, USER_DEFINED))):
                parts.append(_message(value + _typed(token)))  # of a field that stands twice the last counts
            else:
                parts.append(file.content[place:end])
            place = end
    except (TypeError, ValueError):
        raise _no_model(file) from None
    return b"".join([*parts, *(_message(_message(text) + _typed(token)) for text, token in missing.items())])


def _no_model(file: TokenizerFile) -> InputError:
    return InputError(f"{file.origin}: no tokenizer: not tokenizer.json, tiktoken, SentencePiece, tekken or GGUF")


def _typed(token: NamedToken) -> bytes:
    return bytes([_TYPE << 3 | _VARINT, CONTROL if token.is_special else USER_DEFINED])


def _message(content: bytes) -> bytes:
    """Field 1 of a message: a piece of a model, the text of a piece."""
    length, left = bytearray(), len(content)
    while left >= 0x80:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([_PIECE << 3 | _BYTES, *length, left]) + content


def _last(message: bytes, wanted: int, default: Any) -> Any:
    return next((value for field, value, _ in reversed([*_fields(message)]) if field == wanted), default)


def _fields(content: bytes) -> Iterator[tuple[int, Any, int]]:
    """Number, value and end of each field of a message; numbers of four and eight bytes are passed over as 0."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = _varint(content, place)
            yield field, value, place
        elif wire == _BYTES:
            length, place = _varint(content, place)
            value, place = content[place : place + length], place + length
            yield field, value, place
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            place += 8 if wire == _EIGHT_BYTES else 4
            yield field, 0, place
        else:
            raise ValueError(f"a protocol buffer has no wire type {wire}")


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(content):
            raise ValueError("a protocol buffer ends within a number")
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
