"""Every speed goal in one table: `make bench`. Runs the scripts beside it one after the other, each by itself.

    python tests/speed/bench.py [--short] [NAME ...]

The table goes to data/reference/bench.csv after each script, every row with the machine that it was measured on, and is
declared. With names these scripts alone run, and rows that others measured on this machine stay. A script that fails is
named, and its earlier rows stay. With --short nothing is written.
"""

import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import psutil
from bench_rows import COLUMNS, ROWS_VARIABLE, as_text, is_short

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.provenance import machine
from compressed_code.core.reference_files import REFERENCES, declare

BENCH = REFERENCES / "bench.csv"
SCRIPTS = {  # name → arguments
    **{"vocabularies": [], "starts": [], "cold_start": ["--cold"], "fidelity": [], "comparison": []},
    **{"generation": [], "scoring": [], "jobs": [], "explorer": [], "notebooks": ["03"]},
}


def rows_of(name: str, short: bool) -> pd.DataFrame | None:
    """What a script measures, `described`; `None` where it fails. What it prints is shown as it runs."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.csv"
        command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), *SCRIPTS[name], *["--short"] * short]
        started = time.perf_counter()
        print(f"-- {name}", flush=True)
        done = subprocess.run(command, env={**os.environ, ROWS_VARIABLE: str(target)}, check=False)
        print(f"-- {name}: {time.perf_counter() - started:.0f} s", flush=True)
        if done.returncode or not target.is_file():
            return None
        return described(pd.read_csv(target).assign(script=name))


def described(table: pd.DataFrame) -> pd.DataFrame:
    """The table with what it was measured on, the same in every row."""
    here, memory = machine(), psutil.virtual_memory().total / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "numpy"))
    facts = {
        "machine": f"{here['processor']}, {here['cores']} cores, {memory:.0f} GB of memory",
        "instruction_sets": " ".join(here["instruction_sets"]),
        "threads": here["settings"].get("OMP_NUM_THREADS", "as many as cores"),
        "system": here["system"],
        "versions": f"python {sys.version.split()[0]}, {packages}",
        # What else ran meanwhile: processes that wanted a core, on average over the last minute, and who goes first.
        "load": round(os.getloadavg()[0], 1),
        "niceness": os.nice(0),
    }
    return table.assign(**facts)


def with_earlier(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table, and what other scripts have measured on this machine before, in the order of `SCRIPTS`."""
    parts = [table]
    if path.is_file():
        earlier = pd.read_csv(path)
        here = earlier["machine"].isin(table["machine"].unique())
        parts.append(earlier[here & ~earlier["script"].isin(table["script"].unique())])
    order = {name: number for number, name in enumerate(SCRIPTS)}
    return pd.concat(parts, ignore_index=True).sort_values("script", key=lambda names: names.map(order), kind="stable")


def main() -> int:
    short = is_short()
    names = sys.argv[1:] or list(SCRIPTS)
    parts, failed = [], []
    for name in names:
        rows = rows_of(name, short)
        if rows is None:
            failed.append(name)
            continue
        parts.append(rows)
        if not short:
            written = with_earlier(rows, BENCH)
            with written_whole(BENCH) as part:
                written.to_csv(part, index=False)
            declare(BENCH, "machine", "make bench")
    if parts:
        print(as_text(pd.concat(parts, ignore_index=True)[COLUMNS]))
    if failed:
        print(f"bench: failed: {', '.join(failed)}; the rows of the others are written", file=sys.stderr)
        return 1
    if not short:
        print(f"bench: {BENCH}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
