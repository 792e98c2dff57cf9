"""What stands before any computing, and a GGUF file beside transformers' reader of such files.

    python tests/speed/starts.py

A GGUF file of Gemma 3 270M's layout is written to a temporary folder first: random Q8_0 blocks, and a vocabulary of
262,144 pieces. Every row is a process of its own: wall time, and the largest resident memory.
"""

import itertools
import json
import statistics
import string
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from bench_rows import Row, file_seconds, is_short, show

RUNS = 3
ENTRIES, HIDDEN, INNER, LAYERS = 262_144, 640, 2048, 18
HEADS, VALUE_HEADS, HEAD = 4, 1, 256
NOTHING = ""
COMMAND = """
import sys
from compressed_code.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit:  # of --help
    pass
"""
VOCABULARY = """
import sys
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
open_tokenizer(TokenizerSpec(key="g", label="g", path=sys.argv[1]))
"""
FIRST_TOKEN = """
import sys
from pathlib import Path
from compressed_code.core.lean_imports import import_leanly, import_model_code
import_leanly()
import_model_code()
import transformers.models.gemma3.modeling_gemma3
from compressed_code.cold_start.transformers_engine import transformers_log_probabilities
imported = time.process_time()
transformers_log_probabilities(Path(sys.argv[1]), [int(token) for token in sys.argv[2:]])
"""
# What one would otherwise run; it decodes the whole file to float32.
TRANSFORMERS = """
import sys
from pathlib import Path
import torch
import transformers.models.gemma3.modeling_gemma3
from transformers import AutoModelForCausalLM
imported = time.process_time()
file = Path(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
with torch.inference_mode():
    model(input_ids=torch.tensor([[7]]))
"""

# Said by the process itself: what the system says of a child counts its parent's memory, too.
REPORT = """
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([time.process_time(), imported, peak / 1000]))
"""


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds of wall and processor, of the latter those of imports, and MB of resident memory."""

    wall: float
    processor: float
    imports: float
    memory: float


def main() -> None:
    runs = 1 if is_short() else RUNS
    bare = median(NOTHING, runs=runs)
    rows = []
    for name, arguments in {
        "a command that runs no model (list)": ["list"],
        "help of a command": ["cold-start", "--help"],
    }.items():
        rows += both(name, median(COMMAND, *arguments, runs=runs), bare, (1, 200))
    with tempfile.TemporaryDirectory(prefix="starts-") as folder:
        path = Path(folder) / "gemma-3-270m.gguf"
        write_gemma(path)
        size = path.stat().st_size / 1e6
        least = Cost(bare.wall + file_seconds(path), 0, 0, size)
        layout = f"GGUF file of Gemma 3 270M's layout ({size:.0f} MB)"
        what = "a bare interpreter, and the file read once"
        found = median(VOCABULARY, str(path), runs=runs)
        rows += both(f"{layout}: its vocabulary, {ENTRIES:,} entries", found, least, (2, 300), what)
        theirs = median(TRANSFORMERS, str(path), runs=1)
        for ids in (["7"], ["7", "2", "9", "40"]):
            found = median(FIRST_TOKEN, str(path), *ids, runs=runs)
            rows += both(f"{layout}: its cold start, {len(ids)} id(s)", found, least, what=what, theirs=theirs)
    show(rows)


def both(
    name: str,
    found: Cost,
    least: Cost,
    aims: tuple[float, float] | None = None,
    what: str = "a bare interpreter",
    theirs: Cost | None = None,
) -> list[Row]:
    """Rows of wall time and memory; `aims` are seconds and MB."""
    peer = "transformers' own reader, one id" if theirs else ""
    parts = (("wall", "s", ""), ("memory", "MB", ", resident memory"))
    return [
        Row(
            f"{name}{suffix}",
            getattr(found, part),
            unit,
            aims[number] if aims else None,
            None,
            peer,
            getattr(theirs, part) if theirs else None,
            what,
            getattr(least, part),
        )
        for number, (part, unit, suffix) in enumerate(parts)
    ]


def median(program: str, *arguments: str, runs: int = RUNS) -> Cost:
    """Of several runs of a program: medians of times, and the largest memory."""
    found = [cost(program, *arguments) for _ in range(runs)]
    wall, processor, imports = (
        statistics.median(getattr(one, part) for one in found) for part in ("wall", "processor", "imports")
    )
    return Cost(wall, processor, imports, max(one.memory for one in found))


def cost(program: str, *arguments: str) -> Cost:
    """What a program takes as a process of its own."""
    started = time.perf_counter()
    whole = f"import json, time\nimported = 0\n{program}{REPORT}"
    run = subprocess.run([sys.executable, "-c", whole, *arguments], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"starts: a program ended with {run.returncode}: {run.stderr.strip().splitlines()[-1]}")
    return Cost(time.perf_counter() - started, *json.loads(run.stdout.splitlines()[-1]))


def write_gemma(path: Path) -> None:
    """Gemma 3 270M's layout: its metadata, its vocabulary's size and kind, random blocks."""
    writer = gguf.GGUFWriter(path, "gemma3")
    sizes = {"context_length": 32768, "embedding_length": HIDDEN, "block_count": LAYERS, "feed_forward_length": INNER}
    sizes |= {"attention.head_count": HEADS, "attention.head_count_kv": VALUE_HEADS, "attention.key_length": HEAD}
    sizes |= {"attention.value_length": HEAD, "attention.sliding_window": 512}
    for name, value in sizes.items():
        writer.add_uint32(f"gemma3.{name}", value)
    writer.add_float32("gemma3.attention.layer_norm_rms_epsilon", 1e-6)
    writer.add_float32("gemma3.rope.freq_base", 1e6)
    pieces, types = vocabulary()
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([-float(place) for place in range(ENTRIES)])
    writer.add_token_types(types)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_add_space_prefix(False)
    random = np.random.default_rng(0)
    for name, shape in tensors():
        if len(shape) == 1:
            writer.add_tensor(name, np.ones(shape, np.float32))
        else:
            writer.add_tensor(name, blocks(random, *shape), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def vocabulary() -> tuple[list[str], list[int]]:
    """Pieces as Gemma's: control tokens, one for each byte, then words, none twice."""
    kinds = gguf.TokenType
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    types = [kinds.CONTROL] * 3 + [kinds.UNKNOWN] + [kinds.BYTE] * 256
    letters = ["▁", *string.ascii_letters, *string.digits]
    words = ("".join(signs) for length in itertools.count(1) for signs in itertools.product(letters, repeat=length))
    pieces += itertools.islice(words, ENTRIES - len(pieces))
    return pieces, [int(kind) for kind in types] + [int(kinds.NORMAL)] * (ENTRIES - len(types))


def tensors() -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes, the embedding first, which is the output matrix as well."""
    found = [("token_embd.weight", (ENTRIES, HIDDEN)), ("output_norm.weight", (HIDDEN,))]
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            found.append((f"{block}{norm}.weight", (HIDDEN,)))
        found += [(f"{block}attn_{part}_norm.weight", (HEAD,)) for part in "qk"]
        found += [
            (f"{block}attn_q.weight", (HEADS * HEAD, HIDDEN)),
            (f"{block}attn_output.weight", (HIDDEN, HEADS * HEAD)),
        ]
        found += [(f"{block}attn_{part}.weight", (VALUE_HEADS * HEAD, HIDDEN)) for part in "kv"]
        found += [(f"{block}ffn_{part}.weight", (INNER, HIDDEN)) for part in ("gate", "up")]
        found.append((f"{block}ffn_down.weight", (HIDDEN, INNER)))
    return found


def blocks(random: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Q8_0: for 32 weights a float16 scale and 32 signed bytes."""
    count = rows * columns // 32
    content = np.empty((count, 34), np.uint8)
    content[:, :2] = np.full((count, 1), 2.0**-12, np.float16).view(np.uint8)
    content[:, 2:] = random.integers(0, 256, (count, 32), np.uint8)
    return content.reshape(rows, -1)


if __name__ == "__main__":
    main()
