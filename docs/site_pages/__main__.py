"""`python -m site_pages FOLDER`: write the sources of the site."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from compressed_code.core.paths import BUILD, ROOT
from site_pages.documents import read_document, targets, write_documents
from site_pages.figures import write_figures
from site_pages.markup import contents, link, page
from site_pages.models import write_models
from site_pages.notebooks import executed_copies, title_of, write_notebooks
from site_pages.reference import write_reference
from site_pages.results import write_claims, write_provenance
from site_pages.stage import Stage

SECTIONS = ["notebooks/index", "figures/index", "claims", "models", "reference", "project"]


def write_sources(folder: Path, root: Path = ROOT, executed: Path = BUILD / "notebooks") -> None:
    """Write everything that Sphinx reads.

    Args:
        folder: where; it belongs to the site alone.
        root: the repository.
        executed: where executed copies of notebooks lie.
    """
    stage, figures = Stage(folder), root / "figures"
    copies = executed_copies(root / "notebooks", executed)
    notebooks = {path.name[:2]: link(title_of(path), f"/notebooks/{path.name}") for path in copies}
    write_notebooks(copies, figures, stage)
    write_figures(figures, notebooks, stage)
    write_claims(copies, stage)
    write_provenance(figures, notebooks, stage)
    write_models(root, stage)
    write_documents(root, stage)
    write_reference(root, stage)
    stage.write("project.md", page("# Project", contents(["CONTRIBUTING", "CHANGELOG"], hidden=False)))
    front = read_document(root, "README.md", targets(root), stage)
    stage.write("index.md", page(front.rstrip(), contents(SECTIONS)))
    stage.finish()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and write."""
    parser = argparse.ArgumentParser(prog="python -m site_pages", description="Write the sources of the site.")
    parser.add_argument("folder", type=Path, help="where; other files in it are removed")
    write_sources(parser.parse_args(arguments).folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
