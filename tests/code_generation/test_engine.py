"""Generation against transformers' own generate(), which runs one prompt at a time."""

import argparse
import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    TopPLogitsWarper,
)

from compressed_code.benchmarks.completions import truncate
from compressed_code.code_generation.batch_invariance import NEAR_TIE
from compressed_code.code_generation.engine import write_programs
from compressed_code.code_generation.requests import Request, Settings, chat_ids, make_requests, prompt_ids
from compressed_code.code_generation.sample_files import batch_differences, generate_to_file
from compressed_code.code_generation.sampling import choose, nucleus, random_stream
from compressed_code.code_generation.sequence import DecodedSequence
from compressed_code.commands import generate as command
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.models.kv_cache import fits
from compressed_code.quantization.gguf import write_gguf
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary
from tiny_models import SIZES, save_tiny, save_tokenizer, tiny_model
from tokenizers import Regex, Tokenizer, pre_tokenizers

WIDTH = SIZES["vocab_size"]  # vocabulary of the tiny models
VOCABULARY = Vocabulary(tuple(bytes([n + 32]) for n in range(WIDTH)), frozenset(), {}, lambda text: [*text.encode()])
NO_END = {"bos_token_id": 0, "eos_token_id": None, "pad_token_id": None}
FAMILIES = {
    "llama": {"head_dim": 8},
    "qwen2": {"head_dim": 8},
    "gpt2": {},
    "gemma2": {"head_dim": 8, "sliding_window": 8, "query_pre_attn_scalar": 8, "tie_word_embeddings": False},
    "mamba": {"hidden_size": 16, "state_size": 4},
    "rwkv": {"attention_hidden_size": 32, "context_length": 64},
    "minimax": {"head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2, "block_size": 8},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(family: str = "llama", **fields):
    return tiny_model(family, seed=1, gain=2.0, **NO_END | FAMILIES[family] | fields)


def with_near_ties(size: float):
    """A model whose every token has a twin with almost the same logit."""
    model = tiny("llama")
    with torch.no_grad():
        weight = model.lm_head.weight
        weight[1::2] = weight[::2] + size * torch.randn_like(weight[::2])
    return model


def some_requests(count: int = 20, longest: int = 40, seed: int = 0) -> list[Request]:
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, longest, size=count)
    return [Request(f"t/{n}", 0, tuple(draw.integers(WIDTH, size=k).tolist())) for n, k in enumerate(lengths)]


def run(model, requests, vocabulary=VOCABULARY, drafts=None, precise=None, **options):
    batches = write_programs(model, vocabulary, requests, Settings(**options), drafts, precise)
    written = [part for batch in batches for part in batch]
    assert len(written) == len(requests)
    return {(completion.task_id, completion.sample): completion for completion in written}


def reference(model, requests, max_tokens: int, end_ids=()) -> dict[tuple[str, int], tuple[int, ...]]:
    """Greedy ids of transformers' generate(), one prompt a call, without the end-of-text token."""
    answers = {}
    for request in requests:
        ids = torch.tensor([request.input_ids])
        with torch.inference_mode():
            out = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=max_tokens,
                do_sample=False,
                eos_token_id=list(end_ids) or None,
                pad_token_id=0,
            )
        new = out[0, ids.shape[1] :].tolist()
        answers[request.task_id, request.sample] = tuple(new[:-1] if new[-1] in end_ids else new)
    return answers


def common_token(answers) -> int:
    """A token that ends many programs, each at another place, when it is taken for the end of a text."""
    counts = Counter(token for ids in answers.values() for token in set(ids[3:]) - set(ids[:1]))
    return counts.most_common(1)[0][0]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_text_is_what_transformers_writes(family):
    model, requests = tiny(family), some_requests()
    assert fits(model) == (family not in ("mamba", "rwkv", "minimax"))
    end = common_token(reference(model, requests, 24))
    expected = reference(model, requests, 24, [end])
    lengths = {len(ids) for ids in expected.values()}
    assert len(lengths) > 3, "programs must end at different places to exercise admission"
    for batch in (1, 5, 64):
        written = run(model, requests, max_tokens=24, end_ids=frozenset([end]), batch=batch)
        assert {name: part.token_ids for name, part in written.items()} == expected
        for part in written.values():
            assert part.finish_reason == ("limit" if len(part.token_ids) == 24 else "end")
            assert part.raw == part.text == "".join(chr(token + 32) for token in part.token_ids)


def drafts_of(texts: dict[tuple[str, int], tuple[int, ...]], end: int) -> dict[tuple[str, int], list[int]]:
    """Of each text another expectation: itself, a part, one wrong token, more, the end in it, no id, nothing."""
    draw, drafts = np.random.default_rng(0), {}
    for number, (name, ids) in enumerate(texts.items()):
        draft, place = list(ids), int(draw.integers(max(1, len(ids))))
        match number % 7:
            case 1:
                draft = draft[:place]
            case 2 if draft:
                draft[place] = (draft[place] + 1) % WIDTH
            case 3:
                draft += draw.integers(WIDTH, size=40).tolist()
            case 4:
                draft.insert(place, end)
            case 5:
                draft.insert(place, WIDTH + 3)
            case 6:
                continue
        drafts[name] = draft
    return drafts


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_expected_of_a_program_does_not_change_it(family):
    model, requests = tiny(family), some_requests(28)
    end = common_token(reference(model, requests, 24))
    options = {"max_tokens": 24, "end_ids": frozenset([end]), "stop": ("!!",)}
    alone = run(model, requests, **options)
    drafts = drafts_of({name: part.token_ids for name, part in alone.items()}, end)
    for batch in (1, 5, 64):
        read = run(model, requests, drafts=drafts, batch=batch, **options)
        assert {name: replace(part, rechecked=0) for name, part in read.items()} == {
            name: replace(part, rechecked=0) for name, part in alone.items()
        }


def test_near_ties_of_an_expected_program_are_decided_as_at_batch_1():
    model, requests = with_near_ties(1e-7), some_requests(40, 12)
    alone = run(model, requests, max_tokens=8)
    assert sum(part.near_ties for part in alone.values()) > 40
    drafts = {name: part.token_ids for name, part in alone.items()}
    read = run(model, requests, drafts=drafts, max_tokens=8)
    assert {name: (part.token_ids, part.near_ties) for name, part in read.items()} == {
        name: (part.token_ids, part.near_ties) for name, part in alone.items()
    }


def test_what_is_expected_may_break_the_model_and_no_program():
    """A token whose embedding is infinite, in a draft, where the model would not write it."""
    model = tiny("llama", tie_word_embeddings=False)
    requests = [Request(f"t/{number}", 0, (1 + number, 2, 3)) for number in range(8)]
    alone = run(model, requests, max_tokens=10)
    spared = next(token for token in range(20, WIDTH) if all(token not in part.token_ids for part in alone.values()))
    with torch.no_grad():
        model.get_input_embeddings().weight[spared] = torch.inf
    drafts = {name: [*part.token_ids[:4], spared, 1] for name, part in alone.items()}
    read = run(model, requests, drafts=drafts, max_tokens=10)
    assert {name: part.token_ids for name, part in read.items()} == {
        name: part.token_ids for name, part in alone.items()
    }


def test_programs_that_are_expected_take_no_steps(monkeypatch):
    from compressed_code.code_generation import engine

    model, requests = tiny("llama"), some_requests(12)
    alone, steps = run(model, requests, max_tokens=30), []
    monkeypatch.setattr(engine._Batch, "_step", steps.append)
    drafts = {name: part.token_ids for name, part in alone.items()}
    assert {name: part.token_ids for name, part in run(model, requests, drafts=drafts, max_tokens=30).items()} == drafts
    assert not steps


def test_drawn_programs_do_not_look_at_what_is_expected():
    model, requests = tiny("llama"), some_requests(6)
    options = {"max_tokens": 12, "temperature": 0.8}
    drafts = {(request.task_id, request.sample): [1, 2, 3] for request in requests}
    assert run(model, requests, drafts=drafts, **options) == run(model, requests, **options)


def test_long_runs_outgrow_the_room_allocated_ahead():
    model, requests = tiny("llama"), some_requests(4, 30)
    expected = reference(model, requests, 160)
    written = run(model, requests, max_tokens=160, batch=3)
    assert {name: part.token_ids for name, part in written.items()} == expected


@pytest.mark.parametrize("size", [0.0, 1e-7])
def test_near_ties_are_decided_as_at_batch_1(size):
    model, requests = with_near_ties(size), some_requests(70, 12)
    expected = reference(model, requests, 8)
    for batch in (1, 7, 64):
        written = run(model, requests, max_tokens=8, batch=batch)
        assert {name: part.token_ids for name, part in written.items()} == expected
    assert sum(part.rechecked for part in written.values()) > len(requests)


def test_without_batch_invariance_the_batch_changes_programs_and_the_difference_is_counted():
    """The opposite of the test above; it shows that the near-ties are near enough to matter."""
    model, requests = with_near_ties(1e-7), some_requests(70, 24)
    loose = Settings(max_tokens=12, batch_invariant=False)
    table = batch_differences(model, VOCABULARY, requests, loose, (1, 7, 64))
    assert table["batch"].tolist() == [1, 7, 64]
    assert table["programs"].tolist() == [70, 70, 70]
    assert table["differing"].iloc[0] == 0
    assert table["differing"].iloc[2] > 0
    invariant = batch_differences(model, VOCABULARY, requests, replace(loose, batch_invariant=True), (1, 64))
    assert invariant["differing"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("options", "expected"),  # twins tie when greedy, are drawn apart by their noise, and tie at the nucleus's edge
    [({}, range(30, 301)), ({"temperature": 0.8}, range(4)), ({"temperature": 0.9, "top_p": 0.8}, range(1, 301))],
)
def test_near_ties_are_those_of_the_logits_at_batch_1(options, expected):
    """Counted again, token by token, from whole passes of the model over each program alone."""
    model, requests = with_near_ties(3e-5), some_requests(30, 12)
    counts = {}
    for batch in (1, 7, 64):
        parts = run(model, requests, max_tokens=10, batch=batch, **options)
        counts[batch] = {name: part.near_ties for name, part in parts.items()}
    assert counts[1] == counts[7] == counts[64]
    fewest, most = 0, 0
    sampling = {"temperature": 0.0, "top_p": 1.0, **options}
    for request in requests:
        ids = parts[request.task_id, 0].token_ids
        with torch.inference_mode():
            logits = model(torch.tensor([[*request.input_ids, *ids]])).logits[0, len(request.input_ids) - 1 : -1]
        noise = None
        if options:
            draws = [random_stream(0, request.task_id, 0, place, WIDTH) for place in range(len(ids))]
            noise = torch.from_numpy(np.stack(draws))
        bounds = [factor * NEAR_TIE * float(logits.abs().max()) for factor in (0.3, 3)]
        unsure = [int((~choose(logits, noise, **sampling, error=bound).sure).sum()) for bound in bounds]
        fewest, most = fewest + unsure[0], most + unsure[1]
        assert unsure[0] <= counts[64][request.task_id, 0] <= unsure[1]
    assert fewest in expected and most in expected


@pytest.mark.parametrize("options", [{}, {"temperature": 0.9, "top_p": 0.8}])
def test_near_ties_are_counted_in_float64_where_it_can_be_had(options):
    """Exactly those of whole passes in float64, also by a model whose float32 is another machine's."""
    model, requests = with_near_ties(3e-5), some_requests(30, 12)
    doubled = copy.deepcopy(model).double()
    elsewhere = copy.deepcopy(model)
    with torch.no_grad():
        elsewhere.lm_head.weight *= 1 + 3e-7 * torch.randn_like(elsewhere.lm_head.weight)
    sampling = {"temperature": 0.0, "top_p": 1.0, **options}
    beside_the_bound = 0
    for written_by in (model, elsewhere):
        parts = run(written_by, requests, max_tokens=10, precise=lambda: doubled, **options)
        for request in requests:
            completion = parts[request.task_id, 0]
            ids = completion.token_ids
            with torch.inference_mode():
                logits = doubled(torch.tensor([[*request.input_ids, *ids]])).logits[0, len(request.input_ids) - 1 : -1]
            noise = [random_stream(0, request.task_id, 0, place, WIDTH) for place in range(len(ids))]
            clear = []
            for row, drawn in zip(logits, noise, strict=True):
                bound = NEAR_TIE * float(row.abs().max())
                own = torch.from_numpy(drawn)[None] if options else None
                clear.append(choose(row[None], own, **sampling, error=bound).sure.item())
                beside_the_bound += clear[-1] != choose(row[None], own, **sampling, error=2 * bound).sure.item()
            assert completion.near_ties == clear.count(False)
    assert beside_the_bound > 0


def test_without_batch_invariance_near_ties_are_counted_as_well():
    requests = some_requests(30, 12)
    exact = run(with_near_ties(0.0), requests, max_tokens=10, batch_invariant=False)
    assert all(part.near_ties == 10 for part in exact.values())  # every token has an equal twin
    clear = run(tiny("llama"), requests, max_tokens=10, batch_invariant=False)
    assert sum(part.near_ties for part in clear.values()) <= 2


def test_a_clear_lead_is_not_rechecked():
    written = run(tiny("llama"), some_requests(70), max_tokens=12)
    assert sum(part.rechecked for part in written.values()) <= 2


def test_a_real_model_writes_what_transformers_writes(shared_data):
    folder = shared_data / "weights" / "stories260K-hf"
    if not folder.is_dir():
        pytest.skip("stories260K is not present")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    vocabulary = open_tokenizer(TokenizerSpec(key="stories", label="stories", path=str(folder)))
    starts = ["Once upon a time", "The dog", "Lily said: “héllo”", "A", "One day, a little girl", "Tom and Sue were"]
    texts = {f"s/{n}": f"{text}{' very' * (n % 5)}" for n, text in enumerate(starts * 4)}
    requests = make_requests({name: prompt_ids(vocabulary.encode, text, [1]) for name, text in texts.items()})
    expected = reference(model, requests, 40, [2])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for batch in (1, 64):
        written = run(model, requests, vocabulary, max_tokens=40, end_ids=frozenset([2]), batch=batch)
        assert {name: part.token_ids for name, part in written.items()} == expected
    for request in requests:
        part = written[request.task_id, 0]
        spelled = "".join(tokenizer.convert_ids_to_tokens(list(part.token_ids)))
        assert "<0x" in spelled or part.raw == spelled.replace("▁", " ")


def chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    """p-value of Pearson's test; rare cells are merged."""
    rare = expected < 5
    merged = [np.append(counts[~rare], counts[rare].sum()) for counts in (observed, expected)]
    if merged[1][-1] == 0:
        merged = [counts[:-1] for counts in merged]
    return chisquare(merged[0], merged[1] * merged[0].sum() / merged[1].sum()).pvalue


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.3, 0.8)])
def test_sampled_frequencies_are_the_softmax_probabilities(temperature, top_p):
    model, draws = tiny("qwen2"), 4000
    requests = make_requests({"t": (5, 17, 3)}, draws)
    with torch.inference_mode():
        scores = model(input_ids=torch.tensor([[5, 17, 3]])).logits[:, -1] / temperature
    scores = TopPLogitsWarper(top_p)(None, scores) if top_p < 1 else scores
    expected = draws * scores.softmax(-1)[0].double().numpy()
    options = {"temperature": temperature, "top_p": top_p, "max_tokens": 1, "batch": 500}
    written = run(model, requests, **options)
    observed = np.bincount([part.token_ids[0] for part in written.values()], minlength=WIDTH)
    assert not observed[expected == 0].any()
    assert chi_square(observed, expected) > 1e-3
    assert chi_square(observed, 0.8 * expected + 0.2 * np.roll(expected, 1)) < 1e-3


def test_later_tokens_are_sampled_independently_of_earlier_ones():
    """Where all tokens are equally likely, all pairs of neighbours are too."""
    model, draws = tiny("llama"), 1500
    with torch.no_grad():
        model.model.norm.weight.zero_()  # every logit is 0
    written = run(model, make_requests({"t": (1, 2)}, draws), temperature=1.0, max_tokens=2, batch=500)
    pairs = np.zeros((WIDTH, WIDTH))
    for part in written.values():
        pairs[part.token_ids] += 1
    groups = pairs.reshape(4, WIDTH // 4, 4, WIDTH // 4).sum((1, 3)).ravel()
    assert chi_square(groups, np.full(16, draws / 16)) > 1e-3


@pytest.mark.parametrize("options", [{"temperature": 0.8}, {"temperature": 1.0, "top_p": 0.7}])
def test_a_sample_depends_on_its_own_name_only(options):
    """Neither more samples, nor other tasks, nor the batch change it; another seed does."""
    model, prompts = tiny("llama"), {part.task_id: part.input_ids for part in some_requests(12)}
    options = {**options, "max_tokens": 16, "seed": 3}
    few = run(model, make_requests(prompts, 2), batch=5, **options)
    many = run(model, make_requests(prompts, 5), batch=64, **options)
    assert {name: many[name].token_ids for name in few} == {name: part.token_ids for name, part in few.items()}
    one_task = {"t/7": prompts["t/7"]}
    alone = run(model, make_requests(one_task, 3), batch=1, **options)
    assert all(alone[name].token_ids == many[name].token_ids for name in alone)
    shorter = run(model, make_requests(one_task, 1), **{**options, "max_tokens": 5})
    assert shorter["t/7", 0].token_ids == many["t/7", 0].token_ids[:5]
    assert len({many["t/7", sample].token_ids for sample in range(5)}) == 5
    other = run(model, make_requests(one_task, 1), **{**options, "seed": 4})
    assert other["t/7", 0].token_ids != many["t/7", 0].token_ids


def test_near_ties_do_not_change_samples_either():
    model, prompts = with_near_ties(1e-7), {part.task_id: part.input_ids for part in some_requests(20)}
    options = {"temperature": 0.9, "top_p": 0.9, "max_tokens": 12}
    requests = make_requests(prompts, 3)
    batches = [run(model, requests, batch=batch, **options) for batch in (1, 7, 64)]
    ids = [{name: part.token_ids for name, part in written.items()} for written in batches]
    assert ids[0] == ids[1] == ids[2]


def test_random_streams_are_told_apart_by_every_argument():
    names = [(0, "a", 0, 0), (1, "a", 0, 0), (0, "b", 0, 0), (0, "a", 1, 0), (0, "a", 0, 1), (0, "a", 11, 0)]
    streams = [random_stream(*name, 1000) for name in names]
    correlation = np.corrcoef(streams) - np.eye(len(names))
    assert np.abs(correlation).max() < 0.15
    assert np.array_equal(random_stream(*names[0], 500), streams[0][:500])
    assert abs(np.concatenate(streams).mean() - np.euler_gamma) < 0.1  # the mean of a Gumbel distribution


@given(st.integers(0, 10**6), st.floats(0.05, 0.99))
@settings(max_examples=60, deadline=None)
def test_the_nucleus_is_that_of_transformers(seed, top_p):
    scores = 3 * torch.from_numpy(np.random.default_rng(seed).standard_normal((3, 50)))
    kept = torch.isfinite(TopPLogitsWarper(top_p)(None, scores))
    possible, certain = nucleus(scores, top_p)
    assert torch.equal(possible, kept)
    assert torch.equal(certain, kept)


@given(
    st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.3, 1.0), st.floats(1e-4, 0.3), st.booleans()
)
@settings(max_examples=200, deadline=None)
def test_a_sure_choice_survives_every_error_within_the_bound(seed, temperature, top_p, error, coarse):
    """Coarse logits hold exact ties, also at the edge of the nucleus."""
    draw = np.random.default_rng(seed)
    logits = torch.from_numpy(draw.standard_normal((40, 12)).astype(np.float32) * 2)
    logits = (logits * 2).round() / 2 if coarse else logits
    noise = torch.from_numpy(draw.gumbel(size=logits.shape)) if temperature else None
    sampling = {"temperature": temperature, "top_p": top_p}
    tokens, sure = choose(logits, noise, **sampling, error=error)
    for _ in range(5):
        shift = torch.from_numpy(draw.uniform(-1, 1, logits.shape).astype(np.float32)).sign() * 0.999 * error
        moved = choose(logits + shift, noise, **sampling, error=0.0).tokens
        assert torch.equal(tokens[sure], moved[sure])


def test_choices_far_from_any_edge_are_sure():
    draw = np.random.default_rng(0)
    logits = torch.from_numpy(draw.standard_normal((5000, 64)).astype(np.float32) * 3)
    noise = torch.from_numpy(draw.gumbel(size=logits.shape))
    for top_p in (1.0, 0.9):
        assert choose(logits, noise, temperature=0.8, top_p=top_p, error=1e-4).sure.float().mean() > 0.995


PIECES = ["a", "\n", "\ndef", "def", "d", "é", "漢", "\n#", " "]


@given(
    st.lists(st.sampled_from(PIECES)),
    st.lists(st.integers(1, 4)),
    st.sets(st.sampled_from(["\ndef", "\n#", "漢", "aa"])),
)
@settings(max_examples=300, deadline=None)
def test_a_program_ends_at_the_first_token_that_completes_a_stop_string(pieces, cuts, stops):
    content, tokens = "".join(pieces).encode(), []
    for cut in [*cuts, *[1] * len(content)]:  # tokens end anywhere, also inside of characters
        tokens.append(content[:cut])
        content = content[cut:]
    tokens = [token for token in tokens if token]
    row = DecodedSequence(Request("t", 0, (1,)), Settings(stop=tuple(stops), max_tokens=10**6), [*tokens, None], 10**9)
    for number in range(len(tokens)):
        if row.finish_reason is None:
            row.accept(number)
    written = [b"".join(tokens[: number + 1]).decode("utf-8", "replace") for number in range(len(tokens))]
    hits = [number for number, text in enumerate(written) if any(stop in text for stop in stops)]
    assert (row.finish_reason == "stop") == bool(hits)
    last = hits[0] if hits else len(tokens) - 1
    part = row.completion()
    assert part.token_ids == tuple(range(last + 1))
    assert part.raw == (written[last] if tokens else "")
    assert part.text == truncate(part.raw, tuple(stops))


def test_ids_without_a_token_write_nothing():
    row = DecodedSequence(Request("t", 0, (1,)), Settings(), [b"a", None], 100)
    for token in (0, 1, 0, 7):
        row.accept(token)
    assert row.completion().raw == "aa"


def test_prompts_are_encoded_byte_for_byte(tokenizer_json):
    vocabulary = open_tokenizer(TokenizerSpec(key="t", label="t", path=str(tokenizer_json)))
    for prompt in ("def main():\n", "  \t\n\n ", "größe = 'x' ", "<|end|>", "\r\n漢"):
        ids = prompt_ids(vocabulary.encode, prompt, [0])
        assert ids[0] == 0
        assert b"".join(vocabulary.tokens[token] for token in ids[1:]) == prompt.encode()


def test_a_program_stops_where_the_window_of_the_model_ends():
    model = tiny("gpt2", max_position_embeddings=30)
    written = run(model, [Request("t", 0, tuple(range(20))), Request("u", 0, (1,))], max_tokens=100)
    assert {len(part.token_ids): part.finish_reason for part in written.values()} == {10: "limit", 29: "limit"}


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([Request("a", 0, ())], "task a, sample 0: the prompt has no token"),
        ([Request("a", 1, (1, 2, WIDTH))], f"the model has no token {WIDTH}"),
        ([Request("a", 0, (1,)), Request("a", 0, (2,))], "asked for twice"),
        ([Request("a", 0, (1,) * 4096)], "the prompt has 4096 tokens, but the model's window is 2048"),
    ],
)
def test_bad_requests_are_named(requests, message):
    with pytest.raises(InputError, match=message):
        run(tiny("llama"), requests)


def test_numbers_that_are_not_finite_are_named():
    model = tiny("llama")
    with torch.no_grad():
        model.lm_head.weight[3, 3] = torch.nan
    with pytest.raises(InputError, match="task t/0: the model's logits are not finite"):
        run(model, some_requests(1))


def test_batch_invariance_refuses_other_precisions():
    with pytest.raises(InputError, match="float32"):
        run(tiny("llama").to(torch.bfloat16), some_requests(1))
    assert len(run(tiny("llama").to(torch.bfloat16), some_requests(3), batch_invariant=False, max_tokens=3)) == 3


@pytest.mark.parametrize(
    ("field", "value"), [("max_tokens", 0), ("temperature", -1.0), ("top_p", 0.0), ("batch", 0), ("stop", ("",))]
)
def test_settings_out_of_range_are_named(field, value):
    with pytest.raises(InputError, match=f"{field} = .*must be"):
        Settings(**{field: value})


OPTIONS = Settings(max_tokens=12, temperature=0.7, batch=8)


def write(path: Path, requests, options=OPTIONS, **more):
    return generate_to_file(path, tiny("llama"), VOCABULARY, requests, options, identity={"model": "tiny"}, **more)


def test_an_interrupted_file_is_continued_to_the_same_bytes(tmp_path):
    requests = make_requests({part.task_id: part.input_ids for part in some_requests(30)}, 2)
    whole, broken = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"
    lines = write(whole, requests)
    assert [(line["task_id"], line["sample"]) for line in lines] == [(r.task_id, r.sample) for r in requests]
    assert [json.loads(line) for line in whole.read_text().splitlines()] == lines
    assert set(lines[0]) == {"task_id", "completion", "raw", "sample", "finish_reason", "tokens"}

    seen = []

    def interrupt(written):
        seen.append(written)
        if sum(seen) > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(broken, requests, progress=interrupt)
    kept = len(broken.read_text().splitlines())
    assert kept == sum(seen)
    with broken.open("a") as file:
        file.write('{"task_id": "t/29", "compl')
    seen.clear()
    assert write(broken, requests, replace(OPTIONS, batch=64), progress=seen.append) == lines
    assert seen[0] == kept
    assert broken.read_bytes() == whole.read_bytes()


def test_samples_can_be_added_to_a_file(tmp_path):
    prompts = {part.task_id: part.input_ids for part in some_requests(5)}
    path = tmp_path / "samples.jsonl"
    two = write(path, make_requests(prompts, 2))
    three = write(path, make_requests(prompts, 3))
    assert [line for line in three if line["sample"] < 2] == two
    content = path.read_bytes()
    assert write(path, make_requests(prompts, 2)) == two
    assert path.read_bytes() == content


def test_a_file_is_continued_with_the_same_settings_only(tmp_path):
    path, requests = tmp_path / "samples.jsonl", some_requests(3)
    write(path, requests)
    content = path.read_bytes()
    with pytest.raises(InputError, match=r"temperature was 0\.7 and is now 0\.2"):
        write(path, requests, replace(OPTIONS, temperature=0.2))
    with pytest.raises(InputError, match="prompts was"):
        write(path, some_requests(3, seed=1))
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_bytes(content)
    with pytest.raises(InputError, match="was not written by generate"):
        write(foreign, requests)
    path.write_bytes(content + b"no json\n")
    with pytest.raises(InputError, match="line 4: is not JSON"):
        write(path, requests)
    with pytest.raises(InputError, match=r"ends in \.jsonl"):
        write(tmp_path / "samples.json", requests)


def test_two_writers_do_not_share_a_file(tmp_path):
    path, requests = tmp_path / "samples.jsonl", some_requests(3)

    def second(_):
        with pytest.raises(InputError, match="another process is writing it"):
            write(path, requests)

    assert len(write(path, requests, progress=second)) == 3


@pytest.fixture
def model_folder(tmp_path, byte_level_tokenizer) -> Path:
    width = byte_level_tokenizer.get_vocab_size()
    folder = save_tiny(tmp_path / "model", vocab_size=width, bos_token_id=None, eos_token_id=0)
    return save_tokenizer(folder, byte_level_tokenizer, eos_token="<|end|>")


@pytest.fixture
def benchmark_file(tmp_path) -> Path:
    path, rows = tmp_path / "tasks.jsonl", []
    for number in range(12):
        prompt = f"def f{number}(x):\n" + "    # more\n" * (number % 4)
        task = {"task_id": f"tiny/{number}", "prompt": prompt, "entry_point": f"f{number}"}
        rows.append({**task, "canonical_solution": "    return x\n", "test": "def check(f):\n    assert f(1) == 1\n"})
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def command_line(*arguments: object) -> None:
    parser = argparse.ArgumentParser()
    command.add_command(parser.add_subparsers())
    options = parser.parse_args(["generate", *map(str, arguments)])
    options.run(options)


def test_the_command_writes_samples(model_folder, benchmark_file, tmp_path):
    out = tmp_path / "out.jsonl"
    arguments = [model_folder, "--benchmark", benchmark_file, "--out", out, "--max-tokens", 9]
    command_line(*arguments, "--stop", r"\n", "x")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["task_id"] for row in rows] == [f"tiny/{number}" for number in range(12)]
    for row in rows:
        assert row["completion"] == truncate(row["raw"], ["\n", "x"])
        assert row["finish_reason"] == "stop" or row["tokens"] == 9 or row["finish_reason"] == "end"
    recorded = json.loads((tmp_path / "out.jsonl.settings.json").read_text())
    assert recorded["stop"] == ["\n", "x"]
    assert recorded["end_ids"] == [0]
    assert "model.safetensors" in recorded["files"]
    with pytest.raises(InputError, match="stop was"):
        command_line(*arguments)


def test_what_stands_before_a_prompt_is_named_and_can_be_chosen(model_folder, benchmark_file, tmp_path, capsys):
    """By default what the tokenizer adds, here nothing; the document start only where it is asked for."""
    prompts, origins = {}, {}
    for context in (None, "none", "document"):
        out = tmp_path / f"{context}.jsonl"
        chosen = [] if context is None else ["--context", context]
        arguments = [model_folder, "--benchmark", benchmark_file, "--out", out, "--max-tokens", 2, *chosen]
        command_line(*arguments)
        said = capsys.readouterr().err
        recorded = json.loads(out.with_name(f"{out.name}.settings.json").read_text())
        prompts[context], origins[context] = recorded["prompts"], recorded["origin"]
        ids = recorded["start_ids"]
        assert recorded["context"] == (context or "tokenizer") and (ids == []) == (context != "document")
        named = f"ids {' '.join(map(str, ids))}" if ids else "no id"
        assert f"before each prompt: {named} ({recorded['origin']})" in said
    assert prompts[None] == prompts["none"] != prompts["document"]
    assert "adds nothing" in origins[None]


def test_a_prompt_that_its_ids_do_not_spell_is_not_asked(model_folder, benchmark_file, tmp_path):
    """Without the step that turns blanks and line ends into pieces they would be lost without a word."""
    path = model_folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pre_tokenizer": None}))
    with pytest.raises(Unavailable, match=r"do not spell the text.*name another tokenizer"):
        command_line(model_folder, "--benchmark", benchmark_file, "--out", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_gguf_file_alone_writes_what_its_folder_writes(model_folder, benchmark_file, tmp_path):
    """With the tokenizer that it holds."""
    write_gguf(model_folder, tmp_path / "m.gguf", "F32")
    texts = []
    for model in (model_folder, tmp_path / "m.gguf"):
        out = tmp_path / f"{model.name}.jsonl"
        command_line(model, "--benchmark", benchmark_file, "--out", out, "--max-tokens", 6)
        texts.append([json.loads(line)["raw"] for line in out.read_text().splitlines()])
    assert texts[0] == texts[1] and any(texts[0])


def test_a_limit_takes_the_first_tasks(model_folder, benchmark_file, tmp_path):
    out = tmp_path / "out.jsonl"
    command_line(model_folder, "--benchmark", benchmark_file, "--out", out, "--limit", 2, "--max-tokens", 3)
    tasks = [json.loads(line)["task_id"] for line in Path(benchmark_file).read_text().splitlines()]
    assert [json.loads(line)["task_id"] for line in out.read_text().splitlines()] == tasks[:2] != tasks
    with pytest.raises(InputError, match="--limit 0: must be at least 1"):
        command_line(model_folder, "--benchmark", benchmark_file, "--out", tmp_path / "o.jsonl", "--limit", 0)


def test_completions_that_are_all_empty_are_reported_and_kept(model_folder, benchmark_file, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    with torch.no_grad():
        model.model.norm.weight.zero_()  # every logit is 0, and the first id, the end of a text, is taken
    model.save_pretrained(model_folder)
    out = tmp_path / "out.jsonl"
    with pytest.raises(InputError, match="every completion is empty"):
        command_line(model_folder, "--benchmark", benchmark_file, "--out", out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["raw"], row["finish_reason"], row["tokens"]) for row in rows] == [("", "end", 0)] * 12


def test_chat_prompts_go_through_the_template_of_the_model(model_folder, benchmark_file, tmp_path):
    with pytest.raises(InputError, match="has no chat template"):
        chat_ids(model_folder, ["x"])
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}>>{% endif %}"
    )
    (model_folder / "chat_template.jinja").write_text(template)
    vocabulary = open_tokenizer(TokenizerSpec(key="t", label="t", path=str(model_folder)))
    (ids,) = chat_ids(model_folder, ["def f():\n"])
    assert b"".join(vocabulary.tokens[token] for token in ids) == b"<user>def f():\n>>"
    out = tmp_path / "out.jsonl"
    command_line(model_folder, "--benchmark", benchmark_file, "--out", out, "--chat", "--max-tokens", 5)
    assert json.loads((tmp_path / "out.jsonl.settings.json").read_text())["stop"] == []


def test_a_chat_with_a_gguf_file_is_cut_by_the_tokenizer_beside_it(model_folder, tmp_path):
    """Where no name of llama.cpp says how, as any other text is."""
    tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    lines = pre_tokenizers.Split(Regex(r"[^\n]+|\n"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([lines, pre_tokenizers.ByteLevel(False, use_regex=False)])
    save_tokenizer(model_folder, tokenizer, eos_token="<|end|>")
    (model_folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}<|end|>{% endfor %}")
    file = tmp_path / "file" / "m.gguf"
    file.parent.mkdir()
    write_gguf(model_folder, file, "F32")
    prompts = ["def f():\n    return x in y\n", "<|end|>"]
    with pytest.raises(Unavailable, match=r"put its original tokenizer\.json beside it"):
        chat_ids(file, prompts)
    shutil.copy2(model_folder / "tokenizer.json", file.parent)
    assert chat_ids(file, prompts) == chat_ids(model_folder, prompts)


@pytest.mark.slow
def test_a_killed_command_loses_at_most_one_batch(model_folder, benchmark_file, tmp_path):
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    arguments = [model_folder, "--benchmark", benchmark_file, "--samples", 8, "--temperature", 1, "--max-tokens", 60]
    command_line(*arguments, "--out", whole)
    program = (
        "import sys; sys.argv[0] = 'generate'; import argparse; from compressed_code.commands import generate as c;"
        "p = argparse.ArgumentParser(); c.add_command(p.add_subparsers()); o = p.parse_args(); o.run(o)"
    )
    shell = [sys.executable, "-c", program, "generate", *map(str, arguments), "--out", str(killed), "--batch", "8"]
    process = subprocess.Popen(shell, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while process.poll() is None and not (killed.exists() and killed.stat().st_size > 0):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = killed.read_bytes().count(b"\n")
    assert 0 < kept < 96
    command_line(*arguments, "--out", killed)
    assert killed.read_bytes() == whole.read_bytes()
