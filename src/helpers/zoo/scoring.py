"""Score a zoo model: greedy programs for the held-out tasks, and held-out loss by language.

The programs are written by models that have seen templates only; they run in a child process under time and memory
limits. That keeps an endless loop from stopping a run; it is no sandbox for code of unknown origin.
"""

import json
import math
import multiprocessing
import resource
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

NEW_TOKENS = 200  # longest program, in tokens
BATCH = 64
SECONDS = 2  # CPU time of one program
MEMORY = 1 << 29  # bytes of address space of one program
TIERS = ("standard", "hard", "ood")


def load_tasks(directory: Path) -> list[dict[str, Any]]:
    """The held-out tasks of all tiers, in the order of the files."""
    files = [directory / f"zoo-{tier}.jsonl" for tier in TIERS]
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def write_programs(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[str], progress: str = ""
) -> list[str]:
    """Greedy continuations up to the end-of-document token.

    Prompts of about the same length share a batch and are padded on the left.
    """
    tokenizer.padding_side = "left"
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    answers = [""] * len(prompts)
    model.eval()
    for start in tqdm(range(0, len(order), BATCH), desc=progress, disable=None, leave=False):
        numbers = order[start : start + BATCH]
        inputs = tokenizer([prompts[number] for number in numbers], return_tensors="pt", padding=True)
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            out = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
        written = tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        for number, text in zip(numbers, written, strict=True):
            answers[number] = text
    return answers


def run_program(program: str) -> str:
    """Outcome of one program: `passed`, `timeout`, or the name of the exception that ended it."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(program, sender))
    child.start()
    sender.close()
    child.join(4 * SECONDS)
    if child.is_alive():
        child.kill()
        child.join()
    try:
        return receiver.recv() if receiver.poll() else "timeout"
    except EOFError:
        return "timeout" if child.exitcode == -signal.SIGXCPU else "crashed"
    finally:
        receiver.close()


def held_out_loss(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Mapping[str, Iterable[str]], context: int
) -> pd.DataFrame:
    """Teacher-forced loss per language on held-out documents, each one alone after the start token.

    Args:
        texts: language → documents.
        context: tokens kept of each document.

    Returns:
        Columns `language`, `nats_per_token`, `bits_per_byte`, `tokens`, `bytes` (of the text the kept tokens spell).
    """
    rows = []
    for language, documents in texts.items():
        nats = tokens = size = 0.0
        for text in documents:
            ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=context)["input_ids"]
            with torch.no_grad():
                logits = model(input_ids=ids).logits[0, :-1].float()
            nats += functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
            tokens += ids.shape[1] - 1
            size += len(tokenizer.decode(ids[0, 1:]).encode())
        rows.append((language, nats / tokens, nats / size / math.log(2), int(tokens), int(size)))
    return pd.DataFrame(rows, columns=["language", "nats_per_token", "bits_per_byte", "tokens", "bytes"])


def score_model(folder: Path, tasks: list[dict[str, Any]]) -> pd.DataFrame:
    """One greedy program per task.

    Returns:
        Columns `task_id`, `tier`, `completion`, `outcome`, `passed`.
    """
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    written = write_programs(model, tokenizer, [task["prompt"] for task in tasks], folder.name)
    rows = []
    for task, completion in zip(tasks, written, strict=True):
        outcome = run_program(f"{task['prompt']}{completion}\n{task['test']}\ncheck({task['entry_point']})\n")
        rows.append((task["task_id"], task["tier"], completion, outcome, outcome == "passed"))
    return pd.DataFrame(rows, columns=["task_id", "tier", "completion", "outcome", "passed"])


def _child(program: str, sender: Any) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY + _address_space(), resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        exec(compile(program, "<program>", "exec"), {"__name__": "program"})
        outcome = "passed"
    except BaseException as error:
        outcome = type(error).__name__
    sender.send(outcome)


def _address_space() -> int:
    """Bytes the forked parent already takes."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
