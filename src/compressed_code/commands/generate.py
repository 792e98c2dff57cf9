"""`generate`: let a model write programs for the tasks of a benchmark."""

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from compressed_code.core.errors import InputError

if TYPE_CHECKING:
    from compressed_code.code_generation import Completion, Settings

HELP = "Let a model write programs for the tasks of a benchmark; a run that was killed goes on where it stopped."
MODEL_HELP = "registry key, folder, GGUF file or MODEL+QUANTIZATION"


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    from compressed_code.models.start_contexts import CONTEXTS

    command = commands.add_parser("generate", help=HELP, description=HELP)
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument(
        "--benchmark",
        required=True,
        metavar="NAME|FILE",
        help="humaneval, zoo, zoo-standard, zoo-hard, zoo-ood, or a file in HumanEval's or MBPP's format",
    )
    command.add_argument(
        "--out", required=True, type=Path, metavar="FILE.jsonl", help="sample file, continued if there"
    )
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
        "--context", choices=CONTEXTS, default="document", help="what stands before a prompt; default: document"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the programs that the sample file does not hold yet."""
    from tqdm import tqdm

    from compressed_code.benchmarks.tasks import load_benchmark
    from compressed_code.code_generation import end_ids, generate_to_file, input_ids, make_requests
    from compressed_code.core.atomic_files import check_target
    from compressed_code.measurements.subjects.models import ModelSubject
    from compressed_code.models.load import load_model
    from compressed_code.registry.lookup import find_model, find_tokenizer, load_registry, tokenizer_name
    from compressed_code.tokenizers.files import open_tokenizer

    check_target(options.out, [options.benchmark], "--out")
    registry, subject = load_registry(), ModelSubject()
    tasks = load_benchmark(options.benchmark)
    spec = find_model(options.model, registry)
    chat = options.chat or spec.chat
    settings = _settings(options, chat)
    path = subject.open(spec)
    vocabulary = open_tokenizer(find_tokenizer(tokenizer_name(options.model, registry), registry))
    given = input_ids(tasks, path, vocabulary.encode, chat=chat, context=options.context)
    requests = make_requests(given, options.samples)
    model = load_model(path)
    prompts = {task.task_id: task.prompt for task in tasks}
    with tqdm(total=len(requests), desc=spec.key, disable=None, leave=False) as bar:
        lines = generate_to_file(
            options.out,
            model,
            vocabulary,
            requests,
            replace(settings, end_ids=end_ids(model, path)),
            identity={"files": dict(subject.key_fields(spec)), "chat": chat},
            code=lambda completion: _code(completion, prompts[completion.task_id], chat),
            progress=bar.update,
        )
    print(f"{options.out}: {len(lines):,} programs for {len(tasks):,} tasks", file=sys.stderr)
    if not any(line["raw"] for line in lines):
        raise InputError(
            f"{options.model}: every completion is empty: the model ends the text at once; the file is kept;"
            " try another --context or --chat"
        )


def _settings(options: argparse.Namespace, chat: bool) -> "Settings":
    from compressed_code.benchmarks.completions import STOP_SEQUENCES
    from compressed_code.code_generation import Settings

    stop = [_unescaped(text) for text in options.stop] if options.stop is not None else STOP_SEQUENCES
    return Settings(
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
        stop=() if chat and options.stop is None else tuple(stop),
        batch=options.batch,
    )


def _unescaped(text: str) -> str:
    r"""A shell's argument with \n, \t and \\ read as in Python."""
    return re.sub(r"\\([nt\\])", lambda match: {"n": "\n", "t": "\t", "\\": "\\"}[match[1]], text)


def _code(completion: "Completion", prompt: str, chat: bool) -> str:
    from compressed_code.benchmarks.completions import extract_code

    return extract_code(completion.text, prompt) if chat else completion.text
