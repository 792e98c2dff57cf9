"""Calibration rows: shape, seed, source, and what is refused."""

import numpy as np
import pytest
import torch

from compressed_code.core.errors import InputError
from compressed_code.models.load import load_model
from compressed_code.quantization.calibration import calibration_rows, random_rows, rows_of_documents, sampled_rows
from tiny_models import save_tiny

DOCUMENTS = [[100 + document] * size for document, size in enumerate((3, 50, 7, 20, 90, 11))]


@pytest.fixture(scope="module")
def bigram_model(tmp_path_factory):
    """A tiny model, saved; after token 1 it is all but certain of nothing, so samples vary."""
    sizes = {"vocab_size": 40, "num_hidden_layers": 1, "max_position_embeddings": 64}
    return save_tiny(tmp_path_factory.mktemp("model"), gain=1.7, **sizes)


def test_documents_begin_with_the_start_context_and_long_ones_give_a_window():
    rows = rows_of_documents(DOCUMENTS, [1], rows=4, length=20, seed=0)
    assert [len(row) for row in rows] == [20] * 4
    stream = [token for row in rows for token in row]
    pieces = [list(filter(None, piece.split(","))) for piece in ",".join(map(str, stream)).split("1,") if piece]
    for piece in pieces:
        values = {int(token) for token in piece if token != "1"}
        assert len(values) <= 1  # a document is never mixed with another
        assert len(piece) <= 20
    assert stream[0] == 1


def test_a_window_lies_anywhere_in_a_long_document():
    long = [list(range(1000))]
    firsts = {rows_of_documents(long, [], rows=1, length=10, seed=seed)[0][0] for seed in range(50)}
    assert len(firsts) > 30
    row = rows_of_documents(long, [], rows=1, length=10, seed=3)[0]
    assert np.diff(row).tolist() == [1] * 9


@pytest.mark.parametrize("source", ["corpus", "tasks", "random"])
def test_the_seed_decides(source):
    def rows(seed: int) -> list[list[int]]:
        return calibration_rows(
            source, rows=3, length=16, seed=seed, documents=DOCUMENTS, start=[1], vocabulary=50, control=[0]
        )

    assert rows(0) == rows(0)
    assert rows(0) != rows(1)


def test_random_ids_are_uniform_and_never_control_tokens():
    rows = random_rows(vocabulary=20, control=[0, 1, 19], rows=50, length=100, seed=0)
    counts = np.bincount(np.array(rows).ravel(), minlength=20)
    assert counts[[0, 1, 19]].sum() == 0
    expected = 5000 / 17
    chi_squared = ((counts[2:19] - expected) ** 2 / expected).sum()
    assert chi_squared < 39.3  # 0.999 quantile for 16 degrees of freedom


def test_a_model_samples_its_own_distribution(bigram_model):
    """Frequencies of the first sampled token against the model's own probabilities."""
    from transformers import LlamaForCausalLM

    rows = sampled_rows(bigram_model, [1], rows=3000, length=2, seed=0)
    model = LlamaForCausalLM.from_pretrained(bigram_model)
    with torch.inference_mode():
        probabilities = model(torch.tensor([[1]])).logits[0, -1].softmax(-1).numpy()
    counts = np.bincount([row[1] for row in rows], minlength=40)
    assert np.abs(counts / 3000 - probabilities).max() < 4 * 0.5 / 3000**0.5


def test_cached_steps_continue_the_text(bigram_model):
    """The seed decides, and sampling with the cache equals sampling without."""
    from transformers import LlamaForCausalLM

    rows = sampled_rows(bigram_model, [1, 2], rows=2, length=12, seed=5)
    assert rows == sampled_rows(bigram_model, [1, 2], rows=2, length=12, seed=5)
    assert rows != sampled_rows(bigram_model, [1, 2], rows=2, length=12, seed=6)
    model = LlamaForCausalLM.from_pretrained(bigram_model).eval()
    generator, written = torch.Generator().manual_seed(5), torch.tensor([[1, 2]] * 2)
    with torch.inference_mode():
        while written.shape[1] < 12:
            probabilities = model(written, use_cache=False).logits[:, -1].double().softmax(-1)
            written = torch.cat([written, torch.multinomial(probabilities, 1, generator=generator)], dim=1)
    assert rows == written.tolist()


@pytest.mark.parametrize("family", ["mamba", "rwkv"])
def test_states_of_other_kinds_continue_the_text_too(tmp_path, family):
    """What such a model hands on has another name than keys and values."""
    folder = save_tiny(tmp_path, family, gain=1.6, state_size=4, attention_hidden_size=32, context_length=64)
    rows = sampled_rows(folder, [1, 2], rows=2, length=8, seed=5)
    model = load_model(folder, dtype="float64")
    generator, written = torch.Generator().manual_seed(5), torch.tensor([[1, 2]] * 2)
    with torch.inference_mode():
        while written.shape[1] < 8:
            probabilities = model(written, use_cache=False).logits[:, -1].softmax(-1)
            written = torch.cat([written, torch.multinomial(probabilities, 1, generator=generator)], dim=1)
    assert rows == written.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "corpus"}, "is empty; 4 rows of 100 need 400 tokens"),
        ({"source": "tasks", "documents": DOCUMENTS}, "has 181 tokens; 4 rows of 100 need 400 tokens"),
        ({"source": "random"}, "none left to draw from"),
        ({"source": "random", "vocabulary": 2, "control": [0, 1]}, "none left to draw from"),
        ({"source": "self"}, "needs the model"),
        ({"source": "corpus", "rows": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_had_is_one_line(arguments, message):
    with pytest.raises(InputError, match=message):
        calibration_rows(**{"rows": 4, "length": 100, **arguments})


def test_a_model_without_a_start_context_is_refused(bigram_model):
    with pytest.raises(InputError, match="start context"):
        calibration_rows("self", rows=1, length=8, model=bigram_model)
