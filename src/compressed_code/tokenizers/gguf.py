"""The tokenizer inside a GGUF file, which encodes by itself.

A GGUF file keeps pieces, their types, scores or merges, and the name of the rule that cuts text (`tokenizer.ggml.pre`).
Byte-level BPE (`gpt2`) needs that rule, or a pattern of the registry row in its place; SentencePiece (`llama`) merges
the pair of the highest score first, which is BPE with merges in that order. Fields: GGUF specification, "Tokenizer".
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressed_code.checkpoints.files.gguf_files import GgufFiles, is_gguf
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.tokenizers.cutting_rules import CUTTING_RULES, CuttingRule
from compressed_code.tokenizers.pieces import METASPACE, decode_byte_level, decode_metaspace, rank_in_order
from compressed_code.tokenizers.vocabulary import Vocabulary, checked

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["GgufTokenizer", "is_gguf", "read_gguf_tokenizer"]

# gguf.constants.TokenType
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED = 1, 2, 3, 4, 5
_ADDED = (_UNKNOWN, _CONTROL, _USER_DEFINED)
_BYTE_LEVEL, _SENTENCEPIECE = "gpt2", "llama"


@dataclass(frozen=True)
class GgufTokenizer:
    """What a file says of its tokenizer.

    Attributes:
        origin: the file, for messages.
        kind: "gpt2" (byte-level BPE) or "llama" (SentencePiece).
        rule: name of the rule that cuts text; `None` where the file names none.
        pieces, types: by id.
        scores: by id, of SentencePiece pieces.
        merges: of byte-level BPE, "one two".
        adds_bos: encoding a text for the model puts the BOS token before it.
        adds_blank: a text gets a blank before it (SentencePiece).
        special: ids by name ("bos", "eos", "padding" …).
        chat_template: as transformers has it; `None` without.
    """

    origin: str
    kind: str
    rule: str | None
    pieces: Sequence[str]
    types: Sequence[int]
    scores: Sequence[float]
    merges: Sequence[str]
    adds_bos: bool
    adds_blank: bool
    special: dict[str, int]
    chat_template: str | None

    @property
    def content(self) -> bytes:
        """Everything that decides ids and tokens, for its digest."""
        parts = [self.kind, self.rule, self.adds_blank, self.pieces, self.types, self.scores, self.merges]
        return json.dumps(parts, ensure_ascii=False).encode()

    @property
    def cuts_text(self) -> bool:
        """Whether the file says how, in words that are known here."""
        return self.kind != _BYTE_LEVEL or self.rule in CUTTING_RULES

    def vocabulary(self, pattern: str | None = None) -> Vocabulary:
        """As any other tokenizer.

        Args:
            pattern: cuts text in place of the file's own rule.
        """
        decode = decode_byte_level if self.kind == _BYTE_LEVEL else decode_metaspace
        tokens = tuple(map(self._token, self.pieces, self.types, [decode] * len(self.pieces)))
        added = frozenset(i for i, kind in enumerate(self.types) if kind in _ADDED)
        opened = cache(lambda: self.tokenizer(pattern))

        def encode(text: str) -> list[int]:
            before = " " if text and self.adds_blank and self.kind == _SENTENCEPIECE else ""
            return opened().encode(before + text, add_special_tokens=False).ids

        return Vocabulary(tokens, added, self._merge_ranks(), checked(encode, tokens, self.origin))

    def tokenizer(self, pattern: str | None = None, *, special_in_text: bool = False) -> "Tokenizer":
        """The same for the tokenizers library.

        Args:
            pattern: as `vocabulary`.
            special_in_text: the name of a control token in a text is the token, as in a chat; else it is text.

        Raises:
            Unavailable: the file names no rule that cuts text, or one that is not known.
        """
        from tokenizers import Tokenizer

        if self.kind == _BYTE_LEVEL:
            content = self._byte_level(self._cutting_rule(pattern))
        else:
            content = self._metaspace(adds_blank=special_in_text and self.adds_blank)
        content |= {"version": "1.0", "added_tokens": self._added_tokens()}
        opened = Tokenizer.from_str(json.dumps(content, ensure_ascii=False))
        opened.encode_special_tokens = not special_in_text
        return opened

    def _token(self, piece: str, kind: int, decode: Any) -> bytes | None:
        if kind == _UNUSED:
            return None
        return self._added_text(piece).encode() if kind in _ADDED else decode(piece)

    def _added_text(self, piece: str) -> str:
        """What an added token is in a text, whatever the alphabet of the others."""
        return piece.replace(METASPACE, " ") if self.kind == _SENTENCEPIECE else piece

    def _merge_ranks(self) -> dict[int, int]:
        by_piece = {piece: number for number, piece in enumerate(self.pieces)}
        if self.kind == _BYTE_LEVEL:
            merged = (merge.replace(" ", "") for merge in self.merges)
            return rank_in_order(by_piece[piece] for piece in merged if piece in by_piece)
        plain = [i for i, kind in enumerate(self.types) if kind == _NORMAL and len(self.pieces[i]) > 1]
        is_bpe = all(self.scores[i] == int(self.scores[i]) for i in plain)
        return rank_in_order(sorted(plain, key=lambda i: -self.scores[i])) if is_bpe else {}

    def _cutting_rule(self, pattern: str | None) -> CuttingRule:
        if pattern is not None:
            return CuttingRule((pattern,))
        if self.rule not in CUTTING_RULES:
            named = f"names the rule {self.rule!r}, which is not known here" if self.rule else "names no rule"
            raise Unavailable(
                f"{self.origin}: a vocabulary without the rule that cuts text ({named}); put its original"
                " tokenizer.json beside it"
            )
        return CUTTING_RULES[self.rule]

    def _byte_level(self, rule: CuttingRule) -> dict[str, Any]:
        cuts = [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
            for pattern in rule.patterns
        ]
        alphabet = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
        vocabulary = {piece: number for number, piece in enumerate(self.pieces) if self.types[number] != _UNUSED}
        model = {"type": "BPE", "vocab": vocabulary, "merges": list(self.merges), "ignore_merges": rule.whole_words}
        return {
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*cuts, alphabet]},
            "decoder": alphabet,
            "model": model,
        }

    def _metaspace(self, *, adds_blank: bool) -> dict[str, Any]:
        known, plain = {}, {}
        for number, (piece, kind) in enumerate(zip(self.pieces, self.types, strict=True)):
            if kind != _UNUSED:
                known[self._added_text(piece) if kind in _ADDED else piece] = number
            if kind == _NORMAL:
                plain[piece] = number
        merges = []  # of pieces alone: an added token is found first and stays whole
        for number in sorted(plain.values(), key=self.scores.__getitem__, reverse=True):
            piece = self.pieces[number]
            cuts = ((piece[:place], piece[place:]) for place in range(1, len(piece)))
            merges += [(left, right) for left, right in cuts if left in plain and right in plain]
        scheme = "first" if adds_blank else "never"
        blanks = {"type": "Metaspace", "replacement": METASPACE, "prepend_scheme": scheme, "split": False}
        unknown = next((self.pieces[i] for i, kind in enumerate(self.types) if kind == _UNKNOWN), None)
        model = {
            "type": "BPE",
            "vocab": known,
            "merges": merges,
            "byte_fallback": True,
            "fuse_unk": True,
            "unk_token": unknown,
        }
        return {"pre_tokenizer": blanks, "model": model}

    def _added_tokens(self) -> list[dict[str, Any]]:
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        return [
            {"id": number, "content": self._added_text(piece), "special": kind != _USER_DEFINED, **flags}
            for number, (piece, kind) in enumerate(zip(self.pieces, self.types, strict=True))
            if kind in _ADDED
        ]


def read_gguf_tokenizer(path: Path) -> GgufTokenizer:
    """The tokenizer of a file; only metadata are read, never the weights.

    Raises:
        InputError: the file is broken, holds no tokenizer, or one of a kind that is not supported.
    """
    fields = GgufFiles(path, lists=True).metadata

    def get(name: str, default: Any = None) -> Any:
        return fields.get(f"tokenizer.ggml.{name}", default)

    kind, pieces = get("model"), get("tokens")
    if kind is None or kind == "none" or not pieces:
        raise InputError(f"{path}: the GGUF file holds no tokenizer")
    if kind not in (_BYTE_LEVEL, _SENTENCEPIECE):
        raise InputError(f"{path}: a tokenizer of kind {kind!r} is not supported; name its original tokenizer")
    types, scores = get("token_type") or [1] * len(pieces), get("scores") or [0.0] * len(pieces)
    if not len(types) == len(scores) == len(pieces):
        raise InputError(
            f"{path}: {len(pieces)} tokens, but {len(types)} types and {len(scores)} scores; fetch it again"
        )
    ending = "_token_id"
    special = {
        name.removeprefix("tokenizer.ggml.").removesuffix(ending): value
        for name, value in fields.items()
        if name.startswith("tokenizer.ggml.") and name.endswith(ending)
    }
    rule = get("pre")
    return GgufTokenizer(
        origin=str(path),
        kind=kind,
        rule=None if rule == "default" else rule,
        pieces=pieces,
        types=types,
        scores=scores,
        merges=get("merges") or [],
        # llama.cpp's own default: SentencePiece vocabularies add it, byte-level ones do not.
        adds_bos=bool(get("add_bos_token", kind == _SENTENCEPIECE)),
        adds_blank=bool(get("add_space_prefix", True)),
        special=special,
        chat_template=fields.get("tokenizer.chat_template"),
    )
