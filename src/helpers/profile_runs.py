"""The notebooks of a profile, with those of its models that can be had here."""

from collections.abc import Callable
from pathlib import Path

from compressed_code.core.paths import BUILD, NOTEBOOKS
from compressed_code.planning.gaps import find_gaps, told
from compressed_code.planning.layouts import load_layouts
from compressed_code.planning.machine import this_machine
from compressed_code.planning.plan import Machine
from compressed_code.planning.profiles import PROFILES_FILE, find_profile
from compressed_code.registry.lookup import load_registry
from helpers.figures import write_gallery
from helpers.notebook_runs import Run, find_notebooks, run_all

PROFILE_RUNS = BUILD / "profiles"


def run_profile(
    name: str,
    say: Callable[[str], None],
    *,
    notebooks: Path = NOTEBOOKS,
    profiles: Path = PROFILES_FILE,
    directory: Path = PROFILE_RUNS,
    machine: Machine | None = None,
) -> list[Path]:
    """Execute a profile's notebooks; models that cannot be had are named once each and left out.

    Args:
        say: takes a line for each model left out, and one for each notebook that has run.
        notebooks, profiles: where they are.
        directory: executed copies go to `NAME/notebooks` in it, figures and their gallery to `NAME/figures`.
        machine: what the models are held against; by default this one.

    Returns:
        The executed copies, whether or not they are there.

    Raises:
        InputError: no such profile or notebook.
    """
    profile, place = find_profile(name, profiles), directory / name
    gaps = find_gaps(profile, load_registry(), load_layouts(), machine or this_machine())
    for line in told(gaps):
        say(line)
    sources = find_notebooks(list(profile.notebooks), notebooks)
    parameters = profile.without(gaps).values()
    runs = [
        Run(source, place / "notebooks" / source.name, place / "figures", given, {"OMP_NUM_THREADS": "1"})
        for source, given in zip(sources, parameters, strict=True)
    ]
    for output, words in run_all(runs, say).items():
        say(f"{output.stem}: {words}")
    if any((place / "figures").glob("*.csv")):
        write_gallery(place / "figures")
        say(f"figures of the profile {name} are in {place / 'figures'}")
    return [run.output for run in runs]
