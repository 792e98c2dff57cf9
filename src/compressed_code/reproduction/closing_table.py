"""The table that closes a run of notebooks: claims, what was left out, what failed."""

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100
LEFT_OUT = "left out, for want of what it needs: not to be had here, or not among the parameters"
METADATA = "compressed_code"  # as `helpers.notebook_kernel` writes it, which is too heavy to import for a name


def closing_table(executed: Iterable[Path]) -> tuple[str, Mapping[str, str]]:
    """The table as text, and notebook → why it did not run to its end.

    Args:
        executed: executed copies, whether or not they are there; of one that failed, the copy beside it is read.
    """
    from compressed_code.reproduction.claims import read_claims

    told, copies, failures = {}, [], {}
    for name, path in sorted({_name(path): path for path in executed}.items()):
        found = [path.with_name(f"{name}{ending}") for ending in (".ipynb", ".failed.ipynb")]
        copy = next((copy for copy in found if copy.exists()), None)
        told[name] = _told(copy) if copy else {"failure": "no executed copy; what stopped it stands above"}
        copies += [copy] if copy else []
        if told[name].get("failure"):
            failures[name] = told[name]["failure"]
    return summary(read_claims(copies), told, failures), failures


def summary(claims: "pd.DataFrame", told: Mapping[str, Mapping[str, Any]], failures: Mapping[str, str]) -> str:
    """The table as text, at most 100 columns wide where words allow it.

    Args:
        claims: as `claims.read_claims` returns them.
        told: notebook → what its executed copy says of the run: `left_out`, entries of `cell`, `heading`, `reason`.
        failures: notebook → why it did not run to its end.
    """
    counts = claims["verdict"].value_counts()
    notebooks = f"{len(told)} notebook{'s' if len(told) != 1 else ''}"
    lines = [
        f"claims of {notebooks}: {counts.get('holds', 0)} hold, {counts.get('does not hold', 0)} do not hold "
        f"on this machine, {counts.get('not checked', 0)} not checked"
    ]
    for verdict, title in (("does not hold", "do not hold on this machine"), ("not checked", "not checked")):
        rows = claims[claims["verdict"] == verdict]
        lines += [title] if len(rows) else []
        for row in rows.itertuples():
            lines += _wrapped(f"{row.notebook}: {row.statement}", 2)
            if verdict == "does not hold":
                lines += _wrapped(f"{row.quantity} {row.number}; {row.bound} is needed ({row.because})", 6)
    left_out = [text for name, entry in told.items() for text in _left_out(name, entry.get("left_out", ()))]
    lines += [LEFT_OUT] if left_out else []
    lines += [line for text in left_out for line in _wrapped(text, 2)]
    lines += ["did not run to the end"] if failures else []
    lines += [line for name, failure in failures.items() for line in _wrapped(f"{name}: {failure}", 2)]
    return "\n".join(lines)


def _left_out(name: str, entries: Iterable[Mapping[str, str]]) -> list[str]:
    """One line for each heading and reason, with the number of its cells."""
    groups: dict[tuple[str, str], int] = {}
    for entry in entries:
        place = (entry["heading"], entry["reason"])
        groups[place] = groups.get(place, 0) + 1
    return [
        f"{name}, {heading!r}: {count} {'cell' if count == 1 else 'cells'}: {reason}"
        for (heading, reason), count in groups.items()
    ]


def _told(executed: Path) -> dict[str, Any]:
    return json.loads(executed.read_text(encoding="utf-8")).get("metadata", {}).get(METADATA, {})


def _name(path: Path) -> str:
    return path.name.split(".")[0]


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4), break_long_words=False
    )
