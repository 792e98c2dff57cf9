"""Models as subjects, and their cold starts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import cold_start as engine
from helpers.cold_start_metrics import entropy, first_tokens
from helpers.downloads import sha256_of_file
from helpers.errors import InputError, Unavailable
from helpers.hub import download_model, download_settings, find_commit, open_remote_checkpoint
from helpers.languages import KEYWORDS_FILE, keyword_union, select_languages
from helpers.measurements import measure, measurement
from helpers.measurements.tokenizers import vocabulary
from helpers.measurements.variants import quantized_variant
from helpers.models import load_model
from helpers.registry import ModelSpec, Registry, TokenizerSpec, find_model, load_registry, tokenizer_name
from helpers.start_contexts import StartContext, start_context
from helpers.tokenizer_files import open_tokenizer
from helpers.vocabulary import vocabulary_table

# Files of a folder that decide what a model computes.
_DECIDING_FILES = ("*.safetensors", "*.gguf", "config.json", "generation_config.json", "tokenizer*.json")


@dataclass(frozen=True)
class HubModel:
    """A model on a Hub of which only the tensors that are needed are fetched; `file` names a GGUF file."""

    hub: str
    commit: str
    file: str | None


class ModelSubject:
    """Models on this machine: a folder or GGUF file, whose content decides the key.

    One on a Hub is downloaded, a quantized variant is made where it was not made before.
    """

    column = "model"

    def find(self, name: str, registry: Registry) -> ModelSpec:
        return find_model(name, registry)

    def key_fields(self, spec: ModelSpec) -> Mapping[str, Any]:
        return {file.name: sha256_of_file(file) for file in deciding_files(self.open(spec))}

    def open(self, spec: ModelSpec) -> Path:
        if spec.quantization is not None:
            return quantized_variant(self.open(find_model(spec.parent, load_registry())), spec.quantization)
        if spec.hub is not None:
            return download_model(spec.hub, spec.revision, spec.file)
        if not spec.location.exists():
            raise InputError(f"{spec.key}: no model at {spec.location}; the zoo's are trained by make zoo")
        return spec.location / spec.file if spec.file else spec.location


def deciding_files(model: Path) -> list[Path]:
    """The files that decide what a model computes: a GGUF file itself, or those of a folder."""
    if model.is_file():
        return [model]
    return sorted({file for pattern in _DECIDING_FILES for file in model.glob(pattern)})


class CheckpointSubject(ModelSubject):
    """The same, but a model on a Hub stays there: its commit decides the key."""

    def key_fields(self, spec: ModelSpec) -> Mapping[str, Any]:
        opened = self.open(spec)
        return asdict(opened) if isinstance(opened, HubModel) else super().key_fields(spec)

    def open(self, spec: ModelSpec) -> Path | HubModel:
        if spec.hub is not None:
            return HubModel(spec.hub, find_commit(spec.hub, spec.revision), spec.file)
        return super().open(spec)


@measurement(version=1, subject=CheckpointSubject(), packages=["numpy", "transformers", "gguf"])
def cold_start(
    model: Path | HubModel, context: str = "document", input_ids: Sequence[int] | None = None
) -> pd.DataFrame:
    """The whole next-token distribution after a start context, one row per row of the output layer.

    Args:
        context: one of `start_contexts.CONTEXTS`; with `input_ids`, what the context is to be called.
        input_ids: exact ids in place of a named context.

    Returns:
        Columns `token_id`, `log_probability` (float32), and, the same in every row: `context`, `input_ids` (blanks
        between), `origin` (what decided the ids), `engine`, `reason` (why transformers was needed), `bytes_read`.
    """
    remote = isinstance(model, HubModel)
    if input_ids is not None:
        start = StartContext(context, tuple(input_ids), "given by hand")
    else:
        start = start_context(download_settings(model.hub, model.commit) if remote else model, context)
    if remote:
        result = engine.cold_start_from(open_remote_checkpoint(model.hub, model.commit, model.file), start.ids)
    else:
        result = engine.cold_start(model, start.ids)
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
        }
    )


@measurement(version=1, subject=ModelSubject(), inputs=[KEYWORDS_FILE], packages=["torch", "transformers"])
def warm_start(model: Path, kept: int = 50) -> pd.DataFrame:
    """The next-token distribution after every keyword that is one token: alone, and after the document start.

    Args:
        kept: how many of the most probable tokens are stored.

    Returns:
        Columns `start` ("alone" or "document"), `keyword`, `input_ids` (blanks between), `rank` (from 1, the
        most probable), `token_id`, `probability`, `entropy_nats` (of the whole distribution, the same for all rows of
        a keyword).
    """
    import torch

    tokenizer = open_tokenizer(TokenizerSpec(key=str(model), label=str(model), path=str(model)))
    table = vocabulary_table(tokenizer, keyword_union(select_languages(None)))
    bare = table[table["form"] == "bare"].drop_duplicates("keyword")
    network, tables = load_model(model), []
    for start, lead in (("alone", ()), ("document", start_context(model, "document").ids)):
        inputs = torch.tensor([[*lead, token] for token in bare["token_id"]])
        with torch.inference_mode():
            logits = network(input_ids=inputs).logits[:, -1].double()
        probabilities = logits.softmax(-1).numpy()
        for keyword, ids, row in zip(bare["keyword"], inputs.tolist(), probabilities, strict=True):
            best = np.argsort(-row, kind="stable")[:kept]
            columns = {"start": start, "keyword": keyword, "input_ids": " ".join(map(str, ids))}
            columns |= {"rank": range(1, len(best) + 1), "token_id": best, "probability": row[best]}
            tables.append(pd.DataFrame(columns | {"entropy_nats": entropy(row)}))
    return pd.concat(tables, ignore_index=True)


def cold_starts(
    models: Iterable[str], contexts: Iterable[str] = ("document",), registry: Registry | None = None
) -> pd.DataFrame:
    """Cold starts of several models in several contexts, stacked; columns `model` and those of `cold_start`.

    A context that a model does not have is named on standard error and left out.

    Raises:
        InputError: a model is unknown or broken.
        Unavailable: nothing could be measured.
    """
    models, tables = list(models), []
    for context in contexts:
        try:
            tables.append(measure(cold_start, models, context=context, registry=registry))
        except Unavailable:
            continue  # measure has named every model it left out
    if not tables:
        raise Unavailable("cold_start: no model has any of the contexts")
    return pd.concat(tables, ignore_index=True)


def with_tokens(distributions: pd.DataFrame, registry: Registry | None = None) -> pd.DataFrame:
    """Cold starts joined with what their tokens are.

    Args:
        distributions: `cold_starts`.

    Returns:
        Columns `model`, `context`, and those of `cold_start_metrics.first_tokens`.

    Raises:
        InputError: a tokenizer is wider than its model's output layer.
    """
    registry = registry or load_registry()
    names = {model: tokenizer_name(model, registry) for model in distributions["model"].unique()}
    vocabularies = {name: measure(vocabulary, [name], registry=registry) for name in set(names.values())}
    parts = []
    for (model, context), rows in distributions.groupby(["model", "context"], sort=False, observed=True):
        try:
            tokens = first_tokens(rows, vocabularies[names[model]])
        except InputError as error:
            raise InputError(f"{model}: {error}") from None
        tokens.insert(0, "model", model)
        tokens.insert(1, "context", context)
        parts.append(tokens)
    return pd.concat(parts, ignore_index=True)
