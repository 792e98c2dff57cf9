"""Models as subjects, and their cold starts."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compressed_code.checkpoints.hub import gguf_settings, open_remote_model
from compressed_code.cold_start import distribution as engine
from compressed_code.cold_start.metrics import entropy, first_tokens, top_tokens
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.names import as_names
from compressed_code.core.paths import RESULTS
from compressed_code.measurements.subjects.models import CheckpointSubject, HubModel, ModelSubject
from compressed_code.measurements.tables import for_each, measure, measurement
from compressed_code.measurements.tokenizers import vocabulary
from compressed_code.models.load import load_model
from compressed_code.models.precision import precision_of
from compressed_code.models.start_contexts import StartContext, start_context
from compressed_code.registry.languages import KEYWORDS_FILE, keyword_union, select_languages
from compressed_code.registry.lookup import Registry, find_model, load_registry, tokenizer_name
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import vocabulary_table


class WrongTokenizer(InputError):
    """A tokenizer has more entries than the output layer of the model that is said to use it."""


@measurement(version=4, subject=CheckpointSubject(), packages=["numpy", "transformers", "gguf"])
def cold_start(
    model: Path | HubModel, context: str = "document", input_ids: Sequence[int] | None = None
) -> pd.DataFrame:
    """The whole next-token distribution after a start context, one row per row of the output layer.

    Args:
        context: one of `start_contexts.CONTEXTS`; with `input_ids`, what the context is to be called.
        input_ids: exact ids in place of a named context.

    Returns:
        Columns `token_id`, `log_probability` (float32), and, the same in every row: `context`, `input_ids` (blanks
        between), `origin` (what decided the ids), `engine`, `reason` (why transformers was needed), `bytes_read`,
        `precision` (of the arithmetic, `compressed_code.models.precision`).
    """
    remote = open_remote_model(model.hub, model.commit, model.file) if isinstance(model, HubModel) else None
    if input_ids is not None:
        start = StartContext(context, tuple(input_ids), "given by hand")
    else:
        start = start_context(remote.settings() if remote else model, context)
    if not start.ids:
        raise Unavailable(f"{model}: a first token follows at least one id, but the context is {start.origin}")
    precision = precision_of(remote.checkpoint if remote else model)
    if remote:
        result = engine.cold_start_from(remote.checkpoint, start.ids, precision)
    else:
        result = engine.cold_start(model, start.ids, precision)
    return pd.DataFrame(
        {
            "token_id": range(len(result.log_probabilities)),
            "log_probability": result.log_probabilities,
            "context": context,
            "input_ids": " ".join(map(str, start.ids)),
            "origin": start.origin,
            "engine": result.engine,
            "reason": result.reason,
            "bytes_read": result.bytes_read,
            "precision": precision,
        }
    )


@measurement(version=3, subject=ModelSubject(), inputs=[KEYWORDS_FILE], packages=["torch", "transformers"])
def warm_start(model: Path, kept: int = 50) -> pd.DataFrame:
    """The next-token distribution after every keyword that is one token: alone, and after the document start.

    Args:
        kept: how many of the most probable tokens are stored.

    Returns:
        Columns `start` ("alone" or "document"), `keyword`, `input_ids` (blanks between), `rank` (from 1, the
        most probable), `token_id`, `probability`, `entropy_nats` (of the whole distribution, the same for all rows of
        a keyword), both float32, and `precision` (of the arithmetic, `compressed_code.models.precision`).
    """
    import torch

    tokenizer = open_tokenizer(model)
    table = vocabulary_table(tokenizer, keyword_union(select_languages(None)))
    bare = table[table["form"] == "bare"].drop_duplicates("keyword")
    precision, tables = precision_of(model), []
    network = load_model(model, dtype=precision)
    for start, lead in (("alone", ()), ("document", start_context(model, "document").ids)):
        inputs = torch.tensor([[*lead, token] for token in bare["token_id"]])
        with torch.inference_mode():
            logits = network(input_ids=inputs).logits[:, -1].double()
        probabilities = logits.softmax(-1).numpy()
        for keyword, ids, row in zip(bare["keyword"], inputs.tolist(), probabilities, strict=True):
            best = np.argsort(-row, kind="stable")[:kept]
            columns = {"start": start, "keyword": keyword, "input_ids": " ".join(map(str, ids))}
            columns |= {"rank": range(1, len(best) + 1), "token_id": best, "probability": row[best].astype(np.float32)}
            tables.append(pd.DataFrame(columns | {"entropy_nats": np.float32(entropy(row))}))
    return pd.concat(tables, ignore_index=True).assign(precision=precision)


def cold_start_probabilities(
    models: str | Iterable[str],
    contexts: str | Iterable[str] = ("document",),
    *,
    top: int | None = None,
    registry: Registry | None = None,
    directory: Path = RESULTS,
) -> pd.DataFrame:
    """What models want to write before any prompt: the probability of every token at the start of a text.

    Args:
        models: registry key, path of a folder or GGUF file, Hub id, or MODEL+QUANTIZATION; or several. Of one on a Hub
            only the tensors that are needed are fetched.
        contexts: of `start_contexts.CONTEXTS`: what stands before the first token.
        top: only so many of the most probable tokens of each model and context, ties by id.
        registry: by default data/models.yml.
        directory: where tables are stored.

    Returns:
        `with_tokens(cold_starts(...))`; with `top`, most probable first.

    Raises:
        InputError: a model is unknown or broken, or its tokenizer is.
        Unavailable: nothing could be measured.

    Example:
        >>> cold_start_probabilities("zoo-m", top=1)["bytes"].tolist()
        [b'def']
    """
    if top is not None and top < 1:
        raise InputError(f"top = {top}: must be at least 1")
    registry = registry or load_registry()
    distributions = cold_starts(models, contexts, registry=registry, directory=directory)
    tokens = with_tokens(distributions, registry=registry, directory=directory)
    return tokens if top is None else for_each(tokens, ["model", "context"], top_tokens, top)


def cold_starts(
    models: str | Iterable[str],
    contexts: str | Iterable[str] = ("document",),
    *,
    registry: Registry | None = None,
    directory: Path = RESULTS,
) -> pd.DataFrame:
    """Cold starts of several models in several contexts, stacked; columns `model` and those of `cold_start`.

    A context that a model does not have is named on standard error and left out.

    Raises:
        InputError: a model is unknown or broken.
        Unavailable: nothing could be measured.
    """
    tables = []
    for context in as_names(contexts):
        try:
            tables.append(measure(cold_start, models, context=context, registry=registry, directory=directory))
        except Unavailable:
            continue  # measure has named every model it left out
    if not tables:
        raise Unavailable("cold_start: no model has any of the contexts")
    return pd.concat(tables, ignore_index=True)


def with_tokens(
    distributions: pd.DataFrame, *, registry: Registry | None = None, directory: Path = RESULTS
) -> pd.DataFrame:
    """Cold starts joined with what their tokens are.

    Args:
        distributions: `cold_starts`.

    Returns:
        Columns `model`, `context`, and those of `cold_start_metrics.first_tokens`.

    Raises:
        WrongTokenizer: a tokenizer is wider than its model's output layer.
        InputError: a tokenizer is broken, or there is none.
    """
    registry = registry or load_registry()
    names = {model: _tokenizer_of(model, registry) for model in distributions["model"].unique()}
    vocabularies = {
        name: measure(vocabulary, name, registry=registry, directory=directory) for name in set(names.values())
    }
    parts = []
    for (model, context), rows in distributions.groupby(["model", "context"], sort=False, observed=True):
        try:
            tokens = first_tokens(rows, vocabularies[names[model]])
        except InputError as error:
            raise WrongTokenizer(f"{model}: {error}") from None
        tokens.insert(0, "model", model)
        tokens.insert(1, "context", context)
        parts.append(tokens)
    return pd.concat(parts, ignore_index=True)


def _tokenizer_of(model: str, registry: Registry) -> str:
    """The name of a model's tokenizer; of a GGUF file on a Hub, the tokenizer in its metadata."""
    spec = find_model(model, registry)
    own = gguf_settings(spec.hub, spec.revision, spec.file) if spec.hub and not spec.tokenizer else None
    return str(own) if own else tokenizer_name(model, registry)
