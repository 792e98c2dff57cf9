"""The token ids a calibrated method sees: an axis of the experiment, so every source gives rows of the same shape.

Pure functions of their arguments: the same seed gives the same rows. Where texts come from is the caller's business.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.registry.quantizations import CalibrationSource

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.cache_utils import Cache

TokenRows = list[list[int]]


def calibration_rows(
    source: CalibrationSource,
    *,
    rows: int,
    length: int,
    seed: int = 0,
    documents: Sequence[Sequence[int]] = (),
    start: Sequence[int] = (),
    vocabulary: int = 0,
    control: Collection[int] = (),
    model: Path | None = None,
) -> TokenRows:
    """Calibration text of any source.

    Args:
        source: "corpus" and "tasks" need `documents`, "random" needs `vocabulary`, "self" needs `model` and `start`.
        rows, length: shape of the result.
        seed: of every choice.
        documents: encoded texts, without start tokens.
        start: the model's start context, which begins every document.
        vocabulary: ids are below this; rows of the embedding that no token owns do not count.
        control: ids that never stand in text.
        model: checkpoint folder that writes the text itself.

    Returns:
        `rows` lists of `length` ids.

    Raises:
        InputError: the text is empty or too short, with the length that is needed; or an argument is missing.

    Example:
        >>> calibration_rows("random", rows=2, length=3, vocabulary=5, control=[0, 1])
        [[4, 3, 3], [2, 2, 2]]
    """
    if rows < 1 or length < 1:
        raise InputError(f"calibration of {rows} rows of {length} tokens: both must be at least 1")
    if seed < 0:
        raise InputError(f"calibration with seed {seed}: it must be at least 0")
    if source == "random":
        return random_rows(vocabulary, control, rows, length, seed)
    if source == "self":
        if model is None:
            raise InputError("calibration by the model itself needs the model")
        return sampled_rows(model, start, rows, length, seed)
    return rows_of_documents(documents, start, rows, length, seed)


def check_rows(rows: Sequence[Sequence[int]], config: Mapping[str, Any], shortest: int = 1) -> None:
    """Refuse calibration rows that a model cannot read.

    Args:
        config: the model's config.json.
        shortest: tokens a row needs.

    Raises:
        InputError: naming the row; there are none, or one is too short or holds an id that the model does not have.
        Unavailable: one is longer than the model reads.
    """
    if not rows:
        raise InputError("the calibration text is empty; GPTQ needs some rows of token ids")
    positions, vocabulary = config.get("max_position_embeddings"), config.get("vocab_size")
    for number, row in enumerate(rows):
        if len(row) < shortest:
            raise InputError(f"calibration row {number}: {len(row)} tokens are too short; {shortest} are needed")
        if positions and len(row) > positions:
            raise Unavailable(f"calibration row {number}: {len(row)} tokens are longer than the model's {positions}")
        if vocabulary and not 0 <= min(row) <= max(row) < vocabulary:
            raise InputError(f"calibration row {number}: an id lies outside of the vocabulary of {vocabulary}")


def rows_of_documents(
    documents: Sequence[Sequence[int]], start: Sequence[int], rows: int, length: int, seed: int
) -> TokenRows:
    """Documents in random order behind each other, each begun by the start context, cut into rows.

    A document longer than a row gives a random window of one row's length, so that many documents are seen.

    Raises:
        InputError: all of them together do not fill the rows.
    """
    generator = np.random.default_rng(seed)
    stream: list[int] = []
    for index in generator.permutation(len(documents)):
        document = documents[index]
        first = int(generator.integers(0, max(1, len(document) - length + 1)))
        stream += [*start, *document[first : first + length]]
        if len(stream) >= rows * length:
            return [list(map(int, stream[row * length : (row + 1) * length])) for row in range(rows)]
    have = "is empty" if not stream else f"has {len(stream):,} tokens"
    raise InputError(f"the calibration text {have}; {rows} rows of {length} need {rows * length:,} tokens")


def random_rows(vocabulary: int, control: Collection[int], rows: int, length: int, seed: int) -> TokenRows:
    """Ids drawn uniformly from all that are no control tokens.

    Raises:
        InputError: there are none.
    """
    usable = np.setdiff1d(np.arange(vocabulary), np.array(sorted(control), dtype=np.int64))
    if not usable.size:
        raise InputError(f"calibration by random tokens: a vocabulary of {vocabulary} ids has none left to draw from")
    return np.random.default_rng(seed).choice(usable, size=(rows, length)).tolist()


def sampled_rows(model: Path, start: Sequence[int], rows: int, length: int, seed: int) -> TokenRows:
    """What the model writes after its start context, each token drawn from its own distribution (temperature 1).

    An end token is a token like any other: the model goes on, as between the documents of its training. Probabilities
    are computed in float64, so that another machine draws the same tokens.

    Raises:
        InputError: no start context, one that is longer than a row, or a model that cannot be opened.
    """
    from compressed_code.models.load import load_model

    if not 0 < len(start) <= length:
        raise InputError(f"calibration by the model itself needs a start context of 1 … {length} ids, not {len(start)}")
    return _sample(load_model(model, dtype="float64"), start, rows, length, seed)


def _sample(model: "PreTrainedModel", start: Sequence[int], rows: int, length: int, seed: int) -> TokenRows:
    import torch

    from compressed_code.models.kv_cache import fits, handed_on, takes_transformers_cache

    generator = torch.Generator().manual_seed(seed)
    written = torch.tensor([list(start)] * rows)
    fresh, past, has_room = written, {}, fits(model)
    goes_on = takes_transformers_cache(model)  # transformers' RWKV mixes the rows of a batch in what it hands on
    with torch.inference_mode():
        while written.shape[1] < length:
            result = model(input_ids=fresh if goes_on else written, use_cache=goes_on, **past)
            probabilities = result.logits[:, -1].softmax(-1)
            fresh = torch.multinomial(probabilities, 1, generator=generator)
            past = {"past_key_values": _roomy(result.past_key_values, rows)} if has_room else handed_on(result)
            written = torch.cat([written, fresh], dim=1)
    return written.tolist()


def _roomy(past: "Cache", rows: int) -> "Cache":
    """The cache with room for the next token; transformers' own is copied whole for every token."""
    from compressed_code.models.kv_cache import SlotCache

    if not isinstance(past, SlotCache):
        roomy = SlotCache(rows, past.layers[0].keys.device)
        roomy.admit(range(rows), past, range(rows))
        return roomy
    if past.is_full:
        past.rebuild(range(rows), past.get_seq_length())
    return past
