"""The paper's models, in small and laid out as published, through a Hub on loopback that huggingface_hub talks to as it
is: access, range reads, downloads, what is computed, trouble on the way, and what must not happen."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import close_session
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from compressed_code.checkpoints import verified_files
from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.checkpoints.files import remote_file
from compressed_code.checkpoints.hub import download_model, open_remote_checkpoint
from compressed_code.checkpoints.hub_access import no_hub, require_access
from compressed_code.code_generation import Request, Settings
from compressed_code.code_generation.engine import write_programs
from compressed_code.cold_start.distribution import cold_start, cold_start_from
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.measurements import cold_start as starts
from compressed_code.measurements.fidelity import text_fidelity
from compressed_code.measurements.tables import measure
from compressed_code.models.load import load_model
from compressed_code.registry.lookup import Registry, load_registry
from compressed_code.tokenizers.files import open_tokenizer
from hub_stand_in import Hub, Repository, Trouble, pointer, running_hub
from paper_models import write_paper_row

TOKEN = "hf_ThisIsNoRealTokenButLooksLikeOne01"
ROWS = {key: row.model_copy(update={"tokenizer": None}) for key, row in load_registry().models.items() if row.layout}
# What Qwen publishes beside an instruct model; no row of the registry, since the paper names none.
PACKED = {
    f"qwen2.5-coder-7b-instruct-{kind}": ROWS["qwen2.5-coder-7b-instruct"].model_copy(
        update={"hub": f"Qwen/Qwen2.5-Coder-7B-Instruct-{name}", "stored_as": kind, "shards": "00002"}
    )
    for kind, name in {"gptq": "GPTQ-Int4", "awq": "AWQ"}.items()
}
ROWS |= PACKED
QUICK = ["qwen2.5-1.5b", "qwen2.5-coder-7b-instruct", "r1-distill-qwen-1.5b", "r1-distill-llama-8b", "llama-3.1-8b"]
QUICK += ["qwen2.5-coder-7b-instruct-q4_0", "qwen2.5-coder-7b-instruct-q8_0", *PACKED]
SLOW = ["deepseek-v2.5", "deepseek-r1", "qwen2.5-coder-7b-instruct-q2_k", "qwen2.5-coder-7b-instruct-q4_k_m"]
OTHERS = [key for key in ROWS if key not in (*QUICK, *SLOW, *PACKED)]
EVERY = [
    *QUICK,
    *(pytest.param(key, marks=pytest.mark.slow) for key in SLOW),
    *(pytest.param(key, marks=pytest.mark.long) for key in OTHERS),
]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty Hub that this process talks to; waiting is cut short."""
    with running_hub() as found:
        monkeypatch.setattr(constants, "ENDPOINT", found.address)
        template = found.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(remote_file, "WAITS", (0.01, 0.02, 0.04))
        monkeypatch.setattr(verified_files, "_VERIFIED", set())
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        close_session()
        yield found
        close_session()


def publish(hub: Hub, folder: Path, *keys: str, **sizes: int) -> None:
    """Put rows on the Hub; rows of one repository share it."""
    for number, key in enumerate(keys):
        row = ROWS[key]
        place = write_paper_row(folder / row.hub.replace("/", "--"), row, seed=number, **sizes)
        hub.repositories[row.hub] = Repository(place, gated=row.gated, accepted=(TOKEN,))


def fails(action, *parts: str, kind: type[Exception] = Unavailable) -> None:
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message and TOKEN not in message
    for part in parts:
        assert part in message, message


# --- every model ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", EVERY)
def test_streamed_as_downloaded(tmp_path, hub, monkeypatch, key):
    """By ranges and from the download the same first token, to the byte; no token to another server, none of a
    checkpoint's own code run."""
    row = ROWS[key]
    publish(hub, tmp_path, key)
    if row.gated:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    require_access(row.hub, row.revision)
    there = cold_start_from(open_remote_checkpoint(row.hub, row.revision, row.file), [3])
    ranges = [asked for _, path, asked, _ in hub.asked("/cdn/") if asked]
    assert ranges and there.engine == "layerwise"
    place = download_model(row.hub, row.revision, row.file)
    here = cold_start(place, [3])
    assert there.log_probabilities.tobytes() == here.log_probabilities.tobytes()
    assert there.bytes_read == here.bytes_read
    if row.shards:
        assert len(list(place.glob(f"model-*-of-{row.shards}.safetensors"))) == int(row.shards)
    assert len(open_tokenizer(place)) > 256
    assert not [asked for asked in hub.asked("/cdn/") if asked[3]], "a token for another server"
    assert not list(tmp_path.rglob("was-executed"))


def test_fidelity_and_programs_of_downloaded_models(tmp_path, hub):
    """An instruct model beside its base: both downloaded, by their rows."""
    pair = ["qwen2.5-7b", "qwen2.5-7b-instruct"]
    publish(hub, tmp_path, *pair)
    registry = Registry({}, {key: ROWS[key] for key in pair})
    text = ("python", "mine", "def first(items):\n    return items[0]\n", "mine")
    table = measure(text_fidelity, pair[1], registry=registry, directory=tmp_path / "results", texts=[text])
    assert (table["kl_nats"] > 0).all() and np.isfinite(table["kl_nats"]).all() and len(table) > 20
    place = download_model(ROWS[pair[0]].hub)
    vocabulary, model = open_tokenizer(place), load_model(place)
    request = Request("mine/0", 0, tuple(vocabulary.encode(text[2])))
    ((sample,),) = write_programs(model, vocabulary, [request], Settings(max_tokens=5))
    given = torch.tensor([request.input_ids])
    with torch.inference_mode():
        whole = model.generate(given, max_new_tokens=5, do_sample=False, eos_token_id=None, pad_token_id=0)
    assert sample.token_ids == tuple(whole[0, len(request.input_ids) :].tolist())


@pytest.mark.parametrize("key", ["deepseek-v2.5", "deepseek-v3", "deepseek-r1"])
def test_models_with_experts_are_loaded_whole_in_both_precisions(tmp_path, key):
    """Layers announced behind the others are left out, further ones are not; float64, which torch's grouped products do
    not know, gives what float32 gives, and that is what transformers' own loader gives of weights in bfloat16.
    """
    place = write_paper_row(tmp_path / "model", ROWS[key])
    ids = torch.tensor([[3, 7, 1, 79, 40]])
    with torch.inference_mode():
        here, precise = load_model(place)(ids).logits, load_model(place, dtype="float64")(ids).logits
        assert precise.dtype == torch.float64
        torch.testing.assert_close(here.double(), precise, rtol=1e-4, atol=1e-4)
        if ROWS[key].stored_as == "bfloat16":
            theirs = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, trust_remote_code=False).eval()
            torch.testing.assert_close(here, theirs(ids).logits, rtol=0, atol=1e-5)
    index = place / "model.safetensors.index.json"
    listed = json.loads(index.read_text())
    name = "model.layers.0.input_layernorm.weight"
    beyond, shard = name.replace("0", "77"), place / listed["weight_map"][name]
    tensors = load_file(shard)
    save_file(tensors | {beyond: tensors[name].clone()}, shard, {"format": "pt"})
    index.write_text(json.dumps(listed | {"weight_map": listed["weight_map"] | {beyond: shard.name}}))
    with pytest.raises(InputError, match=f"{beyond} has no place in the model"):
        load_model(place)


@pytest.mark.parametrize("key", PACKED)
def test_packed_folders_of_four_bits_through_the_hub(tmp_path, hub, key):
    """Streamed, loaded whole and written with; the first token is that of the loaded model, and codes are 4 bits."""
    publish(hub, tmp_path, key)
    streamed = cold_start_from(open_remote_checkpoint(ROWS[key].hub), [3])
    place = download_model(ROWS[key].hub)
    checkpoint, model = open_checkpoint(place), load_model(place)
    with torch.inference_mode():
        whole = model(torch.tensor([[3]])).logits[0, -1].double().log_softmax(-1).numpy()
    np.testing.assert_allclose(streamed.log_probabilities, whole, atol=1e-4)
    layers = [name for name in checkpoint.names if name.endswith("proj.weight")]
    assert len(layers) == 7 * 2
    for name in layers:
        groups = checkpoint.weight(name).reshape(-1, 128)
        assert max(len(np.unique(group)) for group in groups[:64]) <= 16
    request = Request("mine/0", 0, (3, 4, 5))
    ((sample,),) = write_programs(model, open_tokenizer(place), [request], Settings(max_tokens=4))
    assert len(sample.token_ids) == 4


def test_cold_starts_by_rows_name_what_is_missing_and_go_on(tmp_path, hub, capsys):
    publish(hub, tmp_path, "qwen2.5-1.5b", "llama-3.1-8b")
    keys = ["qwen2.5-1.5b", "llama-3.1-8b", "qwen2.5-14b"]
    registry = Registry({}, {key: ROWS[key] for key in keys})
    table = measure(starts.cold_start, keys, registry=registry, directory=tmp_path / "results")
    assert table["model"].unique().tolist() == ["qwen2.5-1.5b"]
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "left out llama-3.1-8b: " in line and "accept its terms" in line]
    assert [line for line in told if "left out qwen2.5-14b: " in line and "no such model" in line]


# --- a process of its own, with nothing but the environment ---------------------------------------------------------


def _command(hub: Hub, folder: Path, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, **hub.environment(folder / "home", token)}
    environment["COMPRESSED_CODE_COMPUTED"] = str(folder / "computed")
    command = [sys.executable, "-m", "compressed_code", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)


@pytest.mark.long
def test_the_command_in_a_process_of_its_own(tmp_path, hub):
    """A gated model without a token, with one that has no access, and with one that has; the token is nowhere."""
    publish(hub, tmp_path, "llama-3.1-8b")
    name = ROWS["llama-3.1-8b"].hub
    other = "hf_AnotherTokenThatMayNothing000000000"
    told = []
    for token in (None, other):
        done = _command(hub, tmp_path, "cold-start", name, token=token)
        told.append(done.stdout + done.stderr)
        assert done.returncode == 2 and "gated; accept its terms" in done.stderr and "Traceback" not in done.stderr
    done = _command(hub, tmp_path, "cold-start", name, "--format", "json", token=TOKEN)
    told.append(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr
    (shown,) = json.loads(done.stdout) if done.stdout.startswith("[") else [json.loads(done.stdout)]
    assert shown["model"] == name
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".parquet" for path in written)
    for secret in (TOKEN, other):
        assert not [text for text in told if secret in text]
        assert not [path for path in written if secret.encode() in path.read_bytes()]
    assert {asked[3] for asked in hub.requests} == {"", other, TOKEN}  # it was sent, so it could have leaked


# --- trouble -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("/cdn/", "429", times=3, after=0),
        Trouble("/cdn/", "503", times=2),
        Trouble("/cdn/", "drop", times=2),
        Trouble("/Qwen/.*safetensors", "429", times=1, after=1),
    ],
    ids=lambda trouble: f"{trouble.kind} at {trouble.path}",
)
def test_trouble_that_passes_changes_nothing(tmp_path, hub, trouble):
    publish(hub, tmp_path, "qwen2.5-1.5b")
    name = ROWS["qwen2.5-1.5b"].hub
    undisturbed = cold_start_from(open_remote_checkpoint(name), [3])
    hub.troubles.append(trouble)
    disturbed = cold_start_from(open_remote_checkpoint(name), [3])
    assert trouble.times == 0
    assert disturbed.log_probabilities.tobytes() == undisturbed.log_probabilities.tobytes()


def test_a_server_that_says_when_to_come_again_is_obeyed(tmp_path, hub, monkeypatch):
    publish(hub, tmp_path, "qwen2.5-1.5b")
    checkpoint = open_remote_checkpoint(ROWS["qwen2.5-1.5b"].hub)
    waited = []
    transfers = next(iter(checkpoint._weights._files._shards.values()))[0]._transfers
    monkeypatch.setattr(transfers.ended, "wait", waited.append)
    hub.troubles.append(Trouble("/cdn/", "429", times=1, after=7))
    cold_start_from(checkpoint, [3])
    assert max(waited) == 7.0
    assert remote_file._ComeAgain("", "86400").seconds == remote_file.LONGEST_WAIT
    assert remote_file._ComeAgain("", "Wed, 21 Oct 2026 07:28:00 GMT").seconds == 0


def test_a_download_that_breaks_off_is_taken_up(tmp_path, hub, monkeypatch):
    monkeypatch.setattr(
        constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16
    )  # what the library keeps of an answer are whole chunks
    publish(hub, tmp_path, "qwen2.5-1.5b")
    hub.troubles.append(Trouble("/cdn/.*model", "drop", times=1))
    name = ROWS["qwen2.5-1.5b"].hub
    place = download_model(name)
    source = hub.repositories[name].folder
    assert (place / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()
    ranges = [asked for _, _, asked, _ in hub.asked("model.safetensors") if asked]
    half = (source / "model.safetensors").stat().st_size // 2
    assert ranges == [f"bytes={half // (1 << 16) * (1 << 16)}-"]


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_download_with_another_content_is_refused_and_fetched_anew(tmp_path, hub, file):
    """Of one length, so that nothing but its hash tells: sha256 of what git-lfs holds, git's own id of the rest."""
    publish(hub, tmp_path, "qwen2.5-1.5b")
    name = ROWS["qwen2.5-1.5b"].hub
    hub.troubles.append(Trouble(f"/(cdn/.*|.*resolve.*){file}", "tampered", times=2))  # a look-up and the content
    if file == "config.json":
        huggingface_hub.hf_hub_download(name, file)
    fails(lambda: download_model(name), name, file, "its hash differs", "run again")
    hub.troubles.clear()
    place = download_model(name)
    assert (place / file).read_bytes() == (hub.repositories[name].folder / file).read_bytes()


def test_access(tmp_path, hub, monkeypatch):
    publish(hub, tmp_path, "qwen2.5-1.5b", "llama-3.1-8b")
    hub.repositories["some/secret"] = Repository(tmp_path, private=True, accepted=(TOKEN,))
    assert no_hub() == ""
    require_access(ROWS["qwen2.5-1.5b"].hub, "main")
    fails(lambda: require_access(ROWS["qwen2.5-1.5b"].hub, "v9"), "v9", "no such revision")
    for name, words in (
        (ROWS["llama-3.1-8b"].hub, "gated"),
        ("some/secret", "private"),
        ("some/thing", "no such model"),
    ):
        fails(lambda name=name: require_access(name), name, words)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    require_access(ROWS["llama-3.1-8b"].hub)
    require_access("some/secret")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert no_hub().startswith("http://127.0.0.1:9 (ConnectError")


def test_a_pointer_in_place_of_the_file(tmp_path, hub):
    """What `git clone` without git-lfs leaves."""
    place = write_paper_row(tmp_path / "model", ROWS["qwen2.5-1.5b"])
    file = place / "model.safetensors"
    file.write_text(pointer(file))
    fails(lambda: open_checkpoint(place), "model.safetensors", "git lfs pull", kind=InputError)


# --- nothing of a checkpoint is run --------------------------------------------------------------------------------


class _Program:
    def __reduce__(self):
        return (Path.touch, (Path(os.environ["WITNESS"]),))


@pytest.mark.parametrize("content", ["pickle", "torch"])
def test_pickled_weights_that_hold_a_program(tmp_path, monkeypatch, content):
    place = write_paper_row(tmp_path / "model", ROWS["qwen2.5-1.5b"])
    (place / "model.safetensors").unlink()
    monkeypatch.setenv("WITNESS", str(tmp_path / "witness"))
    if content == "pickle":
        (place / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": _Program()}))
    else:
        torch.save({"weight": _Program()}, place / "pytorch_model.bin")
    fails(lambda: load_model(place), "pytorch_model.bin", "safetensors", kind=InputError)
    assert not (tmp_path / "witness").exists()
    pickle.loads(pickle.dumps(_Program()))
    assert (tmp_path / "witness").exists(), "the program would have left a trace"


def test_code_beside_the_weights_is_not_run(tmp_path):
    place = write_paper_row(tmp_path / "model", ROWS["deepseek-v2.5"].model_copy(update={"shards": None}))
    assert (place / "modeling_deepseek.py").is_file() and "auto_map" in (place / "config.json").read_text()
    load_model(place)
    open_tokenizer(place)
    cold_start(place, [3, 4])
    assert not list(tmp_path.rglob("was-executed"))
