"""What the table says of mixtures is what the written files hold."""

from collections import Counter

import pytest
from gguf import GGUFReader

from compressed_code.quantization.gguf import write_gguf
from compressed_code.quantization.gguf.mixtures import mixture_table
from compressed_code.registry.lookup import load_registry

ZOO = load_registry().models["zoo-xs"].location


@pytest.mark.parametrize("mixture", ["Q8_0", "Q4_K_M", "Q2_K"])
def test_bits_and_types_are_those_of_the_file(mixture, tmp_path):
    write_gguf(ZOO, tmp_path / "m.gguf", mixture)
    matrices = [tensor for tensor in GGUFReader(tmp_path / "m.gguf").tensors if len(tensor.shape) == 2]
    weights = sum(int(tensor.n_elements) for tensor in matrices)
    row = mixture_table(ZOO, [mixture]).iloc[0]
    assert row["bits"] == pytest.approx(sum(8 * int(tensor.n_bytes) for tensor in matrices) / weights)
    shares = Counter()
    for tensor in matrices:
        shares[tensor.tensor_type.name] += int(tensor.n_elements)
    assert row["types"] == ", ".join(f"{name} {count / weights:.0%}" for name, count in shares.most_common())


def test_mixtures_whose_tensors_all_fall_back_alike_are_the_same_file(tmp_path):
    table = mixture_table(ZOO, ["Q4_0", "Q3_K_S", "Q2_K"]).set_index("mixture")
    files = {name: tmp_path / f"{name}.gguf" for name in table.index}
    for name, path in files.items():
        write_gguf(ZOO, path, name)
    types = {name: [tensor.tensor_type for tensor in GGUFReader(path).tensors] for name, path in files.items()}
    for name, first in table["same_as"].items():
        assert (types[name] == types["Q4_0"]) == (first == "Q4_0")


def test_a_file_is_a_model_too(tmp_path):
    write_gguf(ZOO, tmp_path / "m.gguf", "F32")
    assert mixture_table(tmp_path / "m.gguf").equals(mixture_table(ZOO))
