"""Where numbers come from: the machine, the packages and the commit that a computation ran with."""

import os
import platform
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from compressed_code.core.paths import ROOT

# What changes the last digits of a sum: https://github.com/pytorch/pytorch, MKL, oneDNN, OpenBLAS and numpy read these.
ARITHMETIC_VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "MKL_CBWR",
    "MKL_NUM_THREADS",
    "NPY_DISABLE_CPU_FEATURES",
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
)
# Instruction sets that numerical libraries choose their code by, as /proc/cpuinfo names them.
_INSTRUCTION_SETS = (
    "sse4_1",
    "sse4_2",
    "avx",
    "f16c",
    "fma",
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
)
_CPU_FILE = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """What decides last digits besides the code: system, processor, instruction sets, cores and arithmetic settings.

    Returns:
        `system`, `processor`, `instruction_sets` (of those that libraries ask for), `cores` (that this process may
        use), `settings` (arithmetic variables of the environment that are set).
    """
    facts = _cpu_facts()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": facts.get("model name") or platform.processor(),
        "instruction_sets": list(instruction_sets()),
        "cores": cores,
        "settings": {name: os.environ[name] for name in ARITHMETIC_VARIABLES if name in os.environ},
    }


def instruction_sets() -> tuple[str, ...]:
    """The instruction sets of this processor that matter to arithmetic; none where the system does not tell."""
    found = set(_cpu_facts().get("flags", "").split())
    return tuple(name for name in _INSTRUCTION_SETS if name in found)


def package_versions() -> dict[str, str | None]:
    """Python and the version of every package that the project itself asks for; `None` where it is not installed."""
    try:
        declared = requires("compressed-code") or []
    except PackageNotFoundError:  # the source is used without being installed
        declared = []
    needed = [entry for entry in declared if "extra ==" not in entry]
    names = sorted({re.match(r"[\w.-]+", entry).group() for entry in needed}, key=str.lower)
    return {"python": sys.version.split()[0], **{name: package_version(name) for name in names}}


@cache
def package_version(package: str) -> str | None:
    """The installed version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str | None:
    """The commit of the working tree, with `-dirty` where files differ from it; `None` outside git.

    What a run itself writes does not make it another one: figures and recomputed references are passed over.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        written = [f":!{folder}" for folder in ("figures", "data/reference")]
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *written)
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


@cache
def _cpu_facts() -> dict[str, str]:
    """The first processor's lines of /proc/cpuinfo; empty on other systems."""
    try:
        first = _CPU_FILE.read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
