"""How unsure a model was, against one pass over the whole program with transformers."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from compressed_code.code_generation.choice_entropies import COLUMNS, choice_entropies
from compressed_code.tokenizers.vocabulary import Vocabulary
from tiny_models import tiny_model

TOKENS = tuple(bytes([number]) for number in range(96))
VOCABULARY = Vocabulary(TOKENS, frozenset(), {}, lambda text: list(text.encode()))


def test_each_choice_has_the_entropy_of_what_could_have_followed():
    model = tiny_model(dtype=torch.float64)
    table = choice_entropies(model, VOCABULARY, [("a", [1, 2, 3], "X+1"), ("b", [4], "")])
    assert list(table) == list(COLUMNS)
    first = table[table["task_id"] == "a"]
    assert first["offset"].tolist() == [0, 1, 2, 3]  # and the choice that ends it
    with torch.no_grad():
        for place, ids in enumerate(([1, 2, 3], [1, 2, 3, 88], [1, 2, 3, 88, 43], [1, 2, 3, 88, 43, 49])):
            probabilities = torch.softmax(model(torch.tensor([ids])).logits[0, -1], dim=-1)
            assert first["entropy_nats"].iloc[place] == pytest.approx(entropy(probabilities.numpy()), rel=1e-9)
    assert table[table["task_id"] == "b"]["offset"].tolist() == [0]  # nothing was written; that was a choice, too
    assert np.isfinite(table["entropy_nats"]).all() and choice_entropies(model, VOCABULARY, []).empty


def test_an_offset_counts_characters_and_passes_over_a_leading_blank():
    tokens = (*TOKENS[:90], b"\xc3", b"\xa9", b"\n  x", b"\n  ")
    vocabulary = Vocabulary(tokens, frozenset(), {}, lambda text: [90, 91, 43, 92, 93])
    table = choice_entropies(tiny_model(), vocabulary, [("a", [1], "é+\n  x\n  ")])
    assert table["offset"].tolist() == [0, 0, 1, 5, 6, 9]
