"""Tokens that the files beside a tokenizer name, which transformers adds to it when it opens the folder.

tokenizer_config.json lists them by id (`added_tokens_decoder`), by what they are for (`eos_token`, any other `*_token`)
or as further ones (`extra_special_tokens`). Older folders have special_tokens_map.json and added_tokens.json instead.
Source: transformers 5.23, tokenization_utils_base.py (`_from_pretrained`) and tokenization_utils_tokenizers.py.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compressed_code.core.errors import InputError

_SETTINGS, _OLDER_NAMES, _OLDER_TOKENS = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
_BY_ID = "added_tokens_decoder"
_EXTRA = ("extra_special_tokens", "additional_special_tokens")  # today's name, and that of before transformers 5
_ROLES = tuple(f"{role}_token" for role in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))  # in order of adding
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


@dataclass(frozen=True)
class NamedToken:
    """A token that a file names.

    Attributes:
        text: what it is in a text.
        flags: as an entry of tokenizer.json's `added_tokens` has them.
        number: the id that it is listed by, whose flags then hold for a token that is there already; `None` without.
            tokenizer.json gives its own ids; where they are ranks (tiktoken, tekken) this one holds.
        place: among the further tokens, which are named neither by id nor by what they are for alone; else `None`.
        makes_special: by what it is for, in a folder that lists none: one that is there already becomes special.
    """

    text: str
    flags: Mapping[str, bool]
    number: int | None = None
    place: int | None = None
    makes_special: bool = False

    @property
    def is_listed(self) -> bool:
        """Named by id."""
        return self.number is not None

    @property
    def is_special(self) -> bool:
        """A control token, whose name inside of a text is text."""
        return self.flags["special"]


def named_tokens(folder: Path) -> list[NamedToken]:
    """What the files of a folder name, each text once, in the order in which transformers adds it.

    Raises:
        InputError: a file is no JSON, or an entry no token.
    """
    settings = tokenizer_settings(folder)
    by_id = settings.get(_BY_ID)
    if by_id is None:
        by_id = {number: {"content": text} for text, number in _json(folder / _OLDER_TOKENS).items()}
    try:
        roles = [_token(token, special=True) for token in _by_role(settings)]
        names = {token.text for token in roles}
        listed = [(int(number), by_id[number]) for number in sorted(by_id, key=int)]
        found = [_token(each, special=each["content"] in names, number=number) for number, each in listed]
        found += [replace(token, makes_special=_BY_ID not in settings) for token in roles]
        found += (further := [*map(_token, _further(settings))])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise InputError(f"{folder / _SETTINGS}: names something that is no token ({problem})") from None
    first: dict[str, NamedToken] = {}
    for token in found:
        first.setdefault(token.text, token)
    places = {token.text: place for place, token in reversed(list(enumerate(further)))}
    return [replace(token, place=places.get(text)) for text, token in first.items() if text]


def with_named(parsed: Mapping[str, Any], named: Sequence[NamedToken]) -> Mapping[str, Any]:
    """A tokenizer.json with what the files beside it name; the same object where they name nothing new.

    Args:
        parsed: the whole file.
    """
    entries = list(parsed.get("added_tokens") or [])
    known = {entry["content"]: entry for entry in entries}
    for token in named:
        entry = known.get(token.text)
        if entry is None or (token.is_listed and any(entry.get(name) != flag for name, flag in token.flags.items())):
            # The library gives the id, and other flags to a token that stands before.
            entries.append({"id": 0, "content": token.text, **token.flags})
        elif token.makes_special and not entry.get("special"):
            entries.append({**entry, "special": True})
    return {**parsed, "added_tokens": entries} if len(entries) > len(parsed.get("added_tokens") or []) else parsed


def tokenizer_settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json of a folder, in an older one with the tokens that special_tokens_map.json names.

    Raises:
        InputError: no JSON object.
    """
    settings = _json(folder / _SETTINGS)
    return settings if _BY_ID in settings else settings | _json(folder / _OLDER_NAMES)


def _by_role(settings: Mapping[str, Any]) -> Iterator[Any]:
    for name in [*_ROLES, *(name for name in settings if name.endswith("_token") and name not in _ROLES)]:
        if isinstance(settings.get(name), str | Mapping):  # `add_bos_token` and the like are switches
            yield settings[name]
    extra = settings.get(_EXTRA[0])
    yield from extra.values() if isinstance(extra, Mapping) else ()


def _further(settings: Mapping[str, Any]) -> Sequence[Any]:
    extra = next((settings[name] for name in _EXTRA if settings.get(name)), ())
    return () if isinstance(extra, Mapping) else extra


def _token(token: Any, *, special: bool = False, number: int | None = None) -> NamedToken:
    """A text alone is special; of a token with flags those that are missing follow transformers' defaults."""
    given = {"content": token, "special": True} if isinstance(token, str) else token
    if not isinstance(given["content"], str):
        raise TypeError(f"{given['content']!r} is no text")
    flags = {flag: bool(given.get(flag, False)) for flag in _FLAGS}
    flags["normalized"] = bool(given.get("normalized", not flags["special"]))
    flags["special"] = flags["special"] or special
    return NamedToken(given["content"], flags, number)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: no valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no JSON object")
    return content
