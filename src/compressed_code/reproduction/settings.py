"""Settings that imitate other machines and other draws, and values that make notebooks short: data/robustness.yml."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml

SETTINGS_FILE = DATA / "robustness.yml"


class Setting(Record):
    """A way to run the notebooks otherwise.

    Attributes:
        key: names its folder and its rows in tables.
        environment: variables that libraries read when they are loaded; then everything is computed anew.
        parameters: values for the notebooks that have such a parameter; others are not run.
        needs: instruction sets without which it would stop or change nothing.
        whole, short: the forms of `make robustness` that it belongs to.
    """

    key: str
    environment: Mapping[str, str] = Field(default_factory=dict)
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    needs: Sequence[str] = ()
    whole: bool = True
    short: bool = False

    @property
    def threads(self) -> int:
        """Threads of each notebook's products."""
        return int(self.environment.get("OMP_NUM_THREADS", "1"))

    @property
    def imitates_a_machine(self) -> bool:
        """Whether numbers ought to stay as they are: nothing but the arithmetic is another."""
        return bool(self.environment)


class _Values(Record):
    key: str
    parameters: Mapping[str, Any]


def load_settings(*, short: bool = False, path: Path = SETTINGS_FILE) -> Sequence[Setting]:
    """The settings of one form of `make robustness`, in the order of the file.

    Raises:
        InputError: naming file, row and field.
    """
    rows = parse_rows(Setting, read_yaml(path).get("settings"), path, "settings.")
    return [row for row in rows.values() if (row.short if short else row.whole)]


def reduced_parameters(*, short: bool = False, path: Path = SETTINGS_FILE) -> Mapping[str, Mapping[str, Any]]:
    """Notebook → values of its parameters cell that make it short; those of the short form make it shorter still.

    Raises:
        InputError: naming file, row and field.
    """
    content = read_yaml(path)
    reduced, shorter = (parse_rows(_Values, content.get(name), path, f"{name}.") for name in ("reduced", "short"))
    if not short:
        return {name: row.parameters for name, row in reduced.items()}
    return {name: {**reduced[name].parameters, **row.parameters} for name, row in shorter.items()}
