"""Speed and memory of the first-token engine beside transformers, whole processes, warm cache. Prints; judges nothing.

    python tests/speed/cold_start.py [billions of parameters, 1.5 by default] [--cold]

A randomly initialised bfloat16 Qwen2 checkpoint is written to a temporary folder first. The command is run as a user
runs it, with folders of its own for what it keeps. `--cold` adds runs after the kernel was told to forget the file,
where it can be told. Last comes the whole zoo, from nothing: every model in every context, with all metrics.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

RUNS = 3
BILLION = 10**9
TIMES, RESIDENT = 2, 600  # of the engine for any architecture: times the layer-by-layer engine's, MB
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
sys.exit(main(["cold-start", *sys.argv[2:], "--format", "parquet", "--out", str(kept / "out.parquet")]))
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
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("billions", nargs="?", type=float, default=1.5)
    options.add_argument("--cold", action="store_true")
    chosen = options.parse_args()
    scale = chosen.billions / 1.54
    layers, vocabulary = max(1, round(LAYERS * scale)), max(64, round(VOCABULARY * scale / 64) * 64)
    with tempfile.TemporaryDirectory(prefix="cold-start-") as temporary:
        folder = Path(temporary)
        needed = _size(layers, vocabulary, skip=("q_proj", "k_proj"))
        total = _size(layers, vocabulary)
        if shutil.disk_usage(folder).free < 1.2 * total:
            print(f"cold start: skipped, {total / BILLION:.1f} GB of free disk are needed")
            return
        write_checkpoint(folder, layers, vocabulary)
        compare(folder, total, needed)
        time_command(folder)
        if chosen.cold:
            print_cold(folder, needed)
    time_zoo()


def compare(folder: Path, total: int, needed: int) -> None:
    """Run both engines by turns and print times, ratios, memory and bytes."""
    ours, streamed, theirs = [], [], []
    for _ in range(RUNS):
        ours.append(_process(OURS, folder))
        streamed.append(_process(STREAMED, folder))
        theirs.append(_process(TRANSFORMERS.replace("DTYPE", "bfloat16"), folder))
    exact = _process(TRANSFORMERS.replace("DTYPE", "float32"), folder)
    our_time, their_time = (statistics.median(run["seconds"] for run in runs) for runs in (ours, theirs))
    difference, rounding = (np.abs(run["values"] - exact["values"]).max() for run in (ours[0], theirs[0]))
    print(f"checkpoint {total / BILLION:.2f} GB bfloat16, {len(os.sched_getaffinity(0))} cores, median of {RUNS}")
    ratio = our_time / their_time
    print(
        f"wall time: {ours[0]['engine']} {our_time:.2f} s (run {statistics.median(run['run'] for run in ours):.2f} s),"
        f" transformers {their_time:.2f} s, ratio {ratio:.2f} (aim .33)"
    )
    print(
        f"largest difference to transformers in float32: {difference:.1e} (aim 1e-4); its own bfloat16: {rounding:.1e}"
    )
    anonymous, resident = (max(run[key] for run in ours) for key in ("peak_anonymous", "peak_resident"))
    print(f"anonymous memory: {anonymous / 1e6:.0f} MB at most, seen from outside (aim 500)")
    print(
        f"peak resident: {resident / 1e6:.0f} MB, {resident / total:.1%} of the checkpoint (aim 25 %); "
        f"transformers {max(run['peak_resident'] for run in theirs) / 1e6:.0f} MB"
    )
    _print_apart("any architecture, streamed", streamed, exact)
    times = _run_time(streamed) / _run_time(ours)
    resident = max(run["peak_resident"] for run in streamed)
    same = "the same" if streamed[0]["bytes"] == ours[0]["bytes"] else f"{streamed[0]['bytes']:,}"
    print(
        f"  in {times:.2f} times the time of the layer-by-layer engine (bound {TIMES}), imports apart, on {same} bytes"
    )
    print(f"  with {resident / 1e6:.0f} MB resident (bound {RESIDENT} for 1.5 billion weights)")
    _print_apart("accelerate, layers on disk", [_process(OFFLOADED, folder)], exact)
    touched = ours[0]["bytes"]
    print(f"bytes touched: {touched / BILLION:.3f} GB, {touched / needed - 1:+.3%} beside needed tensors (aim +2 %)")
    limited = _process(LIMIT.replace("BYTES", str(total // 4)) + OURS, folder)
    same = np.array_equal(limited["values"], ours[0]["values"])
    print(f"private memory limited to a quarter of the checkpoint: {limited['seconds']:.2f} s, same answer: {same}")


def _run_time(runs: list[dict]) -> float:
    """Seconds of a run behind its imports, median."""
    return statistics.median(run["run"] for run in runs)


def _print_apart(name: str, runs: list[dict], exact: dict) -> None:
    imports, resident = statistics.median(run["imports"] for run in runs), max(run["peak_resident"] for run in runs)
    beside = f"run {_run_time(runs):.2f} s, imports {imports:.2f} s, {resident / 1e6:.0f} MB resident"
    print(f"{name}: {beside}, difference {np.abs(runs[0]['values'] - exact['values']).max():.1e}")


def time_command(folder: Path) -> None:
    """The whole command: at first, when it hashes the checkpoint; then with other ids, so that the engine runs anew;
    then with an answer that is stored."""
    with tempfile.TemporaryDirectory(prefix="cold-start-") as kept:
        first, *others = [
            _seconds(COMMAND, kept, str(folder), "--input-ids", str(token)) for token in range(7, 8 + RUNS)
        ]
        stored = _seconds(COMMAND, kept, str(folder), "--input-ids", "7")
    print(
        f"command: {first:.2f} s at first (every byte is hashed), {statistics.median(others):.2f} s from then on, "
        f"{stored:.2f} s for a stored answer"
    )


def time_zoo() -> None:
    """Every committed model in every context, and every metric, measured from nothing."""
    with tempfile.TemporaryDirectory(prefix="cold-start-") as kept:
        started = time.perf_counter()
        command = [sys.executable, "-c", ZOO, kept]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds = time.perf_counter() - started
    models, contexts, rows = output.split()[-3:]
    print(f"zoo: {models} models in {contexts} contexts, {rows} metrics: {seconds:.1f} s (aim {ZOO_AIM})")


def print_cold(folder: Path, touched: int) -> None:
    """After the kernel forgot the file: our wall time beside reading as many bytes from its beginning, by turns."""
    if not hasattr(os, "posix_fadvise"):
        print("cold cache: skipped, this system cannot be told to forget a file")
        return
    file = folder / "model.safetensors"
    ours, reading = [], []
    for _ in range(RUNS):
        _forget(file)
        started, left = time.perf_counter(), touched
        with file.open("rb", buffering=0) as stream:
            while left > 0:
                left -= len(stream.read(min(left, 16 << 20)))
        reading.append(time.perf_counter() - started)
        _forget(file)
        ours.append(_process(OURS, folder)["seconds"])
    our_time, read_time = statistics.median(ours), statistics.median(reading)
    ratio = our_time / read_time
    print(
        f"cold cache: {our_time:.2f} s, reading alone {read_time:.2f} s, ratio {ratio:.2f} (aim 1.3), median of {RUNS}"
    )


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
