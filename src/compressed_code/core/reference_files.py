"""What each file under data/reference is: recomputed, recorded elsewhere, or bound to the machine that wrote it.

`references.yml` beside the files declares all of them with their sha256, so that an altered number is seen.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.hashing import sha256_of
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, parse_rows, read_yaml

Kind = Literal["recomputed", "recorded", "machine"]

REFERENCES = DATA / "reference"
DECLARATIONS = "references.yml"


class Reference(Record):
    """A file of data/reference.

    Attributes:
        key: its name.
        kind: "recomputed" by this repository, "recorded" elsewhere, or "machine": its numbers belong to one machine.
        origin: the command that writes it, or the source it was taken from.
        sha256: of its bytes.
    """

    key: str
    kind: Kind
    origin: str
    sha256: str


def load_references(directory: Path = REFERENCES) -> Mapping[str, Reference]:
    """The declarations of a folder.

    Raises:
        InputError: naming file, row and field.
    """
    path = directory / DECLARATIONS
    return parse_rows(Reference, read_yaml(path), path)


def check_references(directory: Path = REFERENCES) -> Sequence[str]:
    """One line for every file that is missing, undeclared, or not what was declared."""
    declared = load_references(directory)
    present = {path.name for path in directory.iterdir() if path.is_file() and path.name != DECLARATIONS}
    problems = [f"{directory / name}: is not declared in {DECLARATIONS}" for name in sorted(present - set(declared))]
    for name, reference in declared.items():
        if name not in present:
            problems.append(f"{directory / name}: is missing ({reference.kind}: {reference.origin})")
        elif sha256_of((directory / name).read_bytes()) != reference.sha256:
            problems.append(f"{directory / name}: is not the declared file ({reference.kind}: {reference.origin})")
    return problems


def declare(path: Path, kind: Kind, origin: str) -> None:
    """Write down the sha256 of a file that was just written, in the declarations of its folder.

    Args:
        path: the file.
        kind, origin: as in `Reference`; of a file that was not declared before.
    """
    declarations = path.parent / DECLARATIONS
    text, sha256 = declarations.read_text(encoding="utf-8"), sha256_of(path.read_bytes())
    if path.name in load_references(path.parent):
        row = re.compile(rf"(^{re.escape(path.name)}:.*?sha256: )[0-9a-f]*", re.MULTILINE | re.DOTALL)
        text = row.sub(rf"\g<1>{sha256}", text, count=1)
    else:
        text += f"{path.name}:\n  kind: {kind}\n  origin: {origin}\n  sha256: {sha256}\n"
    with written_whole(declarations) as part:
        part.write_text(text, encoding="utf-8")
