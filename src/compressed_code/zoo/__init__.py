"""The model zoo: the repository's own family of tiny code models and everything that makes them.

Corpus, tasks, tokenizer, training, distillation and fine-tuning live here, apart from the helpers that measure models:
nobody who only reads tables and figures needs this package. Its products are the checkpoints under `data/zoo` and
the benchmark files under `data/benchmarks`.
"""
