"""What every reader of a tokenizer is given, and what it checks first."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from compressed_code.core.errors import InputError, in_one_line
from compressed_code.tokenizers.named_tokens import NamedToken

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LARGEST_VOCABULARY = 10_000_000  # entries; a larger id is a broken file, not a tokenizer


@dataclass(frozen=True)
class TokenizerFile:
    """A file that is read already.

    Attributes:
        content: the bytes that decide a tokenizer, unpacked and without a byte-order mark.
        origin: the name it goes by in messages.
        named: tokens that the files beside it name, where the content has no place for them (tiktoken, tekken).
    """

    content: bytes
    origin: str
    named: tuple[NamedToken, ...] = ()

    @property
    def deciding(self) -> bytes:
        """Everything that decides ids and tokens, for its digest."""
        named = [[token.text, token.number, token.flags] for token in self.named]
        return self.content + json.dumps(named, ensure_ascii=False).encode() if named else self.content

    @cached_property
    def parsed(self) -> dict[str, Any]:
        """The content as JSON.

        Raises:
            InputError: it is none.
        """
        try:
            return json.loads(self.content)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{self.origin}: broken JSON ({error})") from None

    def opened(self) -> "Tokenizer":
        """A tokenizer.json for the tokenizers library.

        Raises:
            InputError: the library refuses it.
        """
        from tokenizers import Tokenizer

        try:
            return Tokenizer.from_str(self.content.decode())
        except Exception as error:  # the library raises bare exceptions
            raise InputError(f"{self.origin}: no valid tokenizer ({in_one_line(error)})") from None


def require_sensible_ids(ids: Iterable[object]) -> None:
    """Ids are places in a list that is made: a broken file must not ask for a huge one.

    Raises:
        ValueError: one is no whole number from 0 to `LARGEST_VOCABULARY`.
    """
    if not all(isinstance(token_id, int) and 0 <= token_id < LARGEST_VOCABULARY for token_id in ids):
        raise ValueError(f"ids must be whole numbers from 0 to {LARGEST_VOCABULARY:,}")
