"""Which ways of isolating a process this machine offers, and the command that starts each."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from compressed_code.core.errors import Unavailable
from compressed_code.sandbox.inside import syscall_filter
from compressed_code.sandbox.packages import SHOWN_AS, package_folders
from compressed_code.sandbox.trials import Limits

Isolation = Literal["bubblewrap", "namespaces", "none"]
ISOLATORS: tuple[Isolation, ...] = ("bubblewrap", "namespaces")
REMEDY = (
    "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap) and allow user"
    " namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu 24.04), or ask for unsafe execution"
    " (score --unsafe)"
)

_PACKAGE = Path(__file__).parent
_SHOWN_AS = "/sandbox"
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_START = "import json, sys; sys.path.insert(0, {1!r}); from inside import {0}; {0}.main(*json.loads(sys.argv[1]))"
_ZONES = "/usr/share/zoneinfo"
Role = Literal["programs", "judges"]
_USERS: tuple[Role, ...] = ("programs", "judges")  # each kind of jail has a user of its own


def command(
    isolation: Isolation, role: Role, limits: Limits, descriptor: int, packages: Sequence[str] = ()
) -> list[str]:
    """The command line of one jail.

    Args:
        role: what runs in it; judges have no place to write to.
        isolation: "none" runs the same server without any jail.
        limits: of every trial.
        descriptor: open socket through which the worker is asked.
        packages: names of installed packages that programs and tests may import besides the standard library.

    Raises:
        InputError: programs cannot be shown such a package.
        Unavailable: the machine cannot do this, as far as that shows before trying.
    """
    if platform.system() != "Linux" or platform.machine() not in syscall_filter.PROCESSORS:
        system = f"{platform.system()} on {platform.machine()}"
        raise Unavailable(f"programs can be run on Linux (x86_64, aarch64) only, this is {system}; use a container")
    if not Path(_interpreter()).is_file():
        raise Unavailable(
            f"{_interpreter()}, which programs run with, is missing; make the environment anew with a whole Python"
        )
    shown = package_folders(packages)
    inside = {"descriptor": descriptor, "isolated": isolation != "none", "limits": asdict(limits)}
    inside |= {"folders": [SHOWN_AS] if shown else [], "packages": list(packages)}
    if isolation == "none":
        inside["folders"] = sorted({str(Path(source).parent) for source, _ in shown})
        return _python("server", _PACKAGE, [role, inside])
    bubblewrap = shutil.which("bwrap")
    if isolation == "bubblewrap" and bubblewrap is None:
        raise Unavailable("bwrap is not installed")
    plan = {
        "isolation": isolation,
        "bubblewrap": bubblewrap,
        "shown": [*_shown(), *shown],
        "hidden": _hidden(),
        "writable": role == "programs",
        "user": _USERS.index(role),
        "command": _python("server", _SHOWN_AS, [role, inside]),
    }
    return _python("launch", _PACKAGE, [plan])


def _python(module: str, folder: Path | str, arguments: list[Any]) -> list[str]:
    """Run `main` of a module of `inside` with the interpreter below any virtual environment, without packages."""
    start = _START.format(module, str(folder))
    return [_interpreter(), "-S", "-s", "-B", "-P", "-X", "utf8", "-c", start, json.dumps(arguments)]


def _interpreter() -> str:
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def _shown() -> list[tuple[str, str]]:
    """What an isolated Python needs: itself, its standard library, shared libraries and the sandbox's own inside."""
    paths = [_interpreter(), *(f"{sys.base_prefix}/{name}" for name in ("lib", "lib64")), *_LIBRARIES, _ZONES]
    shown = [(os.path.realpath(path), path) for path in dict.fromkeys(paths) if Path(path).exists()]
    return [*shown, (str(_PACKAGE / "inside"), f"{_SHOWN_AS}/inside")]


def _hidden() -> list[str]:
    """Installed packages, which are the user's and no part of the standard library."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    libraries = (*(f"{sys.base_prefix}/{name}/{version}" for name in ("lib", "lib64")), "/usr/lib/python3")
    folders = [f"{library}/{name}" for library in libraries for name in ("site-packages", "dist-packages")]
    return [folder for folder in dict.fromkeys(folders) if Path(folder).is_dir()]


def answers_command(isolation: Isolation, limits: Mapping[str, Any], packages: Sequence[str] = ()) -> list[str]:
    """The command line of a jail that only runs a benchmark's own solutions (`inside.answers`), for what they answer.

    Args:
        isolation: as of a sandbox that works here.
        limits: of `inside.answers.main`.
        packages: names of installed packages that the solutions may import besides the standard library.

    Raises:
        InputError: programs cannot be shown such a package.
    """
    shown = package_folders(packages)
    if isolation == "none":
        site = sorted({str(Path(source).parent) for source, _ in shown})
        return _python("answers", _PACKAGE, [dict(limits), False, site])
    plan = {
        "isolation": isolation,
        "bubblewrap": shutil.which("bwrap"),
        "shown": [*_shown(), *shown],
        "hidden": _hidden(),
        "writable": True,
        "user": len(_USERS),
        "command": _python("answers", _SHOWN_AS, [dict(limits), True, [SHOWN_AS]]),
    }
    return _python("launch", _PACKAGE, [plan])
