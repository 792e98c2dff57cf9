"""What a profile would compute: bytes, memory and hours of every model, and what is missing on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import pandas as pd

from compressed_code.core.errors import InputError
from compressed_code.planning.costs import cold_start_seconds, fitted, generation_seconds
from compressed_code.planning.layouts import Layout
from compressed_code.planning.profiles import Profile
from compressed_code.planning.sizes import active_parameters, cold_start_bytes, stored_bytes
from compressed_code.registry.lookup import Registry
from compressed_code.registry.specs import ModelSpec

NOT_LOCKED = "not locked"
GB = 1e9
_FLOAT32 = 4  # bytes a weight takes in a model that is loaded whole


@dataclass(frozen=True)
class Machine:
    """What a plan is held against.

    Attributes:
        memory, disk: free bytes.
        no_hub: why no Hub answers; empty where one does.
        token: whether a token for the Hub is set.
    """

    memory: int
    disk: int
    no_hub: str = ""
    token: bool = False


@dataclass(frozen=True)
class _Need:
    """What one measurement of one model takes: bytes to fetch, memory and disk in bytes, seconds."""

    fetched: int
    memory: int
    disk: int
    seconds: float


def plan(
    profile: Profile, registry: Registry, layouts: Mapping[str, Layout], runs: pd.DataFrame | None, machine: Machine
) -> pd.DataFrame:
    """A row for every measurement of every model of the profile that is on a Hub; local ones take what they ever took.

    Args:
        runs: `costs.load_costs`; without them hours are not computed.

    Returns:
        Columns `model`, `measurement`, `stored_as`, `fetched_gb` (of cold starts what the ranges come to, else the
        whole checkpoint), `memory_gb` (the whole model in float32; cold starts and what is on disk are streamed),
        `hours` (of computation on one core, from `costs`; fetching comes on top), `revision` (a commit, or "not
        locked"), `licence`, `missing` (what this machine lacks; empty where it can start). A row without
        layout has no numbers.

    Raises:
        InputError: a model or its layout is no row.
    """
    costs = {name: (nan, nan) if runs is None else fitted(runs, name) for name in profile.measured}
    known: dict[tuple[str, str, str], _Need] = {}
    rows = []
    for measurement, amount in profile.measured.items():
        for name in profile.models(measurement):
            row = _row_of(name, registry)
            if row.hub is None:
                continue
            place = (row.layout or "", row.stored_as, measurement)
            if row.layout and place not in known:
                layout = _layout_of(row, layouts)
                known[place] = _need(layout, row.stored_as, measurement, amount.times, costs[measurement])
            need = known.get(place)
            rows.append(
                {
                    "model": name,
                    "measurement": measurement,
                    "stored_as": row.stored_as,
                    "fetched_gb": need.fetched / GB if need else None,
                    "memory_gb": need.memory / GB if need else None,
                    "hours": need.seconds / 3600 if need else None,
                    "revision": row.revision if row.locked else NOT_LOCKED,
                    "licence": row.licence or "",
                    "missing": "; ".join(_missing(row, need, machine)),
                }
            )
    return pd.DataFrame(rows)


def _row_of(name: str, registry: Registry) -> ModelSpec:
    if name not in registry.models:
        raise InputError(f"{name}: a profile names rows of data/models.yml; this is none")
    return registry.models[name]


def _layout_of(row: ModelSpec, layouts: Mapping[str, Layout]) -> Layout:
    if row.layout not in layouts:
        raise InputError(f"data/models.yml: models.{row.key}.layout: {row.layout!r} is not a row of data/layouts.yml")
    return layouts[row.layout]


def _need(layout: Layout, stored_as: str, measurement: str, times: int, costs: tuple[float, float]) -> _Need:
    if measurement == "cold_start":
        read = cold_start_bytes(layout, stored_as)
        return _Need(times * read, 0, 0, times * cold_start_seconds(costs, read))
    whole = stored_bytes(layout, stored_as)
    seconds = generation_seconds(costs, active_parameters(layout), times)
    return _Need(whole, _FLOAT32 * layout.parameters, whole, seconds)


def _missing(row: ModelSpec, need: _Need | None, machine: Machine) -> list[str]:
    """What stands in the way, the first thing first."""
    found = []
    if machine.no_hub:
        found.append("no hub")
    if row.gated and not machine.token:
        found.append("gated: accept its terms and set HF_TOKEN")
    if need and need.memory > machine.memory:
        found.append(f"memory: {need.memory / GB:.1f} GB, {machine.memory / GB:.1f} free")
    if need and need.disk > machine.disk:
        found.append(f"disk: {need.disk / GB:.1f} GB, {machine.disk / GB:.1f} free")
    return found
