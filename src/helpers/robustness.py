"""Everything the figures rest on again, under settings that imitate other machines and other draws.

Each setting runs the notebooks and is compared with the committed figures: which claims hold, how far each column of a
figure moves, which files are the same to the byte.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from compressed_code.core.paths import BUILD, COMPUTED_VARIABLE, FIGURES, NOTEBOOKS
from compressed_code.core.provenance import instruction_sets
from compressed_code.core.reference_files import REFERENCES, declare
from helpers.claims import read_claims
from helpers.notebook_parameters import read_parameters
from helpers.notebook_runs import WORKERS, Run, find_notebooks, is_current, run_all
from helpers.robustness_settings import SETTINGS, SHORT_PARAMETERS, SHORT_SETTINGS, Setting
from helpers.table_comparison import load_tolerances
from helpers.verification import Comparison, compare_figures

ROBUSTNESS_FILE = REFERENCES / "robustness.csv"
FOLDER = BUILD / "robustness"
REFERENCE = "reference"
COLUMNS = ["kind", "notebook", "name", "setting", "value", "verdict"]


@dataclass(frozen=True)
class Robustness:
    """What was found.

    Attributes:
        table: `COLUMNS`, one row per claim, column of a figure's table, or SVG and CSV file, and setting. The value is
            a claim's number, or a column's largest relative change.
        failed: run → what it said last.
        left_out: settings that this processor cannot have, with what they need.
    """

    table: pd.DataFrame
    failed: Mapping[str, str]
    left_out: Sequence[str]


def robustness(say: Callable[[str], None], *, settings: Sequence[Setting] = SETTINGS) -> Robustness:
    """Run every notebook under every setting and write data/reference/robustness.csv.

    What an interrupted run has computed is kept: executed copies that are newer than what they rest on stay.

    Raises:
        InputError: the reference, executed notebooks of `make figures`, is not there.
    """
    sources = find_notebooks()
    executed = [BUILD / "notebooks" / source.name for source in sources]
    possible, left_out = _possible(settings)
    runs = {setting.name: _runs(setting, sources, FOLDER) for setting in possible}
    reference = read_claims(executed)  # before hours of work, for it may be missing
    failed: dict[Path, str] = {}
    for threads in sorted({setting.threads for setting in possible}):  # all threads together fill the processor
        chosen = [run for setting in possible if setting.threads == threads for run in runs[setting.name]]
        waiting = [run for run in chosen if not is_current(run)]
        failed |= run_all(waiting, say, workers=max(1, WORKERS // threads))
    parts = [_claim_rows(reference, REFERENCE)]
    for setting in possible:
        parts += _setting_rows(setting.name, runs[setting.name], failed, FIGURES)
    found = Robustness(pd.concat(parts, ignore_index=True), _named(failed, runs), left_out)
    found.table.to_csv(ROBUSTNESS_FILE, index=False, lineterminator="\n")
    declare(ROBUSTNESS_FILE, "machine", "make robustness")
    return found


def short_robustness(say: Callable[[str], None]) -> tuple[Robustness, Sequence[str]]:
    """The short form: two notebooks, reduced, under two settings, beside the same without a setting.

    Returns:
        What was found; and a line for every claim that holds in one run and not in the other, and for every column
        that moved further than its tolerance on an imitated machine.
    """
    sources = [NOTEBOOKS / name for name in SHORT_PARAMETERS]
    possible, left_out = _possible(SHORT_SETTINGS)
    with tempfile.TemporaryDirectory(prefix="robustness-") as temporary:
        folder = Path(temporary)
        plain = Setting(REFERENCE)
        runs = {setting.name: _runs(setting, sources, folder, short=True) for setting in (plain, *possible)}
        failed = run_all([run for chosen in runs.values() for run in chosen], say)
        parts = [_claim_rows(read_claims(_finished(runs[REFERENCE], failed)), REFERENCE)]
        for setting in possible:
            parts += _setting_rows(setting.name, runs[setting.name], failed, folder / REFERENCE / "figures")
    found = Robustness(pd.concat(parts, ignore_index=True), _named(failed, runs), left_out)
    return found, _not_robust(found.table, [setting.name for setting in possible if setting.imitates_a_machine])


def claims_by_setting(table: pd.DataFrame) -> pd.DataFrame:
    """In how many settings each claim holds.

    Args:
        table: of `Robustness`.

    Returns:
        Columns `notebook`, `claim`, `holds` and `checked` (numbers of settings, the reference among them), `not_in`
        (settings where it does not hold).
    """
    rows = []
    for (notebook, claim), own in table[table["kind"] == "claim"].groupby(["notebook", "name"], sort=False):
        checked = own[own["verdict"] != "not checked"]
        refuted = checked.loc[checked["verdict"] == "does not hold", "setting"]
        rows.append((notebook, claim, len(checked) - len(refuted), len(checked), " ".join(refuted)))
    return pd.DataFrame(rows, columns=["notebook", "claim", "holds", "checked", "not_in"])


def changes_by_setting(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """What moves: one row per column or file that is not identical in every setting, one column per setting.

    Args:
        table: of `Robustness`.
        kind: "column" (cells hold the largest relative change) or "file" (cells hold the verdict).
    """
    own = table[table["kind"] == kind]
    moved = own[own["verdict"] != "identical"]
    kept = own[own["name"].isin(moved["name"])]
    return kept.pivot(index="name", columns="setting", values="value" if kind == "column" else "verdict").reset_index()


def _possible(settings: Iterable[Setting]) -> tuple[list[Setting], list[str]]:
    """Settings this processor can have; another instruction set than it has would stop a library."""
    have, chosen, left_out = set(instruction_sets()), [], []
    for setting in settings:
        lacking = [name for name in setting.needs if name not in have]
        if lacking:
            left_out.append(f"{setting.name}: left out, this processor has no {' '.join(lacking)}")
        else:
            chosen.append(setting)
    return chosen, left_out


def _runs(setting: Setting, sources: Iterable[Path], folder: Path, *, short: bool = False) -> list[Run]:
    """The runs of a setting; one that changes no arithmetic shares the reference's tables."""
    own, runs = folder / setting.name, []
    computed = {COMPUTED_VARIABLE: str((own if setting.environment else folder / REFERENCE) / "computed")}
    environment = {"OMP_NUM_THREADS": "1", **setting.environment}
    if setting.environment or short:
        environment |= computed
    for source in sources:
        known = read_parameters(source)
        chosen = {name: value for name, value in setting.parameters.items() if name in known}
        if setting.parameters and not chosen:
            continue
        parameters = {**(SHORT_PARAMETERS[source.name] if short else {}), **chosen}
        name = f"{setting.name}, {source.stem}"
        output, figures = own / "notebooks" / source.name, own / "figures"
        runs.append(Run(source, output, figures, parameters, environment, name))
    return runs


def _setting_rows(
    name: str, runs: Sequence[Run], failed: Mapping[Path, str], reference: Path
) -> Sequence[pd.DataFrame]:
    """Rows of one setting: claims, columns, files of the notebooks that ran."""
    finished = _finished(runs, failed)
    numbers = [path.name[:2] for path in finished]
    figures = runs[0].figures if runs else Path()
    comparison = compare_figures(reference, figures, numbers, load_tolerances())
    return [_claim_rows(read_claims(finished), name), *_comparison_rows(comparison, name)]


def _finished(runs: Iterable[Run], failed: Mapping[Path, str]) -> list[Path]:
    return [run.output for run in runs if run.output not in failed]


def _claim_rows(claims: pd.DataFrame, setting: str) -> pd.DataFrame:
    rows = claims.rename(columns={"statement": "name", "number": "value"})
    return rows.assign(kind="claim", notebook=rows["notebook"].str[:2], setting=setting)[COLUMNS]


def _comparison_rows(comparison: Comparison, setting: str) -> list[pd.DataFrame]:
    """Rows of columns and of files."""
    largest = comparison.deviations.groupby(["file", "column"])["relative"].max().to_dict()
    rows = []
    for row in comparison.cells.itertuples():
        verdict = "different" if row.different else "within" if row.within else "identical"
        change = largest.get((row.file, row.column), 0.0)
        name = f"{row.file.removesuffix('.csv')}: {row.column}"
        rows.append(("column", row.file[:2], name, setting, f"{change:.3g}", verdict))
    rows += [("file", name[:2], name, setting, "", verdict) for name, verdict in comparison.files.to_numpy()]
    return [pd.DataFrame(rows, columns=COLUMNS)]


def _not_robust(table: pd.DataFrame, machines: Sequence[str]) -> list[str]:
    """What a short run takes for an error, a line each."""
    claims = table[table["kind"] == "claim"].pivot(index=["notebook", "name"], columns="setting", values="verdict")
    lines = []
    for (notebook, name), verdicts in claims.iterrows():
        found = {setting: verdict for setting, verdict in verdicts.items() if verdict in ("holds", "does not hold")}
        if len(set(found.values())) > 1:
            where = ", ".join(f"{setting}: {verdict}" for setting, verdict in found.items())
            lines.append(f"{notebook}: {name} ({where})")
    moved = table[(table["kind"] == "column") & table["setting"].isin(machines) & (table["verdict"] == "different")]
    lines += [f"{row['name']}: moves by {row['value']} under {row['setting']}" for row in moved.to_dict("records")]
    lacking = table[(table["kind"] == "file") & table["verdict"].isin(["missing", "surplus"])]
    return [*lines, *(f"{row['name']}: {row['verdict']} under {row['setting']}" for row in lacking.to_dict("records"))]


def _named(failed: Mapping[Path, str], runs: Mapping[str, Sequence[Run]]) -> dict[str, str]:
    return {run.name: failed[run.output] for chosen in runs.values() for run in chosen if run.output in failed}
