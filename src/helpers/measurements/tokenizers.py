"""Measurements of tokenizers."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from helpers.fertility import program_counts
from helpers.languages import KEYWORDS_FILE, PROGRAMS_DIRECTORY, keyword_union, load_programs, select_languages
from helpers.measurements import measurement
from helpers.registry import Registry, find_tokenizer
from helpers.specs import TokenizerSpec
from helpers.tokenizer_files import open_tokenizer, tokenizer_fingerprint
from helpers.vocabulary import Vocabulary
from helpers.vocabulary import vocabulary_table as build_vocabulary_table

# Fields of a row that say where a tokenizer is or how it is called, not what it is.
_NAMING_FIELDS = {"key", "label", "note", "path", "hub", "revision", "wheel"}


class TokenizerSubject:
    """Tokenizers as subjects: the file's content and the fields that change its reading decide the key."""

    column = "tokenizer"

    def find(self, name: str, registry: Registry) -> TokenizerSpec:
        return find_tokenizer(name, registry)

    def key_fields(self, spec: TokenizerSpec) -> Mapping[str, Any]:
        return {"fingerprint": tokenizer_fingerprint(spec), **spec.model_dump(mode="json", exclude=_NAMING_FIELDS)}

    def open(self, spec: TokenizerSpec) -> Vocabulary:
        return open_tokenizer(spec)


@measurement(
    version=1, subject=TokenizerSubject(), inputs=[KEYWORDS_FILE], packages=["regex", "tokenizers", "sentencepiece"]
)
def vocabulary(tokenizer: Vocabulary) -> pd.DataFrame:
    """Every entry of a vocabulary with its class, keyword form and merge rank (`vocabulary.vocabulary_table`)."""
    return build_vocabulary_table(tokenizer, keyword_union(select_languages(None)))


@measurement(
    version=1,
    subject=TokenizerSubject(),
    inputs=[KEYWORDS_FILE, PROGRAMS_DIRECTORY],
    packages=["pygments", "tokenizers", "tiktoken", "sentencepiece"],
)
def fertility(tokenizer: Vocabulary) -> pd.DataFrame:
    """Token counts of every parallel program (`fertility.program_counts`): one row per language and program."""
    rows = [
        {"language": language.key, "program": program, **program_counts(tokenizer, language, text)}
        for language in select_languages(None)
        for program, text in load_programs(language).items()
    ]
    return pd.DataFrame(rows)
