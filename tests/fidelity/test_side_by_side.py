"""Batches read side by side give what one after the other gives."""

import threading
import time

import numpy as np
import pandas as pd
import pytest
import torch

from compressed_code.core.errors import InputError
from compressed_code.fidelity.noise_floor import RoundedRunner
from compressed_code.fidelity.pair import EncodedText, token_fidelity
from compressed_code.fidelity.side_by_side import MOST, batches_at_a_time, side_by_side
from compressed_code.fidelity.teacher_forcing import KeepingRunner, Runner
from compressed_code.tokenizers.text_classes import TEXT_CLASSES
from tiny_models import tiny_model

SOME = 1 << 15  # bytes that keep what is known of some texts, and not of all


def text(ids, name: str) -> EncodedText:
    classes = pd.Categorical.from_codes(np.zeros(len(ids), int), categories=TEXT_CLASSES)
    return EncodedText(name, "python", np.array(ids, np.int64), classes)


def texts(count: int) -> list[EncodedText]:
    rng = np.random.default_rng(2)
    return [text(rng.integers(0, 96, rng.integers(1, 30)), str(number)) for number in range(count)]


@pytest.fixture
def threads():
    """Sets how many threads torch has, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(count, threads):
    threads(4)

    def work(number):
        time.sleep(0.01 * (number % 3))
        return number, torch.get_num_threads()

    found = [*side_by_side(work, range(9), count)]
    assert found == [(number, 4 // count) for number in range(9)]
    assert torch.get_num_threads() == 4
    seen = []
    new = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    new.start()
    new.join()
    assert seen == [4]  # whoever comes later computes on as many as before


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_ends_the_work_and_leaves_the_rest(count, threads):
    threads(2)
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise InputError("the fourth")
        time.sleep(0.01)
        return number

    found = []
    with pytest.raises(InputError, match="the fourth"):
        for number in side_by_side(work, range(50), count):
            found.append(number)
    assert found == [0, 1, 2] and len(begun) < 10
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kept_bytes", [0, SOME, 1 << 24])
def test_a_comparison_does_not_depend_on_how_many_batches_are_read_at_a_time(monkeypatch, threads, kept_bytes, dtype):
    monkeypatch.setattr("compressed_code.fidelity.teacher_forcing.BATCH_TOKENS", 32)
    base = tiny_model(dtype=dtype)
    candidates = [tiny_model(seed=seed, dtype=dtype) for seed in (1, 2)]
    documents = texts(30)
    tables = []
    for number in (1, 3):
        threads(number)
        runner = KeepingRunner(base, [1], kept_bytes)
        assert batches_at_a_time([runner, Runner(candidates[0], [1])]) == number
        tables.append([token_fidelity(runner, model, documents, [1], keyword_ids=range(9)) for model in candidates])
    for first, second in tables[1:]:
        pd.testing.assert_frame_equal(first, tables[0][0], check_exact=True)
        # What did not fit is read again, in other batches: float32 sums in another order.
        close = {"rtol": 1e-4, "atol": 1e-6} if kept_bytes == SOME and dtype == torch.float32 else {"check_exact": True}
        pd.testing.assert_frame_equal(second, tables[0][1], **close)


def test_a_model_beside_itself_reads_one_batch_at_a_time(threads):
    """Rounding is hooked onto the model while a batch is read: nothing else may read with it then."""
    threads(2)
    model = tiny_model(seed=0)
    runner = Runner(model, [1])
    assert batches_at_a_time([runner, RoundedRunner(model, [1])]) == 1
    assert batches_at_a_time([runner, Runner(tiny_model(seed=1), [1])]) == 2
    assert batches_at_a_time([runner, Runner(tiny_model(seed=1, dtype=torch.bfloat16), [1])]) == 1  # one buffer
    threads(MOST + 3)
    assert batches_at_a_time([runner, Runner(tiny_model(seed=1), [1])]) == MOST


def test_an_id_outside_of_the_embedding_is_told_as_ever(threads):
    threads(2)
    documents = [*texts(30), text([1, 999], "outside")]
    with pytest.raises(InputError, match="input id 999"):
        token_fidelity(tiny_model(seed=0), tiny_model(seed=1), documents, [1])
