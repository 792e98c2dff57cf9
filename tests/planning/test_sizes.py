"""Sizes computed from layouts against what the makers published, and against checkpoints that were written and read."""

import json

import pytest
import torch
from safetensors import safe_open

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.planning.layouts import load_layouts
from compressed_code.planning.sizes import active_parameters, cold_start_bytes, stored_bytes
from compressed_code.registry.lookup import load_registry
from paper_models import reduced, write_paper_model
from tiny_models import save_tiny

# metadata.total_size of the published model.safetensors.index.json; of one file, its length less its header.
INDEX_TOTALS = {
    "qwen2.5-7b": 15_231_233_024,
    "qwen2.5-32b": 65_527_752_704,
    "qwen2.5-72b": 145_412_407_296,
    "llama-3.1-8b": 16_060_522_496,
    "llama-3.1-70b": 141_107_412_992,
}
# Lengths of the published files of Qwen2.5-Coder-7B-Instruct, whose metadata (the tokenizer) take 5.95 million bytes.
GGUF_FILES = {
    "Q2_K": 3_015_940_032,
    "Q3_K_M": 3_808_391_104,
    "Q4_0": 4_431_390_720,
    "Q4_K_M": 4_683_073_536,
    "Q8_0": 8_098_525_888,
}


@pytest.mark.parametrize("key", INDEX_TOTALS)
def test_bytes_are_those_of_the_published_index(key):
    assert stored_bytes(load_layouts()[key], "bfloat16") == INDEX_TOTALS[key]


@pytest.mark.parametrize("mixture", GGUF_FILES)
def test_bytes_are_those_of_the_published_gguf_files(mixture):
    metadata = GGUF_FILES[mixture] - stored_bytes(load_layouts()["qwen2.5-7b"], mixture)
    assert 5_953_000 < metadata < 5_955_000


def test_deepseek_v3_has_the_published_numbers_of_each_type():
    """As the Hub counts the 163 files: 3,918,786,560 BF16, 680,571,043,840 F8_E4M3 and 41,555,600 F32."""
    layout = load_layouts()["deepseek-v3"]
    assert stored_bytes(layout, "float8") == 2 * 3_918_786_560 + 680_571_043_840 + 4 * 41_555_600
    assert round(layout.parameters / 1e9) == 671 and round(active_parameters(layout) / 1e9) == 37  # technical report


def test_rows_name_a_layout_of_their_size():
    layouts, rows = load_layouts(), load_registry().models.values()
    found = {row.layout for row in rows if row.layout}
    assert found == set(layouts)
    for row in rows:
        if row.layout:
            assert layouts[row.layout].parameters == pytest.approx(row.parameters, rel=0.03), row.key


@pytest.mark.parametrize("key", ["qwen2.5-1.5b", "qwen2.5-7b", "llama-3.1-8b", "deepseek-v2.5", "deepseek-v3"])
def test_names_and_shapes_are_those_that_transformers_writes(tmp_path, key):
    layout = reduced(load_layouts()[key])
    options = {name: value for name, value in layout.config.items() if name != "model_type"}
    folder = save_tiny(tmp_path / "model", layout.config["model_type"], dtype=torch.bfloat16, **options)
    with safe_open(folder / "model.safetensors", "pt") as file:
        written = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    own = {tensor.name: tensor.shape for tensor in layout.tensors() if layout.holds(tensor)}
    assert own == written


@pytest.mark.parametrize(
    ("key", "stored_as"),
    [
        ("qwen2.5-1.5b", "bfloat16"),
        ("qwen2.5-7b", "bfloat16"),
        ("llama-3.1-8b", "bfloat16"),
        ("deepseek-v2.5", "bfloat16"),
        ("deepseek-v3", "float8"),
    ],
)
def test_bytes_are_those_of_a_written_checkpoint_and_of_its_cold_start(tmp_path, key, stored_as):
    layout = reduced(load_layouts()[key])
    folder = write_paper_model(tmp_path / "model", layout, stored_as)
    checkpoint = open_checkpoint(folder)
    assert checkpoint.stored_bytes == stored_bytes(layout, stored_as)
    headers = checkpoint.bytes_read
    read = cold_start(folder, [3]).bytes_read
    assert read - headers == cold_start_bytes(layout, stored_as)


def test_a_layout_that_lacks_a_field(tmp_path):
    path = tmp_path / "layouts.yml"
    path.write_text(json.dumps({"mine": {"model_type": "llama", "hidden_size": 8}}))
    with pytest.raises(InputError, match=r"layouts\.yml: mine: lacks 'vocab_size'"):
        load_layouts(path)
