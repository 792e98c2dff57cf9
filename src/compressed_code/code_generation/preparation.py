"""A model and a benchmark made ready: what every prompt is, when a program ends, and the code in an answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressed_code.benchmarks.chat_answers import extract_code
from compressed_code.benchmarks.completions import STOP_SEQUENCES
from compressed_code.benchmarks.tasks import Task
from compressed_code.code_generation.requests import (
    Precise,
    Request,
    Settings,
    end_ids,
    input_ids,
    make_requests,
)
from compressed_code.models.devices import chosen_device
from compressed_code.models.load import load_model
from compressed_code.models.precision import precision_of
from compressed_code.tokenizers.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Prepared:
    """What `engine.write_programs` takes."""

    model: "PreTrainedModel"
    vocabulary: Vocabulary
    requests: Sequence[Request]
    settings: Settings
    precise: Precise | None  # where the model is small enough to count its near-ties in float64


def prepare(
    path: Path,
    vocabulary: Vocabulary,
    tasks: Sequence[Task],
    *,
    chat: bool = False,
    context: str = "document",
    samples: int = 1,
    stop: Sequence[str] | None = None,
    dtype: "torch.dtype | None" = None,
    **settings: Any,
) -> Prepared:
    """Load a model and encode the tasks for it.

    Args:
        path: checkpoint folder or GGUF file.
        vocabulary: encodes the prompts.
        chat: ask through the chat template of the tokenizer beside the weights.
        context: what stands before a bare prompt, one of `start_contexts.CONTEXTS`; a chat template brings its own.
        samples: answers to each task.
        stop: strings that end a program; by default `completions.STOP_SEQUENCES`, in a chat none.
        dtype: what the model computes in; by default float32.
        settings: further fields of `Settings`.

    Raises:
        InputError, Unavailable: no such chat template or start context; a setting outside of its range.
    """
    if stop is None:
        stop = () if chat else STOP_SEQUENCES
    chosen = Settings(stop=tuple(stop), **settings)  # a bad setting is told before anything is loaded
    given = input_ids(tasks, path, vocabulary.encode, chat=chat, context=context)
    model = load_model(path, chosen_device())
    if dtype is not None:
        model = model.to(dtype)
    chosen = replace(chosen, end_ids=end_ids(model, path))
    precise = None if dtype is not None else _in_float64(path)
    return Prepared(model, vocabulary, make_requests(given, samples), chosen, precise)


def _in_float64(path: Path) -> Precise | None:
    """The model in float64, where that is what it is measured in; on the processor, since some devices know none."""
    if precision_of(path) == "float32":
        return None
    return cache(lambda: load_model(path, dtype="float64"))


def written_code(text: str, task: Task, *, chat: bool) -> str:
    """What follows the prompt in a program: a completion as it is, of a chat's answer the code in it."""
    return extract_code(text, task.prompt, task.entry_point) if chat else text
