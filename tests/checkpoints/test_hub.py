"""Checkpoints read by byte ranges from a server of the test's own, which speaks the part of the Hub's protocol that
huggingface_hub uses and writes down every range it was asked for."""

import json
import re
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path, PurePosixPath

import gguf
import huggingface_hub
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from huggingface_hub import constants
from huggingface_hub.utils import close_session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers.models import BPE

from compressed_code.checkpoints import checkpoint as checkpoints
from compressed_code.checkpoints import hub as hub_module
from compressed_code.checkpoints.files import gguf_header, remote_file
from compressed_code.checkpoints.files.remote_file import Place, RemoteFile, Transfers, cut, joined, without
from compressed_code.checkpoints.hub import download_model, gguf_settings, open_remote_checkpoint
from compressed_code.checkpoints.matrices import matrix as matrices
from compressed_code.cold_start.distribution import cold_start, cold_start_from
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.measurements import cold_start as models
from compressed_code.measurements.tables import measure
from compressed_code.models.start_contexts import start_context
from compressed_code.registry.lookup import Registry
from storage_formats import write_gguf
from tiny_models import EXPERT_GROUPS, EXPERTS, contents, save_tiny, save_tokenizer
from tokenizers import Tokenizer

MODEL = "someone/model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WHERE = f"{MODEL}@{COMMIT}"
LAYERS = {"num_hidden_layers": 3}
EXPERT_MODEL = {"family": "deepseek_v3", **EXPERTS, **EXPERT_GROUPS, "norm_topk_prob": True}
SHARDS = {"shards": "12KB"}
MODELS = {
    "qwen2, bfloat16, shards": {"family": "qwen2", **LAYERS, "dtype": torch.bfloat16, **SHARDS},
    "qwen2, tied, float16": {"family": "qwen2", **LAYERS, "tie_word_embeddings": True, "dtype": torch.float16},
    "deepseek v3, shards": EXPERT_MODEL | SHARDS,
    "deepseek v3, bfloat16": EXPERT_MODEL | {"dtype": torch.bfloat16},
}


# --- the server ------------------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """One request for bytes of a file, and how many bytes were answered."""

    file: str
    start: int
    stop: int
    answered: int


@dataclass
class Hub:
    """One repository, and what to do other than serving it.

    Attributes:
        trouble: from a file's name and the number of the request for it to a word the handler knows.
        elsewhere: files are on another address, signed with the number of the look-up.
        refusal: status and error code of every answer about the repository.
    """

    folder: Path
    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    tokens: set[tuple[str, str | None]] = field(default_factory=set)
    trouble: Callable[[str, int], str] = lambda file, number: ""
    elsewhere: str = ""
    lookups: int = 0
    refusal: tuple[int, str] | None = None

    def ranges(self, file: str) -> list[tuple[int, int]]:
        return [(asked.start, asked.stop) for asked in self.asked if asked.file == file]

    @property
    def answered(self) -> int:
        return sum(asked.answered for asked in self.asked)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        hub = self.hub
        hub.paths.append(self.path)
        hub.tokens.add((self.path.split("/")[1], self.headers.get("Authorization")))
        if match := re.fullmatch(rf"/api/models/{MODEL}(?:/revision/([^/?]+))?(?:\?.*)?", self.path):
            self.about(match[1] or "main")
        elif re.fullmatch(rf"/api/models/{MODEL}/tree/{COMMIT}(?:\?.*)?", self.path):
            files = [(path.name, path.stat().st_size) for path in sorted(hub.folder.iterdir())]
            tree = [{"type": "file", "path": name, "size": size, "oid": name} for name, size in files]
            self.plain(200, {"Content-Type": "application/json"}, json.dumps(tree).encode())
        elif match := re.fullmatch(rf"/{MODEL}/resolve/([^/]+)/(.+)", self.path):
            self.file(match[1], match[2], body)
        elif match := re.fullmatch(r"/signed/(\d+)/(.+)", self.path):
            if int(match[1]) < hub.lookups:  # only the newest address is good
                self.plain(403, {})
            else:
                self.content(match[2], body)
        else:
            self.plain(404, {"X-Error-Code": "RepoNotFound"})

    def about(self, revision: str) -> None:
        if self.hub.refusal:
            status, code = self.hub.refusal
            self.plain(status, {"X-Error-Code": code} if code else {})
        elif revision not in ("main", COMMIT):
            self.plain(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            names = sorted(path.name for path in self.hub.folder.iterdir())
            files = [{"rfilename": name} for name in names]
            self.plain(200, {}, json.dumps({"id": MODEL, "sha": COMMIT, "siblings": files}).encode())

    def file(self, revision: str, name: str, body: bool) -> None:
        path = self.hub.folder / name
        if revision not in ("main", COMMIT) or not path.is_file() or self.hub.trouble(name, -1) == "missing":
            self.plain(404, {"X-Error-Code": "EntryNotFound"})
        elif self.hub.elsewhere and not name.endswith(".json"):
            self.hub.lookups += 1
            headers = {**self.labels(path), "Location": f"{self.hub.elsewhere}/signed/{self.hub.lookups}/{name}"}
            self.plain(302, headers | {"X-Linked-Size": str(path.stat().st_size)})
        else:
            self.content(name, body)

    def labels(self, path: Path) -> dict[str, str]:
        return {"X-Repo-Commit": COMMIT, "ETag": f'"{path.name}-{path.stat().st_size}"', "Accept-Ranges": "bytes"}

    def content(self, name: str, body: bool) -> None:
        path = self.hub.folder / name
        content, labels = path.read_bytes(), self.labels(path)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not body or not wanted:
            self.plain(200, labels, content, body)
            return
        start, stop = int(wanted[1]), min(int(wanted[2]) + 1, len(content))
        trouble = self.hub.trouble(name, len(self.hub.ranges(name)))
        asked = Asked(name, start, stop, 0)
        self.hub.asked.append(asked)
        labels["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        part = content[start:stop]
        if trouble == "busy":
            self.plain(503, {})
        elif trouble == "no ranges":
            self.plain(200, labels, content)
        elif trouble == "another range":
            labels["Content-Range"] = f"bytes {start + 1}-{stop}/{len(content)}"
            self.plain(206, labels, part)
        elif trouble == "another file":
            labels["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content) + 1}"
            self.plain(206, labels, part)
        elif trouble == "short":
            asked.answered = len(part) // 2
            self.plain(206, labels, part[: len(part) // 2])
        elif trouble == "long":
            asked.answered = len(part)
            self.plain(206, labels, part + b"more")
        elif trouble == "breaks off":
            asked.answered = len(part) // 2
            self.plain(206, labels, part[: len(part) // 2], length=len(part))
            self.close_connection = True
        else:
            asked.answered = len(part)
            self.plain(206, labels, part)

    def plain(self, status: int, headers: dict, body: bytes = b"", send: bool = True, length: int | None = None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if send and self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Start a Hub for a folder; huggingface_hub asks the last one started. Waiting is cut short."""
    servers = []

    def start(folder: Path) -> Hub:
        hub = Hub(folder)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.hub, server.daemon_threads = hub, True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        hub.address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        return hub

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote_file, "WAITS", (0.01, 0.02, 0.04))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    close_session()  # a session of another test may know another proxy
    yield start
    close_session()
    for server in servers:
        server.shutdown()
        server.server_close()


def tensor_spans(file: Path) -> dict[str, tuple[int, int]]:
    """Where each tensor of a safetensors file lies, by the format's description; "" is the header."""
    content = file.read_bytes()
    data = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:data])
    header.pop("__metadata__", None)
    return {"": (0, data)} | {
        name: tuple(data + offset for offset in entry["data_offsets"]) for name, entry in header.items()
    }


def touched_tensors(hub: Hub) -> set[str]:
    """Names of the tensors of which at least one byte was asked for."""
    return {
        name
        for file in hub.folder.glob("*.safetensors")
        for name, (start, stop) in tensor_spans(file).items()
        for first, last in hub.ranges(file.name)
        if first < stop and last > start
    }


# --- the same numbers, and only what is needed -----------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_same_as_from_disk(tmp_path, serve, monkeypatch, name):
    folder = save_tiny(tmp_path / "model", **MODELS[name])
    hub = serve(folder)
    monkeypatch.setattr(remote_file, "GAP", 0)
    here, there = cold_start(folder, [3]), cold_start_from(open_remote_checkpoint(MODEL), [3])
    assert there.log_probabilities.tobytes() == here.log_probabilities.tobytes()
    assert (there.engine, there.input_ids, there.bytes_read) == ("layerwise", (3,), here.bytes_read)

    touched = touched_tensors(hub)
    assert {"", "model.embed_tokens.weight", "model.norm.weight", "model.layers.2.self_attn.o_proj.weight"} <= touched
    unseen = ("q_proj", "k_proj", "q_norm", "k_norm", "q_a_", "q_b_")
    assert not [tensor for tensor in touched if any(part in tensor for part in unseen)]
    for layer in (1, 2) if "deepseek" in name else ():
        experts = {tensor.split(".")[5] for tensor in touched if f"layers.{layer}.mlp.experts" in tensor}
        assert len(experts) == 3

    # Nothing is fetched twice, and nothing but what was read; of latent attention also the rows that make keys.
    keys = sum(
        (stop - start) * share
        for file in folder.glob("*.safetensors")
        for tensor, (start, stop) in tensor_spans(file).items()
        for part, share in (("kv_a_proj", 4 / 20), ("kv_b_proj", 6 / 16))
        if part in tensor
    )
    assert hub.answered == here.bytes_read + keys


def test_requests_of_a_model_of_28_layers(tmp_path, serve, monkeypatch):
    """Three a layer: the feed-forward network with both norms, the output and the value projection."""
    folder = save_tiny(tmp_path / "model", "qwen2", num_hidden_layers=28, dtype=torch.bfloat16, **WIDE)
    hub = serve(folder)
    here, there = cold_start(folder, [3]), cold_start_from(open_remote_checkpoint(MODEL), [3])
    assert there.log_probabilities.tobytes() == here.log_probabilities.tobytes()
    header, row, head, norm = 2, 1, 1, 1
    assert len(hub.asked) <= 3 * 28 + header + row + head + norm
    assert not [tensor for tensor in touched_tensors(hub) if "q_proj" in tensor or "k_proj" in tensor]
    assert hub.answered <= here.bytes_read * 1.001
    assert sum("resolve" in path for path in hub.paths) - len(hub.asked) < 8  # the address is asked for once


# Wide enough that queries and keys lie further apart than `GAP`.
WIDE = {"hidden_size": 256, "intermediate_size": 256, "num_key_value_heads": 4}


def test_small_gaps_are_bridged(tmp_path, serve):
    """In a tiny model everything is near: one request for a layer's tensors, with the queries and keys between."""
    hub = serve(save_tiny(tmp_path / "model", **MODELS["qwen2, tied, float16"]))
    cold_start_from(open_remote_checkpoint(MODEL), [3])
    assert len(hub.asked) < 20
    assert max(stop - start for start, stop in hub.ranges("model.safetensors")) > 10_000


def test_large_matrices_come_in_parcels(tmp_path, serve, monkeypatch):
    """A matrix is read ahead in whole parcels however small the blocks are that are multiplied."""
    folder = save_tiny(tmp_path / "model", vocab_size=4000, dtype=torch.bfloat16, **LAYERS, **WIDE)
    monkeypatch.setattr(remote_file, "PARCEL", 1 << 18)
    monkeypatch.setattr(remote_file, "GAP", 0)
    for module in (matrices, checkpoints):
        monkeypatch.setattr(module, "READ_AHEAD", 1 << 19)
    monkeypatch.setattr(matrices, "BLOCK_ELEMENTS", 1 << 13)
    hub = serve(folder)
    here, there = cold_start(folder, [3]), cold_start_from(open_remote_checkpoint(MODEL), [3])
    assert there.log_probabilities.tobytes() == here.log_probabilities.tobytes()
    start, stop = tensor_spans(folder / "model.safetensors")["lm_head.weight"]
    of_head = [span for span in hub.ranges("model.safetensors") if start <= span[0] < stop]
    assert len(of_head) == -(-(stop - start) // (1 << 18)) == 8
    assert hub.answered <= here.bytes_read * 1.001


@pytest.mark.parametrize("name", MODELS)
def test_memory_is_given_back(tmp_path, serve, name):
    serve(save_tiny(tmp_path / "model", **MODELS[name]))
    checkpoint = open_remote_checkpoint(MODEL)
    first = cold_start_from(checkpoint, [3]).log_probabilities
    kept = [piece for file, _ in checkpoint._weights._files._shards.values() for piece in file._pieces]
    assert not kept
    np.testing.assert_array_equal(cold_start_from(checkpoint, [3]).log_probabilities, first)


# So long that the header takes many steps.
LONG = [f"a long token, number {number}" for number in range(2000)]


def _gguf_folder(folder: Path, *names: str, **tokenizer) -> Path:
    """GGUF files of one model, with a long tokenizer unless another is given."""
    model = contents(save_tiny(folder / "plain", "qwen2", **LAYERS))
    (folder / "model").mkdir()
    for name in names:
        write_gguf(folder / "model" / name, *model, Kind.Q8_0, **{"tokens": LONG, **tokenizer})
    return folder / "model"


def test_gguf(tmp_path, serve, monkeypatch):
    folder = _gguf_folder(tmp_path, "m.gguf")
    hub = serve(folder)
    monkeypatch.setattr(remote_file, "GAP", 0)
    monkeypatch.setattr(gguf_header, "HEADER_STEP", 4096)
    here, there = cold_start(folder / "m.gguf", [3]), cold_start_from(open_remote_checkpoint(MODEL), [3])
    assert there.log_probabilities.tobytes() == here.log_probabilities.tobytes()
    reader = gguf.GGUFReader(folder / "m.gguf")
    spans = {tensor.name: (tensor.data_offset, tensor.data_offset + tensor.n_bytes) for tensor in reader.tensors}
    header = min(start for start, _ in spans.values())
    assert header > 10 * 4096
    beyond = [span for span in hub.ranges("m.gguf") if span[0] >= header + 4096]
    unseen = [span for name, span in spans.items() if "attn_q" in name or "attn_k" in name]
    assert not [1 for first, last in beyond for start, stop in unseen if first < stop and last > start]
    needed = sum(stop - start for name, (start, stop) in spans.items() if (start, stop) not in unseen)
    assert hub.answered <= header + 4096 + needed


def test_a_gguf_file_among_several(tmp_path, serve):
    folder = _gguf_folder(tmp_path, "a.gguf", "b.gguf")
    serve(folder)
    _fails(lambda: open_remote_checkpoint(MODEL), WHERE, "2 GGUF files", "a.gguf")
    checkpoint = open_remote_checkpoint(MODEL, file="b.gguf")
    assert str(checkpoint.path) == f"{WHERE}/b.gguf"
    expected = cold_start(folder / "b.gguf", [3]).log_probabilities
    np.testing.assert_array_equal(cold_start_from(checkpoint, [3]).log_probabilities, expected)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """`measure` with a store of its own, for what it is called with and for what it calls."""
    place = partial(measure, directory=tmp_path / "results", registry=Registry({}, {}))
    stored = partial(measure, directory=tmp_path / "results")
    monkeypatch.setattr(models, "measure", stored)
    monkeypatch.setattr(hub_module, "METADATA", tmp_path / "metadata")
    return place


# As many entries as the embedding has rows; ids 3 and 4 are a newline and a space in GPT-2's alphabet of bytes.
WORDS = ["x", "<s>", "</s>", "Ċ", "Ġ", *(f"word{number}" for number in range(91))]


@pytest.mark.parametrize("adds_bos", [True, False])
def test_a_gguf_file_on_a_hub_in_every_context(tmp_path, serve, store, monkeypatch, adds_bos):
    """The whole way of the command: contexts and tokens come out of the header, of which no byte is fetched twice."""
    folder = _gguf_folder(tmp_path, "m.gguf", tokens=WORDS, adds_bos=adds_bos)
    hub = serve(folder)
    monkeypatch.setattr(remote_file, "GAP", 0)
    for context, token in {"document": 1, "bos": 1, "eos": 2, "newline": 3, "space": 4}.items():
        hub.asked.clear()
        table = store(models.cold_start, [MODEL], context=context)
        assert set(table["input_ids"]) == {str(token)}
        assert set(table["origin"]) == {start_context(folder / "m.gguf", context).origin}
        here = cold_start(folder / "m.gguf", [token], "float64").log_probabilities
        np.testing.assert_array_equal(table["log_probability"].to_numpy(), here)
        fetched = sorted(hub.ranges("m.gguf"))
        assert all(before[1] <= after[0] for before, after in pairwise(fetched))
    hub.asked.clear()
    tokens = models.with_tokens(table, registry=Registry({}, {}))
    assert not hub.asked  # the tokenizer was kept with the context
    assert tokens["bytes"].tolist()[:6] == [b"x", b"<s>", b"</s>", b"\n", b" ", b"word0"]


def test_the_tokenizer_of_a_gguf_file_on_a_hub_alone(tmp_path, serve, store):
    """Without a context of that name: only the header is fetched, and only once for one commit."""
    folder = _gguf_folder(tmp_path, "a.gguf", "b.gguf", tokens=WORDS)
    hub = serve(folder)
    with pytest.raises(InputError, match="2 GGUF files"):
        gguf_settings(MODEL)
    path = gguf_settings(MODEL, file="b.gguf")
    header = min(tensor.data_offset for tensor in gguf.GGUFReader(folder / "b.gguf").tensors)
    assert path.stat().st_size < header
    assert path.read_bytes()[24:] == (folder / "b.gguf").read_bytes()[24 : path.stat().st_size]
    asked = len(hub.asked)
    assert gguf_settings(MODEL, COMMIT, "b.gguf") == path and len(hub.asked) == asked
    (folder / "tokenizer.json").write_text("{}")
    assert gguf_settings(MODEL, file="b.gguf") is None


def test_a_folder_on_a_hub_in_a_named_context(tmp_path, serve, store):
    folder = save_tiny(tmp_path / "model", **MODELS["qwen2, bfloat16, shards"])
    tokenizer = Tokenizer(BPE({"<s>": 0, "</s>": 1, "a": 2}, []))
    save_tokenizer(folder, tokenizer, bos_token="<s>", add_bos_token=True)
    serve(folder)
    table = store(models.cold_start, [MODEL], context="document")
    here = cold_start(folder, [0], "float64").log_probabilities
    np.testing.assert_array_equal(table["log_probability"].to_numpy(), here)


WHOLE = ["pytorch_model.bin", "config.json", "merges.txt", "spiece.model", "chat_template.jinja"]


@pytest.mark.parametrize(("there", "taken"), [(["m.gguf"], None), ([*WHOLE, "README.md"], WHOLE)])
def test_downloads_take_what_decides(tmp_path, serve, there, taken):
    """A GGUF file alone, or weights of one kind with any tokenizer."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in there:
        (folder / name).write_text(name)
    serve(folder)
    path = download_model(MODEL)
    assert path.name == "m.gguf" if taken is None else {file.name for file in path.iterdir()} == set(taken)


# --- what the Hub says -----------------------------------------------------------------------------------------------


def test_every_file_is_of_one_commit(tmp_path, serve):
    hub = serve(save_tiny(tmp_path / "model", **MODELS["qwen2, bfloat16, shards"]))
    cold_start_from(open_remote_checkpoint(MODEL, "main"), [3])
    commits = {path.split("/")[4] for path in hub.paths if "/resolve/" in path}
    assert commits == {COMMIT}


def test_a_cached_file_is_not_fetched(tmp_path, serve):
    folder = save_tiny(tmp_path / "model", **MODELS["qwen2, bfloat16, shards"])
    hub = serve(folder)
    first, *others = sorted(path.name for path in folder.glob("*.safetensors"))
    huggingface_hub.hf_hub_download(MODEL, first)
    hub.asked.clear()
    there = cold_start_from(open_remote_checkpoint(MODEL), [3])
    assert {asked.file for asked in hub.asked} == set(others)
    np.testing.assert_array_equal(there.log_probabilities, cold_start(folder, [3]).log_probabilities)


def test_a_signed_address_that_runs_out(tmp_path, serve, monkeypatch):
    """Files lie on another server; the token stays with the Hub, and an address that has run out is asked for again."""
    folder = save_tiny(tmp_path / "model", **MODELS["qwen2, tied, float16"])
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    other = serve(folder)
    hub = serve(folder)
    hub.elsewhere = other.address
    checkpoint = open_remote_checkpoint(MODEL)
    assert hub.lookups == 1
    other.lookups = 2  # the first address is no good any more
    there = cold_start_from(checkpoint, [3])
    assert hub.lookups >= 2
    assert not hub.asked
    assert other.asked
    np.testing.assert_array_equal(there.log_probabilities, cold_start(folder, [3]).log_probabilities)
    assert {token for _, token in hub.tokens} == {"Bearer hf_secret"}
    assert {token for _, token in other.tokens} == {None}


# --- trouble ---------------------------------------------------------------------------------------------------------


def _fails(action: Callable[[], object], *parts: str, kind: type[Exception] = InputError) -> str:
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message
    return message


@pytest.mark.parametrize("trouble", ["busy", "short", "long", "breaks off"])
def test_trouble_that_passes(tmp_path, serve, monkeypatch, trouble):
    """Every second answer is bad; what has come is not fetched again."""
    monkeypatch.setattr(remote_file, "CONNECTIONS", 1)  # so that an attempt and the next one have successive numbers
    folder = save_tiny(tmp_path / "model", **MODELS["deepseek v3, shards"])
    hub = serve(folder)
    hub.trouble = lambda file, number: trouble if number % 2 == 0 else ""
    here, there = cold_start(folder, [3]), cold_start_from(open_remote_checkpoint(MODEL), [3])
    assert there.log_probabilities.tobytes() == here.log_probabilities.tobytes()
    undisturbed = serve(folder)
    cold_start_from(open_remote_checkpoint(MODEL), [3])
    assert hub.answered == undisturbed.answered


@pytest.mark.parametrize("trouble", ["busy", "short", "breaks off"])
def test_trouble_that_stays(tmp_path, serve, trouble):
    folder = save_tiny(tmp_path / "model", **MODELS["qwen2, bfloat16, shards"])
    hub = serve(folder)
    last = sorted(folder.glob("*.safetensors"))[-1].name
    hub.trouble = lambda file, number: trouble if file == last and number >= 2 else ""
    checkpoint = open_remote_checkpoint(MODEL)
    message = _fails(lambda: cold_start_from(checkpoint, [3]), f"{WHERE}/{last}", "run again later", kind=Unavailable)
    assert {"busy": "status 503", "short": "bytes", "breaks off": "peer closed"}[trouble] in message
    attempts = len(hub.ranges(last)) - 2  # those in trouble: a first one and as many again as there are waits
    assert attempts == 1 + len(remote_file.WAITS)
    hub.trouble = lambda file, number: ""
    _fails(lambda: cold_start_from(checkpoint, [3]), last, kind=Unavailable)  # over for this opening …
    assert len(hub.ranges(last)) - 2 == attempts
    assert cold_start_from(open_remote_checkpoint(MODEL), [3]).engine == "layerwise"  # … not for the next


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("no ranges", "does not deliver ranges"),
        ("another range", "does not deliver ranges"),
        ("another file", "changed"),
    ],
)
def test_a_server_without_ranges(tmp_path, serve, trouble, words):
    hub = serve(save_tiny(tmp_path / "model", **MODELS["qwen2, tied, float16"]))
    hub.trouble = lambda file, number: trouble
    _fails(lambda: open_remote_checkpoint(MODEL), f"{WHERE}/model.safetensors", words, kind=Unavailable)
    assert len(hub.asked) == 1


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((404, "RepoNotFound"), "no such model"),
        ((401, "RepoNotFound"), "no such model"),
        ((403, "GatedRepo"), "gated"),
        ((401, ""), "HF_TOKEN"),
        ((403, ""), "HF_TOKEN"),
        ((500, ""), "500"),
    ],
)
def test_a_hub_that_refuses(tmp_path, serve, refusal, words):
    serve(tmp_path).refusal = refusal
    _fails(lambda: open_remote_checkpoint(MODEL), MODEL, words, kind=Unavailable)


def test_what_is_not_there(tmp_path, serve):
    folder = save_tiny(tmp_path / "model", **MODELS["qwen2, bfloat16, shards"])
    hub = serve(folder)
    _fails(lambda: open_remote_checkpoint("someone/else"), "someone/else", "no such model", kind=Unavailable)
    _fails(lambda: open_remote_checkpoint(MODEL, "v9"), f"{MODEL}@v9", "no such revision", kind=Unavailable)
    _fails(lambda: open_remote_checkpoint("no id at all"), "no Hub id")
    _fails(lambda: open_remote_checkpoint(MODEL, file="x.gguf"), f"{WHERE}/x.gguf", "no such file", kind=Unavailable)
    shard = sorted(folder.glob("*.safetensors"))[-1].name
    hub.trouble = lambda file, number: "missing" if file == shard else ""
    _fails(lambda: cold_start_from(open_remote_checkpoint(MODEL), [3]), f"{WHERE}/{shard}", "file", kind=Unavailable)
    (folder / "config.json").unlink()
    _fails(lambda: open_remote_checkpoint(MODEL), WHERE, "config.json")
    for file in folder.glob("*.safetensors"):
        file.unlink()
    _fails(lambda: open_remote_checkpoint(MODEL), WHERE, "neither safetensors nor GGUF")


def test_no_hub(tmp_path, serve, monkeypatch):
    serve(tmp_path)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    _fails(lambda: open_remote_checkpoint(MODEL), MODEL, "connect", kind=Unavailable)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    _fails(lambda: open_remote_checkpoint(MODEL), MODEL, "offline", kind=Unavailable)


def test_a_truncated_file(tmp_path, serve):
    folder = save_tiny(tmp_path / "model", **MODELS["qwen2, tied, float16"])
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    serve(folder)
    _fails(lambda: open_remote_checkpoint(MODEL), f"{WHERE}/model.safetensors", "tensor", "truncated")
    content = file.read_bytes()[8:]
    for length, words in ((1 << 20, "truncated in its header"), (1 << 40, "broken header"), (2**64 - 1, "broken")):
        file.write_bytes(struct.pack("<Q", length) + content)
        message = _fails(lambda: open_remote_checkpoint(MODEL), f"{WHERE}/model.safetensors", words)
        assert not re.search(r"\d,\d{3},\d{3},", message)  # no number that only nonsense announces


def test_a_header_too_long_to_be_one(tmp_path, serve, monkeypatch):
    hub = serve(save_tiny(tmp_path / "model", **MODELS["qwen2, tied, float16"]))
    monkeypatch.setattr("compressed_code.checkpoints.files.safetensors_files.LONGEST_HEADER", 100)
    _fails(lambda: open_remote_checkpoint(MODEL), f"{WHERE}/model.safetensors", "broken header")
    assert hub.ranges("model.safetensors") == [(0, 8)]


def test_models_that_need_the_whole_checkpoint(tmp_path, serve):
    serve(save_tiny(tmp_path / "model", "granite", attention_multiplier=0.3))
    checkpoint = open_remote_checkpoint(MODEL)
    _fails(lambda: cold_start_from(checkpoint, [3]), WHERE, "granite", "download", kind=Unavailable)
    serve(save_tiny(tmp_path / "other", **MODELS["qwen2, tied, float16"]))
    checkpoint = open_remote_checkpoint(MODEL)
    _fails(lambda: cold_start_from(checkpoint, [3, 4]), "more than one input token", "download", kind=Unavailable)
    _fails(lambda: cold_start_from(checkpoint, []), "empty")


# --- ranges ----------------------------------------------------------------------------------------------------------

POSITION = st.integers(0, 60)
SPAN = st.builds(lambda start, length: (start, start + length), POSITION, st.integers(1, 61))


def _bytes(spans: list[tuple[int, int]]) -> set[int]:
    return {position for start, stop in spans for position in range(start, stop)}


# How fast examples are drawn and checked says nothing of spans, only of what else the machine does.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(SPAN, max_size=12).map(sorted), st.integers(0, 10), st.integers(1, 20), SPAN)
def test_spans(spans, gap, longest, removed):
    assert _bytes(joined(spans, 0)) == _bytes(spans)
    together = joined(spans, gap)
    assert _bytes(spans) <= _bytes(together)
    assert all(after[0] - before[1] > gap for before, after in pairwise(together))
    assert len(_bytes(together)) <= len(_bytes(spans)) + gap * max(0, len(joined(spans, 0)) - 1)
    parts = cut(together, longest)
    assert _bytes(parts) == _bytes(together)
    assert sum(stop - start for start, stop in parts) == len(_bytes(together))
    assert all(0 < stop - start <= longest for start, stop in parts)
    assert _bytes(without(spans, removed)) == _bytes(spans) - _bytes([removed])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_of_announcing_reading_and_releasing(tmp_path_factory, monkeypatch, serve, data):
    """Two files with one set of connections; whatever is done before, a view shows the file's bytes."""
    folder = tmp_path_factory.mktemp("files")
    contents = {name: np.random.default_rng(1).bytes(200 + shift) for shift, name in enumerate(("a", "b"))}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    hub = serve(folder)
    monkeypatch.setattr(remote_file, "GAP", data.draw(st.integers(0, 30)))
    monkeypatch.setattr(remote_file, "PARCEL", data.draw(st.integers(1, 80)))
    transfers = Transfers()

    def opened(name: str) -> RemoteFile:
        place = Place(f"{hub.address}/{MODEL}/resolve/main/{name}", len(contents[name]))
        return RemoteFile(PurePosixPath(name), lambda: place, transfers)

    files = {name: opened(name) for name in contents}
    read = 0
    for _ in range(data.draw(st.integers(1, 12))):
        name = data.draw(st.sampled_from(["a", "b"]))
        start = data.draw(st.integers(0, len(contents[name])))
        action = data.draw(st.sampled_from(["view", "prefetch", "prefetch", "release"]))
        if action == "view":
            stop = data.draw(st.integers(start, len(contents[name])))
            assert files[name].view(start, stop - start).tobytes() == contents[name][start:stop]
            read += stop - start
        else:
            getattr(files[name], action)(start, data.draw(st.integers(-5, 300)))
    assert sum(file.bytes_read for file in files.values()) == read
    for name, file in files.items():
        with pytest.raises(InputError, match=f"{name}: truncated"):
            file.view(10, len(contents[name]))


def test_announcing_is_silent_until_something_is_read(tmp_path, serve):
    (tmp_path / "a").write_bytes(bytes(range(256)) * 4096)
    hub = serve(tmp_path)
    place = Place(f"{hub.address}/{MODEL}/resolve/main/a", 1 << 20)
    file = RemoteFile(PurePosixPath("a"), lambda: place, Transfers())
    for start in range(0, 100_000, 1000):
        file.prefetch(start, 1000)
    assert not hub.asked
    file.view(500_000, 10)  # far away: a request of its own, beside the announced ones
    assert file.view(10, 4).tolist() == [10, 11, 12, 13]
    assert sorted(hub.ranges("a")) == [(0, 100_000), (500_000, 500_010)]  # none of them was sent alone
    file.release(0, 1 << 20)
    assert file.view(10, 4).tolist() == [10, 11, 12, 13]
    assert len(hub.asked) == 3
