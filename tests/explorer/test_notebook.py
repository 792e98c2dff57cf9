"""The explorer's notebook runs headless with its defaults, and its panels have answers."""

import json

import nbformat
import pytest

from compressed_code.core.paths import COMPUTED_VARIABLE, NOTEBOOKS
from helpers.notebook_runs import find_notebooks
from helpers.run import run_notebook

SOURCE = NOTEBOOKS / "explore.ipynb"


def test_it_is_none_of_the_notebooks_that_make_figures_runs():
    assert SOURCE.is_file() and SOURCE not in find_notebooks()


def test_every_cell_is_short_and_none_has_an_output():
    cells = nbformat.read(SOURCE, 4).cells
    assert all(len(cell.source.splitlines()) <= 20 for cell in cells)
    assert not any(cell.get("outputs") for cell in cells)


@pytest.mark.slow
@pytest.mark.long
def test_it_runs_headless_with_its_defaults(tmp_path, monkeypatch):
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed; `make env` installs it")
    monkeypatch.setenv(COMPUTED_VARIABLE, str(tmp_path / "computed"))
    run_notebook(SOURCE, tmp_path / "explore.ipynb")
    executed = json.loads((tmp_path / "explore.ipynb").read_text(encoding="utf-8"))
    state = executed["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    answers = [value for model in state.values() if "cc-answer" in (value := str(model["state"].get("value", "")))]
    assert len(answers) == 3
    assert not any('class="notice"' in answer for answer in answers)
    shown = [output for cell in executed["cells"] for output in cell.get("outputs", [])]
    assert sum("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in shown) == 3
    assert not any(output["output_type"] == "stream" for output in shown)
