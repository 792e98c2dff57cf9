"""Judges every program of programs.yml, each followed by a correct one, and prints what came of it as JSON.

Runs as a program of its own, so that the suite can put it into a process namespace: what would slip out of the sandbox
is still inside that one.
"""

import json
import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from compressed_code.sandbox import STAGES, Limits, Sandbox, Trial

LIMITS = Limits(
    cpu_seconds=1.0,  # a memory bomb needs a tenth of it here; a busy virtual machine may take five times as long
    wall_seconds=4.0,
    memory_bytes=192 << 20,
    processes=8,
    file_bytes=8 << 20,
    disk_bytes=16 << 20,
    output_bytes=1 << 18,
)
OPEN_FILES = 200
PRELUDE = """
def escaped(what):
    raise type("Escaped_" + what, (BaseException,), {})()
"""
CORRECT = "def solve(items):\n    return sorted(items)\n"
CANARY = "CANARY_IN_TEST_NUMBER"  # programs that find this text have found their test
TEST = f"""
# {CANARY}
def check(candidate):
    assert candidate([3, 1, 2]) == [1, 2, 3]
    assert candidate([]) == []
    assert candidate([5, 4]) == [4, 5]
    assert sorted(candidate([2, 2])) == [2, 2]
"""


def main(isolation: str, names: list[str]) -> None:
    """Judge the named programs."""
    # What starts a sandbox may have many files open; none of them, and no socket of the sandbox, is to be in reach.
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(OPEN_FILES)]
    programs = yaml.safe_load((Path(__file__).parent / "programs.yml").read_text(encoding="utf-8"))
    chosen = {name: programs[name] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        bait = Bait(Path(folder))
        os.environ.update(CANARY_VARIABLE="CANARY", HOME=str(bait.home))
        trials = []
        for entry in chosen.values():
            setup, test = entry.get("setup", ""), entry.get("test", TEST)
            trials += [
                Trial(PRELUDE + bait.fill(entry["program"]), setup, test, "solve"),
                Trial(entry.get("neighbour", CORRECT), setup, test, "solve"),
            ]
        report = {}
        with Sandbox(isolation, workers=1, limits=LIMITS) as sandbox:
            # As `score` does it, and without the plain run, which would keep many of them from their judge.
            for name, stages in (("both", STAGES), ("apart", STAGES[1:])):
                verdicts = list(sandbox.judge(trials, stages))
                report[name] = {
                    name: [verdict.outcome, verdict.exception, following.outcome]
                    for name, verdict, following in zip(chosen, verdicts[::2], verdicts[1::2], strict=True)
                }
        report["damage"] = bait.damage()
    for descriptor in held:
        os.close(descriptor)
    print(json.dumps(report))


class Bait:
    """What the programs are after: files, listeners and a process, all made for this run."""

    def __init__(self, folder: Path) -> None:
        self.markers, self.home, self.secret = folder / "markers", folder / "home", folder / "secret"
        folder.chmod(0o755)
        for path in (self.markers, self.home):
            path.mkdir()
            path.chmod(0o777)
        self.word = secrets.token_hex(16)
        self.secret.write_text(self.word)
        self.secret.chmod(0o644)
        self.victim = subprocess.Popen(["sleep", "600"])
        self.abstract = f"bait-{secrets.token_hex(8)}"
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.unix, self.unnamed = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.unix.bind(str(folder / "socket"))
        self.unnamed.bind(f"\0{self.abstract}")
        for listener in (self.unix, self.unnamed):
            listener.listen()

    def fill(self, program: str) -> str:
        values = {
            "HOME_OF_USER": self.home,
            "SECRET": self.secret,
            "MARKERS": self.markers,
            "PORT": self.tcp.getsockname()[1],
            "SOCKET": self.unix.getsockname(),
            "ABSTRACT": self.abstract,
            "VICTIM": self.victim.pid,
            "CORE": resource.getrlimit(resource.RLIMIT_CORE)[1] % (1 << 64),
        }
        for name, value in values.items():
            program = program.replace(f"${name}", str(value))
        program = program.replace("REPEAT_PARENTHESES", "(" * 100_000 + ")" * 100_000)
        return program.replace("SURROGATE", "\ud800")

    def damage(self) -> list[str]:
        """What was reached, in words; nothing where the sandbox held."""
        found = [f"written: {path.name}" for folder in (self.markers, self.home) for path in folder.iterdir()]
        if not self.secret.exists() or self.secret.read_text() != self.word:
            found.append("the secret file was changed")
        if self.victim.poll() is not None:
            found.append("the victim was killed")
        elif "T" in Path(f"/proc/{self.victim.pid}/stat").read_text().rpartition(")")[2].split()[0]:
            found.append("the victim was stopped")
        for name, listener in (("TCP", self.tcp), ("Unix", self.unix), ("abstract Unix", self.unnamed)):
            listener.setblocking(False)
            try:
                listener.accept()
                found.append(f"a {name} connection arrived")
            except BlockingIOError:
                pass
        self.victim.kill()
        self.victim.wait()
        return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
