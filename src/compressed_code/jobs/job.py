"""What one model's job is: all tables that a profile wants of it, and what a machine must have for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from compressed_code.core.errors import InputError
from compressed_code.planning.layouts import Layout
from compressed_code.planning.profiles import Profile
from compressed_code.registry.lookup import Registry, find_model
from compressed_code.registry.specs import ModelSpec

_LARGEST_WEIGHT = 8  # bytes in memory: small models compute in float64 (`models.precision`)
_FLOAT32 = 4
_STREAMED = {"cold_start"}  # read tensor by tensor; the others load the model whole


@dataclass(frozen=True)
class Wanted:
    """One table: a measurement and its parameters."""

    measurement: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One model with all that is measured of it.

    Attributes:
        model: registry key, path, Hub id or MODEL+QUANTIZATION.
        tables: in the order in which they are made.
        memory: bytes that the model takes when it is loaded whole; 0 where it is streamed or its size is not known.
        gpus: how many it needs to itself.
    """

    model: str
    tables: tuple[Wanted, ...]
    memory: int = 0
    gpus: int = 0


def profile_jobs(
    profile: Profile,
    registry: Registry,
    layouts: Mapping[str, Layout],
    models: Iterable[str] = (),
    measurements: Iterable[str] = (),
    gpus: int = 0,
) -> list[Job]:
    """A job for every model of a profile, in its order.

    Args:
        models: these of it, or others that get all its tables; by default its own.
        measurements: these alone; by default all.
        gpus: of each job whose model is loaded whole.

    Raises:
        InputError: a model is unknown, or the profile has no such measurement.
    """
    known, named, jobs = profile.every_model(), list(measurements), []
    there = {name for amount in profile.measured.values() for name in amount.tables}
    if unknown := [name for name in named if name not in there] or not there:
        raise InputError(
            f"{unknown[0] if named else profile.key}: the profile {profile.key} has no such tables; "
            f"data/profiles.yml gives it {', '.join(sorted(there)) or 'none'}"
        )
    for model in dict.fromkeys(models or known):
        spec = find_model(model, registry)
        tables = tuple(
            Wanted(name, dict(zip(values, chosen, strict=True)))
            for measured, amount in profile.measured.items()
            if model not in known or model in profile.models(measured)
            for name, values in amount.tables.items()
            if not named or name in named
            for chosen in product(*values.values())
        )
        if not tables:
            continue
        whole = any(table.measurement not in _STREAMED for table in tables)
        jobs.append(Job(model, tables, _memory(spec, registry, layouts) if whole else 0, gpus if whole else 0))
    return jobs


def _memory(spec: ModelSpec, registry: Registry, layouts: Mapping[str, Layout]) -> int:
    if spec.quantization is not None:
        return _memory(find_model(spec.base_model, registry), registry, layouts)
    if spec.layout:
        if spec.layout not in layouts:
            raise InputError(f"data/models.yml: models.{spec.key}.layout: {spec.layout!r} is no row of layouts.yml")
        return _FLOAT32 * layouts[spec.layout].parameters
    return _LARGEST_WEIGHT * (spec.parameters or 0)
