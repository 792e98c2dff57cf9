"""`make env` from local package indexes: the lock's hashes are checked, and TORCH_INDEX says where torch comes from."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from compressed_code.core.paths import ROOT
from local_index import LocalIndex

pytestmark = pytest.mark.slow
BACKEND = """
from pathlib import Path

def build_editable(folder, *_):
    (Path(folder) / "project-1.0-py3-none-any.whl").write_bytes(Path("project.whl").read_bytes())
    return "project-1.0-py3-none-any.whl"
"""


def wheel(name: str, version: str, *requires: str) -> bytes:
    """A wheel without code (binary distribution format, PyPA)."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: dev\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return content.getvalue()


@pytest.fixture(scope="module")
def indexes():
    """Address of one index per package: torch with CUDA, what it needs, a locked package, and torch for CPUs."""
    offered = {
        "cuda": ("torch", "2.13.0", ["nvidia-runtime==1.0"]),
        "nvidia": ("nvidia-runtime", "1.0", []),
        "locked": ("locked", "3.1", []),
        "cpu": ("torch", "2.13.0+cpu", []),
    }
    servers, wheels = {}, {}
    for place, (name, version, requires) in offered.items():
        wheels[place] = wheel(name.replace("-", "_"), version, *requires)
        file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        servers[place] = LocalIndex(name, {file: wheels[place]}, announced=True)
    yield {place: server.url for place, server in servers.items()}, wheels["locked"]
    for server in servers.values():
        server.stop()


@pytest.fixture
def make_env(indexes, tmp_path):
    """`make env` in a project of three packages with this Makefile; the lock's hash can be a wrong one."""
    urls, locked = indexes
    shutil.copy2(ROOT / "Makefile", tmp_path)
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "project.whl").write_bytes(wheel("project", "1.0", "torch==2.13.0", "locked"))
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "project"\nversion = "1.0"\ndependencies = [\n    "torch==2.13.0",\n    "locked",\n]\n'
    )

    def run(*arguments: str, digest: str = hashlib.sha256(locked).hexdigest()) -> subprocess.CompletedProcess:
        (tmp_path / "requirements.lock").write_text(f"locked==3.1 \\\n    --hash=sha256:{digest}\n")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE"))}
        configured = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": urls["cuda"],
            "PIP_EXTRA_INDEX_URL": f"{urls['nvidia']} {urls['locked']}",
            "PIP_NO_CACHE_DIR": "1",
        }
        command = ["make", "env", f"PYTHON={sys.executable}", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=kept | configured, capture_output=True, text=True)

    return run


def installed(folder: Path) -> set[str]:
    return {path.name.removesuffix(".dist-info") for path in folder.glob(".venv/lib/python*/site-packages/*.dist-info")}


def test_torch_comes_from_the_index_of_pip_by_default(make_env, tmp_path):
    done = make_env()
    assert done.returncode == 0, done.stderr
    assert {"torch-2.13.0", "nvidia_runtime-1.0", "locked-3.1", "project-1.0"} <= installed(tmp_path)


def test_torch_alone_comes_from_the_index_that_is_named(make_env, indexes, tmp_path):
    done = make_env(f"TORCH_INDEX={indexes[0]['cpu']}")
    assert done.returncode == 0, done.stderr
    assert "make: torch 2.13.0+cpu" in done.stdout
    found = installed(tmp_path)
    assert {"torch-2.13.0+cpu", "locked-3.1", "project-1.0"} <= found
    assert not any(name.startswith(("nvidia", "torch-2.13.0.")) for name in found) and "torch-2.13.0" not in found


def test_hashes_of_the_lock_are_checked_whatever_the_index_of_torch(make_env, indexes, tmp_path):
    done = make_env(f"TORCH_INDEX={indexes[0]['cpu']}", digest="0" * 64)
    assert done.returncode != 0 and "DO NOT MATCH THE HASHES" in done.stderr
    assert not installed(tmp_path) & {"torch-2.13.0+cpu", "locked-3.1"}
    assert not (tmp_path / ".venv" / ".installed").exists()
