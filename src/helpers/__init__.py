"""Helpers of the compressed-code notebooks.

Imports point down only; each layer may use the ones below it:

    __main__, notebooks           the command line and the headless notebook runner
    figures                       one function per chart: table in, figure out
    measurements                  measure(): load what is stored, compute what is missing
    coverage, composition,        pure functions on tables
    fertility
    tokenizers                    open a tokenizer of any format as one Vocabulary
    vocabulary                    token bytes, token classes, keyword forms
    registry, languages           what exists: models, tokenizers, programming languages
    store, downloads, statistics  tables on disk, pinned files from packages, intervals
    records, project, errors      validated YAML rows, the project's folders, the one user-facing error

Importing the package itself does no work: neither torch nor transformers is loaded until something must be computed.
"""
