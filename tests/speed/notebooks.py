"""Time of the two long notebooks from nothing, and once more with everything measured. Prints; judges nothing.

    python -P tests/speed/notebooks.py [03 06]

Each runs in a copy of the project that has no variants and no results, only the downloads of the working copy. The
goals on two cores: notebook 03, which quantizes and measures every variant of its figures, six minutes; 06 eight.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from compressed_code.core.paths import BUILD, NOTEBOOKS, ROOT

DOWNLOADS = ("corpus", "tokenizers")


def main(numbers: Sequence[str]) -> None:
    """Print the seconds of both runs and how many files of variants the second one wrote."""
    for number in numbers:
        (notebook,) = NOTEBOOKS.glob(f"{number}-*.ipynb")
        with tempfile.TemporaryDirectory() as folder:
            project = copy_of_project(Path(folder))
            first, second = timed(project, notebook.name), timed(project, notebook.name, again=True)
            print(f"{notebook.stem}: {first[0]:.0f} s from nothing, {second[0]:.0f} s with everything measured,")
            print(f"  {first[1]} variants made, then {second[1] - first[1]} more")


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


def timed(project: Path, name: str, again: bool = False) -> tuple[float, int]:
    """Seconds of a run, and how many variants there are after it."""
    command = [
        sys.executable,
        "-m",
        "helpers",
        "run",
        f"notebooks/{name}",
        f"build/{'second' if again else 'first'}-{name}",
    ]
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    start = time.perf_counter()
    subprocess.run(command, cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    return seconds, len(list((project / "build" / "variants").glob("*/compression.json")))


if __name__ == "__main__":
    main(sys.argv[1:] or ["03", "06"])
