"""Tables for the terminal."""

from typing import TYPE_CHECKING

from compressed_code.core.names import cut_in_the_middle

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 80  # of a terminal
WIDE = 140  # of a report
NARROWEST = 8  # to which a column of text may be cut


def text_table(table: "pd.DataFrame", width: int = WIDTH) -> str:
    """Columns side by side: numbers line up right, and long texts are cut in the middle until all fit the width.

    Example:
        >>> import pandas as pd
        >>> print(text_table(pd.DataFrame({"model": ["a/long/name/of/a/model", "b"], "n": [7, 12]}), width=20))
        model              n
        a/lon…/of/a/model  7
        b                 12
    """
    from pandas.api.types import is_bool_dtype, is_float_dtype, is_numeric_dtype

    numeric = {name: is_numeric_dtype(table[name]) and not is_bool_dtype(table[name]) for name in table}
    columns = {
        name: [f"{value:.6g}" if is_float_dtype(table[name]) else str(value) for value in table[name]] for name in table
    }
    widths = {name: max(map(len, [str(name), *cells])) for name, cells in columns.items()}
    while sum(widths.values()) + len(widths) - 1 > width:
        widest = max((name for name in widths if not numeric[name]), key=lambda name: widths[name], default=None)
        if widest is None or widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    lines = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(
        " ".join(_cell(str(line[name]), widths[name], right=numeric[name]) for name in columns).rstrip()
        for line in [{name: name for name in columns}, *lines]
    )


def _cell(text: str, width: int, *, right: bool) -> str:
    return f"{text:>{width}}" if right else f"{cut_in_the_middle(text, width):{width}}"
