"""Progress bars: on a terminal, in a notebook, and nowhere else."""

import io
import json
import sys

import pytest

from compressed_code.core.progress import SILENT_VARIABLE, progress_bar
from helpers.run import run_notebook


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "options", "drawn"),
    [
        (Terminal, {}, True),
        (Terminal, {"disable": True}, False),
        (io.StringIO, {}, False),
    ],
)
def test_a_terminal_shows_a_bar_and_a_file_none(monkeypatch, stream, options, drawn):
    monkeypatch.setattr(sys, "stderr", stream())
    assert list(progress_bar([1, 2, 3], desc="things", mininterval=0, file=sys.stderr, **options)) == [1, 2, 3]
    assert ("things" in sys.stderr.getvalue()) == drawn


def test_a_kernel_shows_what_is_left_and_a_headless_one_nothing(tmp_path, write_notebook, monkeypatch):
    """One cell turns the runner's silence off, as a kernel of JupyterLab's is without it."""
    pytest.importorskip("ipywidgets", reason="is not installed; `make env` installs it")
    work = "for _ in progress_bar([1, 2], desc='things', leave=True):\n    pass"
    lines = ["folder = ''", f"import os\nfrom compressed_code.core.progress import progress_bar\n{work}"]
    source = write_notebook(tmp_path / "01-bar.ipynb", *lines, f"del os.environ['{SILENT_VARIABLE}']\n{work}")
    run_notebook(source, tmp_path / "out.ipynb")
    cells = [cell for cell in json.loads((tmp_path / "out.ipynb").read_text())["cells"] if cell["cell_type"] == "code"]
    silent, seen = (cell["outputs"] for cell in cells[-2:])
    assert silent == []
    (output,) = seen
    assert (
        "things" in "".join(output["data"]["text/plain"])
        and "application/vnd.jupyter.widget-view+json" in output["data"]
    )
