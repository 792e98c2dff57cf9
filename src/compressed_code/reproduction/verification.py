"""What a verification found, and the report on it as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from compressed_code.core.text_tables import WIDE, text_table
from compressed_code.reproduction.figure_comparison import VERDICTS, Comparison

_LARGEST = 15  # deviations that are shown


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes:
        comparison: committed figures against those made now.
        claims: of the notebooks that ran (`claims.read_claims`).
        failed: notebook → what it said last.
        references: problems of data/reference, a line each.
        recorded: the authors' numbers with a verdict each (`recorded_verdicts`).
        beside_boundary: numbers made now that print other digits when changed by a billionth.
    """

    comparison: Comparison
    claims: pd.DataFrame
    failed: Mapping[str, str]
    references: Sequence[str]
    recorded: pd.DataFrame
    beside_boundary: int

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, every notebook ran, every file of reference is as declared and no claim fails."""
        refuted = (self.claims["verdict"] == "does not hold").any()
        return not (self.comparison.different or self.failed or self.references or refuted)


def by_file(comparison: Comparison) -> pd.DataFrame:
    """One row per CSV file: how many columns and cells, by verdict; a file that one side lacks has none.

    Returns:
        Columns `file`, `columns`, `VERDICTS` and `note` (what is missing, and which columns are not compared).
    """
    rows = []
    for name, verdict in comparison.files.itertuples(index=False):
        if not name.endswith(".csv"):
            continue
        own = comparison.cells[comparison.cells["file"] == name]
        apart = own.loc[own["not_compared"] > 0, "column"]
        note = verdict if verdict in ("missing", "surplus") else ""
        note = f"not compared: {', '.join(apart)}" if len(apart) else note
        rows.append((name, len(own), *(int(own[counted].sum()) for counted in VERDICTS), note))
    return pd.DataFrame(rows, columns=["file", "columns", *VERDICTS, "note"])


def report(found: Verification) -> str:
    """What a verification found, as text that ends with its verdict."""
    comparison, claims = found.comparison, found.claims
    tables = by_file(comparison)
    parts = ["Committed figures against those computed now (cells):", text_table(tables, WIDE)]
    different = comparison.deviations.assign(order=comparison.deviations["verdict"].ne("different"))
    if len(different):
        largest = different.sort_values(["order", "relative"], ascending=[True, False]).head(_LARGEST)
        parts += [f"Largest deviations, of {len(different):,}:", text_table(largest.drop(columns="order"), WIDE)]
    parts += ["Files, by their bytes:", text_table(_by_bytes(comparison), WIDE)]
    refuted = claims[claims["verdict"] == "does not hold"]
    held = claims["verdict"].value_counts()
    parts.append("Claims: " + (", ".join(f"{count} {verdict}" for verdict, count in held.items()) or "none"))
    if len(refuted):
        parts.append(text_table(refuted[["notebook", "statement", "number", "bound"]], WIDE))
    parts += [f"Numbers beside a rounding boundary (1e-9): {found.beside_boundary}"]
    parts += ["What the authors recorded:", text_table(_by_verdict(found.recorded), WIDE)]
    parts += [f"{notebook}: failed: {words}" for notebook, words in found.failed.items()]
    parts += list(found.references)
    counts = ", ".join(f"{int(tables[verdict].sum()):,} {verdict.replace('_', ' ')}" for verdict in VERDICTS)
    parts.append(f"{'agrees' if found.agrees else 'differs'}: {counts}")
    return "\n\n".join(parts)


def _by_bytes(comparison: Comparison) -> pd.DataFrame:
    kinds = comparison.files.assign(kind=comparison.files["file"].str[-3:])
    return kinds.groupby("kind")["verdict"].value_counts().unstack(fill_value=0).reset_index()


def _by_verdict(recorded: pd.DataFrame) -> pd.DataFrame:
    """Numbers by verdict and quantity, with the reason, of several the first one."""
    grouped = recorded.groupby(["verdict", "quantity"], sort=False)
    table = grouped.agg(numbers=("why", "size"), why=("why", "first"), reasons=("why", "nunique")).reset_index()
    table["why"] += table["reasons"].gt(1).map({True: " (and so on)", False: ""})
    return table.drop(columns="reasons").sort_values("verdict", ascending=False, kind="stable")
