"""What settings move: rows of claims, columns and files by setting, and what is told of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from compressed_code.core.provenance import instruction_sets
from compressed_code.core.text_tables import WIDE, text_table
from compressed_code.reproduction.figure_comparison import Comparison
from compressed_code.reproduction.settings import Setting

REFERENCE = "reference"  # the run that the others are compared with
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


def possible_settings(settings: Iterable[Setting]) -> tuple[list[Setting], list[str]]:
    """Settings this processor can have, and a line for each other: an instruction set it lacks would stop a library."""
    have, chosen, left_out = set(instruction_sets()), [], []
    for setting in settings:
        lacking = [name for name in setting.needs if name not in have]
        if lacking:
            left_out.append(f"{setting.key}: left out, this processor has no {' '.join(lacking)}")
        else:
            chosen.append(setting)
    return chosen, left_out


def claim_rows(claims: pd.DataFrame, setting: str) -> pd.DataFrame:
    """Rows (`COLUMNS`) of the claims that notebooks made under a setting; claims as `claims.read_claims`."""
    rows = claims.rename(columns={"statement": "name", "number": "value"})
    return rows.assign(kind="claim", notebook=rows["notebook"].str[:2], setting=setting)[COLUMNS]


def comparison_rows(comparison: Comparison, setting: str) -> pd.DataFrame:
    """Rows (`COLUMNS`) of columns and of files."""
    largest = comparison.deviations.groupby(["file", "column"])["relative"].max().to_dict()
    rows = []
    for row in comparison.cells.itertuples():
        verdict = "different" if row.different else "within" if row.within else "identical"
        change = largest.get((row.file, row.column), 0.0)
        name = f"{row.file.removesuffix('.csv')}: {row.column}"
        rows.append(("column", row.file[:2], name, setting, f"{change:.3g}", verdict))
    rows += [("file", name[:2], name, setting, "", verdict) for name, verdict in comparison.files.to_numpy()]
    return pd.DataFrame(rows, columns=COLUMNS)


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


def not_robust(table: pd.DataFrame, machines: Sequence[str]) -> list[str]:
    """A line for every claim with different verdicts, every column that an imitated machine moves further than its
    tolerance, and every file that one run lacks.

    Args:
        table: of `Robustness`.
        machines: settings under which numbers ought to stay.
    """
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


def report(found: Robustness, faults: Iterable[str] = ()) -> str:
    """What was found, as text; faults are lines of `not_robust`."""
    parts = [f"Settings in which each claim holds:\n\n{text_table(claims_by_setting(found.table), WIDE)}"]
    for kind, title in (("column", "Largest relative change, of columns that move"), ("file", "Files, by their bytes")):
        changes = changes_by_setting(found.table, kind)
        parts.append(f"{title}:\n\n{text_table(changes.fillna(''), WIDE)}" if len(changes) else f"{title}: none")
    lines = [*found.left_out, *(f"{name}: failed: {words}" for name, words in found.failed.items())]
    lines += [f"not robust: {fault}" for fault in faults]
    return "\n\n".join([*parts, *(["\n".join(lines)] if lines else [])])
