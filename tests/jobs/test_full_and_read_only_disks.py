"""A disk that is really full, and one that may only be read: small file systems in a mount namespace of their own."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from compressed_code.core.paths import ROOT
from compressed_code.jobs.job import Job, Wanted
from compressed_code.jobs.run_job import COMPUTED, MISSING, STORED, run_job

OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]
CONTEXTS = ("document", "bos", "eos", "newline", "space")  # of the profile
JOB = Job("zoo-xs", tuple(Wanted("cold_start", {"context": context}) for context in CONTEXTS))
BEFORE = Job("zoo-xs", JOB.tables[:2])
PAGE = os.sysconf("SC_PAGESIZE")
# Arguments: bytes of the disk, how it is mounted, where, what lies on it, where that goes afterwards, and the command.
ON_A_DISK = """
set -e
size=$1 how=$2 disk=$3 before=$4 after=$5
shift 5
mount -t tmpfs -o size="$size" tmpfs "$disk"
cp -a "$before/." "$disk"
mount -o remount,"$how" "$disk"
code=0
"$@" || code=$?
cp -a "$disk/." "$after"
exit "$code"
"""


@pytest.fixture(scope="module")
def own_mounts() -> None:
    if shutil.which("unshare") is None or subprocess.run([*OWN_MOUNTS, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")


def tables(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.rglob("*.parquet")}


@pytest.mark.slow
@pytest.mark.parametrize(("how", "why"), [("rw", "No space left on device"), ("ro", "Read-only file system")])
def test_what_is_there_stays_and_what_cannot_be_kept_is_told(own_mounts, tmp_path, how, why):
    """The disk has two tables of five, and no room. Elsewhere the same command makes the other three."""
    before, disk, after = tmp_path / "before", tmp_path / "disk", tmp_path / "after"
    for folder in (disk, after):
        folder.mkdir()
    run_job(BEFORE, str(before))
    shutil.rmtree(before / ".locks")
    stored = tables(before)
    size = sum(-(-len(content) // PAGE) * PAGE for content in stored.values())
    measure = ["-m", "compressed_code", "measure", "--models", "zoo-xs", "--measurements", "cold_start"]
    command = [sys.executable, *measure, "--results", str(disk), "--format", "csv"]
    places = [str(size), how, *map(str, (disk, before, after))]
    done = subprocess.run(
        [*OWN_MOUNTS, "sh", "-c", ON_A_DISK, "sh", *places, *command], cwd=ROOT, capture_output=True, text=True
    )
    rows = pd.read_csv(io.StringIO(done.stdout))
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert rows["state"].tolist() == [STORED] * 2 + [MISSING] * 3
    assert (
        rows["note"][2:].str.contains(why).all() and rows["note"][2:].str.contains("run the same command again").all()
    )
    assert done.stderr.count("tables cannot be stored here") == 1
    assert tables(after) == stored and not list(after.rglob("*.part"))
    again = run_job(JOB, str(after))
    assert [row.state for row in again] == [STORED] * 2 + [COMPUTED] * 3
    assert stored.items() <= tables(after).items() and len(tables(after)) == len(CONTEXTS)
