"""Fidelity against numbers worked out by hand, a plain float64 loop, and llama.cpp's formulas written out."""

import copy
import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compressed_code.__main__ import main
from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT
from compressed_code.fidelity.pair import (
    EncodedText,
    Reader,
    byte_fidelity,
    encode_document,
    first_difference,
    require_same_vocabulary,
    token_fidelity,
)
from compressed_code.fidelity.summary import bits_per_byte, common_pieces, fidelity_summary
from compressed_code.fidelity.teacher_forcing import KeepingRunner, log_probabilities
from compressed_code.registry.languages import load_languages
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.text_classes import TEXT_CLASSES
from compressed_code.tokenizers.vocabulary import Vocabulary
from tiny_models import save_tiny, save_tokenizer, tiny_model

SIZES = {"vocab_size": 50, "max_position_embeddings": 40, "head_dim": 8}


class TableModel(torch.nn.Module):
    """A model whose logits after a token are a row of a table, whatever stands before it."""

    def __init__(self, logits, dtype=torch.float32) -> None:
        super().__init__()
        table = torch.as_tensor(logits, dtype=dtype)
        entries, rows = table.shape
        self.config = SimpleNamespace(max_position_embeddings=None)
        self.device = torch.device("cpu")
        self.embedding = torch.nn.Embedding.from_pretrained(torch.eye(entries, dtype=dtype))
        self.head = torch.nn.Linear(entries, rows, bias=False, dtype=dtype)
        self.head.weight.data = table.T.contiguous()

    def get_input_embeddings(self):
        return self.embedding

    def get_output_embeddings(self):
        return self.head

    def base_model(self, input_ids, use_cache):
        return SimpleNamespace(last_hidden_state=self.embedding(input_ids))

    def forward(self, input_ids, use_cache=False):
        return SimpleNamespace(logits=self.head(self.embedding(input_ids)))


def document(ids, name="a", language="python", classes=None) -> EncodedText:
    codes = np.zeros(len(ids), int) if classes is None else np.array(classes)
    return EncodedText(
        name, language, np.array(ids, np.int64), pd.Categorical.from_codes(codes, categories=TEXT_CLASSES)
    )


def random_model(seed: int, family: str = "llama", near=None, **fields):
    """A model of its own, or one that differs a little from another."""
    if near is None:
        return tiny_model(family, seed=seed, gain=1.7, **SIZES | fields)
    torch.manual_seed(seed)
    model = copy.deepcopy(near)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def random_documents(seed: int, entries: int = 50, count: int = 7, longest: int = 30) -> list[EncodedText]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest, count)
    return [
        document(rng.integers(0, entries, length), f"text {n}", ("python", "go")[n % 2], rng.integers(0, 8, length))
        for n, length in enumerate(lengths)
    ]


def statistics(table: pd.DataFrame, column: str = "value", **options) -> dict[str, float]:
    summary = fidelity_summary(table, **options)
    return dict(zip(summary["statistic"], summary[column], strict=True))


# --- by hand ---------------------------------------------------------------------------------------------------------

BASE = [[0.5, 0.25, 0.25], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6]]
CANDIDATE = [[0.25, 0.5, 0.25], [0.6, 0.2, 0.2], [0.2, 0.2, 0.6]]


def by_hand() -> pd.DataFrame:
    """After 0 comes 0, after 0 comes 1, after 1 comes 2, after 2 comes 2; logits shifted, which changes nothing."""
    base, candidate = TableModel(np.log(BASE) + 3), TableModel(np.log(CANDIDATE) - 2)
    documents = [document([0, 1], classes=[0, 1]), document([1, 2, 2], "b", "go", [0, 0, 6])]
    table = token_fidelity(base, candidate, documents, [0], keyword_ids=[0, 1, 2])
    assert table["document"].tolist() == ["a", "a", "b", "b", "b"]
    assert table["token_id"].tolist() == [0, 1, 1, 2, 2]
    return table


LN2, LN3, LN5 = math.log(2), math.log(3), math.log(5)
FIRST = 0.25 * LN2  # ½ ln 2 + ¼ ln ½
SECOND = 0.8 * math.log(4 / 3) + 0.2 * math.log(1 / 2)
SECOND_BACK = 0.6 * math.log(3 / 4) + 0.4 * LN2
FIRST_JS = 0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3)
SECOND_JS = (0.8 * math.log(8 / 7) + 0.2 * math.log(2 / 3) + 0.6 * math.log(6 / 7) + 0.4 * math.log(4 / 3)) / 2


def test_columns_by_hand():
    table = by_hand()
    expected = {
        "kl_nats": [FIRST, FIRST, FIRST, SECOND, 0],
        "reverse_kl_nats": [FIRST, FIRST, FIRST, SECOND_BACK, 0],
        "js_nats": [FIRST_JS, FIRST_JS, FIRST_JS, SECOND_JS, 0],
        "delta_p": [-0.25, 0.25, 0.25, 0.1, 0],
        "log_probability_base": [-LN2, -2 * LN2, -2 * LN2, -math.log(10), math.log(0.6)],
        "log_probability_candidate": [-2 * LN2, -LN2, -LN2, -math.log(5), math.log(0.6)],
        "entropy_base_nats": [1.5 * LN2] * 3 + [0.8 * math.log(1.25) + 0.2 * math.log(10), LN5 - 0.6 * LN3],
        "top_base": [0, 0, 0, 0, 2],
        "top_candidate": [1, 1, 1, 0, 2],
        "position": [0, 1, 0, 1, 2],
    }
    for column, values in expected.items():
        np.testing.assert_allclose(table[column], values, atol=1e-6, err_msg=column)
    assert table["flip"].tolist() == ["right to wrong", "wrong to right", "wrong to right", "none", "none"]
    assert table["same_top"].tolist() == [False, False, False, True, True]
    assert table["token_class"].tolist() == ["keyword", "operator", "keyword", "keyword", "whitespace"]
    assert table["language"].tolist() == ["python", "python", "go", "go", "go"]


def test_statistics_by_hand():
    found = statistics(by_hand())
    loss_base = (LN2 + 2 * LN2 + 2 * LN2 + math.log(10) - math.log(0.6)) / 5
    loss_candidate = (2 * LN2 + LN2 + LN2 + math.log(5) - math.log(0.6)) / 5
    expected = {
        "perplexity_base": math.exp(loss_base),
        "perplexity_candidate": math.exp(loss_candidate),
        "ln_perplexity_ratio": loss_candidate - loss_base,
        "perplexity_ratio": math.exp(loss_candidate - loss_base),
        "perplexity_difference": math.exp(loss_candidate) - math.exp(loss_base),
        "kl_mean_nats": (3 * FIRST + SECOND) / 5,
        "kl_max_nats": FIRST,
        "kl_median_nats": FIRST,
        "kl_p10_nats": 0.4 * SECOND,  # 0.1 · 4 of the way from the smallest to the next
        "kl_p99_9_nats": FIRST,
        "kl_min_nats": 0,
        "reverse_kl_mean_nats": (3 * FIRST + SECOND_BACK) / 5,
        "js_mean_nats": (3 * FIRST_JS + SECOND_JS) / 5,
        "delta_p_mean": 0.07,
        "delta_p_rms": math.sqrt((3 * 0.0625 + 0.01) / 5),
        "delta_p_max": 0.25,
        "delta_p_p75": 0.25,
        "delta_p_median": 0.1,
        "delta_p_min": -0.25,
        "same_top_fraction": 0.4,
        "flip_fraction": 0.6,
        "flip_right_to_wrong_fraction": 0.2,
        "flip_wrong_to_right_fraction": 0.4,
        "flip_wrong_to_wrong_fraction": 0,
        "top_right_base_fraction": 0.4,
        "top_right_candidate_fraction": 0.6,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name


def test_rank_correlation_by_hand():
    """Ranks 1 2 3 4 against 1 3 2 4: ρ = 1 − 6 · 2 / (4 · 15) = 0.8; against 4 3 2 1: −1."""
    base = TableModel(np.log([[0.1, 0.2, 0.3, 0.35, 0.05]] * 5))
    candidate = TableModel(np.log([[0.1, 0.3, 0.2, 0.35, 0.05], [0.4, 0.3, 0.2, 0.05, 0.05]] + [[0.2] * 5] * 3))
    table = token_fidelity(base, candidate, [document([1, 1])], [0], keyword_ids=[0, 1, 2, 3])
    np.testing.assert_allclose(table["keyword_rank_correlation"], [0.8, -1], atol=1e-6)
    assert statistics(table)["keyword_rank_correlation_mean"] == pytest.approx(-0.1, abs=1e-6)
    without = token_fidelity(base, candidate, [document([1, 1])], [0], keyword_ids=[3])
    assert without["keyword_rank_correlation"].isna().all()
    assert math.isnan(statistics(without)["keyword_rank_correlation_mean"])


# --- against a plain loop --------------------------------------------------------------------------------------------


def plain_loop(base, candidate, documents, start, length) -> pd.DataFrame:
    """One window at a time, logits of the models' own forward pass, float64, everything by definition."""
    rows = []
    for text in documents:
        for first in range(0, len(text.ids), length):
            ids = text.ids[first : first + length]
            inputs = torch.tensor([[*start, *ids]])
            with torch.no_grad():
                logits = [
                    model(input_ids=inputs).logits[0, len(start) - 1 : -1].double() for model in (base, candidate)
                ]
            for place, (a, b) in enumerate(zip(*logits, strict=True)):
                p, q = a.softmax(-1).numpy(), b.softmax(-1).numpy()
                m, token = (p + q) / 2, ids[place]
                rows.append(
                    {
                        "kl_nats": (p * np.log(p / q)).sum(),
                        "reverse_kl_nats": (q * np.log(q / p)).sum(),
                        "js_nats": ((p * np.log(p / m)).sum() + (q * np.log(q / m)).sum()) / 2,
                        "entropy_base_nats": -(p * np.log(p)).sum(),
                        "entropy_candidate_nats": -(q * np.log(q)).sum(),
                        "log_probability_base": np.log(p[token]),
                        "log_probability_candidate": np.log(q[token]),
                        "delta_p": q[token] - p[token],
                        "same_top": p.argmax() == q.argmax(),
                        "token_id": token,
                        "top_candidate": q.argmax(),
                        "keyword_rank_correlation": pd.Series(p[5:20]).corr(pd.Series(q[5:20]), method="spearman"),
                    }
                )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("start", [[1], [3, 4]])
@pytest.mark.parametrize("length", [9, 1000])
@pytest.mark.parametrize(
    ("family", "fields"),
    [
        ("llama", {"tie_word_embeddings": True}),
        ("qwen2", {}),
        ("gpt2", {}),
        ("gemma2", {"final_logit_softcapping": 2.0}),  # its logits are not hidden states times the output matrix
        ("cohere", {"logit_scale": 0.5}),
    ],
)
@pytest.mark.parametrize("wide", [50, 1000])  # the output matrices have 50 rows
def test_equals_a_plain_loop(monkeypatch, family, fields, start, length, wide):
    monkeypatch.setattr("compressed_code.fidelity.teacher_forcing.BATCH_TOKENS", 64)
    sizes = {"BLOCK_ELEMENTS": 500, "LEAST_ROWS": 7, "WIDE": wide, "PRODUCT_ELEMENTS": 1150, "PRODUCT_COLUMNS": 17}
    for name, value in sizes.items():
        monkeypatch.setattr(f"compressed_code.fidelity.logit_blocks.{name}", value)
    monkeypatch.setattr("compressed_code.fidelity.logit_blocks.LEAST_ROWS_OF_A_PRODUCT", 17)
    base = random_model(0, family, **fields)
    candidate = random_model(1, near=base)
    documents = random_documents(2)
    table = token_fidelity(base, candidate, documents, start, keyword_ids=range(5, 20), length=length)
    expected = plain_loop(base, candidate, documents, start, min(length, 40 - len(start)))
    assert len(table) == sum(len(text.ids) for text in documents)
    for column in expected:
        np.testing.assert_allclose(table[column], expected[column], atol=1e-5, err_msg=column)
    for number, model in enumerate((base, candidate)):
        found = log_probabilities(model, [text.ids for text in documents], start, length)
        side = ("base", "candidate")[number]
        np.testing.assert_allclose(np.concatenate(found), expected[f"log_probability_{side}"], atol=1e-5)


def test_long_documents_are_cut_at_what_both_models_were_made_for():
    base = random_model(0)
    candidate = random_model(0, max_position_embeddings=16)
    documents = [document(np.arange(45) % 50)]
    found = token_fidelity(base, candidate, documents, [1])
    expected = plain_loop(base, candidate, documents, [1], 15)
    np.testing.assert_allclose(found["log_probability_base"], expected["log_probability_base"], atol=1e-5)


@pytest.mark.parametrize("kept_bytes, readings", [(1 << 20, 1), (0, 2)])
def test_a_base_of_several_candidates_reads_the_texts_once(monkeypatch, kept_bytes, readings):
    monkeypatch.setattr("compressed_code.fidelity.teacher_forcing.BATCH_TOKENS", 64)
    base, documents = random_model(0), random_documents(2)
    candidates = [random_model(seed, near=base) for seed in (1, 2)]
    expected = [token_fidelity(base, candidate, documents, [1], keyword_ids=range(9)) for candidate in candidates]
    runner = KeepingRunner(base, [1], kept_bytes)
    passes, seen = [], []
    base.base_model.register_forward_hook(lambda *_: passes.append(1))
    for candidate, table in zip(candidates, expected, strict=True):
        found = token_fidelity(runner, candidate, documents, [1], keyword_ids=range(9))
        pd.testing.assert_frame_equal(found, table)
        seen.append(len(passes))
    assert seen[0] > 1 and seen[1] == readings * seen[0]
    other = token_fidelity(runner, candidates[0], documents[::-1], [1], keyword_ids=range(9))
    assert sorted(other["kl_nats"]) == sorted(expected[0]["kl_nats"])  # other batches are other keys


def test_whoever_reads_some_of_the_texts_again_asks_for_no_pass(monkeypatch):
    """Hidden states are kept where log-probabilities do not fit, window by window, in whatever batches they come."""
    monkeypatch.setattr(KeepingRunner, "keeps", lambda *_: False)
    base, documents = random_model(0), random_documents(2)
    candidate, passes = random_model(1, near=base), []
    runner = KeepingRunner(base, [1])
    whole = token_fidelity(runner, candidate, documents, [1])
    pd.testing.assert_frame_equal(whole, token_fidelity(base, candidate, documents, [1]))
    base.base_model.register_forward_hook(lambda *_: passes.append(1))
    few = token_fidelity(runner, candidate, documents[::3], [1])
    assert not passes
    chosen = whole[whole["document"].isin([document.name for document in documents[::3]])]
    np.testing.assert_allclose(few["kl_nats"], chosen["kl_nats"], rtol=1e-4, atol=1e-7)
    new = random_documents(5)[:1]
    twice = token_fidelity(runner, candidate, [*new, *documents[:1], *new], [1])
    assert len(passes) == 1
    alone = token_fidelity(base, candidate, new, [1])
    of_new = twice[twice["document"] == new[0].name]
    np.testing.assert_allclose(of_new["kl_nats"][-len(alone) :], alone["kl_nats"], rtol=1e-4, atol=1e-7)


def test_a_model_is_perfectly_faithful_to_itself():
    model = random_model(3)
    table = token_fidelity(model, model, random_documents(4), [1], keyword_ids=range(30))
    for column in ("kl_nats", "reverse_kl_nats", "js_nats", "delta_p"):
        assert (table[column] == 0).all(), column
    for by in ([], ["token_class"], ["language"]):
        summary = fidelity_summary(table, by)
        values = summary.set_index("statistic")["value"]
        ones = ("same_top_fraction", "perplexity_ratio", "keyword_rank_correlation_mean")
        zeros = [name for name in values.index if name.startswith(("kl_", "reverse_kl", "js_", "delta_p", "flip_"))]
        assert (values[[*zeros, "ln_perplexity_ratio", "perplexity_difference"]] == 0).all()
        assert (values[list(ones)] == 1).all()
    assert statistics(table)["ln_perplexity_correlation"] == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_bounds_on_any_logits(data):
    """Logits from nearly equal to hundreds apart: divergences are never negative, JS never above ln 2."""
    entries = data.draw(st.integers(2, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    spread, change = 10.0 ** data.draw(st.integers(-3, 2)), 10.0 ** data.draw(st.integers(-6, 2))
    logits = rng.standard_normal((entries, entries)) * spread
    other = logits + rng.standard_normal((entries, entries)) * change
    documents = [document(rng.integers(0, entries, 20))]
    table = token_fidelity(TableModel(logits), TableModel(other), documents, [0], keyword_ids=range(entries))
    for column in ("kl_nats", "reverse_kl_nats", "entropy_base_nats", "entropy_candidate_nats", "js_nats"):
        assert np.isfinite(table[column]).all() and (table[column] >= -1e-6).all(), column
    assert (table["kl_nats"] >= 0).all() and (table["js_nats"] >= 0).all()
    assert (table["js_nats"] <= math.log(2) + 1e-6).all()
    assert (table["entropy_base_nats"] <= math.log(entries) + 1e-5).all()
    assert table["keyword_rank_correlation"].between(-1 - 1e-6, 1 + 1e-6).all()
    mirrored = token_fidelity(TableModel(other), TableModel(logits), documents, [0])
    np.testing.assert_allclose(mirrored["kl_nats"], table["reverse_kl_nats"], atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(mirrored["js_nats"], table["js_nats"], atol=1e-5)


@pytest.mark.parametrize("dtype, rtol", [(torch.float64, 1e-6), (torch.float32, 1e-3)])
def test_small_divergences_are_not_lost_in_rounding(dtype, rtol):
    """Where a plain float32 sum is wrong by a multiple of the result; float32 logits differ by 1e-3 to three digits."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((300, 300)) * 3
    other = logits + rng.standard_normal((300, 300)) * 1e-3
    documents = [document(rng.integers(0, 300, 200))]
    base, candidate = TableModel(logits, dtype), TableModel(other, dtype)
    found = token_fidelity(base, candidate, documents, [0])["kl_nats"]
    expected = plain_loop(base, candidate, documents, [0], 1000)["kl_nats"]
    assert 1e-8 < expected.mean() < 1e-6
    np.testing.assert_allclose(found, expected, rtol=rtol)
    p, q = (torch.tensor(table, dtype=torch.float32).log_softmax(1) for table in (logits, other))
    plain = (p.exp() * (p - q)).sum(1)[[0, *documents[0].ids[:-1]]].numpy()
    assert np.abs(plain / expected - 1).max() > 0.1


# --- the summary -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    base = random_model(5)
    return token_fidelity(base, random_model(6, near=base), random_documents(7, count=40), [1], keyword_ids=range(20))


def test_standard_errors_are_those_of_llama_cpp(table):
    """tools/perplexity/perplexity.cpp, kl_divergence(): sums and their squares, written out."""
    nll, nll_base = (-table[f"log_probability_{side}"].to_numpy(float) for side in ("candidate", "base"))
    kld, p_diff, n = table["kl_nats"].to_numpy(float), table["delta_p"].to_numpy(float), len(table)

    def mean_and_uncertainty(values):
        mean = values.sum() / n
        return mean, math.sqrt(((values**2).sum() / n - mean**2) / (n - 1))

    log_ppl, log_ppl_base = mean_and_uncertainty(nll), mean_and_uncertainty(nll_base)
    covariance = ((nll * nll_base).sum() / n - nll.sum() / n * nll_base.sum() / n) / (n - 1)
    ratio_error = math.sqrt(log_ppl[1] ** 2 + log_ppl_base[1] ** 2 - 2 * covariance)
    ppl, ppl_base = math.exp(log_ppl[0]), math.exp(log_ppl_base[0])
    ppl_error, ppl_base_error = ppl * log_ppl[1], ppl_base * log_ppl_base[1]
    mse = mean_and_uncertainty(p_diff**2)
    same = table["same_top"].mean()
    expected = {
        "perplexity_candidate": ppl_error,
        "perplexity_base": ppl_base_error,
        "ln_perplexity_ratio": ratio_error,
        "perplexity_ratio": ppl / ppl_base * ratio_error,
        "perplexity_difference": math.sqrt(ppl_error**2 + ppl_base_error**2 - 2 * ppl * ppl_base * covariance),
        "kl_mean_nats": mean_and_uncertainty(kld)[1],
        "delta_p_mean": mean_and_uncertainty(p_diff)[1],
        "delta_p_rms": 0.5 / math.sqrt(mse[0]) * mse[1],
        "same_top_fraction": math.sqrt(same * (1 - same) / (n - 1)),
    }
    found = statistics(table, "standard_error")
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6), name
    correlation = covariance / (log_ppl[1] * log_ppl_base[1])
    assert statistics(table)["ln_perplexity_correlation"] == pytest.approx(correlation, rel=1e-9)


@pytest.mark.parametrize("by", [["token_class"], ["language"], ["language", "token_class"]])
def test_groups_add_up_to_the_whole(table, by):
    parts, whole = fidelity_summary(table, by), statistics(table)
    assert set(by) <= set(parts.columns)
    for name in ("kl_mean_nats", "js_mean_nats", "delta_p_mean", "same_top_fraction", "flip_right_to_wrong_fraction"):
        rows = parts[parts["statistic"] == name]
        assert rows["tokens"].sum() == len(table)
        assert (rows["value"] * rows["tokens"]).sum() / len(table) == pytest.approx(whole[name], abs=1e-9)
    assert parts[parts["statistic"] == "kl_max_nats"]["value"].max() == whole["kl_max_nats"]


def test_intervals_come_from_whole_documents(table):
    """Documents repeated word for word leave the interval as it is and halve the variance over tokens."""
    once = fidelity_summary(table).set_index("statistic")
    repeated = fidelity_summary(pd.concat([table, table])).set_index("statistic")
    bounded = once.dropna()
    assert {"kl_mean_nats", "perplexity_ratio", "delta_p_rms"} <= set(bounded.index)
    columns = ["value", "low", "high"]
    pd.testing.assert_frame_equal(bounded[columns], repeated.loc[bounded.index, columns])
    shrunk = repeated["standard_error"] / once["standard_error"]
    np.testing.assert_allclose(shrunk.dropna(), math.sqrt((len(table) - 1) / (2 * len(table) - 1)), rtol=1e-6)
    assert (bounded["low"] <= bounded["value"]).all() and (bounded["value"] <= bounded["high"]).all()
    alone = fidelity_summary(table[table["document"] == table["document"].iloc[0]])
    assert alone["low"].isna().all() and (alone["documents"] == 1).all()


def test_texts_of_one_cluster_count_once(table):
    """Translations that behave alike say no more than one text does: the interval must not shrink."""
    copies = table.assign(document="translation of " + table["document"].astype(str))
    both = pd.concat([table, copies], ignore_index=True)
    once, together = (fidelity_summary(rows).set_index("statistic") for rows in (table, both))
    bounded = once.dropna().index
    pd.testing.assert_frame_equal(together.loc[bounded, ["low", "high"]], once.loc[bounded, ["low", "high"]])
    assert (together["documents"] == 2 * together["clusters"]).all()
    apart = fidelity_summary(both.assign(cluster=both["document"])).set_index("statistic")
    width = {name: (rows["high"] - rows["low"])["kl_mean_nats"] for name, rows in (("once", once), ("apart", apart))}
    assert width["apart"] < 0.9 * width["once"]


def test_intervals_cover_the_truth():
    """Documents that differ in level: the interval over documents covers where the error over tokens does not."""
    rng = np.random.default_rng(0)
    covered = narrow = 0
    for _ in range(60):
        levels = rng.gamma(2.0, 0.5, 40)
        number = np.repeat(np.arange(40), 25)
        tokens = pd.DataFrame({"document": number, "cluster": number, "kl_nats": np.repeat(levels, 25)})
        for column in ("reverse_kl_nats", "js_nats", "entropy_base_nats", "entropy_candidate_nats", "delta_p"):
            tokens[column] = 0.0
        for column in ("log_probability_base", "log_probability_candidate", "keyword_rank_correlation"):
            tokens[column] = -1.0
        tokens = tokens.assign(same_top=True, flip="none", top_base=0, top_candidate=0, token_id=0)
        row = fidelity_summary(tokens).set_index("statistic").loc["kl_mean_nats"]
        covered += row["low"] <= 1.0 <= row["high"]
        narrow += abs(row["value"] - 1.0) <= 1.96 * row["standard_error"]
    assert covered >= 50
    assert narrow <= 40


# --- different widths and vocabularies -------------------------------------------------------------------------------


def test_padding_rows_of_one_model_are_left_out():
    rng = np.random.default_rng(1)
    logits, other = rng.standard_normal((6, 6)), rng.standard_normal((6, 6))
    wide = np.concatenate([other, rng.standard_normal((6, 4))], axis=1)
    documents = [document([1, 5, 2, 4])]
    expected = token_fidelity(TableModel(logits), TableModel(other), documents, [0], keyword_ids=range(6))
    found = token_fidelity(TableModel(logits), TableModel(wide), documents, [0], keyword_ids=range(6), entries=6)
    pd.testing.assert_frame_equal(found, expected)
    with pytest.raises(InputError, match="6 and 10 rows"):
        token_fidelity(TableModel(logits), TableModel(wide), documents, [0], entries=7)
    with pytest.raises(InputError, match="6 and 10 rows"):
        token_fidelity(TableModel(logits), TableModel(wide), documents, [0])


def vocabulary(tokens) -> Vocabulary:
    """Encodes greedily by the longest token."""
    known = {token: token_id for token_id, token in reversed(list(enumerate(tokens)))}

    def encode(text: str) -> list[int]:
        content, ids = text.encode(), []
        while content:
            piece = next(content[:size] for size in range(len(content), 0, -1) if content[:size] in known)
            ids.append(known[piece])
            content = content[len(piece) :]
        return ids

    return Vocabulary(tuple(tokens), frozenset(), {}, encode)


def test_vocabularies_must_agree():
    one = vocabulary([b"a", b"b", b"ab"])
    require_same_vocabulary(one, vocabulary([b"a", b"b", b"ab", None]))
    with_control = Vocabulary((b"a", b"b", b"ab", b"<end>"), frozenset({3}), {}, one.encode)
    require_same_vocabulary(one, with_control)
    require_same_vocabulary(with_control, one)
    with pytest.raises(InputError, match="id 2 is b'ab' in the base model and b'ba' in the candidate"):
        require_same_vocabulary(one, vocabulary([b"a", b"b", b"ba"]))
    with pytest.raises(InputError, match=r"id 3 is None .* bits per byte"):
        require_same_vocabulary(one, vocabulary([b"a", b"b", b"ab", b"c"]))


def test_common_pieces_by_hand():
    pieces = common_pieces(np.array([2, 3, 6]), [-1.0, -2.0, -3.0], np.array([1, 3, 6]), [-4.0, -5.0, -6.0])
    assert pieces.to_dict("list") == {
        "start": [0, 3],
        "end": [3, 6],
        "log_probability_base": [-3.0, -3.0],
        "log_probability_candidate": [-9.0, -6.0],
    }
    bits = bits_per_byte(pieces)
    assert bits["bits_per_byte_base"] == pytest.approx(6 / 6 / math.log(2))
    assert bits["bits_per_byte_difference"] == pytest.approx(9 / 6 / math.log(2))
    with pytest.raises(ValueError, match="same byte"):
        common_pieces([2, 3], [0, 0], [4], [0])


@given(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30)))
def test_common_pieces_keep_every_token_once(one, other):
    ends = [np.array(sorted(cuts | {31})) for cuts in (one, other)]
    logs = [-np.arange(1.0, len(side) + 1) for side in ends]
    pieces = common_pieces(ends[0], logs[0], ends[1], logs[1])
    assert pieces["end"].tolist() == sorted((one & other) | {31})
    for side, values in zip(("base", "candidate"), logs, strict=True):
        assert pieces[f"log_probability_{side}"].sum() == pytest.approx(values.sum())


def test_models_of_different_vocabularies_are_compared_by_bytes():
    """A model that spreads e⁻ˡᵉⁿᵍᵗʰ over its tokens says the same of every cut of a text into them."""
    small, large = vocabulary([b"a", b"b", b"\n"]), vocabulary([b"\n", b"ab", b"b", b"a"])
    coin = TableModel(np.zeros((3, 3)))
    skewed = TableModel(np.tile(np.log([0.1, 0.4, 0.3, 0.2]), (4, 1)))
    texts = ["abab\n", "", "ba"]
    table = byte_fidelity(Reader(coin, small, (0,)), Reader(skewed, large, (0,)), texts)
    assert table["document"].tolist() == [0, 0, 0, 2, 2]
    assert table[["start", "end"]].to_numpy().tolist() == [[0, 2], [2, 4], [4, 5], [0, 1], [1, 2]]
    np.testing.assert_allclose(table["log_probability_base"], -LN3 * np.array([2, 2, 1, 1, 1]), atol=1e-6)
    np.testing.assert_allclose(table["log_probability_candidate"], np.log([0.4, 0.4, 0.1, 0.3, 0.2]), atol=1e-6)
    assert bits_per_byte(table)["bits_per_byte_base"] == pytest.approx(math.log2(3), abs=1e-6)
    with pytest.raises(InputError, match="empty"):
        byte_fidelity(Reader(coin, small, (0,)), Reader(skewed, large, (0,)), [""])


def test_real_text_is_encoded_and_classified():
    bytes_only = vocabulary([bytes([byte]) for byte in range(256)])
    text = encode_document(bytes_only, load_languages()["python"], "if x:\n", "f.py")
    assert text.ids.tolist() == list(b"if x:\n")
    assert list(text.classes) == ["keyword"] * 2 + ["whitespace", "identifier", "operator", "whitespace"]
    with pytest.raises(InputError, match=r"f\.py: the text is empty"):
        encode_document(bytes_only, load_languages()["python"], "", "f.py")


@pytest.mark.parametrize("length", [1024, 4])
def test_without_start_ids_a_text_begins_with_its_own_first_token(length):
    """The same numbers as with that token as the start; a window cut out of a text follows the token before it."""
    base, candidate = random_model(seed=1), random_model(seed=2)
    ids = [[3, 7, 1, 9, 22, 4, 4, 31, 12, 40], [5, 6], [8]]
    found = token_fidelity(base, candidate, [document(part, name=str(part[0])) for part in ids], [], length=length)
    assert found["token_id"].tolist() == [token for part in ids for token in part[1:]]
    assert found["position"].tolist() == [place for part in ids for place in range(1, len(part))]
    if length > len(ids[0]):
        alone = [token_fidelity(base, candidate, [document(part[1:])], part[:1]) for part in ids if len(part) > 1]
        for column in ("kl_nats", "log_probability_base", "log_probability_candidate"):
            np.testing.assert_allclose(found[column], pd.concat(alone)[column], rtol=1e-5, atol=1e-7)
        return
    second = token_fidelity(base, candidate, [document(ids[0][5:9])], ids[0][4:5])
    np.testing.assert_allclose(found["kl_nats"][4:8], second["kl_nats"], rtol=1e-5, atol=1e-7)


# --- what cannot be compared -----------------------------------------------------------------------------------------


def test_bad_input_is_one_line():
    model = TableModel(np.zeros((3, 3)))
    broken = TableModel(np.full((3, 3), np.nan))
    cases = [
        (model, [document([])], [0], "no token"),
        (model, [], [0], "no token"),
        (model, [document([1, 7])], [0], "input id 7"),
        (model, [document([1, -1])], [0], "input id -1"),
        (model, [document([1])], [3], "input id 3"),
        (model, [document([1])], [], "no token"),
        (broken, [document([1, 2])], [0], "not finite"),
    ]
    for candidate, documents, start, message in cases:
        with pytest.raises(InputError, match=message) as caught:
            token_fidelity(model, candidate, documents, start)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="no token"):
        fidelity_summary(token_fidelity(model, model, [document([1])], [0]).iloc[:0])


LARGE = """
import json, resource, sys, torch
sys.path[:0] = {folders!r}
from test_pair import document, random_model, np
from compressed_code.fidelity.pair import token_fidelity
torch.set_num_threads(1)
base = random_model(0, vocab_size=150_000, num_hidden_layers=1, max_position_embeddings=2000)
candidate = random_model(1, near=base)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
documents = [document(np.arange(400) * 7 + n, str(n)) for n in range(3)]
table = token_fidelity(base, candidate, documents, [1], keyword_ids=range(500))
print(json.dumps([len(table), before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_vocabulary_and_text():
    """1,200 positions × 150,000 entries × 2 models would be 1.4 GB of logits."""
    here = Path(__file__).parent
    code = LARGE.format(folders=[str(here), str(here.parent)])
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    tokens, before, peak = json.loads(run.stdout.splitlines()[-1])
    assert tokens == 1200
    assert (peak - before) * 1024 < 0.4e9


ZOO = ROOT / "data" / "zoo"


@pytest.fixture(scope="module")
def gguf_files(tmp_path_factory):
    """zoo-l as two GGUF files by themselves, written by the command: in half precision, and in 4 bits."""
    folder, files = tmp_path_factory.mktemp("gguf"), []
    for name in ("F16", "Q4_K_M"):
        assert main(["quantize", "zoo-l", "--method", "gguf", "--type", name, "--out", str(folder / name)]) == 0
        (folder / name / "tokenizer.json").unlink()
        files.append(str(folder / name / "model.gguf"))
    return files


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text("def add(left, right):\n    return left + right\n\n\nfor number in range(10):\n    print(number)\n")
    return str(path)


def command(capsys, *arguments) -> dict:
    """The overall statistics that the command prints."""
    capsys.readouterr()
    assert main(["fidelity", *map(str, arguments), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)["overall"]


def refusal(capsys, *arguments) -> str:
    """The one line with which the command refuses."""
    capsys.readouterr()
    assert main(["fidelity", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    return captured.err


@pytest.mark.parametrize("tokenizer", ["zoo", ZOO / "zoo-l", ZOO / "zoo-l" / "tokenizer.json"])
def test_a_named_tokenizer_cuts_the_texts_of_two_gguf_files(gguf_files, program, capsys, tokenizer):
    """Against the same models with their tokenizer beside them: the folder, whose weights are those of the F16 file."""
    half, small = gguf_files
    found = command(capsys, half, small, "--text", program, "--tokenizer", tokenizer)
    expected = command(capsys, "zoo-l", small, "--text", program)
    assert found["kl_mean_nats"] > 0
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def test_a_named_tokenizer_serves_gguf_files_by_bytes(gguf_files, program, capsys):
    half, small = gguf_files
    found = command(capsys, half, small, "--text", program, "--bytes", "--tokenizer", "zoo")
    # By tokens and by bytes the same log-probabilities are summed up.
    tokens = command(capsys, half, small, "--text", program, "--tokenizer", "zoo")
    vocabulary = open_tokenizer(TokenizerSpec(key="zoo", label="Zoo", path=str(ZOO / "zoo-l")))
    text = Path(program).read_text()
    bits = math.log2(tokens["perplexity_base"]) * len(vocabulary.encode(text)) / len(text.encode())
    assert found["bits_per_byte_base"] == pytest.approx(bits, rel=1e-5)
    same = command(capsys, "zoo-l", small, "--text", program, "--bytes", "--tokenizer", "zoo")
    assert same["bits_per_byte_difference"] == pytest.approx(found["bits_per_byte_difference"], abs=1e-4)


def test_by_bytes_a_model_of_another_vocabulary_keeps_its_own(
    gguf_files, program, capsys, tmp_path, byte_level_tokenizer
):
    other = save_tiny(tmp_path / "other", vocab_size=420, bos_token_id=0)
    save_tokenizer(other, byte_level_tokenizer)
    arguments = ("--text", program, "--bytes")
    found = command(capsys, other, gguf_files[1], *arguments, "--tokenizer", "zoo")
    expected = command(capsys, other, "zoo-l+gguf-q4_k_m", *arguments)
    assert found == pytest.approx(expected, rel=1e-5)
    assert "id 0 is" in refusal(capsys, other, other, *arguments, "--tokenizer", "zoo")  # it would be of no use


def test_a_tokenizer_that_does_not_fit_is_refused_in_one_line(gguf_files, program, capsys, tmp_path, tokenizer_json):
    half, small = gguf_files
    for extra in ([], ["--bytes"]):
        line = refusal(capsys, half, small, "--text", program, *extra)
        assert f"{half}: holds a vocabulary without the rule that cuts text" in line
        assert "--tokenizer" in line
        line = refusal(capsys, half, small, "--text", program, *extra, "--tokenizer", tokenizer_json)
        assert "id 0 is b'<|end|>' in this tokenizer and b'<|bos|>' in" in line
        line = refusal(capsys, half, small, "--text", program, *extra, "--tokenizer", half)
        assert "a vocabulary without the rule that cuts text" in line
        assert "./nowhere" in refusal(capsys, half, small, "--text", program, *extra, "--tokenizer", "./nowhere")
    line = refusal(capsys, "zoo-l", small, "--text", program, "--bytes")
    assert f"{small}: holds a vocabulary" in line


def test_one_swapped_token_is_found(gguf_files, program, capsys, tmp_path):
    content = json.loads((ZOO / "zoo-l" / "tokenizer.json").read_text())
    pieces = content["model"]["vocab"]
    first, second = (next(piece for piece, number in pieces.items() if number == wanted) for wanted in (1500, 1501))
    pieces[first], pieces[second] = 1501, 1500
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    line = refusal(capsys, *gguf_files, "--text", program, "--tokenizer", tmp_path / "tokenizer.json")
    assert "id 1500 is" in line


@pytest.mark.parametrize(
    ("own", "added", "expected"),
    [
        ((b"a", b"b"), (), None),
        ((b"a", b"b", b"[PAD2]"), (2,), None),  # rows of the embedding beyond the tokenizer
        ((b"a", b"b", b"c"), (), 2),
        ((b"a",), (), 1),
        ((b"a", None), (), 1),
        ((b"b", b"a"), (), 0),
    ],
)
def test_tokens_are_compared_by_id(own, added, expected):
    def vocabulary(tokens, added=()):
        return Vocabulary(tuple(tokens), frozenset(added), {}, lambda text: [0])

    assert first_difference(vocabulary((b"a", b"b")), vocabulary(own, added)) == expected
