"""Variants: what is written, what the record says, that it appears whole, and what is refused."""

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from compressed_code.__main__ import main
from compressed_code.commands import quantize as quantize_command
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import ROOT
from compressed_code.models.load import load_model
from compressed_code.quantization import engine as compression
from compressed_code.quantization.calibration import calibration_rows
from compressed_code.quantization.engine import variant, write_variant
from compressed_code.quantization.methods.round_to_nearest import round_to_nearest
from compressed_code.quantization.record import read_record
from compressed_code.registry.quantizations import Quantization, load_quantizations
from tiny_models import contents, save_contents, save_tiny

IDS = torch.arange(3, 43)[None]
LAYER_SIZES = {"self_attn.q_proj": (64, 64), "mlp.gate_proj": (192, 64), "mlp.down_proj": (64, 192)}


def row(**fields) -> Quantization:
    return Quantization(key="test", label="Test", **fields)


SIZES = {
    **{"hidden_size": 64, "intermediate_size": 192, "max_position_embeddings": 64},
    "tie_word_embeddings": True,
}


def build(folder: Path, family: str = "llama", **fields) -> Path:
    """A random model, and a file beside it that no variant changes."""
    save_tiny(folder, family, dtype=torch.float16, **SIZES | fields)
    (folder / "tokenizer_config.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return build(tmp_path_factory.mktemp("llama"))


def logits(model) -> torch.Tensor:
    with torch.inference_mode():
        return model(IDS).logits[0]


def divergence(base: Path, candidate: Path) -> float:
    """Mean Kullback-Leibler divergence of the next-token distributions, nats."""
    before, after = (logits(load_model(path)).log_softmax(-1) for path in (base, candidate))
    return float((before.exp() * (before - after)).sum(-1).mean())


def expected_logits(base: Path, bits: int, group_size: int | None, embeddings: bool, element: torch.dtype):
    """The base model with every matrix rounded in place, in the precision the variant stores."""
    model = load_model(base)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2 and ("layers." in name or embeddings):
            values = round_to_nearest(parameter.detach().numpy(), bits, group_size).dequantized()
            parameter.data = torch.from_numpy(values).to(element).float()
    return logits(model)


@pytest.mark.parametrize(("family", "tied"), [("llama", True), ("llama", False), ("qwen2", True), ("qwen2", False)])
@pytest.mark.parametrize(("bits", "group_size", "embeddings"), [(4, 32, False), (3, None, True), (6, 16, True)])
def test_a_variant_computes_with_the_rounded_weights(tmp_path, family, tied, bits, group_size, embeddings):
    base = build(tmp_path / "base", family, tie_word_embeddings=tied)
    quantization = row(method="rtn", bits=bits, group_size=group_size, embeddings=embeddings)
    folder = write_variant(base, quantization, tmp_path / "variant")
    packed = bits != 6
    assert read_record(folder)["stored"] == (
        "mixed" if packed and embeddings else "packed" if packed else "dequantized"
    )
    # Packed layers are decoded in float32; embeddings, and all of a width without a layout, are stored as float16.
    if packed and not embeddings:
        expected = expected_logits(base, bits, group_size, False, torch.float32)
        assert torch.allclose(logits(load_model(folder)), expected, atol=1e-5)
    else:
        expected = expected_logits(base, bits, group_size, True, torch.float16)
        assert torch.allclose(logits(load_model(folder)), expected, atol=1e-5 if not packed else 2e-2)
    assert not torch.allclose(logits(load_model(base)), expected, atol=1e-2)


def test_what_is_not_quantized_stays_bit_for_bit(tmp_path):
    base = build(tmp_path / "base", "qwen2", tie_word_embeddings=False)
    folder = write_variant(base, row(method="rtn", bits=4, group_size=32), tmp_path / "variant")
    before, after = load_file(base / "model.safetensors"), load_file(folder / "model.safetensors")
    same = [name for name in before if name in after]
    assert sum(name.endswith("bias") for name in same) == 6
    assert {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"} <= set(same)
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in same)
    assert (folder / "tokenizer_config.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("module", "changed"),
    [
        ("query-key", {"q_proj", "k_proj"}),
        ("value-output", {"v_proj", "o_proj"}),
        ("feed-forward", {"gate_proj", "up_proj", "down_proj"}),
        ("embeddings", {"embed_tokens"}),
    ],
)
def test_one_module_alone_is_quantized_and_all_others_stay(tmp_path, llama, module, changed):
    alone = write_variant(llama, row(method="rtn", bits=2, group_size=32, modules=[module]), tmp_path / "alone")
    before, after = (load_file(folder / "model.safetensors") for folder in (llama, alone))
    assert set(before) == set(after)
    moved = {
        name.split(".")[-2] for name in before if not torch.equal(before[name], after[name].to(before[name].dtype))
    }
    assert moved == changed and read_record(alone)["modules"] == [module]


def test_a_module_without_matrices_of_its_own_is_refused(tmp_path):
    folder = build(tmp_path / "base", "phi3", pad_token_id=0)  # query, key and value are one matrix
    with pytest.raises(Unavailable, match="no matrix of query-key alone"):
        write_variant(folder, row(method="rtn", bits=4, group_size=32, modules=["query-key"]), tmp_path / "out")
    with pytest.raises(ValueError, match="modules goes with the method rtn"):
        row(method="hqq", bits=4, group_size=32, modules=["query-key"])


def test_layers_that_gptqs_layout_cannot_hold_are_stored_decoded(tmp_path):
    """176 inputs are no multiple of 32."""
    base = build(tmp_path / "base", intermediate_size=176)
    folder = write_variant(base, row(method="rtn", bits=4, group_size=16), tmp_path / "variant")
    record = read_record(folder)
    assert record["stored"] == "dequantized"
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    stored = load_file(folder / "model.safetensors")
    weights = load_file(base / "model.safetensors")
    for name in (matrix["name"] for matrix in record["matrices"]):
        expected = round_to_nearest(weights[name].float().numpy(), 4, 16).dequantized().astype(np.float16)
        assert np.array_equal(stored[name].numpy(), expected)


@pytest.mark.parametrize(
    ("bits", "group_size", "reason"),
    [
        (4, None, "do not run whole rows of 4 bits"),
        (4, 16, "do not run groups of 16 of 4 bits"),
        (3, 8, "do not run groups of 8 of 3 bits"),
        (5, 32, "holds 2, 3, 4, 8 bits"),
        (4, 32, None),
        (3, None, None),
    ],
)
def test_what_no_reader_runs_is_stored_decoded_and_the_record_says_why(tmp_path, llama, bits, group_size, reason):
    folder = write_variant(llama, row(method="rtn", bits=bits, group_size=group_size), tmp_path / "variant")
    record, packed = read_record(folder), reason is None
    assert record["stored"] == ("packed" if packed else "dequantized")
    assert record["layout"] == "GPTQ version 1" if packed else reason in record["layout"]
    assert ("quantization_config" in json.loads((folder / "config.json").read_text())) == packed
    if not packed:
        stored, weights = load_file(folder / "model.safetensors"), load_file(llama / "model.safetensors")
        for matrix in record["matrices"]:
            rounded = round_to_nearest(weights[matrix["name"]].float().numpy(), bits, group_size)
            assert np.array_equal(stored[matrix["name"]].numpy(), rounded.dequantized().astype(np.float16))
            assert matrix["bits_per_weight"] == rounded.bits_per_weight


@pytest.mark.parametrize(("dtype", "stored"), [("float32", torch.float32), ("bfloat16", torch.float16)])
def test_a_decoded_variant_keeps_the_precision_of_its_base(tmp_path, dtype, stored):
    base = build(tmp_path / "base")
    (weights, _), element = contents(base), getattr(torch, dtype)
    save_contents(base, {name: value.to(element) for name, value in weights.items()})
    folder = write_variant(base, row(method="rtn", bits=5), tmp_path / "variant")
    name = "model.layers.0.mlp.up_proj.weight"
    written = load_file(folder / "model.safetensors")
    expected = round_to_nearest(weights[name].to(element).float().numpy(), 5).dequantized()
    assert torch.equal(written[name], torch.from_numpy(expected).to(stored))
    assert written["model.norm.weight"].dtype == element


def test_shards_are_read(tmp_path, llama):
    base = tmp_path / "sharded"
    base.mkdir()
    weights = load_file(llama / "model.safetensors")
    names = sorted(weights)
    place = {name: f"model-0000{1 + (number % 2)}-of-00002.safetensors" for number, name in enumerate(names)}
    for file in set(place.values()):
        save_file({name: weights[name] for name in names if place[name] == file}, base / file)
    (base / "model.safetensors.index.json").write_text(json.dumps({"weight_map": place}))
    (base / "config.json").write_text((llama / "config.json").read_text())
    quantization = row(method="rtn", bits=4, group_size=32)
    hashes = [
        read_record(write_variant(path, quantization, tmp_path / name))["weights_sha256"]
        for path, name in ((base, "a"), (llama, "b"))
    ]
    assert hashes[0] == hashes[1]


def test_the_record_counts_bits_by_hand(tmp_path, llama):
    """4-bit codes, per 32 a float16 scale and a 4-bit zero point; everything else stays in float16."""
    folder = write_variant(llama, row(method="rtn", bits=4, group_size=32), tmp_path / "variant")
    record = read_record(folder)
    quantized = 2 * (64 * 64 * 2 + 32 * 64 * 2 + 3 * 64 * 192)
    rest = 96 * 64 + 5 * 64
    assert record["parameters"] == {"quantized": quantized, "model": quantized + rest}
    assert record["effective_bits"]["quantized"] == pytest.approx(4.625)
    assert record["effective_bits"]["model"] == pytest.approx((4.625 * quantized + 16 * rest) / (quantized + rest))
    assert record["weights_sha256"] == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert (record["method"], record["seed"], record["calibration"]) == ("rtn", 0, None)
    # The file itself: codes and scales as counted, zero points too, and an index of 32 bits for every column.
    tensors = load_file(folder / "model.safetensors")
    parts = {
        part: sum(8 * tensors[name].nbytes for name in tensors if name.endswith(part))
        for part in ("qweight", "qzeros", "scales")
    }
    assert sum(parts.values()) == 4.625 * quantized


def test_the_record_names_the_base_and_the_packages(tmp_path, llama):
    quantization = row(method="rtn", bits=4, group_size=32)
    record = read_record(write_variant(llama, quantization, tmp_path / "variant"))
    assert record["base"]["name"] == str(llama)
    files = {file: hashlib.sha256((llama / file).read_bytes()).hexdigest() for file in record["base"]["sha256"]}
    assert record["base"]["sha256"] == files
    assert {"model.safetensors", "config.json", "tokenizer_config.json"} <= set(files)
    assert record["versions"]["torch"] == torch.__version__
    assert record["versions"]["numpy"] == np.__version__
    assert (record["library"], record["version"]) == ("compressed-code", importlib.metadata.version("compressed-code"))
    zoo = read_record(write_variant(ROOT / "data" / "zoo" / "zoo-xs", row(method="rtn", bits=4), tmp_path / "zoo"))
    assert zoo["base"]["name"] == "zoo-xs"


@pytest.mark.parametrize(
    ("model", "type_name", "libraries"),
    [
        ("zoo-l", "Q4_K_M", ["compressed-code"]),
        ("zoo-l", "Q4_0", ["compressed-code", "gguf"]),
        ("zoo-m", "Q4_0", ["gguf"]),
    ],
)
def test_k_types_are_credited_to_the_code_that_computes_them(tmp_path, model, type_name, libraries):
    """The output matrix of Q4_0 is Q6_K where its rows allow it; the gguf package cannot write any K type."""
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import quantize as by_gguf

    path = write_variant(ROOT / "data" / "zoo" / model, row(method="gguf", type=type_name), tmp_path / "variant")
    record = read_record(path)
    assert record["library"] == ", ".join(libraries)
    assert set(libraries) <= set(record["versions"])
    assert record["versions"]["gguf"] == importlib.metadata.version("gguf")
    for matrix in record["matrices"]:
        block = np.zeros((1, 256), np.float32)
        if matrix["library"] == "gguf":
            by_gguf(block, GGMLQuantizationType[matrix["type"]])
        else:
            with pytest.raises(NotImplementedError):
                by_gguf(block, GGMLQuantizationType[matrix["type"]])


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "rtn", "bits": 2, "group_size": 8},
        {"method": "hqq", "bits": 3, "group_size": 32},
        {"method": "torchao", "bits": 4, "group_size": 32},
        {"method": "gguf", "type": "Q4_0"},
    ],
)
def test_the_same_seed_gives_the_same_bytes(tmp_path, llama, fields):
    try:
        paths = [write_variant(llama, row(**fields), tmp_path / name) for name in "ab"]
    except Unavailable as gap:
        pytest.skip(str(gap))
    hashes = {read_record(path)["weights_sha256"] for path in paths}
    assert len(hashes) == 1


def test_a_gguf_variant_opens_and_is_counted_by_its_blocks(tmp_path, llama):
    path = write_variant(llama, row(method="gguf", type="Q8_0"), tmp_path / "variant")
    assert path.suffix == ".gguf"
    record = read_record(path)
    assert {matrix["type"] for matrix in record["matrices"]} == {"Q8_0"}
    assert record["effective_bits"]["quantized"] == 8.5
    assert divergence(llama, path) < 2e-3


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_hqq_gives_what_its_own_layer_computes(tmp_path, llama, bits):
    hqq = pytest.importorskip("hqq.core.quantize")
    folder = write_variant(llama, row(method="hqq", bits=bits, group_size=32), tmp_path / "variant")
    name = "model.layers.1.mlp.down_proj.weight"
    layer = torch.nn.Linear(192, 64, bias=False)
    layer.weight.data = load_file(llama / "model.safetensors")[name].float()
    settings = hqq.BaseQuantizeConfig(nbits=bits, group_size=32, axis=1)
    own = hqq.HQQLinear(layer, settings, compute_dtype=torch.float32, device="cpu", del_orig=False).dequantize()
    stored = load_file(folder / "model.safetensors")[name].float()
    assert torch.allclose(stored, own, atol=2e-3 * own.abs().max())
    overhead = {3: 3.2}.get(bits, bits)  # ten codes of 3 bits lie in 32
    assert read_record(folder)["effective_bits"]["quantized"] == pytest.approx(overhead + 1, rel=0.02)


@pytest.mark.parametrize(("bits", "group_size", "symmetric"), [(8, None, False), (4, 32, False), (3, 32, True)])
def test_torchao_gives_what_its_own_layer_computes(tmp_path, llama, bits, group_size, symmetric):
    from torchao.quantization import IntxWeightOnlyConfig, MappingType, PerAxis, PerGroup, quantize_

    quantization = row(method="torchao", bits=bits, group_size=group_size, symmetric=symmetric)
    folder = write_variant(llama, quantization, tmp_path / "variant")
    name = "model.layers.1.mlp.down_proj.weight"
    layer = torch.nn.Linear(192, 64, bias=False)
    layer.weight.data = load_file(llama / "model.safetensors")[name].float()
    mapping = MappingType.SYMMETRIC if symmetric else MappingType.ASYMMETRIC
    width = getattr(torch, f"int{bits}")
    granularity = PerGroup(group_size) if group_size else PerAxis(0)
    settings = {"granularity": granularity, "mapping_type": mapping, "scale_dtype": torch.float16}
    quantize_(layer, IntxWeightOnlyConfig(width, **settings))
    inputs = torch.eye(192)
    stored = load_file(folder / "model.safetensors")[name].float()
    computed = layer(inputs).T
    assert torch.allclose(stored, computed, atol=2e-3 * computed.abs().max())
    assert len(torch.unique(stored[0, : group_size or 192])) <= 2**bits


def test_a_variant_is_made_once(tmp_path, llama):
    quantization = row(method="rtn", bits=4, group_size=32)
    path = variant(llama, quantization, directory=tmp_path)
    stamp = (path / "model.safetensors").stat().st_mtime_ns
    renamed = quantization.model_copy(update={"key": "other", "label": "Other", "note": "a note"})
    assert variant(llama, renamed, directory=tmp_path) == path
    assert (path / "model.safetensors").stat().st_mtime_ns == stamp


def test_content_decides_where_a_variant_lies(tmp_path, llama):
    quantization = row(method="rtn", bits=4, group_size=32)
    paths = {variant(llama, quantization, directory=tmp_path)}
    for change in ({"bits": 3}, {"group_size": 64}, {"symmetric": True}, {"embeddings": True}, {"seed": 1}):
        paths.add(variant(llama, quantization.model_copy(update=change), directory=tmp_path))
    paths.add(variant(build(tmp_path / "other", seed=1), quantization, directory=tmp_path))
    retokenized = build(tmp_path / "retokenized")
    (retokenized / "tokenizer_config.json").write_text('{"model_max_length": 7}')
    paths.add(variant(retokenized, quantization, directory=tmp_path))
    assert len(paths) == 8


def test_what_an_earlier_format_made_is_never_taken_for_the_present_one(llama, monkeypatch):
    """Packing, records or numbers may have changed between them: every variant is made anew."""
    rows = [row(method="rtn", bits=bits, group_size=size) for bits in (3, 4, 6) for size in (None, 8, 16, 32)]
    now = [compression._path_of(llama, quantization, None, Path("variants"))[0] for quantization in rows]
    monkeypatch.setattr(compression, "FORMAT_VERSION", compression.FORMAT_VERSION - 1)
    before = [compression._path_of(llama, quantization, None, Path("variants"))[0] for quantization in rows]
    assert len({*now, *before}) == 2 * len(rows)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError, OSError(28, "No space left on device")])
def test_an_interrupted_run_leaves_nothing(tmp_path, llama, monkeypatch, stop):
    def fail(*_):
        raise stop

    monkeypatch.setattr(compression, "write_record", fail)
    expected = InputError if isinstance(stop, OSError) else stop
    with pytest.raises(expected):
        write_variant(llama, row(method="rtn", bits=4, group_size=32), tmp_path / "variant")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed(tmp_path, llama):
    """A process is killed while it writes; the next one finds its folder."""
    script = (
        "import os, sys, pathlib; from compressed_code.core.atomic_files import staged\n"
        "with staged(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'model.safetensors').write_bytes(b'half')\n"
        "    os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "variant")])
    assert killed.returncode == -9
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".variant.")
    write_variant(llama, row(method="rtn", bits=4, group_size=32), tmp_path / "variant")
    assert [path.name for path in tmp_path.iterdir()] == ["variant"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"method": "rtn", "bits": 4, "group_size": 48},
            r"_proj\.weight: (192|64) columns are not divisible by group size 48",
        ),
        ({"method": "gptq", "bits": 5, "calibration": "corpus"}, "needs calibration text"),
        ({"method": "hqq", "bits": 5, "group_size": 32}, "5 bits: HQQ packs"),
        ({"method": "hqq", "bits": 4, "group_size": 32, "symmetric": True}, "symmetric"),
        ({"method": "gguf", "type": "Q9_9"}, "Q9_9"),
        ({"method": "bitsandbytes", "type": "nf5"}, "nf5"),
    ],
)
def test_what_cannot_be_quantized_is_one_line_and_nothing_is_written(tmp_path, llama, fields, message):
    with pytest.raises(InputError, match=message) as caught:
        write_variant(llama, row(**fields), tmp_path / "variant")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_names_its_remedy(tmp_path, llama, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(Unavailable, match="pip install bitsandbytes"):
        write_variant(llama, row(method="bitsandbytes", type="nf4"), tmp_path / "variant")


def test_parents_that_are_none(tmp_path, llama):
    quantization = row(method="rtn", bits=4, group_size=32)
    with pytest.raises(InputError, match="no such file or folder"):
        write_variant(tmp_path / "nothing", quantization, tmp_path / "variant")
    folder = write_variant(llama, quantization, tmp_path / "variant")
    with pytest.raises(InputError, match="exists already"):
        write_variant(llama, quantization, folder)
    with pytest.raises(InputError, match="is quantized already"):
        write_variant(folder, quantization, tmp_path / "again")
    decoded = write_variant(llama, row(method="rtn", bits=6), tmp_path / "decoded")
    with pytest.raises(InputError, match="is quantized already"):
        write_variant(decoded, quantization, tmp_path / "again")
    with pytest.raises(InputError, match="from a Hugging Face folder, not from a file"):
        write_variant(llama / "model.safetensors", quantization, tmp_path / "again")
    with pytest.raises(InputError, match="looks at no text"):
        write_variant(llama, quantization, tmp_path / "again", [[1, 2, 3]])


def test_a_weight_that_is_not_finite_is_named(tmp_path):
    base = build(tmp_path / "base")
    weights, _ = contents(base)
    weights["model.layers.1.mlp.up_proj.weight"][3, 4] = float("nan")
    save_contents(base, weights)
    with pytest.raises(InputError, match=r"model\.layers\.1\.mlp\.up_proj\.weight: holds NaN or infinity"):
        write_variant(base, row(method="rtn", bits=4, group_size=32), tmp_path / "variant")
    assert not (tmp_path / "variant").exists()


def test_every_row_of_the_registry_names_one_variant():
    rows = load_quantizations()
    deciding = [quantization.model_dump_json(exclude={"key", "label", "note"}) for quantization in rows.values()]
    assert len(set(deciding)) == len(rows)
    assert len({quantization.label for quantization in rows.values()}) == len(rows)
    assert max(len(quantization.label) for quantization in rows.values()) <= 16
    types = {quantization.type for quantization in rows.values() if quantization.method == "gguf"}
    from compressed_code.quantization.gguf import MIXTURES

    assert len(types) == 14
    assert types <= set(MIXTURES)


def command(*arguments: str) -> None:
    parser = argparse.ArgumentParser()
    quantize_command.add_command(parser.add_subparsers())
    options = parser.parse_args(["quantize", *map(str, arguments)])
    options.run(options)


@pytest.mark.parametrize("name", ["q8_0", "Q8_0"])
def test_a_type_is_taken_in_either_case_and_nothing_is_overwritten(tmp_path, llama, name):
    command(llama, "--method", "gguf", "--type", name, "--out", tmp_path / "level")
    assert read_record(tmp_path / "level" / "model.gguf")["type"] == "Q8_0"
    with pytest.raises(InputError, match="exists already; choose another folder, or replace it with --force"):
        command(llama, "--method", "gguf", "--type", name, "--out", tmp_path / "level")


def test_force_replaces_what_was_written_before_and_nothing_else(tmp_path, llama):
    out, rounding = tmp_path / "variant", ("--method", "rtn", "--group-size", "32")
    command(llama, *rounding, "--bits", 4, "--out", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match="33"):  # one that fails leaves the old one whole
        command(llama, "--method", "rtn", "--group-size", "33", "--bits", 3, "--out", out, "--force")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    command(llama, *rounding, "--bits", 3, "--out", out, "--force")
    assert read_record(out)["bits"] == 3 and [path.name for path in tmp_path.iterdir()] == ["variant"]
    with pytest.raises(InputError, match=r"is no variant that quantize has written"):
        command(llama, *rounding, "--bits", 4, "--out", tmp_path, "--force")
    with pytest.raises(InputError, match=r"quantized already|is read in this run"):
        command(out, *rounding, "--bits", 4, "--out", out, "--force")
    assert read_record(out)["bits"] == 3


def test_the_command_writes_a_folder_and_one_line(tmp_path, llama, capsys):
    out = tmp_path / "variant"
    command(llama, "--method", "rtn", "--bits", 4, "--group-size", 32, "--symmetric", "--out", out)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert "4.500 bits per weight in 14 matrices" in printed
    assert str(out) in printed
    load_model(out)


def test_the_command_quantizes_a_real_model(tmp_path, shared_data, capsys):
    base = shared_data / "weights" / "stories260K-hf"
    command(base, "--method", "rtn", "--bits", 8, "--out", tmp_path / "variant")
    assert "weights dequantized" in capsys.readouterr().out
    assert 0 < divergence(base, tmp_path / "variant") < 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--method", "rtn", "--bits", "9"), "bits"),
        (("--method", "rtn"), r"rtn needs bits \(2 … 8\)"),
        (("--method", "rtn", "--bits", "4", "--type", "Q4_0"), r"rtn needs bits \(2 … 8\); only gguf"),
        (("--method", "gguf"), r"gguf needs a type \(Q4_K_M …\) in place of bits"),
        (("--method", "gguf", "--bits", "4", "--type", "Q4_0"), "in place of bits"),
        (("--method", "gguf", "--bits", "4"), r"gguf needs a type \(Q4_K_M …\) in place of bits"),
        (("--method", "rtn", "--bits", "4", "--group-size", "48"), "not divisible by group size 48"),
        (("--method", "rtn", "--bits", "4", "--calibration-source", "self"), "looks at no text"),
        (("--method", "gptq", "--bits", "4"), "holds no tokenizer"),  # generated programs, the default, are text
        (
            ("--method", "gptq", "--bits", "4", "--calibration", "a.py", "--calibration-source", "random"),
            "exclude each other",
        ),
        (("--method", "gptq", "--bits", "4", "--calibration", "no-such-file.py"), "no-such-file.py"),
        (
            ("--method", "gptq", "--bits", "4", "--calibration-source", "random", "--seed", "-1"),
            "seed: .*or equal to 0",
        ),
        (("--method", "rtn", "--bits", "4", "--seed", "-1"), "seed has no effect with the method rtn"),
        (
            ("--method", "gptq", "--bits", "4", "--calibration-source", "self", "--seed", str(2**63)),
            "seed: .*less than",
        ),
        (("--method", "rtn", "--bits", "4", "--seed", "1"), "seed has no effect with the method rtn"),
        (("--method", "hqq", "--bits", "4", "--calibration-rows", "8"), "calibration-rows has no effect"),
        (("--method", "torchao", "--bits", "4", "--calibration-length", "8"), "looks at no text"),
        (
            ("--method", "gguf", "--type", "Q4_K_M", "--group-size", "32"),
            "group_size has no effect with the method gguf",
        ),
        (("--method", "gguf", "--type", "Q4_K_M", "--symmetric"), "symmetric has no effect with the method gguf"),
        (("--method", "gguf", "--type", "Q4_K_M", "--embeddings"), "embeddings has no effect with the method gguf"),
        (("--method", "bitsandbytes", "--type", "nf4", "--group-size", "32"), "group_size has no effect"),
        (("--method", "bitsandbytes", "--type", "nf4", "--symmetric"), "symmetric|pip install"),
        (("--method", "gptq", "--bits", "4", "--calibration", "README.md", "--calibration-length", "0"), "at least 1"),
    ],
)
def test_the_command_refuses_in_one_line(tmp_path, llama, arguments, message):
    with pytest.raises(InputError, match=message):
        command(llama, *arguments, "--out", tmp_path / "variant")
    assert not (tmp_path / "variant").exists()


def test_the_command_refuses_an_existing_folder(tmp_path, llama):
    with pytest.raises(InputError, match="exists already"):
        command(llama, "--method", "rtn", "--bits", "4", "--out", tmp_path)


def test_bad_options_end_with_one_line_and_exit_code_2(tmp_path, capsys):
    out = str(tmp_path / "variant")
    ignored = ["--group-size", "32", "--symmetric", "--embeddings"]
    for wrong in (["gguf", "--type", "Q4_K_M", *ignored], ["rtn", "--bits", "4", "--seed", "-1"]):
        assert main(["quantize", "zoo-l", "--method", *wrong, "--out", out]) == 2
        captured = capsys.readouterr()
        assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("method: rtn, bits: 4, seed: -1", "mine.seed: .*greater than or equal to 0"),
        ("method: gptq, bits: 4, calibration: corpus, seed: -1", "mine.seed: .*greater than or equal to 0"),
        ("method: gguf, type: Q4_0, group_size: 32", "mine: group_size has no effect with the method gguf"),
    ],
)
def test_a_bad_row_is_named(tmp_path, fields, message):
    (tmp_path / "rows.yml").write_text(f"mine: {{label: Mine, {fields}}}\n")
    with pytest.raises(InputError, match=rf"rows\.yml: {message}") as caught:
        load_quantizations(tmp_path / "rows.yml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["corpus", "tasks", "random", "self"])
def test_no_calibration_is_drawn_with_a_negative_seed(source):
    with pytest.raises(InputError, match="seed -1: it must be at least 0"):
        calibration_rows(source, rows=1, length=4, seed=-1, documents=[[1] * 9], vocabulary=9)


def test_the_command_says_which_types_took_the_place_of_one_that_does_not_fit(tmp_path, capsys):
    """Rows of zoo-s are no multiple of 256; all of zoo-l's are."""
    zoo = ROOT / "data" / "zoo"
    command(zoo / "zoo-s", "--method", "gguf", "--type", "Q2_K", "--out", tmp_path / "small")
    captured = capsys.readouterr()
    types = [matrix["type"] for matrix in read_record(tmp_path / "small")["matrices"]]
    assert captured.err.count("\n") == captured.out.count("\n") == 1
    for part in ("no matrix is Q2_K", f"{len(types)} of {len(types)}", "blocks of 256"):
        assert part in captured.err
    for name in set(types):
        assert f"{name} ({types.count(name)})" in captured.err
    command(zoo / "zoo-l", "--method", "gguf", "--type", "Q2_K", "--out", tmp_path / "large")
    assert capsys.readouterr().err == ""
    command(zoo / "zoo-m", "--method", "gguf", "--type", "Q8_0", "--out", tmp_path / "medium")
    said = capsys.readouterr().err
    assert "not all matrices are Q8_0" in said and "4 of 29" in said and "blocks of 32" in said


def reference_quantizer(bits: int, symmetric: bool):
    """auto-gptq's copy of the GPTQ authors' quantizer, loaded as one file: importing the package needs the shim."""
    try:
        files = importlib.metadata.files("auto-gptq")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("auto-gptq is not installed")
    path = next(file for file in files if str(file) == "auto_gptq/quantization/quantizer.py").locate()
    spec = importlib.util.spec_from_file_location("reference_quantizer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    quantizer = module.Quantizer()
    quantizer.configure(bits, perchannel=True, sym=symmetric)
    return quantizer


ODD_SHAPES = [(12, 40, 8), (5, 60, 20), (7, 23, None), (64, 32, None), (33, 96, 32)]


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("rows", "columns", "group_size"), ODD_SHAPES)
def test_rounding_is_bit_for_bit_the_reference_where_float16_holds_its_scale(
    bits, symmetric, rows, columns, group_size
):
    """Groups that reach from a whole number of steps below zero to one above, with a step that float16 holds."""
    generator, size, highest = np.random.default_rng(bits), group_size or columns, 2**bits - 1
    count = rows * columns // size
    steps = (generator.integers(1, 2**11, (count, 1)) * 2.0**-18).astype(np.float32)
    zeros = np.full((count, 1), 2.0 ** (bits - 1)) if symmetric else generator.integers(1, highest, (count, 1))
    reach = np.full((count, 1), highest / 2) if symmetric else zeros
    groups = generator.uniform(-reach * steps, (highest - reach) * steps, (count, size)).astype(np.float32)
    groups[:, :1] = (-reach * steps).astype(np.float32)
    groups[:, -1:] = ((highest - reach) * steps).astype(np.float32)
    quantizer = reference_quantizer(bits, symmetric)
    quantizer.find_params(torch.from_numpy(groups), weight=True)
    matrix = round_to_nearest(groups.reshape(rows, columns), bits, group_size, symmetric=symmetric)
    assert np.array_equal(quantizer.scale.numpy(), steps)
    assert np.array_equal(quantizer.zero.numpy(), zeros.astype(np.float32))
    assert np.array_equal(matrix.scales.reshape(-1, 1), steps.astype(np.float16))
    assert np.array_equal(matrix.zeros.reshape(-1, 1), zeros)
    decoded = quantizer.quantize(torch.from_numpy(groups)).numpy()
    assert np.array_equal(matrix.dequantized().reshape(-1, size), decoded)
    assert (matrix.codes.min(), matrix.codes.max()) == (0, highest)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("rows", "columns", "group_size"), [*ODD_SHAPES, (3, 1, None)])
def test_scale_zero_point_and_codes_are_those_of_the_definition_in_float64(bits, symmetric, rows, columns, group_size):
    """Any weights. The definition divides by the stored scale, float16; the reference's scale rounds to the same."""
    weight = (np.random.default_rng(bits + rows).standard_normal((rows, columns)) * 0.05).astype(np.float32)
    matrix = round_to_nearest(weight, bits, group_size, symmetric=symmetric)
    groups, highest = weight.reshape(-1, group_size or columns).astype(np.float64), 2**bits - 1
    low, high = np.minimum(groups.min(1), 0), np.maximum(groups.max(1), 0)
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    scale = ((high - low) / highest).astype(np.float16).astype(np.float64)
    zero = np.full(len(groups), 2.0 ** (bits - 1)) if symmetric else np.rint(-low / scale)
    moved = zero < 1  # the format has no room for 0: the step grows, so that one code fewer reaches as far
    scale = np.where(moved, ((high - low) / (highest - 1)).astype(np.float16).astype(np.float64), scale)
    zero = np.clip(zero, 1, highest)
    codes = np.clip(np.rint(groups / scale[:, None]) + zero[:, None], 0, highest)
    assert np.array_equal(matrix.scales.ravel(), scale.astype(np.float16))
    assert np.array_equal(matrix.zeros.ravel(), zero)
    assert np.array_equal(matrix.codes, codes.reshape(rows, columns))
    assert np.array_equal(matrix.dequantized(), (scale[:, None] * (codes - zero[:, None])).reshape(rows, columns))
    quantizer = reference_quantizer(bits, symmetric)
    quantizer.find_params(torch.from_numpy(weight.reshape(groups.shape)), weight=True)
    theirs = quantizer.scale.numpy().ravel().astype(np.float16)
    # It forgets the negative half of the grid where a group has no negative weight, and clips the largest ones.
    comparable = ~moved & ((groups.min(1) < 0) | (not symmetric))
    assert np.array_equal(matrix.scales.ravel()[comparable], theirs[comparable])
    # On the grid as it is stored the reference rounds every weight to the same code.
    quantizer.scale, quantizer.zero = (torch.tensor(values[:, None], dtype=torch.float32) for values in (scale, zero))
    decoded = quantizer.quantize(torch.from_numpy(weight.reshape(groups.shape))).numpy()
    assert np.array_equal(matrix.dequantized(), decoded.reshape(rows, columns))
