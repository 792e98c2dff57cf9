"""SentencePiece models, read and encoded by their own library, which does not tell the types of all pieces.

A model is a protocol buffer: field 1 is a piece, and of a piece field 3 is its type.
Source: google/sentencepiece, src/sentencepiece_model.proto; Protocol Buffers, "Encoding".
"""

from collections.abc import Iterator

from compressed_code.core.errors import InputError
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.pieces import decode_metaspace, rank_in_order
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
        raise InputError(f"{file.origin}: no tokenizer: not tokenizer.json, tiktoken, SentencePiece, tekken or GGUF")
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
    pieces = [value for field, value in _fields(content) if field == _PIECE and isinstance(value, bytes)]
    return [next((kind for field, kind in _fields(piece) if field == _TYPE), NORMAL) for piece in pieces]


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of the fields of a message; numbers of four and eight bytes are passed over as 0."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = _varint(content, place)
            yield field, value
        elif wire == _BYTES:
            length, place = _varint(content, place)
            yield field, content[place : place + length]
            place += length
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            place += 8 if wire == _EIGHT_BYTES else 4
            yield field, 0
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
