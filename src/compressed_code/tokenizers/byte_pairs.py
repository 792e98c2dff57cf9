"""Ranks of byte pairs: tiktoken's files (one token and its rank a line) and Mistral's tekken (JSON)."""

import base64
import unicodedata
from collections.abc import Iterable
from functools import cache

from compressed_code.core.errors import Unavailable
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.pieces import rank_in_order
from compressed_code.tokenizers.tokenizer_file import TokenizerFile, require_sensible_ids
from compressed_code.tokenizers.vocabulary import Vocabulary, checked


def read_tiktoken(file: TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
    """Ranks alone; the registry row says which control tokens follow and how text is cut.

    Raises:
        TypeError, ValueError: a line is no token and its rank.
    """
    pairs = (line.split() for line in file.content.splitlines() if line)
    ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}
    return _byte_pair_vocabulary(ranks, 0, spec.special_tokens, spec.pattern, spec, file.origin)


def read_tekken(file: TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
    """A tekken file: control tokens first, then as many ranks as its config keeps.

    Raises:
        InputError: no JSON.
        KeyError, TypeError, ValueError, AttributeError: JSON of another shape.
    """
    parsed = file.parsed
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
    require_sensible_ids(list(ranks.values()))
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
