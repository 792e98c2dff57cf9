"""Print a table the way the user asked for."""

import json
import sys
from typing import TYPE_CHECKING

from compressed_code.core.text_tables import text_table

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "json", "table")


def print_table(table: "pd.DataFrame", output_format: str) -> None:
    """Write a table to standard output; csv and table join lists with blanks, json keeps them.

    Args:
        output_format: one of `FORMATS`.
    """
    if output_format == "json":
        print(json.dumps(table.to_dict(orient="records"), indent=1, ensure_ascii=False))
        return
    lists = [column for column in table if table[column].map(lambda value: isinstance(value, list)).any()]
    flat = table.assign(**{column: table[column].map(" ".join) for column in lists})
    if output_format == "csv":
        flat.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        print(text_table(flat))
