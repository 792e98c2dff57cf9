"""A claim: what a notebook's prose says, with its number, bound and verdict; and the claims that notebooks made."""

import html
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from compressed_code.core.errors import InputError

# What a claim is stored as in an executed notebook, beside its line of text.
CLAIM_MIME = "application/vnd.compressed-code.claim+json"

Verdict = Literal["holds", "does not hold", "not checked"]


@dataclass(frozen=True)
class Claim:
    """A sentence with what it rests on.

    Attributes:
        statement: the sentence, as the prose makes it; the same on every machine, since it names the claim.
        verdict: "not checked" where what it speaks of was not measured.
        quantity: what was measured, with its unit.
        number: the measured values, "0.52 … 0.55 (3 values)", with their interval where there is one.
        bound: what the number must keep.
        because: where the bound comes from: theory, a noise band, an equivalence margin; not the number that was seen.
    """

    statement: str
    verdict: Verdict
    quantity: str
    number: str
    bound: str
    because: str

    def __str__(self) -> str:
        """One line."""
        if self.verdict == "not checked":
            return f"not checked (what it speaks of was not measured): {self.statement}"
        return f"{self.verdict}: {self.statement} · {self.quantity} {self.number}, {self.bound} ({self.because})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        mark = {"holds": "✓", "does not hold": "✗", "not checked": "–"}[self.verdict]
        colour = {"holds": "#00734D", "does not hold": "#B34700", "not checked": "#666666"}[self.verdict]
        line = html.escape(str(self))
        markup = f'<div><span style="color:{colour};font-weight:bold">{mark}</span> {line}</div>'
        return {"text/plain": str(self), "text/html": markup, CLAIM_MIME: asdict(self)}


def read_claims(executed: Iterable[Path]) -> pd.DataFrame:
    """The claims that executed notebooks made, in the notebooks' order.

    Returns:
        One row per claim with the columns notebook (its file's name without any ending) and the fields of `Claim`.

    Raises:
        InputError: a file is missing or holds no notebook.
    """
    columns = ["notebook", *(field.name for field in fields(Claim))]
    rows = [{"notebook": path.name.split(".")[0], **made} for path in executed for made in _made_in(path)]
    return pd.DataFrame(rows, columns=columns, dtype=str)


def _made_in(executed: Path) -> list[dict[str, str]]:
    try:
        cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        return [output["data"][CLAIM_MIME] for output in outputs if CLAIM_MIME in output.get("data", {})]
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        raise InputError(f"{executed}: no executed notebook; `make figures` writes it") from None
