"""What became of the notebooks' sentences, and what they were computed with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compressed_code.reproduction.claims import read_claims
from compressed_code.reproduction.closing_table import LEFT_OUT, closing_table
from compressed_code.reproduction.figure_origins import PROVENANCE_FILE
from site_pages.markup import directive, escape, link, page, table
from site_pages.stage import Stage

_SAID = {"holds": "hold", "does not hold": "do not hold", "not checked": "not checked"}  # of several claims


def write_claims(copies: Mapping[Path, Path | None], stage: Stage) -> None:
    """Write the table of all claims, and what this machine left out of the notebooks.

    Args:
        copies: notebook → its executed copy, or nothing.
        stage: where the page is written.
    """
    executed = [copy for copy in copies.values() if copy]
    claims = read_claims(executed)
    counts = claims["verdict"].value_counts()
    said = ", ".join(f"{counts.get(verdict, 0)} {words}" for verdict, words in _SAID.items())
    pages = {path.stem: f"/notebooks/{path.name}" for path in copies}
    rows = [
        [
            escape(claim.verdict),
            escape(claim.statement),
            escape(f"{claim.quantity} {claim.number}"),
            escape(f"{claim.bound} ({claim.because})"),
            link(claim.notebook[:2], pages[claim.notebook]),
        ]
        for claim in claims.itertuples()
    ]
    intro = (
        "Every sentence that a notebook rests on, with the number that was measured and the bound that it must keep. "
        f"{len(claims)} claims of {len(executed)} executed notebooks: {said}."
    )
    header = ["verdict", "claim", "measured", "bound, and why", "notebook"]
    gaps = closing_table(executed)[0].partition(f"{LEFT_OUT}\n")[2]
    left_out = page("## Left out where these notebooks ran", f"```text\n{gaps}\n```") if gaps else ""
    stage.write(
        "claims.md",
        page("# Claims", intro, directive("container", "texts", table(header, rows)) if rows else "", left_out),
    )


def write_provenance(figures: Path, notebooks: Mapping[str, str], stage: Stage) -> None:
    """Write what the committed figures were computed with, a section for each notebook.

    Args:
        figures: the folder of saved figures with its record of machines and packages.
        notebooks: number of a notebook → link to its page.
        stage: where the page is written.
    """
    record = figures / PROVENANCE_FILE
    made = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    parts = [
        "# Provenance",
        "The machine, the packages and the commit that the figures of each notebook were computed with. The page of a "
        f"figure lists the measured tables that it may rest on; {link('data', '/data/README.md')} says where every "
        "other file comes from. `make verify` computes everything anew and compares.",
    ]
    for number, facts in made.items():
        parts += [f"## {notebooks.get(number, escape(number))}", *_facts(facts)]
    stage.write("provenance.md", page(*parts))


def _facts(facts: Mapping[str, Any]) -> list[str]:
    machine = [[escape(name), escape(_said(value))] for name, value in facts["machine"].items()]
    packages = [[escape(name), escape(version)] for name, version in facts["packages"].items()]
    folded = f"::::{{dropdown}} {len(packages)} packages\n{table(['package', 'version'], packages)}\n::::"
    return [table(["machine", ""], [*machine, ["commit", escape(facts["commit"])]]), folded]


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={setting}" for name, setting in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
