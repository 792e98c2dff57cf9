"""Costs on other machines: held against runs that they were not fitted to, by hand, and the page against the code."""

import math
from dataclasses import replace

import pytest

from compressed_code.planning.costs import cold_start_seconds, fitted, generation_seconds, load_costs
from compressed_code.planning.layouts import load_layouts
from compressed_code.planning.profiles import find_profile
from compressed_code.planning.scaling import (
    MEASURED_ON,
    growth,
    load_machines,
    profile_cost,
    profile_sizes,
    profile_work,
    token_costs,
)
from compressed_code.planning.scaling_page import PAGE, scaling_page
from compressed_code.registry.lookup import load_registry

PAPER, LAYOUTS, RUNS, MACHINES = find_profile("paper"), load_layouts(), load_costs(), load_machines()
CORE = MACHINES[MEASURED_ON]
# SmolLM2-135M-Instruct on a core of the same kind, in float32, read from the provenance of stored tables: programs of
# HumanEval's first twenty tasks, and a cold start. The zoo's largest model, to which costs are fitted, is a 43rd of it.
PUBLISHED = {"weights": 134_515_008, "tokens": 2070, "generations": 35.747, "bytes": 155_679_888, "cold_start": 0.450}


@pytest.fixture(scope="module")
def work():
    """`profile_work` of the paper's models on a machine, by its name."""
    sizes = profile_sizes(PAPER, load_registry(), LAYOUTS)
    return lambda machine: profile_work(sizes, RUNS, MACHINES[machine])


def test_a_model_43_times_as_large_costs_what_is_foretold():
    """Within a factor of two, both ways, for programs (in float32, fitted in float64) and for first tokens."""
    costs = token_costs(fitted(RUNS, "generations"), CORE, CORE)
    foretold = generation_seconds(costs, PUBLISHED["weights"], PUBLISHED["tokens"])
    assert abs(math.log2(foretold / PUBLISHED["generations"])) < 1, foretold
    foretold = cold_start_seconds(fitted(RUNS, "cold_start"), PUBLISHED["bytes"])
    assert abs(math.log2(foretold / PUBLISHED["cold_start"])) < 1, foretold


def test_a_machine_twice_as_fast_halves_what_a_weight_takes_alone():
    per_token, per_weight = token_costs((1e-4, 1e-10), CORE, CORE)
    twice = replace_flops(2)
    assert token_costs((1e-4, 1e-10), CORE, twice) == (per_token, pytest.approx(per_weight / 2))
    assert per_weight == pytest.approx(1e-10 * 39.6 / 83.4)


def replace_flops(times: float):
    return CORE.model_copy(update={"flops": times * CORE.flops})


def test_what_fits_is_what_its_float32_weights_need(work):
    """Of 7,615,616,512 weights in 24 GB, 80 GB and eight times 80 GB; of DeepSeek-V3's 671 thousand million nowhere."""
    devices = {name: work(name).set_index(["model", "measurement"])["devices"] for name in ("gpu", "node")}
    assert devices["gpu"]["qwen2.5-7b", "generations"] == 2  # 30.5 GB
    assert devices["node"]["qwen2.5-7b", "generations"] == 1
    assert devices["node"]["qwen2.5-72b-instruct", "generations"] == 4  # 290.8 GB
    assert devices["node"]["deepseek-v3", "generations"] == 34  # 2684 GB
    fits = work("node").set_index(["model", "measurement"])["fits"]
    assert not fits["deepseek-v3", "generations"] and fits["deepseek-v3", "cold_start"]


def test_more_machines_never_take_longer_and_end_at_the_longest_model(work):
    node, many = MACHINES["node"], MACHINES["nodes"]
    one, hundred = profile_cost(work("node"), node), profile_cost(work("nodes"), many)
    assert hundred["hours"] <= one["hours"]
    endless = profile_cost(work("nodes"), many.model_copy(update={"nodes": 10**9}))
    able = work("nodes").query("fits")
    waiting = able["seconds"] + able["fetched"] / many.network
    assert endless["hours"] == pytest.approx(waiting.groupby(able["model"]).sum().max() / 3600)
    assert hundred["dollars"] == pytest.approx(hundred["hours"] * many.nodes * many.price)


def test_growth_by_hand():
    """A layer more is a layer's weights more; twice the vocabulary is its two matrices more."""
    layout = LAYOUTS["qwen2.5-7b"]
    found = growth(layout, "bfloat16", PAPER, RUNS, CORE).set_index("larger")
    matrices = 2 * layout.config["vocab_size"] * layout.config["hidden_size"]
    assert found.loc["vocabulary", "memory"] == pytest.approx(1 + matrices / layout.parameters)
    norm = layout.config["hidden_size"]
    assert found.loc["layers", "memory"] == pytest.approx(2 - (matrices + norm) / layout.parameters)
    assert found.loc["text", ["generations", "cold_start"]].tolist() == [2, 1]
    assert found.loc["variants", ["fetched", "memory"]].tolist() == [2, 1]
    tied = replace(layout, config={**layout.config, "tie_word_embeddings": True})
    assert (
        growth(tied, "bfloat16", PAPER, RUNS, CORE).set_index("larger").loc["vocabulary", "memory"]
        < found.loc["vocabulary", "memory"]
    )


@pytest.mark.skipif(not PAGE.is_file(), reason="the page is not part of an installed package")
def test_the_page_says_what_the_code_computes():
    assert PAGE.read_text(encoding="utf-8") == scaling_page(), "make scaling writes it anew"
