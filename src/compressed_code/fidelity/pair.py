"""How faithful a compressed model is to its base: both read the same texts, token by token, and are compared.

Both models run once; nothing but one row per predicted token is kept, however large the vocabulary.
`compressed_code.fidelity.summary` summarises the rows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from compressed_code.core.errors import InputError
from compressed_code.core.progress import progress_bar
from compressed_code.fidelity.logits import LogitComparison
from compressed_code.fidelity.side_by_side import batches_at_a_time, side_by_side
from compressed_code.fidelity.summary import FLIPS, common_pieces
from compressed_code.fidelity.teacher_forcing import Runner, log_probabilities
from compressed_code.fidelity.windows import Window, batches, cut_windows, largest_length, unpredicted
from compressed_code.registry.languages import Language, keyword_union, select_languages
from compressed_code.tokenizers.fertility import token_spans
from compressed_code.tokenizers.text_classes import TEXT_CLASSES, token_classes
from compressed_code.tokenizers.vocabulary import Vocabulary, vocabulary_table

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WINDOW = 1024


@dataclass(frozen=True)
class EncodedText:
    """A text as its tokens.

    Attributes:
        name: what it is called in tables.
        language: key of its language.
        ids: [tokens] int64, without start ids.
        classes: [tokens], categories `TEXT_CLASSES`.
        cluster: what it is an instance of. Texts of one cluster (translations of one program) are no independent draws,
            so intervals resample them together; a text by itself is a cluster by its own name.
    """

    name: str
    language: str
    ids: np.ndarray
    classes: pd.Categorical
    cluster: str = ""


def encode_document(vocabulary: Vocabulary, language: Language, text: str, name: str, cluster: str = "") -> EncodedText:
    """Encode a text and classify its tokens.

    Raises:
        InputError: the text is empty.
        Unavailable: the tokenizer cannot encode, or its tokens do not spell the text.
    """
    if not text:
        raise InputError(f"{name}: the text is empty")
    ids = vocabulary.encode(text)
    classes = token_classes(vocabulary, language, text, ids)
    return EncodedText(name, language.key, np.array(ids, np.int64), classes, cluster or name)


def keyword_ids(vocabulary: Vocabulary) -> list[int]:
    """Tokens that spell a keyword of any of the languages, bare or behind a blank: those whose order is compared."""
    table = vocabulary_table(vocabulary, keyword_union(select_languages(None)))
    return table.index[table["keyword"].notna()].tolist()


def first_difference(one: Vocabulary, other: Vocabulary) -> int | None:
    """The first id that means two things; `None` where equal ids mean equal tokens.

    Ids that only one of the two has may stand for control tokens: a fine-tuned model may have more of them, and GGUF
    files fill their vocabulary up.
    """
    shorter, longer = sorted((one, other), key=len)
    for token_id, token in enumerate(longer.tokens):
        if token_id < len(shorter):
            differs = shorter.tokens[token_id] != token
        else:
            differs = token is not None and token_id not in longer.added
        if differs:
            return token_id
    return None


def require_same_vocabulary(base: Vocabulary, candidate: Vocabulary) -> None:
    """Stop unless equal ids mean equal tokens (`first_difference`).

    Raises:
        InputError: they do not; `byte_fidelity` can compare such models.
    """
    token_id = first_difference(base, candidate)
    if token_id is not None:
        ours, theirs = (side.tokens[token_id] if token_id < len(side) else None for side in (base, candidate))
        raise InputError(
            f"the tokenizers differ (id {token_id} is {ours!r} in the base model and {theirs!r} in the candidate), so "
            "distributions cannot be compared id by id; compare bits per byte instead (byte_fidelity, --bytes)"
        )


def token_fidelity(
    base: "PreTrainedModel | Runner",
    candidate: "PreTrainedModel | Runner",
    documents: Sequence[EncodedText],
    start_ids: Sequence[int],
    *,
    keyword_ids: Collection[int] = (),
    entries: int = 0,
    length: int = WINDOW,
    progress: str = "",
) -> pd.DataFrame:
    """Compare two models on every token of some texts.

    p is the base's distribution over the next token, q the candidate's, both over the whole output layer. Where the two
    output layers differ in width (padding rows), the rows that both have are compared, renormalised.

    Args:
        base, candidate: models with the same vocabulary, whatever they compute in and on. For a base model of many
            candidates a `teacher_forcing.KeepingRunner` with these start ids saves reading the texts again; a runner
            may read otherwise than its model (`noise_floor.RoundedRunner`).
        documents: with at least one token.
        start_ids: what every document follows (`compressed_code.models.start_contexts.start_ids`); where there are
            none, the first token of a document is read and not predicted.
        keyword_ids: tokens whose order is compared, at least two; else `keyword_rank_correlation` is missing.
        entries: entries of the tokenizer; output layers of different width must both have so many rows.
        length: a longer document is cut into windows of so many tokens, each after the start ids.
        progress: label of the progress bar (`core.progress`); empty for none.

    Returns:
        One row per predicted token, in the order of the texts; numbers are float32, information in nats:

        - `document`, `cluster`, `language` (categories), `position` (in its document, from 0), `token_id`,
          `token_class`
        - `log_probability_base`, `log_probability_candidate` of the actual token; `delta_p`: candidate's probability
          minus the base model's
        - `kl_nats` KL(p‖q), `reverse_kl_nats` KL(q‖p), `js_nats` Jensen–Shannon divergence, 0 … ln 2
        - `entropy_base_nats`, `entropy_candidate_nats`
        - `top_base`, `top_candidate`: ids of the most probable tokens; `same_top`; `flip`: one of `FLIPS`
        - `keyword_rank_correlation`: Spearman's ρ between the two log-probabilities of the keyword tokens at this
          position; values that are exactly equal are ranked in any order

    Raises:
        InputError: no token, an id outside of an embedding, output layers that do not fit, or a result that is not
            finite.
    """
    skipped = unpredicted(start_ids)
    count = sum(max(0, len(document.ids) - skipped) for document in documents)
    if not count:
        raise InputError("the texts hold no token; give longer ones")
    runners = [model if isinstance(model, Runner) else Runner(model, start_ids) for model in (base, candidate)]
    before = max(1, len(start_ids))
    longest = largest_length([runner.model for runner in runners], before, length)
    windows = cut_windows([document.ids for document in documents], longest, start_ids)
    cut = [*batches(windows, before, min(runner.batch_tokens for runner in runners))]
    at_a_time, width = batches_at_a_time(runners), _common_width(runners, entries)
    free: SimpleQueue[LogitComparison] = SimpleQueue()  # buffers, for one batch at a time
    for _ in range(at_a_time):
        free.put(LogitComparison(runners, width, keyword_ids, count))

    def compared(batch: Sequence[Window]) -> list[dict[str, np.ndarray]]:
        compare = free.get()
        try:
            return compare.batch(batch)
        finally:
            free.put(compare)

    blocks = []
    with progress_bar(total=count, desc=progress, unit=" tokens", disable=not progress or None) as bar:
        for batch, found in zip(cut, side_by_side(compared, cut, at_a_time), strict=True):
            blocks += found
            bar.update(sum(len(window.tokens) for window in batch))
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return _in_order(columns, [window for batch in cut for window in batch], documents, skipped)


def byte_fidelity(
    base: "Reader", candidate: "Reader", texts: Sequence[str], length: int = WINDOW, *, progress: str = ""
) -> pd.DataFrame:
    """Compare models of any vocabularies on the same texts: log-probabilities of the shortest common pieces.

    A piece is a run of bytes that begins and ends between two tokens of both models; the log-probability of a piece is
    the sum over its tokens. `divergences.bits_per_byte` sums the rows up.

    Args:
        length, progress: as of `teacher_forcing.log_probabilities`.

    Returns:
        Columns `document` (place among the texts), `start`, `end` (bytes), `log_probability_base`,
        `log_probability_candidate` (nats), in the order of the texts.

    Raises:
        InputError: the texts are empty, or a model fails as in `token_fidelity`.
        Unavailable: a tokenizer rewrites the texts.
    """
    if not any(texts):
        raise InputError("the texts are empty")
    given = [text for text in texts if text]
    sides = []
    for reader in (base, candidate):
        ids = [np.array(reader.vocabulary.encode(text), np.int64) for text in given]
        ends = [token_spans(reader.vocabulary, text)[:, 1] for text in given]
        read = log_probabilities(reader.model, ids, reader.start_ids, length, progress=progress)
        sides.append(zip(ends, read, strict=True))
    numbers = [number for number, text in enumerate(texts) if text]
    tables = []
    for number, one, other in zip(numbers, *sides, strict=True):
        tables.append(common_pieces(*one, *other))
        tables[-1].insert(0, "document", number)
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Reader:
    """A model with what it needs to read a text.

    Attributes:
        model: in float32 or float64.
        vocabulary: its tokenizer.
        start_ids: what every text follows.
    """

    model: "PreTrainedModel"
    vocabulary: Vocabulary
    start_ids: tuple[int, ...]


def _common_width(runners: Sequence[Runner], entries: int) -> int:
    widths = [runner.rows for runner in runners]
    if len(set(widths)) > 1 and min(widths) < (entries or max(widths)):
        raise InputError(
            f"the output layers have {widths[0]} and {widths[1]} rows, so distributions cannot be compared id by id"
        )
    return min(widths)


def _in_order(
    columns: dict[str, np.ndarray], windows: Sequence[Window], documents: Sequence[EncodedText], skipped: int
) -> pd.DataFrame:
    """Rows of windows, as they were computed, back in the order of the texts, with what is known of their tokens.

    Args:
        skipped: tokens at the beginning of each text that have no row.
    """
    lengths = [len(window.tokens) for window in windows]
    number = np.repeat([window.document for window in windows], lengths)
    position = np.concatenate([np.arange(window.first, window.first + len(window.tokens)) for window in windows])
    order = np.lexsort((position, number))
    sizes = [max(0, len(document.ids) - skipped) for document in documents]
    table = pd.DataFrame(
        {
            "document": _repeat([document.name for document in documents], sizes),
            "cluster": _repeat([document.cluster or document.name for document in documents], sizes),
            "language": _repeat([document.language for document in documents], sizes),
            "position": position[order].astype(np.int32),
            "token_class": pd.Categorical.from_codes(
                np.concatenate([document.classes.codes[skipped:] for document in documents]), categories=TEXT_CLASSES
            ),
            **{name: column[order] for name, column in columns.items()},
        }
    )
    table["same_top"] = table["top_base"] == table["top_candidate"]
    table["flip"] = _flips(table)
    return table


def _repeat(names: Sequence[str], sizes: Sequence[int]) -> pd.Categorical:
    return pd.Categorical(names, categories=list(dict.fromkeys(names))).repeat(sizes)


def _flips(table: pd.DataFrame) -> pd.Categorical:
    right_before = table["top_base"] == table["token_id"]
    right_after = table["top_candidate"] == table["token_id"]
    codes = np.select([table["same_top"], right_before, right_after], [0, 1, 2], 3)
    return pd.Categorical.from_codes(codes, categories=FLIPS)
