"""What was changed, from the files themselves: size and form, settings of the config, tokenizer and chat template."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.comparison.stored_forms import StoredForms
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.fidelity.footprint import sizes
from compressed_code.fidelity.pair import first_difference
from compressed_code.models.start_contexts import special_tokens
from compressed_code.models.transformers_model import find_model
from compressed_code.registry.languages import load_programs, select_languages
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.gguf import is_gguf, read_gguf_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary

# Fields that change no number of the models compared: labels, training, storage, and what other rows of the table say.
_IDLE = frozenset(
    {
        *("architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "_name_or_path", "use_cache"),
        *("initializer_range", "attention_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop"),
        *("pretraining_tp", "quantization_config", "compression_config", "max_length", "id2label", "label2id"),
        *("problem_type", "output_attentions", "output_hidden_states", "return_dict", "chunk_size_feed_forward"),
        *("is_encoder_decoder", "task_specific_params", "tokenizer_class", "prefix", "vocab_size"),
        *("bos_token_id", "eos_token_id", "pad_token_id", "tie_word_embeddings", "_attn_implementation"),
    }
)
_LONG_TEXTS = ("max_position_embeddings", "n_positions", "sliding_window")  # felt beyond their length only
COLUMNS = ("part", "field", "base", "candidate", "effect")
EVERYWHERE = "changes every number"
_SHOWN = 60  # signs of a value


def model_facts(path: Path) -> dict[str, Any]:
    """What a model is and takes, from its headers.

    Returns:
        `family`; `method` (how it was quantized, as its files say; empty where they do not); `forms` (how its weights
        are stored, with the share of the weights, the most frequent first); `quantized` (the share that is stored as
        other than ordinary floats); and `disk_bytes`, `weight_bytes`,
        `parameters`, `effective_bits` of `footprint.sizes`.

    Raises:
        InputError: no model lies there, or a file is broken.
    """
    forms = StoredForms(path)
    checkpoint, shares, quantized = forms.checkpoint, Counter(), 0
    for name in checkpoint.names:
        shares[forms.of(name).name] += checkpoint.count(name)
        quantized += 0 if forms.of(name).is_plain else checkpoint.count(name)
    total = max(1, shares.total())
    measured = sizes(path)
    return {
        "family": str(checkpoint.config.get("model_type", "")),
        "method": forms.method,
        "forms": {form: count / total for form, count in shares.most_common()},
        "quantized": quantized / total,
        **{name: measured[name] for name in ("disk_bytes", "weight_bytes", "parameters", "effective_bits")},
    }


def changes(base: Path, candidate: Path) -> pd.DataFrame:
    """Settings, tokenizer and template of a candidate that are not the base's.

    Returns:
        Columns `COLUMNS`; `part` is "settings", "tokenizer" or "template", `effect` says what a difference does.

    Raises:
        InputError: a file is broken or missing, a tokenizer for one.
    """
    rows = [*_settings(base, candidate), *_tokenizers(base, candidate), *_template(base, candidate)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def same_vocabulary(base: Path, candidate: Path) -> bool:
    """Whether equal ids mean equal tokens, so that distributions can be compared id by id."""
    return first_difference(open_tokenizer(base), open_tokenizer(candidate)) is None


def _settings(base: Path, candidate: Path) -> Iterator[tuple[str, ...]]:
    one, other = (_config(path) for path in (base, candidate))
    for field in sorted((set(one) | set(other)) - _IDLE):
        ours, theirs = one.get(field), other.get(field)
        if not _same(ours, theirs):
            effect = "felt by longer texts only" if field in _LONG_TEXTS else EVERYWHERE
            yield "settings", field, _shown(ours), _shown(theirs), effect


def _config(path: Path) -> Mapping[str, Any]:
    """All fields, as transformers fills them in; of a model that it does not know, those that the files say."""
    checkpoint = open_checkpoint(path)
    try:
        return find_model(checkpoint).config.to_dict()
    except InputError:
        return checkpoint.config


def _same(one: Any, other: Any) -> bool:
    """Equal but for the last digits of float32, in which GGUF keeps numbers; a field that is not set says nothing."""
    if one is None or other is None:
        return True
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(_same(one.get(field), other.get(field)) for field in {*one, *other})
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-6 * max(abs(one), abs(other))
    return one == other


def _tokenizers(base: Path, candidate: Path) -> Iterator[tuple[str, ...]]:
    ours, theirs = open_tokenizer(base), open_tokenizer(candidate)
    token_id = first_difference(ours, theirs)
    if len(ours) != len(theirs):
        effect = "ids that only one of them has" if token_id is None else "distributions cannot be compared id by id"
        yield "tokenizer", "entries", f"{len(ours):,}", f"{len(theirs):,}", effect
    if token_id is not None:
        pair = [_shown(side.tokens[token_id] if token_id < len(side) else None) for side in (ours, theirs)]
        yield "tokenizer", f"token {token_id}", *pair, "distributions cannot be compared id by id"
    else:
        yield from _cuts(ours, theirs)
    special = [special_tokens(path) for path in (base, candidate)]
    for field, effect in (
        ("bos", "what stands before a text"),
        ("adds_bos", "what stands before a text"),
        ("eos", "where a text ends"),
    ):
        one, other = (getattr(side, field) for side in special)
        if one != other:
            yield "tokenizer", field, _shown(one), _shown(other), effect


def _cuts(ours: Vocabulary, theirs: Vocabulary) -> Iterator[tuple[str, ...]]:
    """A text that the two cut otherwise although their tokens are the same: merges or the rule before them differ."""
    for language in select_languages(None):
        text = next(iter(load_programs(language).values()))
        try:
            one, other = ours.encode(text), theirs.encode(text)
        except Unavailable:  # a GGUF file may name a rule that is not known here
            return
        if one != other:
            place = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(min(one, other)))
            pair = [
                _shown(b"|".join(side.tokens[i] or b"" for i in ids[place : place + 3]))
                for side, ids in ((ours, one), (theirs, other))
            ]
            yield "tokenizer", "cuts of a text", *pair, "the models read the same text as other tokens"
            return


def _template(base: Path, candidate: Path) -> Iterator[tuple[str, ...]]:
    ours, theirs = (chat_template(path) for path in (base, candidate))
    if ours != theirs:
        sides = [f"{len(side):,} characters" if side else "none" for side in (ours, theirs)]
        yield "template", "chat template", *sides, "chats are asked otherwise"


def chat_template(path: Path) -> str:
    """The chat template of a model as text; empty where it has none."""
    if path.is_file():
        return (read_gguf_tokenizer(path).chat_template if is_gguf(path) else None) or ""
    file = path / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    try:
        settings = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    template = settings.get("chat_template") if isinstance(settings, dict) else None
    return template if isinstance(template, str) else json.dumps(template) if template else ""


def _shown(value: Any) -> str:
    text = "not set" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
