"""`generate`: let a model write programs for the tasks of a benchmark."""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compressed_code.commands.parsers import declare
from compressed_code.core.errors import InputError

HELP = "Let a model write programs for the tasks of a benchmark; a run that was killed goes on where it stopped."
EXAMPLES = (
    "generate zoo-m --benchmark zoo-standard --limit 3 --out programs.jsonl",
    "generate zoo-m --benchmark zoo-ood --limit 2 --temperature 0.8 --out sampled.jsonl",
)
MODEL_HELP = "registry key, folder, GGUF file or MODEL+QUANTIZATION"


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    from compressed_code.models.start_contexts import CONTEXTS

    command = declare(commands, "generate", HELP, EXAMPLES)
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument(
        "--benchmark",
        required=True,
        metavar="NAME|FILE",
        help="humaneval, zoo, zoo-standard, zoo-hard, zoo-ood, or a file in the form of HumanEval, MBPP or EvalPlus",
    )
    command.add_argument(
        "--out", required=True, type=Path, metavar="FILE.jsonl", help="sample file, continued if there"
    )
    command.add_argument("--limit", type=int, metavar="N", help="the first N tasks; default: all of them")
    command.add_argument("--samples", type=int, default=1, metavar="N", help="answers to each task; default: 1")
    command.add_argument("--temperature", type=float, default=0.0, metavar="T", help="default: 0, which is greedy")
    command.add_argument("--top-p", type=float, default=1.0, metavar="P", help="nucleus; default: 1, all tokens")
    command.add_argument("--max-tokens", type=int, default=512, metavar="N", help="new tokens; default: 512")
    command.add_argument(
        "--stop",
        nargs="*",
        metavar="TEXT",
        help=r"strings that end a program, \n and \t understood; default: the five of the HumanEval paper, none with"
        " --chat; --stop alone: none",
    )
    command.add_argument("--batch", type=int, default=64, metavar="N", help="programs written at once; default: 64")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="of the samples; default: 0")
    command.add_argument(
        "--chat",
        action="store_true",
        help="ask through the tokenizer's own chat template; a row of data/models.yml can say so, too",
    )
    command.add_argument(
        "--context",
        choices=CONTEXTS,
        default="tokenizer",
        help="what stands before a prompt, none for nothing; default: what the tokenizer adds; a chat brings its own",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the programs that the sample file does not hold yet."""
    from compressed_code.core.lean_imports import import_model_code

    import_model_code()
    from tqdm import tqdm

    from compressed_code.benchmarks.tasks import load_benchmark
    from compressed_code.code_generation.preparation import prepare, written_code
    from compressed_code.code_generation.sample_files import generate_to_file
    from compressed_code.core.atomic_files import check_target
    from compressed_code.measurements.subjects.models import ModelSubject
    from compressed_code.measurements.subjects.writers import WriterSubject
    from compressed_code.registry.lookup import load_registry
    from compressed_code.tokenizers.files import open_tokenizer

    check_target(options.out, [options.benchmark], "--out")
    registry, subject = load_registry(), WriterSubject()
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit {options.limit}: must be at least 1")
    tasks = {task.task_id: task for task in load_benchmark(options.benchmark)[: options.limit]}
    found = subject.find(options.model, registry)
    writer = subject.open(found, registry)
    chat = options.chat or writer.spec.chat
    ready = prepare(
        writer.path,
        open_tokenizer(writer.tokenizer),
        list(tasks.values()),
        chat=chat,
        context=options.context,
        samples=options.samples,
        stop=None if options.stop is None else [_unescaped(text) for text in options.stop],
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
        batch=options.batch,
    )
    start = {"context": "the chat template's"} if chat else _start(writer.path, options.context)
    print(f"{writer.spec.key}: before each prompt: {_in_words(start)}", file=sys.stderr)
    files = ModelSubject().key_fields(writer.spec, registry)
    with tqdm(total=len(ready.requests), desc=writer.spec.key, disable=None, leave=False) as bar:
        lines = generate_to_file(
            options.out,
            ready.model,
            ready.vocabulary,
            ready.requests,
            ready.settings,
            identity={"files": dict(files), "chat": chat, **start},
            code=lambda completion: written_code(completion.text, tasks[completion.task_id], chat=chat),
            progress=bar.update,
        )
    print(f"{options.out}: {len(lines):,} programs for {len(tasks):,} tasks", file=sys.stderr)
    if not any(line["raw"] for line in lines):
        raise InputError(
            f"{options.model}: every completion is empty: the model ends the text at once; the file is kept;"
            " try another --context or --chat"
        )


def _start(model: Path, context: str) -> dict[str, Any]:
    """What stands before a prompt, as the settings beside a sample file name it."""
    from compressed_code.models.start_contexts import start_context

    start = start_context(model, context)
    return {"context": start.name, "start_ids": list(start.ids), "origin": start.origin}


def _in_words(start: Mapping[str, Any]) -> str:
    if "origin" not in start:
        return str(start["context"])
    ids = " ".join(map(str, start["start_ids"]))
    return f"{f'ids {ids}' if ids else 'no id'} ({start['origin']})"


def _unescaped(text: str) -> str:
    r"""A shell's argument with \n, \t and \\ read as in Python."""
    return re.sub(r"\\([nt\\])", lambda match: {"n": "\n", "t": "\t", "\\": "\\"}[match[1]], text)
