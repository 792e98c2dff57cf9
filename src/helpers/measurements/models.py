"""Models as subjects, and their cold starts."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import cold_start as engine
from helpers.checkpoints.digests import file_digest
from helpers.cold_start_metrics import entropy, first_tokens
from helpers.errors import InputError, Unavailable
from helpers.hub import download_model, find_commit, gguf_settings, open_remote_model
from helpers.languages import KEYWORDS_FILE, keyword_union, select_languages
from helpers.measurements import measure, measurement
from helpers.measurements.tokenizers import vocabulary
from helpers.measurements.variants import quantized_variant
from helpers.models import load_model
from helpers.precision import precision_of
from helpers.registry import Registry, find_model, load_registry, tokenizer_name
from helpers.specs import ModelSpec, TokenizerSpec
from helpers.start_contexts import StartContext, start_context
from helpers.tokenizer_files import open_tokenizer
from helpers.vocabulary import vocabulary_table

# Files of a folder that no program reads to compute something: texts for people, git's own, and the two records that
# this repository writes beside weights, of a training and of a quantization. Everything else may decide a number.
_IDLE_FILE = re.compile(
    r"""((readme|licen[sc]e|notice|copying|use_policy|changelog)[\w-]*(\.(md|txt|rst|pdf|html))? | .*\.md
    | \.git\w* | \.DS_Store | training\.json | compression\.json)""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class HubModel:
    """A model on a Hub of which only the tensors that are needed are fetched; `file` names a GGUF file."""

    hub: str
    commit: str
    file: str | None


class WrongTokenizer(InputError):
    """A tokenizer has more entries than the output layer of the model that is said to use it."""


class ModelSubject:
    """Models on this machine: a folder or GGUF file, whose content decides the key.

    One on a Hub is downloaded, a quantized variant is made where it was not made before.
    """

    column = "model"

    def find(self, name: str, registry: Registry) -> ModelSpec:
        return find_model(name, registry)

    def key_fields(self, spec: ModelSpec) -> Mapping[str, Any]:
        model = self.open(spec)
        folder = model.parent if model.is_file() else model
        return {file.relative_to(folder).as_posix(): file_digest(file) for file in deciding_files(model)}

    def open(self, spec: ModelSpec) -> Path:
        if spec.quantization is not None:
            return quantized_variant(self.open(find_model(spec.parent, load_registry())), spec.quantization)
        if spec.hub is not None:
            return download_model(spec.hub, spec.revision, spec.file)
        if not spec.checkpoint.exists():
            raise InputError(f"{spec.key}: no model at {spec.checkpoint}; the zoo's are trained by make zoo")
        return spec.checkpoint


def deciding_files(model: Path) -> list[Path]:
    """The files that may decide what a model computes: a GGUF file itself, or all of a folder but texts for people.

    Weights come as safetensors, *.bin or shards with an index, tokenizers in a dozen forms, and a file more costs
    reading it once (`checkpoints.digests`), while one that is overlooked gives another model's numbers.

    Raises:
        InputError: the folder holds no model.
    """
    if model.is_file():
        return [model]
    if not (model / "config.json").is_file():  # whatever else it is, and however large: nothing opens it
        count = len(list(model.glob("*.gguf")))
        remedy = f"; name one of its {count} GGUF files" if count else " and no GGUF file; name a model's own folder"
        raise InputError(f"{model}: holds no config.json{remedy}")
    return sorted(_below(model))


def _below(folder: Path) -> Iterator[Path]:
    """Files that are not idle; below folders, too (chat templates, shards), but not hidden ones (.git, .cache)."""
    for entry in folder.iterdir():
        if entry.is_dir():
            if not entry.name.startswith(".") and not entry.is_symlink():  # which may lead round in a circle
                yield from _below(entry)
        elif entry.is_file() and not _IDLE_FILE.fullmatch(entry.name):
            yield entry


class CheckpointSubject(ModelSubject):
    """The same, but a model on a Hub stays there: its commit decides the key."""

    def key_fields(self, spec: ModelSpec) -> Mapping[str, Any]:
        opened = self.open(spec)
        return asdict(opened) if isinstance(opened, HubModel) else super().key_fields(spec)

    def open(self, spec: ModelSpec) -> Path | HubModel:
        if spec.hub is not None:
            return HubModel(spec.hub, find_commit(spec.hub, spec.revision), spec.file)
        return super().open(spec)


@measurement(version=3, subject=CheckpointSubject(), packages=["numpy", "transformers", "gguf"])
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
        `precision` (of the arithmetic, `helpers.precision`).
    """
    remote = open_remote_model(model.hub, model.commit, model.file) if isinstance(model, HubModel) else None
    if input_ids is not None:
        start = StartContext(context, tuple(input_ids), "given by hand")
    else:
        start = start_context(remote.settings() if remote else model, context)
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


@measurement(version=2, subject=ModelSubject(), inputs=[KEYWORDS_FILE], packages=["torch", "transformers"])
def warm_start(model: Path, kept: int = 50) -> pd.DataFrame:
    """The next-token distribution after every keyword that is one token: alone, and after the document start.

    Args:
        kept: how many of the most probable tokens are stored.

    Returns:
        Columns `start` ("alone" or "document"), `keyword`, `input_ids` (blanks between), `rank` (from 1, the
        most probable), `token_id`, `probability`, `entropy_nats` (of the whole distribution, the same for all rows of
        a keyword), both float32, and `precision` (of the arithmetic, `helpers.precision`).
    """
    import torch

    tokenizer = open_tokenizer(TokenizerSpec(key=str(model), label=str(model), path=str(model)))
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
        WrongTokenizer: a tokenizer is wider than its model's output layer.
        InputError: a tokenizer is broken, or there is none.
    """
    registry = registry or load_registry()
    names = {model: _tokenizer_of(model, registry) for model in distributions["model"].unique()}
    vocabularies = {name: measure(vocabulary, [name], registry=registry) for name in set(names.values())}
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
