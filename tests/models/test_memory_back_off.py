"""Batches that do not fit, with torch's own error raised as a GPU without memory raises it."""

import numpy as np
import pytest
import torch

from compressed_code.code_generation import Request, Settings, engine
from compressed_code.code_generation.engine import write_programs
from compressed_code.core.errors import InputError
from compressed_code.fidelity.teacher_forcing import Runner, log_probabilities
from compressed_code.models.load import load_model
from compressed_code.models.memory_back_off import BackOff
from compressed_code.registry.lookup import load_registry
from compressed_code.tokenizers.files import open_tokenizer

XS = load_registry().models["zoo-xs"].location


def room_for(most: int, work, sizes: list[int]):
    """`work` on a device with memory for so many rows; what was asked for is noted."""

    def limited(*arguments, **options):
        rows = next(part for part in (*arguments, *options.values()) if isinstance(part, torch.Tensor)).shape[0]
        sizes.append(rows)
        if rows > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return work(*arguments, **options)

    return limited


@pytest.mark.parametrize("most", [1, 2, 3, 5, 7, 20])
def test_parts_are_all_of_the_batch_and_none_as_large_is_tried_again(most, capsys):
    asked = []

    def work(items):
        asked.append(len(items))
        if len(items) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return list(items)

    back_off = BackOff("numbers")
    for count in (7, 7, 20):
        items = list(range(count))
        assert [item for part in back_off.results(work, items) for item in part] == items
    too_large = [size for size in asked if size > most]
    assert len(too_large) == len(set(too_large))
    assert capsys.readouterr().err.count("out of memory with") == len(too_large)


def test_texts_are_read_in_parts_with_the_same_numbers(monkeypatch, capsys):
    model = load_model(XS, dtype="float64")
    documents = [np.arange(length) % 200 for length in (30, 40, 20, 50, 30, 10)]
    expected = log_probabilities(model, documents, [1])
    sizes: list[int] = []
    monkeypatch.setattr(model.base_model, "forward", room_for(2, model.base_model.forward, sizes))
    found = log_probabilities(model, documents, [1])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert max(sizes) > 2 and sizes[-1] <= 2
    told = capsys.readouterr().err
    assert f"out of memory with {max(sizes)} windows of text at a time; going on with" in told


def test_a_single_window_that_does_not_fit_is_one_line(monkeypatch):
    model = load_model(XS)
    runner = Runner(model, [1])
    monkeypatch.setattr(model.base_model, "forward", room_for(0, model.base_model.forward, []))
    from compressed_code.fidelity.windows import cut_windows

    (window,) = cut_windows([np.arange(9)], 64, [1])
    with pytest.raises(
        InputError, match="does not suffice for the model and a single one of the windows of text"
    ) as told:
        runner.states([window])
    assert "COMPRESSED_CODE_DEVICE" in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_programs_are_the_same_in_smaller_batches(monkeypatch, capsys, temperature):
    """Memory for three at a time: what was begun is begun again, nothing is answered twice, no token differs."""
    model, vocabulary = load_model(XS), open_tokenizer(XS)
    prompts = ["def first(items):", "x = 1", "import os\n", "class A:\n", "for i in range(3):", "y", "z = [", "return"]
    requests = [Request(f"mine/{n}", 0, tuple(vocabulary.encode(text))) for n, text in enumerate(prompts)]
    settings = Settings(max_tokens=24, temperature=temperature)
    expected = {one.task_id: one for part in write_programs(model, vocabulary, requests, settings) for one in part}
    monkeypatch.setattr(engine, "forward", room_for(3, engine.forward, []))
    found = [one for part in write_programs(model, vocabulary, requests, settings) for one in part]
    assert sorted(one.task_id for one in found) == sorted(expected)
    assert {one.task_id: one.token_ids for one in found} == {name: one.token_ids for name, one in expected.items()}
    assert "out of memory with 8 programs at a time; going on with 4" in capsys.readouterr().err


def test_a_single_program_that_does_not_fit_is_one_line(monkeypatch, capsys):
    model, vocabulary = load_model(XS), open_tokenizer(XS)
    monkeypatch.setattr(engine, "forward", room_for(0, engine.forward, []))
    requests = [Request(f"mine/{n}", 0, (3, 4, 5)) for n in range(4)]
    with pytest.raises(InputError, match="the model and a single one of the programs"):
        list(write_programs(model, vocabulary, requests, Settings(max_tokens=3)))
    assert capsys.readouterr().err.count("out of memory with") == 2
