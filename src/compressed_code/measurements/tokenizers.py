"""Measurements of tokenizers."""

import pandas as pd

from compressed_code.measurements.subjects.tokenizers import TokenizerSubject
from compressed_code.measurements.tables import measurement
from compressed_code.registry.languages import (
    KEYWORDS_FILE,
    PROGRAMS_DIRECTORY,
    keyword_union,
    load_programs,
    select_languages,
)
from compressed_code.tokenizers.fertility import program_counts
from compressed_code.tokenizers.vocabulary import Vocabulary
from compressed_code.tokenizers.vocabulary import vocabulary_table as build_vocabulary_table


@measurement(
    version=2, subject=TokenizerSubject(), inputs=[KEYWORDS_FILE], packages=["regex", "tokenizers", "sentencepiece"]
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
