"""Quantized variants of models: made once, with the calibration text their row asks for."""

from functools import cache, lru_cache
from pathlib import Path

from compressed_code.core.atomic_files import writable_place
from compressed_code.core.hashing import sha256_of_file
from compressed_code.core.paths import VARIANTS
from compressed_code.core.table_store import table_key
from compressed_code.models.attention_ablation import scramble_attention, single_weights
from compressed_code.models.start_contexts import start_ids
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.calibration import calibration_rows
from compressed_code.quantization.decoded_base import kept_base
from compressed_code.quantization.engine import variant
from compressed_code.quantization.own_programs import drawn_texts, task_texts
from compressed_code.quantization.own_text import own_text
from compressed_code.quantization.record import name_of
from compressed_code.registry.quantizations import CalibrationSource, Quantization
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary

ROW_LENGTH = 256  # tokens of a calibration row, the zoo's context


def quantized_variant(base: Path, quantization: Quantization) -> Path:
    """The variant of a model that a row of data/quantizations.yml describes.

    Args:
        base: checkpoint folder with its tokenizer, or a GGUF file, of which the decoded numbers are quantized.

    Raises:
        InputError: the row does not suit the model.
        Unavailable: the library or the corpus cannot be had on this machine.
    """
    name, base = name_of(base), kept_base(base)
    if quantization.calibration is None:
        return variant(base, quantization, name=name)
    text = (quantization.calibration, quantization.calibration_rows, quantization.seed)
    rows = _rows(base, tuple(BaseCheckpoint(base).fingerprint().items()), *text)
    return variant(base, quantization, rows, name=name)


def scrambled_variant(model: Path, seed: int = 0) -> Path:
    """A copy of a model with noise for queries and keys (`attention_ablation`), made once, under build/variants.

    Raises:
        Unavailable: the model is no folder with a single safetensors file.
    """
    key = table_key({"scrambled": 1, "seed": seed, "weights": sha256_of_file(single_weights(model))})
    folder = VARIANTS / key[:32]
    return scramble_attention(model, folder if folder.exists() else writable_place(folder), seed)


@lru_cache(maxsize=16)
def _rows(
    base: Path, fingerprint: tuple[tuple[str, str], ...], source: CalibrationSource, rows: int, seed: int
) -> list[list[int]]:
    """Calibration rows of one model; many variants share them, and a variant is asked for by every measurement.

    Args:
        fingerprint: of the base model, so that a changed one is read anew.
    """
    if source == "self":
        start = start_ids(base, "document")
        return own_text(base, dict(fingerprint), start, rows=rows, length=ROW_LENGTH, seed=seed)
    tokenizer = open_tokenizer(base)
    return calibration_rows(
        source,
        rows=rows,
        length=ROW_LENGTH,
        seed=seed,
        documents=_documents(tokenizer, source, rows, seed),
        start=start_ids(base, "document"),
        vocabulary=len(tokenizer),
        control=tokenizer.added,
    )


def _documents(tokenizer: Vocabulary, source: CalibrationSource, rows: int, seed: int) -> list[list[int]]:
    """Encoded texts of a source that has texts; a draw of as many as certainly fill the rows."""
    if source not in ("corpus", "tasks"):
        return []
    texts = _corpus_texts() if source == "corpus" else task_texts()
    return [tokenizer.encode(text) for text in drawn_texts(texts, 20 * rows, seed)]


@cache
def _corpus_texts() -> tuple[str, ...]:
    from compressed_code.training_data.corpus import load_corpus

    return tuple(document.text for document in load_corpus() if document.split == "train")
