"""What "no prompt" means: named start contexts, each a list of exact input ids.

- `document`: what the model saw before a document in training: the BOS token where its tokenizer adds one, else the
  token its configuration names as BOS (Qwen's end-of-document token), else its end-of-text token
- `bos`, `eos`: that token alone, whether or not the tokenizer adds it
- `newline`, `space`: the token of that one character alone
- `tokenizer`: what the tokenizer itself puts before a text, which may be nothing
- `none`: nothing, whatever the tokenizer says

Nothing is substituted: a context that a model does not have is `Unavailable`, and `origin` says where ids come from.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressed_code.checkpoints.files.gguf_files import GgufFiles, is_gguf
from compressed_code.core.errors import InputError, Unavailable, in_one_line
from compressed_code.tokenizers.files import open_tokenizer, tokenizer_json_of
from compressed_code.tokenizers.named_tokens import tokenizer_settings

CONTEXTS = ("document", "bos", "eos", "newline", "space", "tokenizer", "none")
_TEXT_OF = {"newline": b"\n", "space": b" "}


@dataclass(frozen=True)
class SpecialTokens:
    """The control tokens of one checkpoint.

    Attributes:
        bos: id of the tokenizer's own start token; `None` where it has none.
        eos: id of its end token.
        adds_bos: encoding a text puts `bos` before it.
        configured_bos: what the model's configuration calls BOS, which may be the end-of-document token.
        before: all ids that encoding a text puts before it.
    """

    bos: int | None
    eos: int | None
    adds_bos: bool
    configured_bos: int | None
    before: tuple[int, ...] = ()


@dataclass(frozen=True)
class StartContext:
    """A start context of one checkpoint.

    Attributes:
        name: one of `CONTEXTS`.
        ids: what the model is given before anything else; none where the context is empty.
        origin: what decided the ids, in words.
    """

    name: str
    ids: tuple[int, ...]
    origin: str


def start_context(path: Path, name: str) -> StartContext:
    """A named start context of a checkpoint.

    Args:
        path: checkpoint folder with its tokenizer, or GGUF file.
        name: one of `CONTEXTS`.

    Raises:
        InputError: an unknown name, or files that cannot be read.
        Unavailable: this checkpoint has no such context.
    """
    if name not in CONTEXTS:
        raise InputError(f"start context {name!r} is not known; there are {', '.join(CONTEXTS)}")
    if name in _TEXT_OF:
        return StartContext(name, (_token_of(path, _TEXT_OF[name], name),), f"the {name} token")
    if name == "none":
        return StartContext(name, (), "nothing, as was asked for")
    special = special_tokens(path)
    if name == "document":
        return _document_start(path, special)
    if name == "tokenizer":
        origin = "what the tokenizer adds" if special.before else "nothing, as the tokenizer adds nothing"
        return StartContext(name, special.before, origin)
    token = special.bos if name == "bos" else special.eos
    if token is None:
        raise Unavailable(
            f"{path}: the tokenizer has no {name.upper()} token, so there is no start context {name!r}; choose another"
        )
    return StartContext(name, (token,), f"the tokenizer's {name.upper()} token")


def start_ids(path: Path, name: str = "document") -> tuple[int, ...]:
    """The ids of `start_context`."""
    return start_context(path, name).ids


def special_tokens(path: Path) -> SpecialTokens:
    """The control tokens that a checkpoint's own files declare.

    Raises:
        InputError: a file is broken or holds no tokenizer.
    """
    return _of_gguf(path) if path.is_file() else _of_folder(path)


def _document_start(path: Path, special: SpecialTokens) -> StartContext:
    if special.adds_bos and special.bos is not None:
        return StartContext("document", (special.bos,), "the BOS token, which the tokenizer adds")
    if special.configured_bos is not None:
        return StartContext("document", (special.configured_bos,), "the configuration's bos_token_id; no BOS is added")
    if special.eos is not None:
        return StartContext("document", (special.eos,), "the end-of-text token; there is no BOS")
    raise Unavailable(f"{path}: declares neither a BOS nor an end-of-text token; give the ids by hand (--input-ids)")


def _token_of(path: Path, text: bytes, name: str) -> int:
    """The token that the tokenizer itself writes for a character; one that cannot encode has the first of that text."""
    vocabulary = open_tokenizer(path)
    found = [token_id for token_id, token in enumerate(vocabulary.tokens) if token == text]
    with contextlib.suppress(Unavailable):
        written = vocabulary.encode(text.decode())
        found = [token_id for token_id in written[-1:] if token_id in found] + found
    if not found:
        raise Unavailable(
            f"{path}: no token stands for a {name} alone, so there is no start context {name!r}; choose another"
        )
    return found[0]


def _of_folder(folder: Path) -> SpecialTokens:
    config, settings = _read_json(folder / "config.json"), tokenizer_settings(folder)
    file = tokenizer_json_of(folder)
    if file is None:
        return _through_transformers(folder, config)
    tokenizer = file.opened()
    ids = {part: _id_of(settings.get(f"{part}_token"), tokenizer) for part in ("bos", "eos")}
    added = tokenizer.encode("").ids[:1]
    before = _before(tokenizer.encode("a").ids, tokenizer.encode("a", add_special_tokens=False).ids)
    if settings.get("add_bos_token") is False:
        added, before = [], ()
    elif settings.get("add_bos_token") and ids["bos"] is not None:
        added, before = [ids["bos"]], (ids["bos"],)
    bos = ids["bos"] if ids["bos"] is not None else next(iter(added), None)
    eos = ids["eos"] if ids["eos"] is not None else _first(config.get("eos_token_id"))
    return SpecialTokens(bos, eos, bool(added) and added == [bos], _first(config.get("bos_token_id")), before)


def _of_gguf(path: Path) -> SpecialTokens:
    if not is_gguf(path):
        raise InputError(f"{path}: neither a checkpoint folder nor a GGUF file; name one of them")
    fields = GgufFiles(path).metadata
    # llama.cpp's own default: SentencePiece vocabularies add BOS, byte-level ones do not.
    adds = fields.get("tokenizer.ggml.add_bos_token", fields.get("tokenizer.ggml.model") == "llama")
    bos = fields.get("tokenizer.ggml.bos_token_id")
    before = (bos,) if adds and bos is not None else ()
    return SpecialTokens(bos, fields.get("tokenizer.ggml.eos_token_id"), bool(adds), bos, before)


def _through_transformers(folder: Path, config: Mapping[str, Any]) -> SpecialTokens:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise InputError(
            f"{folder}: no tokenizer can be opened there ({in_one_line(error)}); fetch its files again"
        ) from None
    added = tokenizer("")["input_ids"][:1]
    before = _before(tokenizer("a")["input_ids"], tokenizer("a", add_special_tokens=False)["input_ids"])
    bos = tokenizer.bos_token_id
    adds_bos = bool(added) and added == [bos]
    return SpecialTokens(bos, tokenizer.eos_token_id, adds_bos, _first(config.get("bos_token_id")), before)


def _before(encoded: Sequence[int], bare: Sequence[int]) -> tuple[int, ...]:
    """What stands before the ids of a text that was encoded with everything its tokenizer adds."""
    places = range(len(encoded) - len(bare) + 1)
    return tuple(next((encoded[:place] for place in places if encoded[place : place + len(bare)] == bare), ()))


def _id_of(token: Any, tokenizer: Any) -> int | None:
    text = token.get("content") if isinstance(token, dict) else token
    return tokenizer.token_to_id(text) if text else None


def _first(value: Any) -> int | None:
    return value[0] if isinstance(value, list) and value else value if isinstance(value, int) else None


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: no valid JSON ({error}); fetch it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no JSON object; fetch it again")
    return content
