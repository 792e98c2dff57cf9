"""A Hub on loopback that huggingface_hub talks to unmodified: give its address as HF_ENDPOINT.

Repositories are folders. Spoken is what the library asks for (observed of huggingface_hub 2 and the Hub's own answers):
the description of a model with its files and their hashes, the tree, the check of access, and the resolution of a file.
Text lies in git and is answered at once with the id of its blob as ETag; what git-lfs holds is redirected to a signed
address under /cdn, which knows ranges, must not be given a token, and runs out. Trouble can be ordered beforehand.
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

LARGE = (".safetensors", ".gguf", ".bin", "tokenizer.json")  # what published repositories keep in git-lfs


@dataclass
class Repository:
    """One model.

    Attributes:
        folder: its files.
        gated: its terms must be accepted: files need a token that is in `accepted`.
        private: nobody without such a token learns that it exists.
    """

    folder: Path
    gated: bool = False
    private: bool = False
    accepted: tuple[str, ...] = ()

    @cached_property
    def commit(self) -> str:
        """A hash of all that the repository held when it was first asked for."""
        names = [(name, blob_id(self.folder / name)) for name in self.files()]
        return hashlib.sha1(json.dumps(names).encode()).hexdigest()

    def files(self) -> list[str]:
        """Names of its files."""
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())


@dataclass
class Trouble:
    """What happens to some requests in place of an answer.

    Attributes:
        path: regular expression that the beginning of a request's path must match.
        kind: a status ("429" comes with Retry-After), "drop" (the connection ends after half of the body) or "tampered"
            (a byte of the body is another one).
        times: how many requests it happens to.
        after: seconds in Retry-After.
    """

    path: str
    kind: str
    times: int = 1
    after: int = 0


@dataclass
class Hub:
    """Repositories by their id, and what was asked.

    Attributes:
        address: for HF_ENDPOINT.
        requests: method, path, range and token of each request.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    requests: list[tuple[str, str, str, str]] = field(default_factory=list)
    address: str = ""
    signature: int = 0

    def asked(self, part: str) -> list[tuple[str, str, str, str]]:
        """The requests whose path holds a text."""
        return [request for request in self.requests if part in request[1]]

    def environment(self, cache: Path, token: str | None = None) -> dict[str, str]:
        """Variables for a process of its own that talks to this Hub."""
        own = {"HF_ENDPOINT": self.address, "HF_HOME": str(cache), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        return {**own, "HF_HUB_DISABLE_TELEMETRY": "1", **({"HF_TOKEN": token} if token else {})}


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A Hub that listens until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub, server.daemon_threads = hub, True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def blob_id(path: Path) -> str:
    """What git calls a file: of one in git-lfs its pointer's id."""
    content = pointer(path).encode() if is_large(path) else path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def pointer(path: Path) -> str:
    """What git holds of a file in git-lfs (https://git-lfs.com, version 1 of the specification)."""
    size = path.stat().st_size
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(path)}\nsize {size}\n"


def sha256(path: Path) -> str:
    """Of the content."""
    return _sha256(path, path.stat().st_mtime_ns)


@cache
def _sha256(path: Path, _: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_large(path: Path) -> bool:
    """Whether git-lfs holds it."""
    return path.name.endswith(LARGE)


class _Refused(Exception):
    """Status, error code and words of an answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer()

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def answer(self) -> None:
        hub, path = self.server.hub, urlsplit(self.path).path
        hub.requests.append((self.command, self.path, self.headers.get("Range", ""), self.token))
        self.trouble = next((one for one in hub.troubles if one.times and re.match(one.path, path)), None)
        if self.trouble:
            self.trouble.times -= 1
            if self.trouble.kind.isdigit():
                later = {"Retry-After": str(self.trouble.after)} if self.trouble.kind == "429" else {}
                return self.send(int(self.trouble.kind), later)
        try:
            self.route(path)
        except _Refused as refused:
            status, code, words = refused.args
            self.send(status, {"X-Error-Code": code, "X-Error-Message": words}, json.dumps({"error": words}).encode())

    def route(self, path: str) -> None:
        kinds: dict[str, Callable] = {
            r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?": self.about,
            r"/api/models/([^/]+/[^/]+)/auth-check": self.check,
            r"/api/models/([^/]+/[^/]+)/tree/([^/]+)": self.tree,
            r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)": self.resolve,
            r"/([^/]+/[^/]+)/raw/([^/]+)/(.+)": self.raw,
            r"/cdn/(\d+)/([^/]+/[^/]+)/(.+)": self.content,
        }
        for pattern, handle in kinds.items():
            if match := re.fullmatch(pattern, path):
                return handle(*match.groups())
        raise _Refused(404, "", "nothing of that name")

    def repository(self, name: str, revision: str | None = None, *, files: bool = False) -> Repository:
        found = self.server.hub.repositories.get(name)
        may = found is not None and self.token in found.accepted
        if found is None or (found.private and not may):
            raise _Refused(404 if self.token else 401, "RepoNotFound", "Repository not found")
        if files and found.gated and not may:
            raise _Refused(403 if self.token else 401, "GatedRepo", f"Access to model {name} is restricted")
        if revision not in (None, "main", found.commit):
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def about(self, name: str, revision: str | None) -> None:
        found = self.repository(name, revision)
        siblings = [self.entry(found, file) for file in found.files()]
        gated = "manual" if found.gated else False
        self.json({"id": name, "sha": found.commit, "gated": gated, "private": found.private, "siblings": siblings})

    def check(self, name: str) -> None:
        self.repository(name, files=True)
        self.send(200, {}, b"OK")

    def tree(self, name: str, revision: str) -> None:
        found = self.repository(name, revision)
        entries = []
        for entry in (self.entry(found, file) for file in found.files()):
            lfs = entry.get("lfs")
            kept = (
                {"lfs": {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}} if lfs else {}
            )
            entries.append(
                {"type": "file", "path": entry["rfilename"], "size": entry["size"], "oid": entry["blobId"], **kept}
            )
        self.json(entries)

    def entry(self, found: Repository, file: str) -> dict:
        path = found.folder / file
        entry = {"rfilename": file, "size": path.stat().st_size, "blobId": blob_id(path)}
        if is_large(path):
            entry["lfs"] = {"sha256": sha256(path), "size": path.stat().st_size, "pointerSize": len(pointer(path))}
        return entry

    def file(self, name: str, revision: str, file: str) -> tuple[Repository, Path]:
        found = self.repository(name, revision, files=True)
        path = found.folder / file
        if not path.is_file():
            raise _Refused(404, "EntryNotFound", "Entry not found")
        return found, path

    def resolve(self, name: str, revision: str, file: str) -> None:
        found, path = self.file(name, revision, file)
        labels = {"X-Repo-Commit": found.commit, "Accept-Ranges": "bytes"}
        if not is_large(path):
            return self.part(path, labels | {"ETag": f'"{blob_id(path)}"'})
        hub = self.server.hub
        hub.signature += 1
        labels |= {"X-Linked-ETag": f'"{sha256(path)}"', "X-Linked-Size": str(path.stat().st_size)}
        # Another name of this machine is another server: a library that sends its token on is seen.
        elsewhere = hub.address.replace("127.0.0.1", "localhost")
        return self.send(302, labels | {"Location": f"{elsewhere}/cdn/{hub.signature}/{name}/{file}"})

    def raw(self, name: str, revision: str, file: str) -> None:
        _, path = self.file(name, revision, file)
        self.send(200, {}, pointer(path).encode() if is_large(path) else path.read_bytes())

    def content(self, signature: str, name: str, file: str) -> None:
        path = self.server.hub.repositories[name].folder / file
        self.part(path, {"ETag": f'"{sha256(path)}"', "Accept-Ranges": "bytes"})

    def part(self, path: Path, labels: dict[str, str]) -> None:
        content = path.read_bytes()
        size, status = len(content), 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted and self.command == "GET":
            start, stop = int(wanted[1]), min(int(wanted[2] or size - 1) + 1, size)
            content, status = content[start:stop], 206
            labels = labels | {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
        if self.trouble and self.trouble.kind == "tampered" and content:
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        if self.trouble and self.trouble.kind == "drop":
            self.send(status, labels, content[: len(content) // 2], length=len(content))
            self.close_connection = True
            return
        self.send(status, labels, content)

    def json(self, content: object) -> None:
        self.send(200, {"Content-Type": "application/json"}, json.dumps(content).encode())

    def send(self, status: int, headers: dict[str, str], body: bytes = b"", length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
