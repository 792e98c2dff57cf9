"""The zoo's tokenizer: byte-level BPE over twelve languages in which a keyword is one token.

A rule cuts text before merging: letters and underscores stay together, so that `static_cast` and `useEffect` can
become one token, with one blank before them where there is one; digits stand alone; a keyword that is not made of
letters and underscores (`char16_t`, `defined?`) is listed in the rule itself.
"""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import regex

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError
from compressed_code.registry.languages import Language, keyword_union
from compressed_code.training_data.corpus import Document

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BOS, EOS, PAD = SPECIAL_TOKENS = ("<|bos|>", "<|eos|>", "<|pad|>")  # ids 0, 1, 2
VOCABULARY_SIZE = 2048
SMALLEST_VOCABULARY = 256 + len(SPECIAL_TOKENS)

LANGUAGE_BYTES = 300_000  # of training documents per language
LANGUAGE_WEIGHTS = {"python": 2}  # others count once
MOST_REPEATS = 4  # of the documents of a language that has fewer bytes
KEYWORD_REPEATS = {"": 1000, " ": 500}  # what stands before the keyword → how often the pair is shown

_WORD = r"[\p{L}\p{M}_]+"
_FORMS = {"bare": "", "space": " "}


def train_tokenizer(
    documents: Iterable[Document],
    tasks: Iterable[str],
    languages: Iterable[Language],
    vocabulary_size: int = VOCABULARY_SIZE,
) -> "Tokenizer":
    """Train on a balanced sample of the training documents, on task texts and on the keywords themselves.

    The same arguments give the same tokenizer, byte for byte. Encoding puts `<|bos|>` first unless told not to.

    Args:
        documents: the corpus; held-out documents are left aside.
        tasks: texts of training tasks, all of which are used.
        languages: whose keywords are shown.
        vocabulary_size: entries, with the 3 special tokens and 256 bytes.

    Raises:
        InputError: the vocabulary is smaller than bytes and special tokens.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    if vocabulary_size < SMALLEST_VOCABULARY:
        raise InputError(f"vocabulary size {vocabulary_size}: must be at least {SMALLEST_VOCABULARY}")
    keywords = sorted(keyword_union(languages))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split_pattern(keywords)), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*balanced_sample(documents), *tasks, *_keyword_texts(keywords)], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    return tokenizer


def split_pattern(keywords: Iterable[str]) -> str:
    """The regular expression whose matches are merged each by itself; they cover any text without a gap."""
    irregular = sorted(word for word in keywords if not regex.fullmatch(_WORD, word))
    alternatives = [
        rf" ?{_WORD}",
        r"\p{N}",
        r" ?[^\s\p{L}\p{M}\p{N}_]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
    if irregular:
        listed = "|".join(map(regex.escape, irregular))
        alternatives.insert(0, rf"(?<![\p{{L}}\p{{N}}_]) ?(?:{listed})(?![\p{{L}}\p{{N}}_])")
    return "|".join(alternatives)


def balanced_sample(documents: Iterable[Document]) -> Iterator[str]:
    """Texts of training documents, about as many bytes of every language, times its weight.

    Documents are drawn by the hash of their text; a language with less text is repeated, up to `MOST_REPEATS` times.
    """
    texts: dict[str, list[str]] = {}
    for document in documents:
        if document.split == "train":
            texts.setdefault(document.language, []).append(document.text)
    for language in sorted(texts):
        drawn = sorted(texts[language], key=lambda text: sha256(text.encode()).digest())
        left = LANGUAGE_BYTES * LANGUAGE_WEIGHTS.get(language, 1)
        for text in drawn * MOST_REPEATS:
            if left <= 0:
                break
            left -= len(text.encode())
            yield text


def missing_keywords(tokenizer: "Tokenizer", languages: Iterable[Language]) -> pd.DataFrame:
    """The keywords that are not one token, for each of the forms `bare` and `space` (one blank before).

    Returns:
        Columns `language`, `form`, `keyword`.
    """
    rows = [
        (language.key, form, keyword)
        for language in languages
        for form, before in _FORMS.items()
        for keyword in language.keywords
        if len(tokenizer.encode(before + keyword, add_special_tokens=False).ids) != 1
    ]
    return pd.DataFrame(rows, columns=["language", "form", "keyword"])


def characters_per_token(tokenizer: "Tokenizer", texts: Iterable[str]) -> float:
    """Mean length of a token in characters over all texts together."""
    texts = list(texts)
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    return sum(map(len, texts)) / sum(len(encoding.ids) for encoding in encodings)


def save_tokenizer(tokenizer: "Tokenizer", directory: Path, longest: int | None = None) -> None:
    """Write the tokenizer's part of a Hugging Face folder: tokenizer.json and tokenizer_config.json.

    Args:
        longest: tokens a model with this tokenizer takes (`model_max_length`).
    """
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        **({} if longest is None else {"model_max_length": longest}),
    }
    for name, text in {
        "tokenizer.json": tokenizer.to_str(pretty=True),
        "tokenizer_config.json": json.dumps(config, indent=2),
    }.items():
        with written_whole(directory / name) as part:
            part.write_text(text + "\n", encoding="utf-8")


def _keyword_texts(keywords: Iterable[str]) -> Iterator[str]:
    """Every keyword many times, each on a line of its own, so that its merges come before rarer ones."""
    for keyword in keywords:
        for before, repeats in KEYWORD_REPEATS.items():
            yield f"{before}{keyword}\n" * repeats
