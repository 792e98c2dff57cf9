"""A table that reads the rows that are looked up, against the whole table."""

import pytest
import torch

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.core.errors import InputError
from compressed_code.models.embedding_rows import EmbeddingRows
from tiny_models import contents, save_contents, save_tiny

NAME = "model.embed_tokens.weight"


@pytest.fixture
def matrix(tmp_path, monkeypatch):
    """A stored embedding; `matrix.asked` are the rows that were read of it."""
    opened = open_checkpoint(save_tiny(tmp_path / "m")).open_weight(NAME)
    row, opened.asked = opened.row, []
    monkeypatch.setattr(opened, "row", lambda index: opened.asked.append(index) or row(index))
    return opened


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_look_up_reads_its_rows_alone(matrix, dtype):
    whole = torch.from_numpy(matrix.whole()).to(dtype)
    module = torch.nn.Embedding(*whole.shape)
    module._parameters["weight"] = EmbeddingRows.of(matrix, dtype)
    assert (module.weight.shape, module.weight.dtype, module.weight.device) == (whole.shape, dtype, whole.device)
    ids = torch.tensor([[5, 9, 5], [0, 9, 31]])
    torch.testing.assert_close(module(ids), torch.nn.functional.embedding(ids, whole), rtol=0, atol=0)
    assert sorted(matrix.asked) == [0, 5, 9, 31]
    assert type(module(ids)) is torch.Tensor


@pytest.mark.parametrize(
    "use", [lambda table: table.sum(), lambda table: table[3:7] * 2, lambda table: table @ table.T]
)
def test_any_other_use_reads_all_of_it(matrix, use):
    whole = torch.from_numpy(matrix.whole())
    torch.testing.assert_close(use(EmbeddingRows.of(matrix, torch.float32)), use(whole), rtol=0, atol=0)
    assert not matrix.asked


def test_a_broken_row_matters_where_it_is_looked_up(tmp_path):
    tensors, config = contents(save_tiny(tmp_path / "m"))
    tensors[NAME][7, 3] = torch.nan
    opened = open_checkpoint(save_contents(tmp_path / "broken", tensors, config)).open_weight(NAME)
    table = EmbeddingRows.of(opened, torch.float32)
    assert torch.nn.functional.embedding(torch.tensor([6, 8]), table).isfinite().all()
    with pytest.raises(InputError, match="row 7 holds NaN"):
        torch.nn.functional.embedding(torch.tensor([7]), table)
