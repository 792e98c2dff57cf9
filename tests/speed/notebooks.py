"""Time of the two long notebooks from nothing, and once more with everything measured.

    python tests/speed/notebooks.py [03 06]

Each runs in a copy of the project that has no variants and no results, only the downloads of the working copy. The
goals on two cores: notebook 03, which quantizes and measures every variant of its figures, six minutes; 06 eight.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench_rows import Row, is_short, show

from compressed_code.core.paths import BUILD, NOTEBOOKS, ROOT

DOWNLOADS = ("corpus", "packages", "tokenizers")
AIMS = {"03": 360.0, "06": 480.0}  # seconds


def main(numbers: Sequence[str]) -> None:
    """Rows of both runs; the second one may make no variant."""
    rows = []
    for number in numbers:
        (notebook,) = NOTEBOOKS.glob(f"{number}-*.ipynb")
        with tempfile.TemporaryDirectory() as folder:
            project = copy_of_project(Path(folder))
            first, second = timed(project, notebook.name), timed(project, notebook.name, again=True)
        limit = "its seconds of processors, shared by all cores"
        rows += [
            Row(
                f"notebook {number} from nothing, {first[2]} variants",
                first[0],
                "s",
                AIMS.get(number),
                limit=limit,
                least=first[1],
            ),
            Row(f"notebook {number}, everything measured", second[0], "s", limit=limit, least=second[1]),
            Row(f"notebook {number}, everything measured: made anew", second[2] - first[2], "variants", 0),
        ]
    show(rows)


def copy_of_project(folder: Path) -> Path:
    """The files that git tracks or would track, and what was downloaded already."""
    project = folder / "project"
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_bytes((ROOT / name).read_bytes())
    (project / "build").mkdir()
    for name in DOWNLOADS:
        if (BUILD / name).is_dir():
            (project / "build" / name).symlink_to(BUILD / name)
    return project


def timed(project: Path, name: str, again: bool = False) -> tuple[float, float, int]:
    """Seconds of a run, those of its processors through all cores, and how many variants there are after it."""
    command = [
        sys.executable,
        "-m",
        "helpers",
        "run",
        f"notebooks/{name}",
        f"build/{'second' if again else 'first'}-{name}",
    ]
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = (sum(after[:2]) - sum(before[:2])) / len(os.sched_getaffinity(0))
    return seconds, worked, len(list((project / "build" / "variants").glob("*/compression.json")))


if __name__ == "__main__":
    short = is_short()
    main(sys.argv[1:] or (["05"] if short else ["03", "06"]))
