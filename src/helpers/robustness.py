"""Everything the figures rest on again, under settings that imitate other machines and other draws.

Each setting runs the notebooks and is compared with the committed figures: which claims hold, how far each column of a
figure moves, which files are the same to the byte.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from compressed_code.core.paths import BUILD, COMPUTED_VARIABLE, FIGURES, NOTEBOOKS
from compressed_code.core.reference_files import REFERENCES, declare
from compressed_code.reproduction.claims import read_claims
from compressed_code.reproduction.figure_comparison import compare_figures
from compressed_code.reproduction.robustness import (
    REFERENCE,
    Robustness,
    claim_rows,
    comparison_rows,
    not_robust,
    possible_settings,
)
from compressed_code.reproduction.settings import Setting, load_settings, reduced_parameters
from compressed_code.reproduction.table_comparison import load_tolerances
from helpers.notebook_parameters import read_parameters
from helpers.notebook_runs import WORKERS, Run, find_notebooks, is_current, run_all

ROBUSTNESS_FILE = REFERENCES / "robustness.csv"
FOLDER = BUILD / "robustness"


def robustness(say: Callable[[str], None]) -> Robustness:
    """Run every notebook under every setting and write data/reference/robustness.csv.

    What an interrupted run has computed is kept: executed copies that are newer than what they rest on stay.

    Raises:
        InputError: the reference, executed notebooks of `make figures`, is not there.
    """
    sources = find_notebooks()
    executed = [BUILD / "notebooks" / source.name for source in sources]
    possible, left_out = possible_settings(load_settings())
    runs = {setting.key: _runs(setting, sources, FOLDER) for setting in possible}
    reference = read_claims(executed)  # before hours of work, for it may be missing
    failed: dict[Path, str] = {}
    for threads in sorted({setting.threads for setting in possible}):  # all threads together fill the processor
        chosen = [run for setting in possible if setting.threads == threads for run in runs[setting.key]]
        waiting = [run for run in chosen if not is_current(run)]
        failed |= run_all(waiting, say, workers=max(1, WORKERS // threads))
    found = _found(reference, runs, failed, FIGURES, left_out)
    found.table.to_csv(ROBUSTNESS_FILE, index=False, lineterminator="\n")
    declare(ROBUSTNESS_FILE, "machine", "make robustness")
    return found


def short_robustness(say: Callable[[str], None]) -> tuple[Robustness, Sequence[str]]:
    """The short form: two notebooks, reduced, under two settings, beside the same without a setting.

    Returns:
        What was found; and a line for every claim that holds in one run and not in the other, and for every column
        that moved further than its tolerance on an imitated machine.
    """
    reduced = reduced_parameters(short=True)
    sources = [NOTEBOOKS / name for name in reduced]
    possible, left_out = possible_settings(load_settings(short=True))
    with tempfile.TemporaryDirectory(prefix="robustness-") as temporary:
        folder = Path(temporary)
        plain = _runs(Setting(key=REFERENCE), sources, folder, reduced)
        runs = {setting.key: _runs(setting, sources, folder, reduced) for setting in possible}
        failed = run_all([run for chosen in (plain, *runs.values()) for run in chosen], say)
        found = _found(read_claims(_finished(plain, failed)), runs, failed, folder / REFERENCE / "figures", left_out)
    return found, not_robust(found.table, [setting.key for setting in possible if setting.imitates_a_machine])


def _runs(
    setting: Setting, sources: Iterable[Path], folder: Path, reduced: Mapping[str, Mapping] | None = None
) -> list[Run]:
    """The runs of a setting; one that changes no arithmetic shares the reference's tables.

    Args:
        reduced: notebook → values that make it short; then nothing is shared with the tables of long runs.
    """
    own, runs = folder / setting.key, []
    computed = {COMPUTED_VARIABLE: str((own if setting.environment else folder / REFERENCE) / "computed")}
    environment = {"OMP_NUM_THREADS": "1", **setting.environment}
    if setting.environment or reduced:
        environment |= computed
    for source in sources:
        known = read_parameters(source)
        chosen = {name: value for name, value in setting.parameters.items() if name in known}
        if setting.parameters and not chosen:
            continue
        parameters = {**(reduced[source.name] if reduced else {}), **chosen}
        name = f"{setting.key}, {source.stem}"
        output, figures = own / "notebooks" / source.name, own / "figures"
        runs.append(Run(source, output, figures, parameters, environment, name))
    return runs


def _found(
    reference: pd.DataFrame,
    runs: Mapping[str, Sequence[Run]],
    failed: Mapping[Path, str],
    figures: Path,
    left_out: Sequence[str],
) -> Robustness:
    """Claims, columns and files of every setting's notebooks that ran, beside the reference's claims."""
    parts, tolerances = [claim_rows(reference, REFERENCE)], load_tolerances()
    for name, chosen in runs.items():
        finished = _finished(chosen, failed)
        numbers = [path.name[:2] for path in finished]
        comparison = compare_figures(figures, chosen[0].figures if chosen else Path(), numbers, tolerances)
        parts += [claim_rows(read_claims(finished), name), comparison_rows(comparison, name)]
    named = {run.name: failed[run.output] for chosen in runs.values() for run in chosen if run.output in failed}
    return Robustness(pd.concat(parts, ignore_index=True), named, left_out)


def _finished(runs: Iterable[Run], failed: Mapping[Path, str]) -> list[Path]:
    return [run.output for run in runs if run.output not in failed]
