"""What every reader of a tokenizer is given, and what it checks first."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from compressed_code.core.errors import InputError

LARGEST_VOCABULARY = 10_000_000  # entries; a larger id is a broken file, not a tokenizer


@dataclass(frozen=True)
class TokenizerFile:
    """A file that is read already.

    Attributes:
        content: the bytes that decide a tokenizer, unpacked and without a byte-order mark.
        origin: the name it goes by in messages.
    """

    content: bytes
    origin: str

    def parsed(self) -> dict:
        """The content as JSON.

        Raises:
            InputError: it is none.
        """
        try:
            return json.loads(self.content)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{self.origin}: broken JSON ({error})") from None


def require_sensible_ids(ids: Iterable[object]) -> None:
    """Ids are places in a list that is made: a broken file must not ask for a huge one.

    Raises:
        ValueError: one is no whole number from 0 to `LARGEST_VOCABULARY`.
    """
    if not all(isinstance(token_id, int) and 0 <= token_id < LARGEST_VOCABULARY for token_id in ids):
        raise ValueError(f"ids must be whole numbers from 0 to {LARGEST_VOCABULARY:,}")
