"""`compare` without programs: seconds, memory, tokens per second; beside it llama.cpp's own perplexity tool.

    python tests/speed/comparison.py [BASE CANDIDATE]

Names are those of the command. Without any it is the published model of 135 million weights and its Q4_K_M, each as
an F32 file that is written first; where that model cannot be had, a model of the zoo. The tool reads GGUF files only,
and is in no Python package as a program. To have it, build the package that carries its source, and two files of that
source against the libraries that this installs:

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
it leaves out of its statistics, too: it computes logits of the second half of each window only. It computes with the
stored numbers rounded as they are, `compare` in float32; its speed in float32 is that with F32 files
(`compressed-code quantize FILE --method gguf --type f32`).

Of a window of 512 tokens the tool's statistics speak of 255, ours of every token, so that a token read and a token
compared are two things: a thousand of those that are compared is the work done, start included. What a token that is
read takes beyond the start of each program is the difference between two runs, on all programs and on every third,
those that the noise floor reads; each is made twice and the quicker one counts.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_rows import Row, is_short, product_rate, show

from compressed_code.core.errors import Unavailable
from compressed_code.core.paths import COMPUTED_VARIABLE
from compressed_code.fidelity.footprint import sizes
from compressed_code.measurements.readings import Text, programs_read
from compressed_code.measurements.subjects.models import ModelSubject
from compressed_code.models.precision import precision_of
from compressed_code.registry.lookup import load_registry

TOOL, WINDOW = "llama-perplexity", 512
COMPARED = WINDOW - WINDOW // 2 - 1  # tokens of a window that the tool's statistics speak of
PUBLISHED, SECONDS, MEGABYTES = "smollm2-135m-instruct", 90, 2000
INSTEAD = ("zoo-l", "zoo-l+rtn-4-g8")
STAGES = ("files", "weights", "cold-start", "texts")
RUNS = 2


@dataclass(frozen=True)
class Cost:
    """What something takes: seconds by the clock, resident megabytes at most."""

    clock: float
    memory: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.clock + other.clock, max(self.memory, other.memory))


def run(command: Sequence[str], **environment: str) -> tuple[Cost, str]:
    """What a command takes, and what it prints."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as told:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=printed, stderr=told, env={**os.environ, **environment})
        _, status, used = os.wait4(process.pid, 0)  # of this process alone, whatever others took before
        cost = Cost(time.perf_counter() - started, used.ru_maxrss * 1024 / 1e6)
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (printed, told):
            stream.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)}: {told.read().strip().splitlines()[-1]}")
        return cost, printed.read() + told.read()


def ours(base: str, candidate: str, stages: Sequence[str], read: Sequence[Text]) -> tuple[Cost, int, int]:
    """The command on an empty store: its cost, how many tokens both models read, and how many the noise floor did."""
    with tempfile.TemporaryDirectory() as folder:
        texts = [Path(folder) / f"{number:02}" for number, _ in enumerate(read)]
        for file, program in zip(texts, read, strict=True):
            file.write_text(program.content, encoding="utf-8")
        command = [sys.executable, "-m", "compressed_code", "compare", base, candidate, "--only", *stages]
        command += ["--text", *map(str, texts), "--language", "python"]  # which language decides classes, not costs
        cost, printed = run([*command, "--format", "json"], **{COMPUTED_VARIABLE: folder})
    found = json.loads(printed[printed.index("{") : printed.rindex("}") + 1])
    return cost, *(next(row["tokens"] for row in found[table]) for table in ("statistics", "noise_floor"))


def theirs_of(base: str, candidate: str, read: Sequence[Text]) -> tuple[Cost, int]:
    """The tool's two passes, which write and read logits: their cost, and of how many windows."""
    threads = os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))
    with tempfile.TemporaryDirectory() as folder:
        text, logits = Path(folder) / "text", Path(folder) / "logits"
        text.write_text("\n".join(program.content for program in read), encoding="utf-8")
        how = ["-f", str(text), "-c", str(WINDOW), "-t", threads, "--kl-divergence-base", str(logits)]
        first, printed = run([TOOL, "-m", base, *how])
        second, _ = run([TOOL, "-m", candidate, *how, "--kl-divergence"])
    chunks = re.search(r"over (\d+) chunks", printed)
    if chunks is None:
        sys.exit(f"{TOOL}: says nothing of its chunks")
    return first + second, int(chunks[1])


def quicker(*runs: tuple) -> tuple:
    """The run whose cost, which comes first, was lowest by the clock."""
    return min(runs, key=lambda run: run[0].clock)


def float_files(folder: Path) -> tuple[str, str] | None:
    """The published model and its Q4_K_M as F32 files, so that both programs compute in float32; `None` without it."""

    def written(model: str, kind: str) -> str:
        command = [sys.executable, "-m", "compressed_code", "quantize", model, "--method", "gguf", "--type", kind]
        run([*command, "--out", str(folder / f"{len(list(folder.iterdir()))}-{kind}")])
        (file,) = max(folder.iterdir()).glob("*.gguf")
        return str(file)

    try:
        ModelSubject().open(ModelSubject().find(PUBLISHED, load_registry()), load_registry())
    except Unavailable as gap:
        print(f"{gap}; {INSTEAD[0]} in its place", file=sys.stderr)
        return None
    return written(PUBLISHED, "f32"), written(written(PUBLISHED, "q4_k_m"), "f32")


def a_thousand(whole: Cost, part: Cost, tokens: int) -> float:
    """Seconds by the clock of a thousand tokens of those that the whole reads and the part does not."""
    return 1000 * (whole.clock - part.clock) / tokens


def main() -> None:
    """Show what the command takes, and where it is at hand the tool on as many tokens."""
    is_short()  # it is short as it is
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 2:
            measure(*sys.argv[1:3])
        elif (pair := float_files(Path(folder))) is None:
            measure(*INSTEAD)
        else:
            measure(*pair, SECONDS, MEGABYTES)


def measure(base: str, candidate: str, seconds: float | None = None, megabytes: float | None = None) -> None:
    """The rows of a pair; `seconds` and `megabytes` are what it may take at most."""
    programs = programs_read(1)
    third = programs[::3]
    whole, tokens, floor = ours(base, candidate, STAGES, programs)
    reading, *_ = quicker(*(ours(base, candidate, ["texts"], programs) for _ in range(RUNS)))
    start, fewer, same_floor = quicker(*(ours(base, candidate, ["texts"], third) for _ in range(RUNS)))
    passes, threads = 2 * tokens + floor, int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    more = passes - 2 * fewer - same_floor
    registry, subject = load_registry(), ModelSubject()
    path = subject.open(subject.find(base, registry), registry)
    precise = precision_of(path) == "float64"
    a_pass = 2 * sizes(path)["parameters"] / product_rate(threads, precise)
    names = " and ".join(Path(name).name for name in (base, candidate))
    goal = f"compare {names}, {tokens:,} tokens, {threads} thread(s)"
    limit = f"its products of matrices in {'float64' if precise else 'float32'}"
    peer, theirs, theirs_compared, theirs_on = "", None, None, None
    if shutil.which(TOOL) and all(name.endswith(".gguf") for name in (base, candidate)):
        peer = f"llama.cpp's {TOOL}"
        cost, count = quicker(*(theirs_of(base, candidate, programs) for _ in range(RUNS)))
        cost_of_third, count_of_third = quicker(*(theirs_of(base, candidate, third) for _ in range(RUNS)))
        theirs = cost.clock / (2 * WINDOW * count) * passes
        theirs_compared = 1000 * cost.clock / (COMPARED * count)
        theirs_on = a_thousand(cost, cost_of_third, 2 * WINDOW * (count - count_of_third))
    on, compared = a_thousand(reading, start, more), 1000 * reading.clock / tokens
    show(
        [
            Row(f"{goal}: without programs", whole.clock, "s", seconds, limit=limit, least=a_pass * passes),
            Row(f"{goal}: its texts alone", reading.clock, "s", None, None, peer, theirs, limit, a_pass * passes),
            Row(f"{goal}: 1,000 tokens compared", compared, "s", None, 1, peer, theirs_compared, limit, 2000 * a_pass),
            Row(f"{goal}: 1,000 tokens read beyond the start", on, "s", None, 1, peer, theirs_on, limit, 1000 * a_pass),
            Row(f"{goal}: resident memory", whole.memory, "MB", megabytes),
        ]
    )


if __name__ == "__main__":
    main()
