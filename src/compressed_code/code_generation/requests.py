"""What is asked of a model, how, and what comes back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compressed_code.benchmarks.tasks import Task
from compressed_code.core.errors import InputError, in_one_line
from compressed_code.models.start_contexts import special_tokens, start_ids
from compressed_code.tokenizers.files import cutting_tokenizer, for_other_readers
from compressed_code.tokenizers.gguf import read_gguf_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

FinishReason = Literal["end", "stop", "limit"]
Precise = Callable[[], "PreTrainedModel"]  # gives a model in float64, opened when it is first needed


@dataclass(frozen=True)
class Request:
    """One program to write.

    Attributes:
        task_id: the task; with `sample` it names the request and decides its random numbers.
        sample: number of the answer within its task, from 0.
        input_ids: what the model is given, start ids included.
    """

    task_id: str
    sample: int
    input_ids: tuple[int, ...]


@dataclass(frozen=True)
class Completion:
    """What a model wrote.

    Attributes:
        task_id, sample: of the request.
        text: `raw` up to the earliest stop string.
        raw: everything that was written, the end-of-text token excepted; bytes that are no UTF-8 are replaced.
        token_ids: the ids behind `raw`.
        finish_reason: "end" (an end-of-text token), "stop" (a stop string) or "limit" (no room for another token).
        rechecked: how many of its tokens were decided at batch 1.
        near_ties: how many of its choices, the one that ended it included, lie within rounding noise of another token
            (`batch_invariance.NEAR_TIE`), greedy or drawn; where there is none, every machine writes this program. Of a
            model that is small enough for float64 (`models.precision`) every machine counts as many.
    """

    task_id: str
    sample: int
    text: str
    raw: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    rechecked: int = 0
    near_ties: int = 0


@dataclass(frozen=True)
class Settings:
    """How tokens are chosen and when a program is finished.

    Attributes:
        max_tokens: most new tokens; the model's own window may end a program earlier.
        temperature: divides the logits before sampling; 0 is greedy.
        top_p: sample among the most likely tokens that together reach this probability, 0 < top_p ≤ 1.
        seed: of all random numbers.
        stop: strings that end a program.
        end_ids: ids that end a text.
        batch: programs written at the same time.
        batch_invariant: decide doubtful tokens at batch 1, so that the text does not depend on `batch`; float32 only.

    Raises:
        InputError: a value outside of its range.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    end_ids: frozenset[int] = frozenset()
    batch: int = 64
    batch_invariant: bool = True

    def __post_init__(self) -> None:
        ranges = {
            "max_tokens": (self.max_tokens >= 1, "at least 1"),
            "temperature": (0 <= self.temperature < float("inf"), "0 (greedy) or a positive number"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "batch": (self.batch >= 1, "at least 1"),
            "stop": (all(self.stop), "texts that are not empty"),
        }
        for name, (right, wanted) in ranges.items():
            if not right:
                raise InputError(f"{name} = {getattr(self, name)!r}: must be {wanted}")


def make_requests(input_ids: Mapping[str, Sequence[int]], samples: int = 1) -> list[Request]:
    """Requests for `samples` answers to every task, in the order of the tasks.

    Args:
        input_ids: task id → what the model is given.

    Raises:
        InputError: fewer than one sample.
    """
    if samples < 1:
        raise InputError(f"samples = {samples}: must be at least 1")
    return [Request(task, sample, tuple(ids)) for task, ids in input_ids.items() for sample in range(samples)]


def input_ids(
    tasks: Sequence[Task], model: Path, encode: Callable[[str], list[int]], *, chat: bool = False, context: str
) -> dict[str, tuple[int, ...]]:
    """What a model is given for each task, by task id.

    Args:
        model: checkpoint folder or GGUF file.
        encode: as `Vocabulary.encode`.
        chat: through the chat template of the model's tokenizer; else `prompt_ids` after the start context.
        context: one of `start_contexts.CONTEXTS`; a chat template brings its own.

    Raises:
        InputError, Unavailable: there is no such template or start context.
    """
    if chat:
        encoded = chat_ids(model, [task.prompt for task in tasks])
    else:
        start = start_ids(model, context)
        encoded = [prompt_ids(encode, task.prompt, start) for task in tasks]
    return {task.task_id: ids for task, ids in zip(tasks, encoded, strict=True)}


def end_ids(model: "PreTrainedModel", path: Path) -> frozenset[int]:
    """Whatever a model's configuration, its generation settings or its tokenizer call the end of a text.

    Args:
        path: of the model.
    """
    config = model.config.get_text_config(decoder=True)  # of a model that reads images as well
    declared = [getattr(config, "eos_token_id", None), model.generation_config.eos_token_id, special_tokens(path).eos]
    lists = [ids if isinstance(ids, list) else [ids] for ids in declared if ids is not None]
    return frozenset(token for ids in lists for token in ids)


def prompt_ids(encode: Callable[[str], list[int]], prompt: str, start_ids: Sequence[int] = ()) -> tuple[int, ...]:
    """The ids of a prompt, byte for byte, after the start ids. Nothing is stripped and nothing is added.

    Args:
        encode: as `Vocabulary.encode`.
    """
    return (*start_ids, *encode(prompt))


def chat_ids(model: Path, prompts: Sequence[str]) -> list[tuple[int, ...]]:
    """The ids of prompts as the user's turn of a model's own chat template, the model's turn begun.

    Args:
        model: a folder with its tokenizer, or a GGUF file, which holds both, unless a tokenizer.json beside it cuts.

    Raises:
        InputError: there is no tokenizer that transformers can open, or it has no chat template.
        Unavailable: the rule by which a GGUF file's tokenizer cuts text is not known.
    """
    from transformers import AutoTokenizer

    try:
        if model.is_file():
            tokenizer = _of_gguf(model)
        else:
            with for_other_readers(model) as folder:
                tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except InputError:
        raise
    except Exception as error:  # transformers raises whatever its libraries raise; the user needs one line
        reason = in_one_line(error)
        raise InputError(f"{model}: transformers cannot open its tokenizer ({reason})") from None
    if not tokenizer.chat_template:
        raise InputError(f"{model}: the tokenizer has no chat template; leave --chat away")
    turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
    encoded = (tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=False) for turn in turns)
    return [tuple(ids) for ids in encoded]


def _of_gguf(file: Path) -> "PreTrainedTokenizerFast":
    """The tokenizer of a GGUF file as transformers takes it, with its chat template."""
    from transformers import PreTrainedTokenizerFast

    own = read_gguf_tokenizer(file)
    names = {"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token", "padding": "pad_token"}
    special = {names[kind]: own.pieces[number] for kind, number in own.special.items() if kind in names}
    cutting = cutting_tokenizer(own)
    tokenizer = own.tokenizer(special_in_text=True) if cutting is None else cutting.opened()
    opened = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    opened.chat_template = own.chat_template
    return opened
