"""Speed and memory of the fidelity measurement, side by side with the plain loop."""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bench_rows import Row, is_short, product_rate, show
from transformers import AutoConfig, AutoModelForCausalLM

from compressed_code.fidelity.pair import EncodedText, token_fidelity
from compressed_code.fidelity.summary import fidelity_summary
from compressed_code.fidelity.teacher_forcing import KeepingRunner
from compressed_code.tokenizers.text_classes import TEXT_CLASSES

RUNS = 3
CANDIDATES = 6
KEYWORDS = range(100, 250)


def models(vocabulary: int, hidden: int = 128, layers: int = 4) -> tuple[torch.nn.Module, torch.nn.Module]:
    """A base model of random weights and the same with a little noise: 1.07 M parameters at 2,048 entries."""
    torch.manual_seed(0)
    sizes = {"hidden_size": hidden, "intermediate_size": hidden * 11 // 4, "num_hidden_layers": layers}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "tie_word_embeddings": True}
    config = AutoConfig.for_model("llama", vocab_size=vocabulary, max_position_embeddings=512, **sizes, **heads)
    base, candidate = (AutoModelForCausalLM.from_config(config).eval() for _ in range(2))
    candidate.load_state_dict({name: value + 0.01 * value.std() for name, value in base.state_dict().items()})
    return base, candidate


def texts(vocabulary: int, count: int) -> list[EncodedText]:
    """Documents of random tokens, 40 to 400 long."""
    rng = np.random.default_rng(0)
    documents = []
    for number in range(count):
        ids = rng.integers(0, vocabulary, rng.integers(40, 400))
        classes = pd.Categorical.from_codes(rng.integers(0, len(TEXT_CLASSES), len(ids)), categories=TEXT_CLASSES)
        documents.append(EncodedText(f"{number}", "python", ids, classes))
    return documents


@torch.no_grad()
def plain_loop(
    base: torch.nn.Module,
    candidates: Sequence[torch.nn.Module],
    documents: list[EncodedText],
    folder: Path,
    dtype: torch.dtype,
    rows: int,
) -> list[np.ndarray]:
    """The usual way: the base's logits are stored once, then each candidate reads them back, one document at a time.

    Args:
        folder: where the logits are stored.
        dtype: of the statistics.
        rows: positions whose statistics are taken at a time.

    Returns:
        KL of every token for each candidate.
    """
    inputs = [torch.tensor([[1, *document.ids[:-1]]]) for document in documents]
    for number, ids in enumerate(inputs):
        torch.save(base(ids).logits[0], folder / f"{number}.pt")
    divergences = []
    for candidate in candidates:
        found = []
        for number, (ids, document) in enumerate(zip(inputs, documents, strict=True)):
            sides = torch.stack([torch.load(folder / f"{number}.pt"), candidate(ids).logits[0]])
            actual = torch.from_numpy(document.ids)[:, None].split(rows)
            for logits, tokens in zip(sides.split(rows, dim=1), actual, strict=True):
                found.append(plain_statistics(*logits.to(dtype).log_softmax(-1), tokens))
        columns = {name: np.concatenate([part[name].reshape(-1).numpy() for part in found]) for name in found[0]}
        divergences.append(columns["kl"])
    return divergences


def plain_statistics(log_p: torch.Tensor, log_q: torch.Tensor, actual: torch.Tensor) -> dict[str, torch.Tensor]:
    """By definition, a line each."""
    p, q = log_p.exp(), log_q.exp()
    middle = ((p + q) / 2).log()
    ranks = [side[:, KEYWORDS].argsort(1).argsort(1).double() for side in (log_p, log_q)]
    return {
        "kl": (p * (log_p - log_q)).sum(-1),
        "reverse_kl": (q * (log_q - log_p)).sum(-1),
        "js": ((p * (log_p - middle)).sum(-1) + (q * (log_q - middle)).sum(-1)) / 2,
        "entropies": torch.stack([-(p * log_p).sum(-1), -(q * log_q).sum(-1)]),
        "log_probabilities": torch.stack([log_p.gather(1, actual), log_q.gather(1, actual)]),
        "tops": torch.stack([log_p.argmax(-1), log_q.argmax(-1)]),
        "ranks": torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(*ranks, strict=True)]),
    }


def seconds(*works: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Median wall time of each, measured in turns, the first round thrown away."""
    times = [[] for _ in works]
    for _ in range(runs + 1):
        for work, found in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            found.append(time.perf_counter() - started)
    return [statistics.median(found[1:]) for found in times]


def large_vocabulary() -> None:
    """Run in a process of its own: peak memory with 150,000 entries and a text whose logits would fill 1.6 GB."""
    torch.set_num_threads(1)
    base, candidate = models(150_000, hidden=64, layers=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    documents = texts(150_000, 6)
    started = time.perf_counter()
    table = token_fidelity(base, candidate, documents, [1], keyword_ids=KEYWORDS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = time.perf_counter() - started
    print(json.dumps({"tokens": len(table), "seconds": took, "before": before * 1024, "peak": peak * 1024}))


def main() -> None:
    runs = 1 if is_short() else RUNS
    base, candidate = models(2048)
    documents = texts(2048, 15)
    size = sum(len(document.ids) for document in documents)
    parameters = sum(parameter.numel() for parameter in base.parameters())
    threads = torch.get_num_threads()
    rows = []

    def ours(candidates: int) -> list[pd.DataFrame]:
        runner = KeepingRunner(base, [1]) if candidates > 1 else base
        return [token_fidelity(runner, candidate, documents, [1], keyword_ids=KEYWORDS) for _ in range(candidates)]

    with tempfile.TemporaryDirectory() as name:
        for candidates in (1, CANDIDATES):

            def plain(dtype: torch.dtype, rows: int, candidates: int = candidates) -> list[np.ndarray]:
                return plain_loop(base, [candidate] * candidates, documents, Path(name), dtype, rows)

            works = {
                "ours": lambda candidates=candidates: [table["kl_nats"] for table in ours(candidates)],
                "logits stored, float64, position by position": lambda: plain(torch.float64, 1),
                "logits stored, float32, whole documents": lambda: plain(torch.float32, 10**6),
            }
            times, exact = seconds(*works.values(), runs=runs), plain(torch.float64, 10**6)[0]
            model = f"{parameters / 1e6:.2f} million weights, {size:,} tokens, {threads} thread(s)"
            goal = f"fidelity, {model}, {candidates} variant(s)"
            least = 2 * parameters * size * (1 + candidates) / product_rate(threads)
            for (peer, work), took in list(zip(works.items(), times, strict=True))[1:]:
                times_aim = 3 if "float64" in peer else None
                rows.append(Row(goal, times[0], "s", None, times_aim, peer, took, "its products of matrices", least))
                error, own = (float(np.abs(found()[0] - exact).max()) for found in (work, works["ours"]))
                rows.append(Row(f"{goal}: KL off", own, "nats", None, None, peer, error))
    table = ours(1)[0]
    summary = seconds(lambda: fidelity_summary(table), lambda: fidelity_summary(table, ["token_class"]), runs=runs)
    rows += [
        Row(f"fidelity's summary, 1,000 resamples, {how}", took)
        for how, took in zip(("overall", "by token class"), summary, strict=True)
    ]
    found = json.loads(
        subprocess.run(
            [sys.executable, __file__, "large"], check=True, capture_output=True, text=True
        ).stdout.splitlines()[-1]
    )
    goal = f"fidelity, 150,000 entries, {found['tokens']:,} tokens"
    rows.append(Row(f"{goal}: memory above the loaded models", (found["peak"] - found["before"]) / 1e6, "MB", 1000))
    least = 2 * 2 * 150_000 * 64 * found["tokens"] / product_rate(1)
    rows.append(Row(goal, found["seconds"], "s", limit="its products with the output matrix", least=least))
    show(rows)


if __name__ == "__main__":
    large_vocabulary() if sys.argv[1:] == ["large"] else main()
