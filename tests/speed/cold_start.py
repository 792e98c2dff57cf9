"""Speed and memory of the first-token engine beside transformers, whole processes, warm cache.

    python tests/speed/cold_start.py [billions of parameters, 1.5 by default] [--cold]

A randomly initialised bfloat16 Qwen2 checkpoint is written to a temporary folder first. The command is run as a user
runs it, with folders of its own for what it keeps. `--cold` adds runs after the kernel was told to forget the file,
where it can be told. Last comes the whole zoo, from nothing: every model in every context, with all metrics.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bench_rows import Row, bare_start, file_seconds, is_short, show

RUNS = 3
BILLION = 10**9
# Qwen2.5-1.5B; other sizes keep the width and change the number of layers and the vocabulary in proportion.
LAYERS, HIDDEN, INTERMEDIATE, VOCABULARY = 28, 1536, 8960, 151936
HEADS, VALUE_HEADS, HEAD = 12, 2, 128
OURS = """
import sys
import time
from pathlib import Path
from compressed_code.cold_start.distribution import cold_start
started = time.perf_counter()
result = cold_start(Path(sys.argv[1]), [7])
extra = {"bytes": result.bytes_read, "engine": result.engine, "run": time.perf_counter() - started}
values = result.log_probabilities
"""
# The engine for every other architecture, on the same checkpoint; its imports are reported apart.
STREAMED = """
import sys
import time
from pathlib import Path
from compressed_code.core.lean_imports import import_leanly, import_model_code
started = time.perf_counter()
import_leanly()
import_model_code()
import transformers.models.qwen2.modeling_qwen2
from compressed_code.cold_start.transformers_engine import transformers_log_probabilities
imported = time.perf_counter() - started
values, read = transformers_log_probabilities(Path(sys.argv[1]), [7])
extra = {"bytes": read, "imports": imported, "run": time.perf_counter() - started - imported}
"""
# What one would otherwise run where a model does not fit: every module fetched from disk when it is called.
OFFLOADED = """
import sys
import tempfile
import time
import torch
started = time.perf_counter()
import transformers.models.qwen2.modeling_qwen2
from transformers import AutoModelForCausalLM
imported = time.perf_counter() - started
places = {"model.embed_tokens": "cpu", "model.layers": "disk", "model.norm": "cpu", "model.rotary_emb": "cpu"}
with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
    model = AutoModelForCausalLM.from_pretrained(
        sys.argv[1], dtype=torch.bfloat16, device_map=places | {"lm_head": "cpu"}, offload_folder=folder
    )
    values = model(input_ids=torch.tensor([[7]])).logits[0, -1].double().log_softmax(-1).float().numpy()
extra = {"imports": imported, "run": time.perf_counter() - started - imported}
"""
# `DTYPE` is bfloat16, as stored and fastest, for the time; float32, as the engine computes, for the answer.
TRANSFORMERS = """
import sys
import torch
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.DTYPE)
with torch.inference_mode():
    values = model(input_ids=torch.tensor([[7]])).logits[0, -1].double().log_softmax(-1).float().numpy()
extra = {}
"""
# The command, with an empty store and no digests remembered at first.
COMMAND = """
import sys
from pathlib import Path
import compressed_code.core.paths as project
kept = Path(sys.argv[1])
project.RESULTS, project.BUILD = kept / "results", kept / "build"
from compressed_code.__main__ import main
sys.exit(main(["cold-start", *sys.argv[2:], "--format", "parquet", "--out", str(kept / "out.parquet"), "--force"]))
"""
ZOO = """
import sys
from pathlib import Path
import compressed_code.core.paths as project
project.RESULTS = Path(sys.argv[1]) / "results"
from compressed_code.cold_start.metrics import load_english_words, metric_table
from compressed_code.registry.languages import select_languages
from compressed_code.measurements.tables import for_each
from compressed_code.measurements.cold_start import cold_starts, with_tokens
from compressed_code.registry.lookup import load_registry
from compressed_code.zoo.recipes import ZOO_DIRECTORY
models = [key for key, row in load_registry().models.items() if row.path and row.location.parent == ZOO_DIRECTORY]
contexts = ("document", "bos", "eos", "newline", "space")
tokens = with_tokens(cold_starts(models, contexts))
metrics = for_each(tokens, ["model", "context"], metric_table, select_languages(None), load_english_words())
print(len(models), len(contexts), len(metrics))
"""
ZOO_AIM = 20  # seconds
LEAST_PRIVATE = 500_000_000  # bytes that an interpreter with numpy may take, however small the checkpoint
# Private memory only: the page cache belongs to the kernel, which takes it back when it is short.
LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
"""
REPORT = """
import json
peak = {line.split(":")[0]: int(line.split()[1]) for line in open("/proc/self/status") if "kB" in line}
values.tofile(sys.argv[2])
print(json.dumps({**extra, "peak_resident": peak["VmHWM"] * 1024, "anonymous_now": peak["RssAnon"] * 1024}))
"""


def main() -> None:
    runs = 1 if (short := is_short()) else RUNS
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("billions", nargs="?", type=float, default=0.1 if short else 1.5)
    options.add_argument("--cold", action="store_true")
    chosen = options.parse_args()
    scale = chosen.billions / 1.54
    layers, vocabulary = max(1, round(LAYERS * scale)), max(64, round(VOCABULARY * scale / 64) * 64)
    rows = []
    with tempfile.TemporaryDirectory(prefix="cold-start-") as temporary:
        folder = Path(temporary)
        needed = _size(layers, vocabulary, skip=("q_proj", "k_proj"))
        total = _size(layers, vocabulary)
        if shutil.disk_usage(folder).free < 1.2 * total:
            sys.exit(f"cold start: {total / BILLION:.1f} GB of free disk are needed")
        write_checkpoint(folder, layers, vocabulary)
        rows += compare(folder, total, needed, runs)
        rows += command_rows(folder, runs)
        if chosen.cold:
            rows += cold_rows(folder, needed, total, runs)
    show([*rows, zoo_row()])


def _name(total: int, what: str) -> str:
    return f"cold start, {total / BILLION:.2f} GB of bfloat16: {what}"


def compare(folder: Path, total: int, needed: int, runs: int) -> list[Row]:
    """Run both engines by turns; times, memory and bytes. Answers that differ end it."""
    ours, streamed, theirs, reading = [], [], [], []
    for _ in range(runs):
        ours.append(_process(OURS, folder))
        streamed.append(_process(STREAMED, folder))
        theirs.append(_process(TRANSFORMERS.replace("DTYPE", "bfloat16"), folder))
        reading.append(file_seconds(folder / "model.safetensors", needed))
    exact = _process(TRANSFORMERS.replace("DTYPE", "float32"), folder)
    our_time, their_time = (statistics.median(run["seconds"] for run in part) for part in (ours, theirs))
    least = ("an interpreter, and the bytes read from memory", bare_start() + statistics.median(reading))
    rows = [Row(_name(total, "wall time"), our_time, "s", None, 3, "transformers, bfloat16", their_time, *least)]
    offloaded = _process(OFFLOADED, folder)["seconds"]
    rows.append(
        Row(_name(total, "wall time"), our_time, "s", None, None, "accelerate, layers on disk", offloaded, *least)
    )
    of_layers, of_any = (statistics.median(run["run"] for run in part) for part in (ours, streamed))
    any_kind = "any architecture, imports apart"
    rows.append(Row(_name(total, any_kind), of_any, "s", None, 0.5, "our engine layer by layer", of_layers, *least))
    rows.append(
        Row(_name(total, f"{any_kind}: memory"), max(run["peak_resident"] for run in streamed) / 1e6, "MB", 600)
    )
    anonymous, resident = (max(run[key] for run in ours) / 1e6 for key in ("peak_anonymous", "peak_resident"))
    their_memory = max(run["peak_resident"] for run in theirs) / 1e6
    rows += [
        Row(_name(total, "anonymous memory"), anonymous, "MB", 500),
        Row(_name(total, "resident memory"), resident, "MB", total / 4e6, None, "transformers", their_memory),
    ]
    what = "tensors that one token needs"
    rows.append(
        Row(_name(total, "read"), ours[0]["bytes"] / 1e6, "MB", 1.02 * needed / 1e6, limit=what, least=needed / 1e6)
    )
    error, rounding = (float(np.abs(run["values"] - exact["values"]).max()) for run in (ours[0], theirs[0]))
    peer = "transformers, bfloat16"
    rows.append(Row(_name(total, "off transformers in float32"), error, "nats", 1e-4, None, peer, rounding))
    limited = _process(LIMIT.replace("BYTES", str(max(total // 4, LEAST_PRIVATE))) + OURS, folder)
    if not np.array_equal(limited["values"], ours[0]["values"]):
        sys.exit("cold start: with a quarter of the checkpoint as private memory the answer is another one")
    return rows


def command_rows(folder: Path, runs: int) -> list[Row]:
    """The whole command: at first, when it hashes the checkpoint; then with other ids, so that the engine runs anew;
    then with an answer that is stored."""
    total = (folder / "model.safetensors").stat().st_size
    with tempfile.TemporaryDirectory(prefix="cold-start-") as kept:
        first, *others = [
            _seconds(COMMAND, kept, str(folder), "--input-ids", str(token)) for token in range(7, 8 + runs)
        ]
        stored = _seconds(COMMAND, kept, str(folder), "--input-ids", "7")
    started = time.perf_counter()
    with (folder / "model.safetensors").open("rb") as file:
        hashlib.file_digest(file, "sha256")
    hashing, bare = time.perf_counter() - started, bare_start()
    rest = ("an interpreter", bare)
    return [
        Row(_name(total, "command at first"), first, limit="an interpreter, and sha256 of all", least=bare + hashing),
        Row(_name(total, "command from then on"), statistics.median(others), limit=rest[0], least=rest[1]),
        Row(_name(total, "command, stored answer"), stored, limit=rest[0], least=rest[1]),
    ]


def zoo_row() -> Row:
    """Every committed model in every context, and every metric, measured from nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory(prefix="cold-start-") as kept:
        started = time.perf_counter()
        command = [sys.executable, "-c", ZOO, kept]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds = time.perf_counter() - started
    worked = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - sum(before[:2])
    models, contexts, rows = output.split()[-3:]
    goal = f"cold starts of the zoo, {models} models in {contexts} contexts, {rows} metrics"
    return Row(goal, seconds, "s", ZOO_AIM, limit="its seconds of one core", least=worked)


def cold_rows(folder: Path, touched: int, total: int, runs: int) -> list[Row]:
    """After the kernel forgot the file: our wall time beside reading as many bytes from its beginning, by turns."""
    if not hasattr(os, "posix_fadvise"):
        return []
    file = folder / "model.safetensors"
    ours, reading = [], []
    for _ in range(runs):
        _forget(file)
        reading.append(file_seconds(file, touched))
        _forget(file)
        ours.append(_process(OURS, folder)["seconds"])
    least = statistics.median(reading)
    goal = _name(total, "wall time, file not in memory")
    return [Row(goal, statistics.median(ours), "s", 1.3 * least, limit="its bytes read from the disk", least=least)]


def write_checkpoint(folder: Path, layers: int, vocabulary: int) -> None:
    """A Qwen2 folder of random bfloat16 numbers, written tensor by tensor."""
    config = {
        **{"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "torch_dtype": "bfloat16"},
        **{"hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_hidden_layers": layers},
        **{"num_attention_heads": HEADS, "num_key_value_heads": VALUE_HEADS, "vocab_size": vocabulary},
        **{"hidden_act": "silu", "rms_norm_eps": 1e-6, "tie_word_embeddings": True, "rope_theta": 1e6},
    }
    (folder / "config.json").write_text(json.dumps(config))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors(layers, vocabulary):
        length = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + length]}
        offset += length
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(0)
    values = (random.standard_normal(1 << 22, np.float32) * 0.02).view(np.uint32) >> 16
    pool = values.astype(np.uint16)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, shape in tensors(layers, vocabulary):
            left = int(np.prod(shape))
            while left > 0:
                start = int(random.integers(len(pool) // 2))
                left -= file.write(pool[start : start + left].tobytes()) // 2


def tensors(layers: int, vocabulary: int) -> Iterator[tuple[str, list[int]]]:
    """Names and shapes of a Qwen2 checkpoint with a tied head."""
    yield "model.embed_tokens.weight", [vocabulary, HIDDEN]
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", [HIDDEN]
        for name, rows in (("q", HEADS * HEAD), ("k", VALUE_HEADS * HEAD), ("v", VALUE_HEADS * HEAD)):
            yield f"{prefix}.self_attn.{name}_proj.weight", [rows, HIDDEN]
            yield f"{prefix}.self_attn.{name}_proj.bias", [rows]
        yield f"{prefix}.self_attn.o_proj.weight", [HIDDEN, HEADS * HEAD]
        yield f"{prefix}.post_attention_layernorm.weight", [HIDDEN]
        yield f"{prefix}.mlp.gate_proj.weight", [INTERMEDIATE, HIDDEN]
        yield f"{prefix}.mlp.up_proj.weight", [INTERMEDIATE, HIDDEN]
        yield f"{prefix}.mlp.down_proj.weight", [HIDDEN, INTERMEDIATE]
    yield "model.norm.weight", [HIDDEN]


def _size(layers: int, vocabulary: int, skip: tuple[str, ...] = ()) -> int:
    shapes = [shape for name, shape in tensors(layers, vocabulary) if not any(part in name for part in skip)]
    return sum(2 * int(np.prod(shape)) for shape in shapes)


def _seconds(program: str, *arguments: str) -> float:
    """Wall time of a program as a process of its own."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def _process(program: str, folder: Path) -> dict:
    """Run a program as a process of its own; wall time, its report, and its anonymous memory watched from outside."""
    result = folder / "values.bin"
    command = [sys.executable, "-c", program + REPORT, str(folder), str(result)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    anonymous = 0
    while process.poll() is None:
        anonymous = max(anonymous, _anonymous_bytes(process.pid))
        time.sleep(0.01)
    seconds = time.perf_counter() - started
    report = json.loads(process.communicate()[0].splitlines()[-1])
    return {**report, "seconds": seconds, "peak_anonymous": anonymous, "values": np.fromfile(result, np.float32)}


def _anonymous_bytes(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in lines if "RssAnon" in line), default=0)


def _forget(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
