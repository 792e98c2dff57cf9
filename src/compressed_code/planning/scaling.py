"""What a profile costs on other machines: hours, bytes, memory and money, from costs that were measured on one core.

The rule is one line for each measurement. A cold start runs on a processor and is bound by what it reads: it takes on
every machine what it took here. A token takes a time of its own, and for every weight the time it took here times the
ratio of the two machines' peak rates of floating-point operations: the share of the peak that is reached is taken to be
the same. Models lie on one node, on as many of its devices as they need, which then work one after the other; different
models are computed side by side.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path

import pandas as pd
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, kept_while_unchanged, parse_rows, read_yaml
from compressed_code.planning.costs import cold_start_seconds, fitted, generation_seconds
from compressed_code.planning.layouts import Layout
from compressed_code.planning.profiles import Profile
from compressed_code.planning.sizes import active_parameters, cold_start_bytes, stored_bytes
from compressed_code.registry.lookup import Registry

MACHINES_FILE = DATA / "machines.yml"
MEASURED_ON = "core"
_FLOAT32 = 4


class MachineKind(Record):
    """A kind of machine; a device is what one model's arithmetic runs on, a GPU or a processor.

    Attributes:
        flops: float32 operations a second of a device at its peak.
        flops_float64: the same in float64, where costs were measured with it.
        memory: bytes of a device.
        devices: of a node.
        network: bytes a second that a node fetches.
        price: dollars an hour of a node.
    """

    key: str
    label: str = Field(min_length=1)
    flops: PositiveFloat
    flops_float64: PositiveFloat | None = None
    memory: PositiveFloat
    devices: PositiveInt
    nodes: PositiveInt
    network: PositiveFloat
    price: NonNegativeFloat


def load_machines(path: Path = MACHINES_FILE) -> Mapping[str, MachineKind]:
    """The rows of data/machines.yml.

    Raises:
        InputError: the file is broken, or lacks the machine that costs were measured on.
    """
    machines = kept_while_unchanged(_read, path)
    if MEASURED_ON not in machines or machines[MEASURED_ON].flops_float64 is None:
        raise InputError(
            f"{path}: needs a row {MEASURED_ON} with flops_float64, the machine that costs were measured on"
        )
    return machines


def token_costs(costs: tuple[float, float], measured_on: MachineKind, machine: MachineKind) -> tuple[float, float]:
    """Seconds per token, and per token and weight in float32, of a device.

    Args:
        costs: `costs.fitted` of "generations", which the zoo measures in float64.
    """
    per_token, per_weight = costs
    return per_token, per_weight * measured_on.flops_float64 / machine.flops


def profile_sizes(profile: Profile, registry: Registry, layouts: Mapping[str, Layout]) -> pd.DataFrame:
    """A row for each measurement of each model of a Hub that has a layout: what it takes on any machine.

    Returns:
        Columns `model`, `measurement`, `times` (cold starts, or tokens), `weights` (a token is multiplied by), `read`
        (bytes, of one cold start), `fetched` (bytes) and `memory` (bytes of the loaded model; 0 where it is streamed).
    """
    known: dict[tuple[str, str, str], tuple[int, ...]] = {}
    rows = []
    for measurement, amount in profile.measured.items():
        for name in profile.models(measurement):
            row = registry.models[name]
            if row.hub is None or row.layout not in layouts:
                continue
            place = (row.layout, row.stored_as, measurement)
            if place not in known:
                known[place] = _sizes(layouts[row.layout], row.stored_as, measurement, amount.times)
            rows.append((name, measurement, amount.times, *known[place]))
    return pd.DataFrame(rows, columns=["model", "measurement", "times", "weights", "read", "fetched", "memory"])


def _sizes(layout: Layout, stored_as: str, measurement: str, times: int) -> tuple[int, ...]:
    weights = active_parameters(layout)
    if measurement == "cold_start":
        read = cold_start_bytes(layout, stored_as)
        return weights, read, times * read, 0
    return weights, 0, stored_bytes(layout, stored_as), _FLOAT32 * layout.parameters


def profile_work(sizes: pd.DataFrame, runs: pd.DataFrame, machine: MachineKind) -> pd.DataFrame:
    """What a profile takes on one machine.

    Args:
        sizes: `profile_sizes`.
        runs: `costs.load_costs`.

    Returns:
        Columns of `sizes`, `devices` (that hold the model), `fits` (on one node) and `seconds` (of computation).
    """
    start = fitted(runs, "cold_start")
    token = token_costs(fitted(runs, "generations"), load_machines()[MEASURED_ON], machine)
    seconds = [
        row.times * cold_start_seconds(start, row.read)
        if row.measurement == "cold_start"
        else generation_seconds(token, row.weights, row.times)
        for row in sizes.itertuples()
    ]
    devices = [max(1, ceil(memory / machine.memory)) for memory in sizes["memory"]]
    return sizes.assign(devices=devices, fits=[number <= machine.devices for number in devices], seconds=seconds)


def profile_cost(work: pd.DataFrame, machine: MachineKind) -> dict[str, object]:
    """What fits of `profile_work` comes to on a machine.

    Returns:
        `machine`; `models` that can be measured wholly and `of` how many; `hours` of the whole at least: those of the
        longest model, or of all devices at work, whichever is more, fetching included; `device_hours`; `fetched` and
        `memory` (of the largest model that fits), bytes; `dollars`; `longest` model; `breaks_at`, the smallest model
        that does not fit.
    """
    able, left = work[work["fits"]], work[~work["fits"]]
    each = able.assign(
        device_seconds=able["seconds"] * able["devices"], waiting=able["seconds"] + able["fetched"] / machine.network
    )
    by_model = each.groupby("model", sort=False)["waiting"].sum()
    spread = each["device_seconds"].sum() / (machine.devices * machine.nodes)
    spread += each["fetched"].sum() / (machine.network * machine.nodes)
    hours = max(by_model.max(), spread) / 3600
    return {
        "machine": machine.label,
        "models": work["model"].nunique() - left["model"].nunique(),
        "of": work["model"].nunique(),
        "hours": hours,
        "device_hours": each["device_seconds"].sum() / 3600,
        "fetched": each["fetched"].sum(),
        "memory": able["memory"].max(),
        "dollars": hours * machine.nodes * machine.price,
        "longest": by_model.idxmax(),
        "breaks_at": left.sort_values("memory")["model"].iloc[0] if len(left) else "",
    }


def growth(
    layout: Layout, stored_as: str, profile: Profile, runs: pd.DataFrame, machine: MachineKind, times: int = 2
) -> pd.DataFrame:
    """How much more one model costs when one thing about it is `times` as large.

    Returns:
        Columns `larger` ("layers", "width", "vocabulary", "text", "variants"), `weights`, `fetched`, `memory`,
        `cold_start` and `generations` (seconds), each as a factor.
    """
    wider = {name: times * layout.config[name] for name in ("hidden_size", "intermediate_size", "num_attention_heads")}
    changes = {
        "layers": {"num_hidden_layers": times * layout.config["num_hidden_layers"]},
        "width": wider | {"num_key_value_heads": times * layout.config["num_key_value_heads"]},
        "vocabulary": {"vocab_size": times * layout.config["vocab_size"]},
    }
    base = _one_model(layout, stored_as, profile, runs, machine)
    rows = {
        name: _one_model(replace(layout, config={**layout.config, **fields}), stored_as, profile, runs, machine)
        for name, fields in changes.items()
    }
    rows["text"] = base | {"generations": times * base["generations"]}
    rows["variants"] = {name: times * amount for name, amount in base.items() if name not in ("weights", "memory")}
    factors = [
        {"larger": name} | {part: row.get(part, base[part]) / base[part] for part in base} for name, row in rows.items()
    ]
    return pd.DataFrame(factors)


def _one_model(
    layout: Layout, stored_as: str, profile: Profile, runs: pd.DataFrame, machine: MachineKind
) -> dict[str, float]:
    costs = token_costs(fitted(runs, "generations"), load_machines()[MEASURED_ON], machine)
    read, weights = cold_start_bytes(layout, stored_as), active_parameters(layout)
    return {
        "weights": weights,
        "fetched": stored_bytes(layout, stored_as),
        "memory": _FLOAT32 * layout.parameters,
        "cold_start": cold_start_seconds(fitted(runs, "cold_start"), read),
        "generations": generation_seconds(costs, weights, profile.measured["generations"].times),
    }


def _read(path: Path) -> Mapping[str, MachineKind]:
    return parse_rows(MachineKind, read_yaml(path), path)


def costs_on(machines: Iterable[MachineKind], sizes: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """`profile_cost` of each machine, one row each."""
    return pd.DataFrame([profile_cost(profile_work(sizes, runs, machine), machine) for machine in machines])
