"""Helpers of the compressed-code notebooks.

Imports point down only; each layer may use the ones below it (the same list is checked by lint-imports):

    __main__, commands            the command line: one module per command
    robustness, verification,     the notebooks again, as other machines run them, or to compare with what is committed;
    trace, notebook_runs          the way back from a figure; several notebooks side by side
    notebooks, figures, claims,   the headless notebook runner; charts: table in, figure out; checked claims; training
    zoo_build                     and scoring of the tiny models
    notebook_kernel,              the engine that leaves cells out by name; checked parameters; what make needs to know;
    notebook_parameters,          what cells define and need
    notebook_dependencies,
    notebook_cells
    measurements                  measure(): load what is stored, compute what is missing
    compression                   quantize a model: one interface over our own and other libraries' methods
    fidelity                      a compressed model against its parent, token by token
    execution                     samples against the tests of their tasks, in the sandbox
    cold_start                    the first-token distribution, straight from a checkpoint
    code_generation               programs that a model writes: batched, repeatable, resumable
    gguf_quantizers,              llama.cpp's types; what two models say about one position
    logit_comparison
    first_token, hub,             the layer-by-layer engine; checkpoints on a server; the fallback for models that
    transformers_engine           the engine does not know
    models, teacher_forcing,      any checkpoint as a float32 model; texts through a model; attention made blind
    attention_ablation
    architectures, checkpoints,   what a config means; tensors read one by one from any storage format
    model_families
    zoo                           the tiny models: corpus, tasks, tokenizer, training
    recorded, cold_start_metrics, pure functions on tables: the authors' numbers, metrics, summaries, effects
    warm_start, divergences,
    loss_changes, seed_noise,
    scaling, pass_rates,
    near_ties, program_texts
    start_contexts, lexed_text    what "no prompt" means; what each token of a text is
    tokenizer_files, coverage,    open a tokenizer of any format as one Vocabulary; more pure functions; known verdicts
    composition, fertility,
    samples, verdict_store
    vocabulary, benchmarks,       token bytes, classes and keyword forms; tasks; the stop rule; untrusted programs
    completions, sandbox
    statistics, store, downloads  intervals and tests; tables on disk; pinned files from packages
    registry, languages,          what exists: models, tokenizers, languages, ways to quantize
    quantizations
    records, json_lines,          validated rows, the project's folders, the one user-facing error, quiet libraries
    data_reads, project, errors,  and what of data/ a session has read
    silence

Importing the package itself does no work: neither torch nor transformers is loaded until something must be computed.
"""
