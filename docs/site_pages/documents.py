"""Documents that the repository holds as Markdown: the same text, with links that lead inside the site."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from site_pages.stage import Stage

# Text, then target: of a link or of an image.
_LINK = re.compile(r"(!?)\[((?:[^\[\]\\]|\\.|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:|#", re.IGNORECASE)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)

# What has a page of its own, whose source is not that file.
WRITTEN_ELSEWHERE = {
    "README.md": "index.md",
    "figures/README.md": "figures/index.md",
    "data/zoo": "models.md",
    "notebooks": "notebooks/index.md",
}


def find_documents(root: Path) -> list[str]:
    """The Markdown files that become pages under their own names, as paths below `root`."""
    fixed = ["CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"]
    listed = [*root.glob("docs/*.md"), *root.glob("data/zoo/*/README.md"), *root.glob("src/**/README.md")]
    return [*fixed, *sorted(path.relative_to(root).as_posix() for path in listed)]


def targets(root: Path) -> dict[str, str]:
    """Path in the repository → source of its page, of everything that a document may link to."""
    notebooks = {path.relative_to(root).as_posix() for path in root.glob("notebooks/[0-9][0-9]-*.ipynb")}
    return {**WRITTEN_ELSEWHERE, **{name: name for name in (*find_documents(root), *notebooks)}}


def write_documents(root: Path, stage: Stage) -> None:
    """Write every document's page, and copy the files that they link to."""
    pages = targets(root)
    for name in find_documents(root):
        stage.write(name, read_document(root, name, pages, stage))


def read_document(root: Path, name: str, pages: Mapping[str, str], stage: Stage) -> str:
    """One document with its links turned into links of the site.

    Args:
        root: the repository.
        name: the document, as a path below it.
        pages: as `targets` gives them.
        stage: files that are linked to, and are no pages, are copied there.
    """
    text = _FRONT_MATTER.sub("", (root / name).read_text(encoding="utf-8"))
    return "".join(_relinked(text, root, PurePosixPath(name).parent, pages, stage))


def _relinked(text: str, root: Path, folder: PurePosixPath, pages: Mapping[str, str], stage: Stage) -> Iterator[str]:
    end = 0
    for found in _LINK.finditer(text):
        yield text[end : found.start()]
        end = found.end()
        mark, words, target = found.groups()
        path, hash_sign, fragment = target.partition("#")
        if _ELSEWHERE.match(target):
            yield found[0]
            continue
        path = os.path.normpath(folder / path)
        if path in pages:
            yield f"{mark}[{words}](/{pages[path]}{hash_sign}{fragment})"
        elif (root / path).is_file():
            stage.copy(root / path, f"files/{path}")
            yield f"{mark}[{words}](/files/{path})"
        elif (root / path).is_dir():  # nothing to show of it
            yield words
        else:  # Sphinx names it
            yield found[0]
    yield text[end:]
