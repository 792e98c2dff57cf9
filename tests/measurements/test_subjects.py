"""What decides that a stored number is a model's: every file that may change it; and digests that are remembered."""

import hashlib
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from compressed_code.checkpoints.model_files import deciding_files
from compressed_code.cold_start import distribution as engine
from compressed_code.core import digests
from compressed_code.core.digests import file_digest
from compressed_code.core.errors import InputError
from compressed_code.measurements.cold_start import cold_start
from compressed_code.measurements.subjects.models import CheckpointSubject, ModelSubject
from compressed_code.measurements.tables import measure
from compressed_code.registry.lookup import Registry, find_model, load_registry
from tiny_models import save_tiny

NOTHING = Registry({}, {})
DECIDING = [
    *("config.json", "generation_config.json", "quantize_config.json", "quantization_config.json"),
    *("model.safetensors", "pytorch_model.bin", "model-00001-of-00002.safetensors", "consolidated.00.pth"),
    *("model.safetensors.index.json", "pytorch_model.bin.index.json", "adapter_model.safetensors", "model.gguf"),
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt"),
    *("special_tokens_map.json", "added_tokens.json", "spiece.model", "tekken.json", "chat_template.jinja"),
    *("additional_chat_templates/tools.jinja", "shards/model-00001.safetensors", "modeling_own.py"),
    *("readme.safetensors", "license_model.bin"),
]
IDLE = [
    *("README.md", "readme", "LICENSE", "LICENSE.txt", "LICENCE-MODEL", "NOTICE", "USE_POLICY.md", "CHANGELOG.md"),
    *(".gitattributes", ".gitignore", ".DS_Store", ".git/HEAD", ".cache/huggingface/x", "training.json"),
    "compression.json",
]


def _fields(folder: Path) -> dict:
    fields = [
        dict(kind.key_fields(find_model(str(folder), NOTHING), NOTHING))
        for kind in (ModelSubject(), CheckpointSubject())
    ]
    assert fields[0] == fields[1]
    return fields[0]


@pytest.fixture
def folder(tmp_path):
    """A folder with one file of every kind that decides."""
    for name in DECIDING:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{name}, first")
    return tmp_path


@pytest.mark.parametrize("name", DECIDING)
def test_every_file_that_may_decide_a_number_enters_the_key(folder, name):
    before = _fields(folder)
    (folder / name).write_text(f"{name}, other")
    assert _fields(folder) != before
    if name != "config.json":
        (folder / name).unlink()
        assert name not in _fields(folder) and _fields(folder) != before


@pytest.mark.parametrize("name", IDLE)
def test_texts_for_people_do_not(folder, name):
    before = _fields(folder)
    (folder / name).parent.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text("anything")
    assert _fields(folder) == before


def test_keys_of_the_zoo_are_those_of_stored_tables():
    """The five files that decided before decide now, so that nothing has to be measured again."""
    spec = load_registry().models["zoo-xs"]
    names = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    plain = {name: hashlib.sha256((spec.location / name).read_bytes()).hexdigest() for name in names}
    assert ModelSubject().key_fields(spec, NOTHING) == plain


def test_another_models_numbers_are_never_given(tmp_path):
    """Two GPT-2 models that differ in pytorch_model.bin only."""
    results = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        config = AutoConfig.for_model("gpt2", vocab_size=60, n_embd=32, n_layer=1, n_head=2, n_positions=8)
        model = AutoModelForCausalLM.from_config(config).eval()
        path = tmp_path / str(seed)
        model.config.save_pretrained(path)
        torch.save(model.state_dict(), path / "pytorch_model.bin")
        options = {"context": "given", "input_ids": [3], "directory": tmp_path / "results", "registry": NOTHING}
        table = measure(cold_start, [str(path)], **options)
        with torch.inference_mode():
            expected = model(torch.tensor([[3]])).logits[0, -1].log_softmax(-1).numpy()
        np.testing.assert_allclose(table["log_probability"], expected, atol=1e-5)
        results.append(table["log_probability"].to_numpy())
    assert np.abs(results[0] - results[1]).max() > 1e-3


def test_a_folder_without_a_model_is_not_read(tmp_path):
    (tmp_path / "much.bin").write_text("x")
    with pytest.raises(InputError, match=r"holds no config\.json and no GGUF file"):
        deciding_files(tmp_path)
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match="name one of its 2 GGUF files"):
        deciding_files(tmp_path)


def test_a_folder_with_one_gguf_file_stands_for_it(tmp_path):
    """As `quantize --method gguf` writes it; a config.json beside it makes the folder itself the model."""
    (tmp_path / "model.gguf").write_text("GGUF")
    (tmp_path / "compression.json").write_text("{}")
    spec = find_model(str(tmp_path), NOTHING)
    assert ModelSubject().open(spec, NOTHING) == tmp_path / "model.gguf"
    assert _fields(tmp_path) == _fields(tmp_path / "model.gguf")
    (tmp_path / "config.json").write_text("{}")
    assert ModelSubject().open(spec, NOTHING) == tmp_path


# --- digests that are remembered -------------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch):
    """Files that were read to hash them; every file counts as large and long settled."""
    read = []
    monkeypatch.setattr(digests, "SMALL", 0)
    monkeypatch.setattr(digests, "SETTLED", -(10**9))
    honest = digests.sha256_of_file
    monkeypatch.setattr(digests, "sha256_of_file", lambda path: (read.append(path.name), honest(path))[1])
    return read


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_unchanged_file_is_read_once(tmp_path, reads):
    file, notes = tmp_path / "w", tmp_path / "notes"
    file.write_bytes(b"weights")
    assert [file_digest(file, notes) for _ in range(3)] == [_sha256(file)] * 3
    link = tmp_path / "link"
    link.symlink_to(file)  # as in a Hub's cache
    assert file_digest(link, notes) == _sha256(file)
    assert reads == ["w"]


def test_every_change_is_seen(tmp_path, reads):
    file, notes = tmp_path / "w", tmp_path / "notes"
    file.write_bytes(b"weights")
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    seen = [file_digest(file, notes)]
    time.sleep(0.02)  # longer than a tick of the file system's clock, which `SETTLED` stands for
    for change in ("longer", "as long", "same time", "another file"):
        if change == "another file":
            (tmp_path / "new").write_bytes(b"WEIGHTS")
            os.utime(tmp_path / "new", ns=times)
            (tmp_path / "new").replace(file)
        else:
            file.write_bytes({"longer": b"weights and more", "as long": b"w_ights", "same time": b"we_ghts"}[change])
        if change == "same time":
            os.utime(file, ns=times)
        assert file_digest(file, notes) == _sha256(file), change
        seen.append(file_digest(file, notes))
        time.sleep(0.02)
    assert len(set(seen)) == len(seen) == len(reads)


def test_a_file_just_written_is_not_trusted(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(digests, "SETTLED", 2 * 10**9)
    (tmp_path / "w").write_bytes(b"weights")
    for _ in range(2):
        file_digest(tmp_path / "w", tmp_path / "notes")
    assert reads == ["w", "w"]


@pytest.mark.parametrize("damage", ["empty", "cut", "another digest", "no text", "a list", "another file's"])
def test_a_damaged_note_is_ignored(tmp_path, reads, damage):
    file, notes = tmp_path / "w", tmp_path / "notes"
    file.write_bytes(b"weights")
    (tmp_path / "v").write_bytes(b"others")
    file_digest(tmp_path / "v", notes)
    (other,) = notes.iterdir()
    file_digest(file, notes)
    (note,) = set(notes.iterdir()) - {other}
    content = note.read_text()
    line = json.dumps([1])
    note.write_bytes(
        {
            "empty": b"",
            "cut": content[:-9].encode(),
            "another digest": content.replace(_sha256(file), "0" * 64).encode(),
            "no text": b"\xff\xfe\n\xff",
            "a list": f"{line}\n{hashlib.sha256(line.encode()).hexdigest()}\n".encode(),
            "another file's": other.read_bytes(),
        }[damage]
    )
    assert file_digest(file, notes) == _sha256(file)
    assert reads == ["v", "w", "w"]
    assert file_digest(file, notes) == _sha256(file)
    assert len(reads) == 3
    assert len(list(notes.iterdir())) == 2


def test_without_a_place_for_notes(tmp_path, reads):
    (tmp_path / "w").write_bytes(b"weights")
    (tmp_path / "notes").write_text("a file, not a folder")
    assert file_digest(tmp_path / "w", tmp_path / "notes") == _sha256(tmp_path / "w")
    with pytest.raises(InputError, match="absent: cannot be read"):
        file_digest(tmp_path / "absent", tmp_path / "notes")


def test_several_processes_at_once(tmp_path):
    """They write the same note again and again while others read it."""
    file, notes = tmp_path / "w", tmp_path / "notes"
    file.write_bytes(bytes(1 << 16))
    program = f"""
from pathlib import Path
from compressed_code.core import digests
digests.SMALL, digests.SETTLED = 0, -(10**9)
file, notes = Path({str(file)!r}), Path({str(notes)!r})
found = set()
for number in range(300):
    found.add(digests.file_digest(file, notes))
    if number % 3 == 0:
        for note in notes.glob("[!.]*"):
            note.unlink(missing_ok=True)
print(*found)
"""
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert {process.communicate()[0].strip() for process in running} == {_sha256(file)}
    assert all(process.returncode == 0 for process in running)
    assert not list(notes.glob("*.part"))


def test_a_large_checkpoint_is_hashed_once(tmp_path, reads, monkeypatch):
    """The command's own path: the second call reads what the engine needs and hashes nothing large."""
    save_tiny(tmp_path / "m", "qwen2", num_hidden_layers=1)
    noted = partial(file_digest, directory=tmp_path / "notes")
    monkeypatch.setattr("compressed_code.checkpoints.model_files.file_digest", noted)
    options = {"context": "given", "directory": tmp_path / "results", "registry": NOTHING}
    for token in (3, 4):
        table = measure(cold_start, [str(tmp_path / "m")], input_ids=[token], **options)
        expected = engine.cold_start(tmp_path / "m", [token], "float64").log_probabilities
        np.testing.assert_array_equal(table["log_probability"].to_numpy(), expected)
    assert sorted(reads) == sorted(file.name for file in (tmp_path / "m").iterdir())
