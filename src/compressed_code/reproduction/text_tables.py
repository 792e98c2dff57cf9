"""Tables for the terminal."""

import pandas as pd


def as_text(table: pd.DataFrame, widest: int = 110) -> str:
    """A table for the terminal, texts to the left and cut where they are too long."""
    texts = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    short = table.assign(**{column: [_shortened(str(cell), widest) for cell in table[column]] for column in texts})
    widths = {column: max(short[column].map(len).max(), len(column)) for column in texts} if len(table) else {}
    aligned = {column: f"{{:<{width}}}".format for column, width in widths.items()}
    return short.rename(columns=str).to_string(index=False, justify="left", formatters=aligned, max_colwidth=None)


def _shortened(text: str, widest: int) -> str:
    return text if len(text) <= widest else f"{text[: widest - 1]}…"
