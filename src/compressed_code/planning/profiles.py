"""Profiles of data/profiles.yml: which models the notebooks are to measure, and how much of it that is."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, kept_while_unchanged, parse_rows, read_yaml

PROFILES_FILE = DATA / "profiles.yml"

MeasuredName = Literal["cold_start", "generations"]


class Measured(Record):
    """How much of one measurement a profile takes.

    Attributes:
        times: cold starts, or tokens at most, of every model.
        models: the parameter that names them, `NOTEBOOK.PARAMETER`.
        left_out: a further parameter, which is given the models that this measurement has to leave out.
        tables: measurement of the library → its parameters → values, each of which is a table of every model; what the
            notebook measures of them, so that a job can do it beforehand.
    """

    times: PositiveInt
    models: str
    left_out: str = ""
    tables: dict[str, dict[str, list[Any]]] = Field(default_factory=dict)


class Profile(Record):
    """One profile.

    Attributes:
        notebooks: number of a notebook → values for its parameters cell.
        measured: what that measures.
    """

    key: str
    label: str = Field(min_length=1)
    notebooks: dict[str, dict[str, Any]]
    measured: dict[MeasuredName, Measured]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, amount in self.measured.items():
            notebook, _, parameter = amount.models.partition(".")
            if parameter not in self.notebooks.get(notebook, {}):
                raise ValueError(f"measured.{name}.models: {amount.models!r} is no parameter of a notebook here")
            if amount.left_out and amount.left_out.partition(".")[0] not in self.notebooks:
                raise ValueError(f"measured.{name}.left_out: {amount.left_out!r} is of no notebook here")
        return self

    def models(self, measured: MeasuredName) -> list[str]:
        """The models that a measurement is of."""
        notebook, _, parameter = self.measured[measured].models.partition(".")
        return list(self.notebooks[notebook][parameter])

    def every_model(self) -> list[str]:
        """All of them, once, in the order of the file."""
        return list(dict.fromkeys(name for measured in self.measured for name in self.models(measured)))

    def without(self, names: Mapping[MeasuredName, Collection[str]]) -> Mapping[str, Mapping[str, Any]]:
        """The notebooks' parameters, of whose lists these models are left out, measurement by measurement.

        Where a measurement has a parameter for what it leaves out, that is told to it.
        """
        left = {notebook: dict(parameters) for notebook, parameters in self.notebooks.items()}
        for measured, gone in names.items():
            notebook, _, parameter = self.measured[measured].models.partition(".")
            left[notebook][parameter] = [name for name in left[notebook][parameter] if name not in gone]
            notebook, _, parameter = self.measured[measured].left_out.partition(".")
            if parameter:
                left[notebook][parameter] = [name for name in self.models(measured) if name in gone]
        return left


def find_profile(name: str, path: Path = PROFILES_FILE) -> Profile:
    """A profile by its name.

    Raises:
        InputError: there is none, or the file is broken.
    """
    profiles = kept_while_unchanged(_read, path)
    if name not in profiles:
        raise InputError(f"{name}: no such profile; {path.name} has {', '.join(profiles)}")
    return profiles[name]


def _read(path: Path) -> Mapping[str, Profile]:
    return parse_rows(Profile, read_yaml(path), path)
