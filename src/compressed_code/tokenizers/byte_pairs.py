"""Ranks of byte pairs: tiktoken's files (one token and its rank a line) and Mistral's tekken (JSON).

Other tokens come from the registry row, from the file (tekken) and from the files beside it (`named_tokens`), which
transformers adds where it converts such a folder.
Source: transformers 5.23, tokenization_utils_tokenizers.py (`_convert_from_tiktoken`), integrations/mistral.
"""

import base64
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.named_tokens import NamedToken
from compressed_code.tokenizers.pieces import rank_in_order
from compressed_code.tokenizers.tokenizer_file import TokenizerFile, require_sensible_ids
from compressed_code.tokenizers.vocabulary import Vocabulary, checked


def read_tiktoken(file: TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
    """Ranks alone; the registry row says which control tokens follow and how text is cut.

    Raises:
        InputError: a file beside it names another token by an id that is taken.
        TypeError, ValueError: a line is no token and its rank.
    """
    pairs = (line.split() for line in file.content.splitlines() if line)
    ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}
    require_sensible_ids(ranks.values())
    special = dict(enumerate(spec.special_tokens, 1 + max(ranks.values())))
    # transformers' order here: those with ids, further ones, those that are named by what they are for alone.
    named = sorted(file.named, key=lambda token: (not token.is_listed, token.place is None, token.place or 0))
    return _byte_pair_vocabulary(ranks, special, named, spec.pattern, spec, file.origin)


def read_tekken(file: TokenizerFile, spec: TokenizerSpec) -> Vocabulary:
    """A tekken file: control tokens first, then as many ranks as its config keeps.

    Raises:
        InputError: no JSON, or a file beside it names another token by an id that is taken.
        KeyError, TypeError, ValueError, AttributeError: JSON of another shape.
    """
    parsed = file.parsed
    config = parsed["config"]
    first = config["default_num_special_tokens"]
    names = _written(parsed) or list(spec.special_tokens)
    special = dict(enumerate(names + [_placeholder(number) for number in range(len(names), first)]))
    kept = parsed["vocab"][: config["default_vocab_size"] - first]
    ranks = {base64.b64decode(token["token_bytes"], validate=True): first + token["rank"] for token in kept}
    require_sensible_ids(ranks.values())
    return _byte_pair_vocabulary(ranks, special, file.named, config["pattern"], spec, file.origin)


def unwritten(file: TokenizerFile, named: Sequence[NamedToken]) -> tuple[NamedToken, ...]:
    """Of the tokens that other files name, those that the file itself does not say already."""
    written = set(_written(file.parsed)) if file.content.lstrip()[:1] == b"{" else set()
    return tuple(token for token in named if not (token.is_special and token.text in written))


def _written(parsed: Mapping) -> list[str]:
    """The control tokens that a tekken file names, by id."""
    return [token["token_str"] for token in parsed.get("special_tokens") or []]


def _placeholder(number: int) -> str:
    return f"<SPECIAL_{number}>"


def _byte_pair_vocabulary(
    ranks: Mapping[bytes, int],
    special: Mapping[int, str],
    named: Sequence[NamedToken],
    pattern: str | None,
    spec: TokenizerSpec,
    origin: str,
) -> Vocabulary:
    """Ranks of byte pairs as ids, and other tokens before or behind them.

    Args:
        special: id → control token, of the file itself or of its row.
        named: tokens of other files.
    """
    if len(set(ranks.values())) != len(ranks):
        raise ValueError("two tokens have one rank")
    tokens = {number: token for token, number in ranks.items()} | {n: text.encode() for n, text in special.items()}
    added = set(special)
    in_texts: dict[int, NamedToken] = {}
    for token, number in _numbered(named, tokens, set(special), origin):
        added.add(number)
        if not token.is_special:
            in_texts[number] = token
    merged = (ranks[token] for token in sorted(ranks, key=ranks.__getitem__) if len(token) > 1)

    @cache
    def encoder():  # noqa: ANN202
        from tiktoken import Encoding

        if pattern is None:
            raise Unavailable(f"{origin}: ranks alone do not say how text is cut; give the row a pattern")
        return Encoding(origin, pat_str=pattern, mergeable_ranks=dict(ranks), special_tokens={})

    def plain(text: str) -> list[int]:
        return encoder().encode_ordinary(unicodedata.normalize(spec.normalizer, text) if spec.normalizer else text)

    encode = _around(plain, in_texts) if in_texts else plain
    by_id = [tokens.get(number) for number in range(1 + max(tokens))]  # an id may be left out
    return Vocabulary(tuple(by_id), frozenset(added), rank_in_order(merged), checked(encode, by_id, origin))


def _numbered(
    named: Sequence[NamedToken], tokens: dict[int, bytes], special: set[int], origin: str
) -> Iterator[tuple[NamedToken, int]]:
    """Named tokens and their ids: the one that a token is listed by, that of a token that is there, or the next.

    Ids that nobody names between two tokens are reserved ones, under the name that transformers gives them.

    Args:
        tokens: id → token, which is filled.
        special: ids of control tokens, whose placeholders give way to a name.
    """
    require_sensible_ids([token.number for token in named if token.is_listed])
    known = {token: number for number, token in tokens.items()}
    ranks_end = 1 + max(tokens)
    for token in named:
        text, number = token.text.encode(), token.number
        if number is None:
            number = known.get(text, 1 + max(tokens))
        there = tokens.get(number)
        if there not in (None, text) and not (number in special and there == _placeholder(number).encode()):
            raise InputError(
                f"{origin}: id {number} is {there!r}, but {text!r} in tokenizer_config.json beside it; fetch both of"
                " one model"
            )
        tokens[number], known[text] = text, number
        yield token, number
    for number in range(ranks_end, max(tokens)):
        if number not in tokens:
            text = f"<|reserved_token_{number}|>"
            tokens[number] = text.encode()
            yield NamedToken(text, {"special": True}, number), number


def _around(plain: Callable[[str], list[int]], added: Mapping[int, NamedToken]) -> Callable[[str], list[int]]:
    """An encoder that takes added tokens whole, found as the tokenizers library finds them, and cuts what is between.

    Args:
        plain: encodes text without them.
        added: id → token.
    """

    numbers = list(added)

    @cache
    def finder():  # noqa: ANN202
        from tokenizers import AddedToken, Tokenizer, models

        opened = Tokenizer(models.BPE())  # without pieces it finds added tokens alone, and counts them from 0
        opened.add_tokens([AddedToken(token.text, **token.flags) for token in added.values()])
        return opened

    def encode(text: str) -> list[int]:
        found = finder().encode(text, add_special_tokens=False)
        ids, place = [], 0
        for token, (start, stop) in zip(found.ids, found.offsets, strict=True):
            ids += [*plain(text[place:start]), numbers[token]]
            place = stop
        return ids + plain(text[place:])

    return encode
