"""docs/scaling.md, written from the numbers of `planning.scaling`: `make scaling`."""

# ruff: noqa: E501 -- the page's lines are as wide as those of other documents

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.paths import ROOT
from compressed_code.planning.costs import fitted, load_costs
from compressed_code.planning.layouts import load_layouts
from compressed_code.planning.profiles import find_profile
from compressed_code.planning.scaling import (
    MEASURED_ON,
    costs_on,
    growth,
    load_machines,
    profile_sizes,
    profile_work,
    token_costs,
)
from compressed_code.registry.lookup import load_registry

PAGE = ROOT / "docs" / "scaling.md"
_GB = 1e9
_EXAMPLE, _STORED_AS, _EXAMPLE_ON = "qwen2.5-7b", "bfloat16", "gpu"


def scaling_page() -> str:
    """The page as Markdown."""
    profile, registry, layouts, runs = find_profile("paper"), load_registry(), load_layouts(), load_costs()
    machines = load_machines()
    sizes = profile_sizes(profile, registry, layouts)
    costs = costs_on(machines.values(), sizes, runs)
    node = profile_work(sizes, runs, machines["node"])
    too_large = node[~node["fits"]].drop_duplicates("model")
    per_token, per_weight = token_costs(fitted(runs, "generations"), machines[MEASURED_ON], machines[_EXAMPLE_ON])
    start, per_byte = fitted(runs, "cold_start")
    factors = growth(layouts[_EXAMPLE], _STORED_AS, profile, runs, machines[_EXAMPLE_ON])
    tokens = profile.measured["generations"].times
    breaks = "\n".join(
        f"- **{row.model}** takes {row.memory / _GB:,.0f} GB in float32, {row.devices} GPUs of 80 GB: no node of 8 holds it, "
        "and a hundred do not either, since a model lies on one node. Its first tokens are streamed everywhere."
        for row in too_large.itertuples()
    )
    broken = "\n".join(
        f"- On {machine}: from **{model}** on, programs do not fit; {models} of {of} models are measured wholly."
        for machine, model, models, of in zip(
            costs["machine"], costs["breaks_at"], costs["models"], costs["of"], strict=True
        )
        if model
    )
    return _PAGE.format(
        costs=_table(costs, _COSTS),
        growth=_table(factors, _GROWTH),
        broken=broken,
        breaks=breaks,
        start=f"{1000 * start:.1f}",
        per_byte=f"{_GB * per_byte:.2f}",
        per_token=f"{1e6 * per_token:.0f}",
        per_weight=f"{1e6 * _GB * per_weight:.0f}",
        gpu=machines[_EXAMPLE_ON].label,
        tokens=f"{tokens:,}",
        longest=costs["longest"].iloc[-1],
    )


def write(path: Path = PAGE) -> None:
    """Write the page."""
    with written_whole(path) as part:
        part.write_text(scaling_page(), encoding="utf-8")


_COSTS: Mapping[str, Callable[[pd.Series], str]] = {
    "machine": lambda row: row["machine"],
    "measured wholly": lambda row: f"{row['models']} of {row['of']}",
    "hours": lambda row: f"{row['hours']:,.1f}",
    "hours of devices": lambda row: f"{row['device_hours']:,.1f}",
    "fetched, GB": lambda row: f"{row['fetched'] / _GB:,.0f}",
    "largest in memory, GB": lambda row: f"{row['memory'] / _GB:,.0f}",
    "dollars": lambda row: f"{row['dollars']:,.0f}",
    "longest": lambda row: row["longest"],
}
_GROWTH: Mapping[str, Callable[[pd.Series], str]] = {
    "twice": lambda row: row["larger"],
    "weights of a token": lambda row: f"{row['weights']:.2f}",
    "bytes fetched": lambda row: f"{row['fetched']:.2f}",
    "memory": lambda row: f"{row['memory']:.2f}",
    "a cold start": lambda row: f"{row['cold_start']:.2f}",
    "programs": lambda row: f"{row['generations']:.2f}",
}


def _table(rows: pd.DataFrame, columns: Mapping[str, Callable[[pd.Series], str]]) -> str:
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(cell(row) for cell in columns.values()) for _, row in rows.iterrows()]
    return "\n".join(f"| {line} |" for line in lines)


_PAGE = """\
# What the paper's models cost

Computed by `make scaling` from [measured runs](../data/run-costs.csv) of the zoo on one core and from [machines](../data/machines.yml); a
test holds this page to the code (`compressed_code.planning.scaling`), and the code to runs that it was not fitted to. It says which
models are out of reach and what grows how, not when to come back.

{costs}

*Hours* are at least those of the longest model (on 100 nodes: {longest}), or all devices at work, whichever is more, fetching
included. On one machine, what is fetched decides: rows without a GPU fetch at 100 Mbit/s.

## The rule

- **A cold start** takes {start} ms and {per_byte} s for each GB that it reads, on a processor, on every machine.
- **A token** takes {per_token} µs, and on {gpu} {per_weight} µs for every thousand million weights
  that it is multiplied by: what a weight took on the measured core, times the ratio of the peak rates. The share of the peak that is
  reached is taken to be the same.
- **The rows with GPUs are a computation and no measurement**: models are computed on processors here so far, and no GPU was at hand.
- A model lies on one node, on as many devices as its float32 weights need, which work one after the other. Different models are
  computed side by side: one job each (`compressed-code measure`).
- A profile writes {tokens} tokens with each model at most.

## Where it breaks

{broken}
{breaks}

## How it grows

Factors for Qwen2.5 7B in bfloat16 on {gpu}, when one thing is twice as large. *Text* is the number of tokens written, *variants* how
many models of this kind are measured.

{growth}

Twice the width is four times the weights of a layer, and twice the embedding. A vocabulary counts for as much as its matrices are of
the model: more in small ones. Text and variants cost in proportion, but for one thing: what was measured once is stored, so a
second profile over the same models costs its new tables only.

## Many machines

    dask scheduler                                                                  on one machine
    dask worker tcp://HEAD:8786 --nthreads 1 --resources 'memory=64e9,GPU=1'        on every other
    compressed-code measure --scheduler tcp://HEAD:8786 --results /shared/tables    anywhere

One job for each model, all its tables inside. A job goes to a worker with the memory that the loaded model takes, and with `--gpus N`
that many GPUs. It computes on them where the worker's `COMPRESSED_CODE_DEVICE` says so: `cuda`, `cuda:N`, or `auto`, all GPUs together,
by accelerate's device map. `--workers N` does the same with processes of this machine. Tables go to a folder that all machines see, or with
`--results s3://BUCKET/PREFIX` to an object store, beside a folder of each machine's own (AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL say
whose and where). For SLURM see [slurm.py](slurm.py).

A worker that dies is replaced, and its job done again. When the scheduler dies, what is finished is stored: start another and run the
same command. When the store does not answer, tables stay where they were made, the rows say where, and the same command offers them
later. Two runs at once make each table once.

What a job costs beyond its work is 7.7 ms: a thousand jobs of one cold start each, while 17 processes wanted two cores
(`make bench ONLY=jobs` measures it again).
"""
