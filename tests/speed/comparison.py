"""`compare` without programs: seconds, memory, tokens per second; beside it llama.cpp's own perplexity tool.

    python tests/speed/comparison.py [BASE CANDIDATE]

Names are those of the command. The tool reads GGUF files only. It is no Python package; to have it:

    git clone --depth 1 https://github.com/ggml-org/llama.cpp && cd llama.cpp
    cmake -B build -DGGML_NATIVE=ON -DLLAMA_CURL=OFF && cmake --build build --target llama-perplexity -j 2
    PATH=$PWD/build/bin:$PATH

Both read the same text on as many threads as OMP_NUM_THREADS says, and each starts from nothing. The tool leaves the
first half of each window of 512 tokens out of its statistics, but reads it, so that tokens read are what is counted.
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
from pathlib import Path

from compressed_code.core.paths import COMPUTED_VARIABLE
from compressed_code.measurements.readings import programs_read

TOOL, WINDOW = "llama-perplexity", 512
DEFAULT = ("zoo-l", "zoo-l+rtn-4-g8")
STAGES = ("files", "weights", "cold-start", "texts")


def run(command: Sequence[str], **environment: str) -> tuple[float, str]:
    """Seconds that a command takes, and what it prints."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1]}")
    return time.perf_counter() - started, done.stdout + done.stderr


def ours(base: str, candidate: str, stages: Sequence[str]) -> tuple[float, int]:
    """Seconds of the command on an empty store, and how many tokens it read."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "compressed_code", "compare", base, candidate, "--only", *stages]
        seconds, printed = run([*command, "--format", "json"], **{COMPUTED_VARIABLE: folder})
    found = json.loads(printed[printed.index("{") : printed.rindex("}") + 1])
    return seconds, next(row["tokens"] for row in found["statistics"])


def theirs(base: str, candidate: str) -> tuple[float, int]:
    """Seconds of the tool's two passes, which write and read logits, and how many tokens each reads."""
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
    whole, tokens = ours(base, candidate, STAGES)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    reading, _ = ours(base, candidate, ["texts"])
    print(f"{base} and {candidate}, {tokens:,} tokens")
    print(f"  compare without programs       {whole:7.1f} s, {peak:.2f} GB at most")
    print(f"  its texts alone                {reading:7.1f} s, {tokens / reading:7.1f} tokens/s with both models")
    if shutil.which(TOOL) is None:
        print(f"  llama.cpp's {TOOL}   not at hand; {Path(__file__).name} says how it is built")
    elif not all(name.endswith(".gguf") for name in (base, candidate)):
        print(f"  llama.cpp's {TOOL}   reads GGUF files only; name two")
    else:
        seconds, count = theirs(base, candidate)
        rate = count / seconds
        print(f"  llama.cpp's {TOOL}   {seconds:7.1f} s, {rate:7.1f} tokens/s with both models")
        print(f"  ours over theirs               {tokens / reading / rate:7.2f} times the tokens per second")


if __name__ == "__main__":
    main()
