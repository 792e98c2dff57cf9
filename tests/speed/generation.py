"""Speed of generation beside a plain generate() loop at batch 1, in one process, one thread.

Times are processor time, which on one thread is the wall time of an idle machine.

    python tests/speed/generation.py [--tasks 320] [--plain 40] [--new-tokens 200]

The standard tier on the 1M model of the zoo; both sides write greedily up to the end-of-text token. The plain loop may
run on every n-th task only (`--plain`) and is scaled up. A second part has programs that always run to the limit: a
random model of the same shape whose head is peaked, as after training, on prompts of 100 tokens.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from bench_rows import Row, is_short, product_rate, show
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel

from compressed_code.benchmarks.tasks import load_benchmark
from compressed_code.code_generation.engine import write_programs
from compressed_code.code_generation.requests import Completion, Request, Settings, make_requests, prompt_ids
from compressed_code.core.paths import DATA
from compressed_code.models.load import load_model
from compressed_code.models.start_contexts import special_tokens, start_ids
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary

ZOO_MODEL = DATA / "zoo" / "zoo-m"
RUNS = 2
Result = TypeVar("Result")


def main() -> None:
    short = is_short()
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tasks", type=int, default=32 if short else 320)
    options.add_argument("--plain", type=int, default=8 if short else 40, help="tasks of the plain loop, evenly spread")
    options.add_argument("--new-tokens", type=int, default=200)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    rows = []
    if ZOO_MODEL.is_dir():
        vocabulary = open_tokenizer(TokenizerSpec(key="zoo", label="zoo", path=str(ZOO_MODEL)))
        start = start_ids(ZOO_MODEL)
        tasks = load_benchmark("zoo-standard")[: chosen.tasks]
        requests = make_requests({t.task_id: prompt_ids(vocabulary.encode, t.prompt, start) for t in tasks})
        ends = frozenset([special_tokens(ZOO_MODEL).eos])
        settings = Settings(max_tokens=chosen.new_tokens, end_ids=ends)
        rows += compare(
            "zoo-m on the standard tier", load_model(ZOO_MODEL), vocabulary, requests, settings, chosen.plain
        )
    else:
        print(f"{ZOO_MODEL}: not there, skipped; make zoo trains it", file=sys.stderr)
    model, vocabulary, requests = random_case(chosen.tasks)
    settings = Settings(max_tokens=chosen.new_tokens)
    rows += compare(
        "random 1M Llama, 100 + limit tokens", model, vocabulary, requests, settings, max(1, chosen.plain // 4)
    )
    show(rows)


def compare(
    name: str,
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    requests: Sequence[Request],
    settings: Settings,
    plain_tasks: int,
) -> list[Row]:
    """Both times, scaled to all tasks, and on how many tasks the texts differ."""
    chosen = requests[:: max(1, len(requests) // max(1, plain_tasks))]
    plain_seconds, plain = timed(lambda: [plain_loop(model, request, settings) for request in chosen], runs=1)
    plain_seconds *= len(requests) / len(chosen)

    def ours() -> dict[str, Completion]:
        return {part.task_id: part for batch in write_programs(model, vocabulary, requests, settings) for part in batch}

    seconds, written = timed(ours, runs=RUNS)
    differing = sum(written[r.task_id].token_ids != ids for r, ids in zip(chosen, plain, strict=True))
    tokens = sum(len(part.token_ids) for part in written.values())
    goal = f"programs: {name}, {len(requests)} programs, {tokens:,} tokens, one thread"
    peer = "generate() of transformers, one by one"
    weights = sum(part.numel() for part in model.parameters())
    read = sum(len(request.input_ids) for request in requests)
    least = 2 * weights * (tokens + read) / product_rate(1)
    return [
        Row(goal, seconds, "s", None, 5, peer, plain_seconds, "its products of matrices", least),
        Row(f"{goal}: that differ", differing, "programs", 0),
    ]


def timed(work: Callable[[], Result], runs: int) -> tuple[float, Result]:
    """Smallest processor time of several runs, and the last result."""
    best = float("inf")
    for _ in range(runs):
        started = time.process_time()
        result = work()
        best = min(best, time.process_time() - started)
    return best, result


def plain_loop(model: PreTrainedModel, request: Request, settings: Settings) -> tuple[int, ...]:
    """One greedy program by transformers, without the end-of-text token."""
    ids = torch.tensor([request.input_ids])
    with torch.inference_mode():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=settings.max_tokens,
            do_sample=False,
            eos_token_id=sorted(settings.end_ids) or None,
            pad_token_id=0,
        )
    new = out[0, ids.shape[1] :].tolist()
    return tuple(new[:-1] if new[-1] in settings.end_ids else new)


def random_case(tasks: int) -> tuple[PreTrainedModel, Vocabulary, list[Request]]:
    """A Llama of a million weights with a head that has clear favourites, and prompts of about 100 random ids."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=2048,
        hidden_size=128,
        intermediate_size=344,
        num_hidden_layers=4,
        num_attention_heads=4,
        initializer_range=0.1,
        tie_word_embeddings=True,
        eos_token_id=None,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    lengths = torch.randint(80, 121, (tasks,)).tolist()
    prompts = {f"random/{n}": torch.randint(2048, (length,)).tolist() for n, length in enumerate(lengths)}
    letters = Vocabulary((b"x",) * 2048, frozenset(), {}, lambda text: [0] * len(text))
    return model, letters, make_requests(prompts)


if __name__ == "__main__":
    main()
