"""`compare` without programs: seconds, memory, tokens per second; beside it llama.cpp's own perplexity tool.

    python tests/speed/comparison.py [BASE CANDIDATE]

Names are those of the command. The tool reads GGUF files only, and is in no Python package as a program. To have it,
build the package that carries its source, and two files of that source against the libraries that this installs:

    python3 -m venv llama && cd llama && bin/pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36
    CMAKE_ARGS="-DGGML_NATIVE=ON" bin/pip install llama_cpp_python-0.3.36.tar.gz
    tar xzf llama_cpp_python-0.3.36.tar.gz
    cd llama_cpp_python-0.3.36/vendor/llama.cpp && L=$(echo ../../../lib/python3*/site-packages/lib)
    g++ -O2 -std=c++17 -Iinclude -Icommon -Iggml/include -Ivendor -Itools/perplexity tools/perplexity/*.cpp -L$L \
        -lllama-common -lllama -lggml -lggml-base -Wl,--disable-new-dtags,-rpath,$(realpath $L) -o llama-perplexity
    PATH=$PWD:$PATH

or, with an hour of time, `cmake -B build && cmake --build build --target llama-perplexity` in a clone of llama.cpp.

Both read the same text on as many threads as OMP_NUM_THREADS says, and each starts from nothing. Read are all tokens of
both models, by `compare` a third of them once more with rounded activations (its noise floor), by the tool those that
it leaves out of its statistics, too. It computes with the stored numbers rounded as they are, `compare` in float32;
its speed in float32 is that with F32 files (`compressed-code quantize FILE --method gguf --type f32`).
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compressed_code.core.paths import COMPUTED_VARIABLE
from compressed_code.measurements.readings import programs_read

TOOL, WINDOW = "llama-perplexity", 512
DEFAULT = ("zoo-l", "zoo-l+rtn-4-g8")
STAGES = ("files", "weights", "cold-start", "texts")


@dataclass(frozen=True)
class Cost:
    """What something takes: seconds by the clock, seconds of all processors."""

    clock: float
    processors: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.clock + other.clock, self.processors + other.processors)

    def row(self, what: str, passes: int) -> str:
        """A line of the table; `passes` is how many tokens were read, each by one model."""
        rates = f"{passes / self.clock:6.0f} tokens/s, {passes / self.processors:6.0f} a second of one core"
        return f"  {what:36s} {self.clock:6.1f} s, {self.processors:6.1f} s of cores, {rates}"


def run(command: Sequence[str], **environment: str) -> tuple[Cost, str]:
    """What a command takes, and what it prints."""
    started, before = time.perf_counter(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1]}")
    after = os.times()
    cores = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - started, cores), done.stdout + done.stderr


def ours(base: str, candidate: str, stages: Sequence[str]) -> tuple[Cost, int, int]:
    """The command on an empty store: its cost, how many tokens both models read, and how many the noise floor did."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "compressed_code", "compare", base, candidate, "--only", *stages]
        cost, printed = run([*command, "--format", "json"], **{COMPUTED_VARIABLE: folder})
    found = json.loads(printed[printed.index("{") : printed.rindex("}") + 1])
    return cost, *(next(row["tokens"] for row in found[table]) for table in ("statistics", "noise_floor"))


def theirs(base: str, candidate: str) -> tuple[Cost, int]:
    """The tool's two passes, which write and read logits: their cost, and how many tokens each reads."""
    threads = os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))
    with tempfile.TemporaryDirectory() as folder:
        text, logits = Path(folder) / "text", Path(folder) / "logits"
        text.write_text("\n".join(program.content for program in programs_read(1)), encoding="utf-8")
        how = ["-f", str(text), "-c", str(WINDOW), "-t", threads, "--kl-divergence-base", str(logits)]
        first, printed = run([TOOL, "-m", base, *how])
        second, _ = run([TOOL, "-m", candidate, *how, "--kl-divergence"])
    chunks = re.search(r"over (\d+) chunks", printed)
    if chunks is None:
        sys.exit(f"{TOOL}: says nothing of its chunks")
    return first + second, WINDOW * int(chunks[1])


def main() -> None:
    """Print a row for each of the two."""
    base, candidate = sys.argv[1:3] if len(sys.argv) > 2 else DEFAULT
    whole, tokens, floor = ours(base, candidate, STAGES)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    reading, *_ = ours(base, candidate, ["texts"])
    print(f"{base} and {candidate}, {tokens:,} tokens; {peak:.2f} GB at most")
    print(whole.row("compare without programs", 2 * tokens + floor))
    print(reading.row("its texts alone", 2 * tokens + floor))
    if shutil.which(TOOL) is None:
        print(f"  llama.cpp's {TOOL}: not at hand; {Path(__file__).name} says how it is built")
    elif not all(name.endswith(".gguf") for name in (base, candidate)):
        print(f"  llama.cpp's {TOOL}: reads GGUF files only; name two")
    else:
        cost, count = theirs(base, candidate)
        print(cost.row(f"llama.cpp's {TOOL}", 2 * count))


if __name__ == "__main__":
    main()
