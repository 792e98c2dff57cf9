"""Helpers of the compressed-code notebooks.

Imports point down only; each layer may use the ones below it:

    __main__, notebooks           the command line and the headless notebook runner
    figures, claims, zoo          charts: table in, figure out; checked claims; the tiny models
    measurements                  measure(): load what is stored, compute what is missing
    cold_start                    the first-token distribution, straight from a checkpoint
    first_token,                  the layer-by-layer engine; the fallback for models it does not know
    transformers_engine
    architectures, checkpoints,   what a config means; tensors read one by one from any storage format
    model_families
    recorded                      the authors' numbers beside ours
    coverage, composition,        pure functions on tables
    fertility
    tokenizer_files               open a tokenizer of any format as one Vocabulary
    vocabulary                    token bytes, token classes, keyword forms
    registry, languages           what exists: models, tokenizers, programming languages
    store, downloads, statistics  tables on disk, pinned files from packages, intervals
    records, project, errors      validated YAML rows, the project's folders, the one user-facing error

Importing the package itself does no work: neither torch nor transformers is loaded until something must be computed.
"""
