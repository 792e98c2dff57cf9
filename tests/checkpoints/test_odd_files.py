"""Files that nobody should write and somebody has: right, or refused by name in one line."""

import errno
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from transformers import AutoConfig, AutoModel

from compressed_code.__main__ import main
from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.models.load import load_model
from compressed_code.registry.lookup import find_model, load_registry
from gguf_models import write_case
from storage_formats import finish
from tiny_models import save_tiny, set_config

IDS = [3, 7, 1]


def _refused(path: Path, *words: str, opened: Callable = open_checkpoint) -> None:
    with pytest.raises(InputError) as caught:
        checkpoint = opened(path)
        [checkpoint.weight(name) for name in getattr(checkpoint, "names", ())]
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in (str(path), *words)), message


# --- names and places ------------------------------------------------------------------------------------------------


def _as_in_a_cache(source: Path, cache: Path) -> Path:
    """Files under the names of their digests, and a snapshot of links to them, as huggingface_hub keeps a model."""
    blobs, snapshot = cache / "blobs", cache / "snapshots" / "0123abcd"
    for folder in (blobs, snapshot):
        folder.mkdir(parents=True)
    for number, file in enumerate(sorted(source.iterdir())):
        (blobs / f"{number:064x}").write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(Path("../../blobs") / f"{number:064x}")
    return snapshot


def test_a_model_in_the_cache_of_a_hub(tmp_path):
    plain = save_tiny(tmp_path / "plain", shards="20KB")
    snapshot = _as_in_a_cache(plain, tmp_path / "models--someone--model")
    for count in (1, 3):
        expected = cold_start(plain, IDS[:count]).log_probabilities
        np.testing.assert_array_equal(cold_start(snapshot, IDS[:count]).log_probabilities, expected)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_gguf_file_that_is_a_link(tmp_path, parts):
    """Named on a command line it keeps its own name, by which its parts are found; what it leads to has a digest's."""
    plain, _ = write_case(tmp_path / "m", "qwen2", parts=parts)
    files = tmp_path / "files"
    files.mkdir()
    for file in (tmp_path / "m").glob("*.gguf"):
        file.rename(files / file.name)
    snapshot = _as_in_a_cache(files, tmp_path / "cache")
    first = sorted(snapshot.iterdir())[0]
    named = find_model(str(first), load_registry()).checkpoint
    assert named == first
    expected = cold_start(plain, IDS).log_probabilities
    np.testing.assert_allclose(cold_start(named, IDS).log_probabilities, expected, atol=1e-5)


def test_what_a_gguf_file_is_called_does_not_matter(tmp_path):
    plain, path = write_case(tmp_path / "m", "gemma 3")
    blob = path.rename(tmp_path / "sha256-0123")
    for count in (1, 3):
        expected = cold_start(plain, IDS[:count]).log_probabilities
        np.testing.assert_allclose(cold_start(blob, IDS[:count]).log_probabilities, expected, atol=1e-5)


def test_two_models_in_one_folder(tmp_path):
    """The one that the config is of has the standard name; a second without it is not guessed at."""
    folder = save_tiny(tmp_path / "m")
    expected = cold_start(folder, IDS).log_probabilities
    content = (folder / "model.safetensors").read_bytes()
    (folder / "consolidated.safetensors").write_bytes(content[:-4] + b"\xff\xff\x7f\x7f")
    np.testing.assert_array_equal(cold_start(folder, IDS).log_probabilities, expected)
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    _refused(folder, "holds neither model.safetensors nor model.safetensors.index.json")


def test_a_download_that_broke_off(tmp_path):
    folder = save_tiny(tmp_path / "m", shards="20KB")
    first, *others = sorted(folder.glob("*.safetensors"))
    others[-1].rename(f"{others[-1]}.incomplete")
    _refused(folder, others[-1].name, "is missing, though", "fetch the whole checkpoint")
    (folder / "model.safetensors.index.json").unlink()
    _refused(folder, first.name, "a part of a checkpoint", "fetch the whole checkpoint")
    first.unlink()
    for file in folder.glob("*.safetensors"):
        file.unlink()
    _refused(folder, "holds neither")


def test_a_pipe_is_not_waited_for(tmp_path):
    folder = save_tiny(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")
    _refused(folder, "model.safetensors: is no regular file")


@pytest.mark.parametrize(
    "number, remedy", [(errno.ENOMEM, "free memory, or raise the limit"), (errno.EACCES, "check the rights")]
)
def test_a_file_that_cannot_be_mapped_says_what_helps(tmp_path, monkeypatch, number, remedy):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    folder = save_tiny(tmp_path)
    monkeypatch.setattr("mmap.mmap", refuse)
    _refused(folder, "model.safetensors: cannot be read", os.strerror(number), remedy)


# --- safetensors that lie about their layout -------------------------------------------------------------------------


def _relaid(folder: Path, change: Callable[[dict], None], tail: bytes = b"") -> Path:
    file = folder / "model.safetensors"
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :] + tail)
    return folder


def test_tensors_that_share_bytes_leave_some_or_end_early(tmp_path):
    """As the format's own library refuses them; read, they would be other numbers than anybody else reads."""
    from safetensors import SafetensorError, safe_open

    first, second = "model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight"

    def shared(header: dict) -> None:
        header[second]["data_offsets"] = header[first]["data_offsets"]

    def shifted(header: dict) -> None:
        for entry in header.values():
            if "data_offsets" in entry:
                entry["data_offsets"] = [place + 4 for place in entry["data_offsets"]]

    cases = {
        "begins at byte": (shared, b""),
        "but the one before it ends at": (shifted, bytes(4)),
        "8 bytes belong to no tensor": (lambda header: None, bytes(8)),
        "bytes do not fit its shape and type": (lambda header: header[first].update(dtype="F16"), b""),
    }
    for number, (words, (change, tail)) in enumerate(cases.items()):
        folder = _relaid(save_tiny(tmp_path / str(number)), change, tail)
        with pytest.raises(SafetensorError):
            safe_open(folder / "model.safetensors", "np")
        _refused(folder, words)


# --- GGUF files ------------------------------------------------------------------------------------------------------


def test_version_2_is_read_and_version_1_is_not(tmp_path):
    """Version 2 has the layout of version 3, which only adds files for big-endian machines."""
    plain, path = write_case(tmp_path, "llama")
    content = bytearray(path.read_bytes())
    content[4] = 2
    path.write_bytes(content)
    expected = cold_start(plain, IDS).log_probabilities
    np.testing.assert_allclose(cold_start(path, IDS).log_probabilities, expected, atol=1e-5)
    content[4] = 1
    path.write_bytes(content)
    _refused(path, "version 1 is not supported", "convert the model again")


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _gguf(path: Path, metadata: list[bytes], tensors: list[tuple[str, int]], size: int = 64) -> Path:
    """A file of vectors of eight F32 numbers, at given places."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(metadata)
    for name, offset in tensors:
        head += _text(name) + struct.pack("<IQIQ", 1, 8, 0, offset)
    path.write_bytes(head + bytes(-len(head) % 32) + bytes(size))
    return path


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("general.architecture", [1], ["architecture [1]", "not supported"]),
        ("llama.attention.head_count", 0, ["llama.attention.head_count is 0, no size"]),
        ("llama.embedding_length", "64", ["llama.embedding_length is '64', no size"]),
        ("llama.block_count", [3, 4], ["differs between layers"]),
    ],
)
def test_gguf_metadata_of_another_kind(tmp_path, name, value, words):
    _, path = write_case(tmp_path, "llama")
    reader, changed = gguf.GGUFReader(path), tmp_path / "changed.gguf"
    architecture = "x" if name == "general.architecture" else "llama"
    writer = gguf.GGUFWriter(changed, architecture)
    fields = {key: field.contents() for key, field in reader.fields.items() if key.startswith("llama.")} | {name: value}
    writer.kv_data[0].pop("general.architecture", None)
    for key, content in ({"general.architecture": architecture} | fields).items():
        kind = gguf.GGUFValueType.get_type(content)
        writer.add_key_value(key, content, gguf.GGUFValueType.UINT32 if isinstance(content, int) else kind)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    finish(writer)
    _refused(changed, *words)


def test_gguf_headers_that_contradict_themselves(tmp_path):
    kind = _text("general.architecture") + struct.pack("<I", 8) + _text("llama")
    deep = _text("general.tags") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5000
    cases = {
        "general.architecture stands in it twice": ([kind, kind], []),
        "tensor a stands in it twice": ([kind], [("a", 0), ("a", 32)]),
        "tensor b begins before the one that lies before it ends": ([kind], [("a", 0), ("b", 16)]),
        "truncated or broken GGUF header": ([kind, deep], []),
        "tensor b: the file is truncated": ([kind], [("a", 0), ("b", 64)]),
    }
    for words, (metadata, tensors) in cases.items():
        _refused(_gguf(tmp_path / "m.gguf", metadata, tensors), words)
    path = _gguf(tmp_path / "m.gguf", [kind], [("a", 0)])
    content = path.read_bytes()
    path.write_bytes(content.replace(_text("a") + struct.pack("<I", 1), _text("a") + struct.pack("<I", 2**31 - 1)))
    _refused(path, "tensor a has 2147483647 dimensions")


# --- configs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opened", [lambda path: cold_start(path, IDS), load_model])
def test_more_layers_than_tensors(tmp_path, opened):
    """A number that nobody meant is told before a model of as many layers is made."""
    folder = set_config(save_tiny(tmp_path / "m"), num_hidden_layers=2**31 - 1)
    _refused(folder, "2,147,483,647 layers", "tensors", "num_hidden_layers", opened=opened)


@pytest.mark.parametrize("family", ["t5", "clip_vision_model", "whisper"])
def test_a_model_that_writes_no_text_is_named(tmp_path, family):
    sizes = {"num_layers": 1, "d_model": 16, "d_ff": 16, "num_heads": 2, "d_kv": 8, "vocab_size": 32, "pad_token_id": 0}
    sizes |= {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes |= {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    AutoModel.from_config(AutoConfig.for_model(family, **sizes)).save_pretrained(tmp_path)
    for opened in (lambda path: cold_start(path, [3]), load_model):
        _refused(tmp_path, opened=opened)


@pytest.mark.parametrize("content", [b"", b"null", b'{"model": null}', b"\xff\xfe{\x00}\x00"])
def test_an_empty_or_broken_tokenizer_file_in_a_models_folder(tmp_path, capsys, content):
    folder = save_tiny(tmp_path / "m")
    capsys.readouterr()
    (folder / "tokenizer.json").write_bytes(content)
    for arguments in (["cold-start", str(folder)], ["coverage", str(folder)]):
        assert main(arguments) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert said and all(str(folder / "tokenizer.json") in line or "lines above" in line for line in said)


def test_a_gguf_file_of_lists_only(tmp_path, capsys):
    """A vocabulary without tensors is a tokenizer and no model."""
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "a"])
    writer.add_token_types([2, 1])
    writer.add_token_scores([0.0, 0.0])
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()
    assert main(["coverage", str(tmp_path / "m.gguf"), "--language", "python"]) == 0
    capsys.readouterr()
    (tmp_path / "half.gguf").write_bytes((tmp_path / "m.gguf").read_bytes()[:150])
    assert main(["coverage", str(tmp_path / "half.gguf")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "half.gguf: truncated or broken GGUF header" in line
    _refused(tmp_path / "m.gguf", "is missing", opened=lambda path: cold_start(path, [1]))
