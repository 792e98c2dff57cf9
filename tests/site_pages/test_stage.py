"""Sphinx's sources: what did not change keeps its date, what is no longer written goes."""

import os
from pathlib import Path

from site_pages.stage import Stage


def run(folder: Path, text: str) -> Path:
    """Write one page and one copy, as a run of the generator does."""
    source = folder / "source.csv"
    source.write_text("a,b\n")
    stage = Stage(folder / "stage")
    stage.write("pages/a.md", text)
    stage.copy(source, "files/source.csv")
    stage.finish()
    return folder / "stage"


def test_a_page_that_did_not_change_keeps_its_date(tmp_path):
    page = run(tmp_path, "# A\n") / "pages" / "a.md"
    os.utime(page, (1, 1))
    run(tmp_path, "# A\n")
    assert page.stat().st_mtime == 1
    run(tmp_path, "# B\n")
    assert page.read_text() == "# B\n" and page.stat().st_mtime > 1


def test_what_no_run_wrote_is_removed(tmp_path):
    stage = run(tmp_path, "# A\n")
    (stage / "old" / "older").mkdir(parents=True)
    (stage / "old" / "older" / "page.md").write_text("# Old\n")
    run(tmp_path, "# A\n")
    found = [path.relative_to(stage).as_posix() for path in sorted(stage.rglob("*"))]
    assert found == ["files", "files/source.csv", "pages", "pages/a.md"]


def test_a_lone_surrogate_is_no_error(tmp_path):
    page = run(tmp_path, "a\ud800b") / "pages" / "a.md"
    assert page.read_text() == "a?b"
