"""What a verification found, as text."""

import pandas as pd

from helpers.verification import VERDICTS, Comparison, Verification

_LARGEST = 15  # deviations that are shown


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
    parts = ["Committed figures against those computed now (cells):", as_text(tables)]
    different = comparison.deviations.assign(order=comparison.deviations["verdict"].ne("different"))
    if len(different):
        largest = different.sort_values(["order", "relative"], ascending=[True, False]).head(_LARGEST)
        parts += [f"Largest deviations, of {len(different):,}:", as_text(largest.drop(columns="order"))]
    parts += ["Files, by their bytes:", as_text(_by_bytes(comparison))]
    refuted = claims[claims["verdict"] == "does not hold"]
    held = claims["verdict"].value_counts()
    parts.append("Claims: " + (", ".join(f"{count} {verdict}" for verdict, count in held.items()) or "none"))
    if len(refuted):
        parts.append(as_text(refuted[["notebook", "statement", "number", "bound"]]))
    parts += [f"Numbers beside a rounding boundary (1e-9): {found.beside_boundary}"]
    parts += ["What the authors recorded:", as_text(_by_verdict(found.recorded))]
    parts += [f"{notebook}: failed: {words}" for notebook, words in found.failed.items()]
    parts += list(found.references)
    counts = ", ".join(f"{int(tables[verdict].sum()):,} {verdict.replace('_', ' ')}" for verdict in VERDICTS)
    parts.append(f"{'agrees' if found.agrees else 'differs'}: {counts}")
    return "\n\n".join(parts)


def as_text(table: pd.DataFrame, widest: int = 110) -> str:
    """A table for the terminal, texts to the left and cut where they are too long."""
    texts = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    short = table.assign(**{column: [_shortened(str(cell), widest) for cell in table[column]] for column in texts})
    widths = {column: max(short[column].map(len).max(), len(column)) for column in texts} if len(table) else {}
    aligned = {column: f"{{:<{width}}}".format for column, width in widths.items()}
    return short.rename(columns=str).to_string(index=False, justify="left", formatters=aligned, max_colwidth=None)


def _shortened(text: str, widest: int) -> str:
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def _by_bytes(comparison: Comparison) -> pd.DataFrame:
    kinds = comparison.files.assign(kind=comparison.files["file"].str[-3:])
    return kinds.groupby("kind")["verdict"].value_counts().unstack(fill_value=0).reset_index()


def _by_verdict(recorded: pd.DataFrame) -> pd.DataFrame:
    """Numbers by verdict and quantity, with the reason, of several the first one."""
    grouped = recorded.groupby(["verdict", "quantity"], sort=False)
    table = grouped.agg(numbers=("why", "size"), why=("why", "first"), reasons=("why", "nunique")).reset_index()
    table["why"] += table["reasons"].gt(1).map({True: " (and so on)", False: ""})
    return table.drop(columns="reasons").sort_values("verdict", ascending=False, kind="stable")
