"""The runner never leaves make something it takes for done; notebooks keep the repository's rules."""

import ast
import re

import nbformat
import pytest

from helpers.claims import ClaimFailed, check, report_gaps
from helpers.errors import InputError
from helpers.notebooks import NotebookFailed, imported_modules, run_notebook
from helpers.project import NOTEBOOKS, ROOT

ALL = sorted(NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))
# Parameters of notebooks whose default takes minutes: all of it is run by `make figures`, which checks every claim.
SMALLER = {
    "03-quantization.ipynb": {
        "rounding": ["rtn-8-g32", "rtn-4-g32", "rtn-3-g32", "rtn-2-g32"],
        "gptq": [],
        "gguf": ["q8_0", "q4_k_m"],
        "gguf_low": ["q2_k"],
        "others": ["hqq-3-g32"],
        "groups": ["rtn-3-rows"],
        "texts": [],
        "trained_again": ["rtn-3-rows"],
    },
    "06-code-generation.ipynb": {
        "quantized": ["rtn-4-g32", "rtn-3-g32", "rtn-2-g32", "gguf-q8_0"],
        "draws": [],
        "sampled": {"zoo-xs": "zoo-s-long"},
        "samples": 2,
        "noisy": "zoo-xs",
    },
}


@pytest.mark.slow
def test_a_good_notebook_gets_its_final_name_and_its_make_fragment(tmp_path, write_notebook):
    source = write_notebook(tmp_path / "08-x.ipynb", "number = 1", "from helpers import errors\nnumber * 21")
    output = tmp_path / "out" / "08-x.ipynb"
    run_notebook(source, output, {"number": 2})
    cells = nbformat.read(output, as_version=4).cells
    assert cells[-1].outputs[0].data["text/plain"] == "42"
    fragment = output.with_suffix(".d").read_text()
    assert fragment.splitlines()[0].startswith(
        f"{output}: src/helpers/__init__.py src/helpers/errors.py $(call missing,"
    )
    assert "\nsrc/helpers/errors.py:\n" in fragment
    assert sorted(path.name for path in output.parent.iterdir()) == ["08-x.d", "08-x.ipynb"]


@pytest.mark.slow
def test_a_failing_cell_is_named_and_leaves_no_output(tmp_path, write_notebook):
    source = write_notebook(tmp_path / "08-x.ipynb", "number = 1", "number / 0")
    output = tmp_path / "out" / "08-x.ipynb"
    with pytest.raises(NotebookFailed) as caught:
        run_notebook(source, output)
    assert str(caught.value).startswith("08-x.ipynb, code cell 2 (under 'Title'): ZeroDivisionError: division by zero")
    assert [path.name for path in output.parent.iterdir()] == ["08-x.failed.ipynb"]
    previous = output.parent / "08-x.ipynb"
    previous.write_text("an earlier success")
    with pytest.raises(NotebookFailed):
        run_notebook(source, output)
    assert previous.read_text() == "an earlier success"


def test_unknown_parameters_and_missing_notebooks_are_refused(tmp_path, write_notebook):
    source = write_notebook(tmp_path / "08-x.ipynb", "number = 1")
    with pytest.raises(InputError, match="unknown parameter 'numbr'; its parameters cell has number"):
        run_notebook(source, tmp_path / "out.ipynb", {"numbr": 2})
    with pytest.raises(InputError, match="no such notebook"):
        run_notebook(tmp_path / "absent.ipynb", tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()


def test_a_list_parameter_must_be_a_list(tmp_path, write_notebook):
    source = write_notebook(tmp_path / "08-x.ipynb", "names = ['a']")
    with pytest.raises(InputError, match="'names' must be a list"):
        run_notebook(source, tmp_path / "out.ipynb", {"names": "a"})


def test_imports_are_followed_through_the_package(tmp_path, write_notebook):
    package = tmp_path / "helpers"
    (package / "deep").mkdir(parents=True)
    sources = {
        "__init__.py": "",
        "a.py": "from helpers.deep import c",
        "b.py": "import os",
        "unused.py": "from helpers import b",
        "deep/__init__.py": "def f():\n    import helpers.b",
        "deep/c.py": "",
    }
    for name, text in sources.items():
        (package / name).write_text(text)
    notebook = write_notebook(tmp_path / "08-x.ipynb", "%matplotlib inline\nfrom helpers.a import x")
    found = [str(path.relative_to(package)) for path in imported_modules(notebook, package)]
    assert found == ["__init__.py", "a.py", "b.py", "deep/__init__.py", "deep/c.py"]


@pytest.mark.slow
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_every_notebook_runs_and_its_claims_hold(path, tmp_path):
    run_notebook(path, tmp_path / path.name, {"figures": str(tmp_path / "figures"), **SMALLER.get(path.name, {})})
    assert len(list((tmp_path / "figures").glob(f"{path.name[:2]}-*.png"))) >= 5


@pytest.mark.slow
def test_without_an_isolator_a_notebook_goes_on_without_its_programs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("helpers.notebooks.available_isolators", tuple)
    path, figures = NOTEBOOKS / "05-scaling-and-fine-tuning.ipynb", tmp_path / "figures"
    run_notebook(path, tmp_path / path.name, {"figures": str(figures)})
    said = capsys.readouterr().err
    assert "left out 3 cells that run programs" in said and "install bubblewrap" in said
    assert (figures / "05-cold-start-and-pass.png").exists() and not list(figures.glob("05-tuning-gain*"))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_no_cell_but_those_that_run_programs_needs_them(path):
    """Names that only tagged cells define are used in tagged cells only."""
    defined, only_tagged = set(), set()
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        names = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)]
        stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        if "sandbox" in cell.metadata.get("tags", []):
            only_tagged |= stored - defined
        else:
            loaded = {node.id for node in names if isinstance(node.ctx, ast.Load)}
            assert not (loaded - stored) & (only_tagged - defined), cell.source
            defined |= stored


@pytest.mark.slow
@pytest.mark.parametrize("tokenizers", [["llama-3.1", "deepseek-v3"], ["qwen2.5", "codestral"], ["mistral-nemo"]])
def test_notebook_01_goes_on_with_the_tokenizers_it_has(tokenizers, tmp_path):
    parameters = {"tokenizers": tokenizers, "figures": str(tmp_path / "figures")}
    run_notebook(NOTEBOOKS / "01-tokenizer-analysis.ipynb", tmp_path / "01.ipynb", parameters)
    assert (tmp_path / "figures" / "01-coverage.png").exists()


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_notebook_rules(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec == {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    }
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tags = [cell.metadata.get("tags") for cell in code if cell.metadata.get("tags") != ["sandbox"]]
    assert [tag for tag in tags if tag] == [["parameters"]]
    for cell in code:  # what lets programs run says so
        assert "measure(executions" not in cell.source or cell.metadata.tags == ["sandbox"], cell.source
    assert re.match(rf"# {path.name[:2]} .+\n\n\*\*.+\*\*$", notebook.cells[0].source, re.DOTALL)
    assert "check(" in "".join(cell.source for cell in code)
    for cell in code:
        assert not cell.outputs and cell.execution_count is None, "stored output"
        assert len(cell.source.splitlines()) <= 12, cell.source
        assert str(ROOT) not in cell.source
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert not [
            n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.Lambda)
        ], cell.source


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_numbers_of_figures_match_their_notebook(path):
    text = path.read_text()
    names = re.findall(r'"(\d\d)-[a-z0-9-]+\\"', text)
    assert names and set(names) == {path.name[:2]}


def test_a_claim_that_fails_stops_and_a_missing_subject_is_named(capsys):
    check("water is wet", True)
    check("the moon is cheese", False, given=False)
    with pytest.raises(ClaimFailed, match="no longer true: one exceeds two"):
        check("one exceeds two", False)
    report_gaps(["a", "b"], {"a"})
    said = capsys.readouterr().out
    assert "holds: water is wet" in said
    assert "not checked (its subjects were not measured): the moon is cheese" in said
    assert "measured 1 of 2: a" in said and "without a value in the figures below: b" in said
