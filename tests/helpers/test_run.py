"""The runner never leaves make something it takes for done; notebooks keep the repository's rules."""

import ast
import multiprocessing
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from compressed_code.core.errors import InputError
from compressed_code.core.paths import FIGURES, NOTEBOOKS, ROOT
from compressed_code.registry.lookup import load_registry
from compressed_code.reproduction.claims import read_claims
from compressed_code.reproduction.closing_table import summary
from compressed_code.reproduction.settings import reduced_parameters
from helpers.claims import report_gaps
from helpers.notebook_cells import names_of
from helpers.notebook_dependencies import imported_modules
from helpers.notebook_kernel import METADATA
from helpers.notebook_parameters import checked, read_parameters
from helpers.run import NotebookFailed, run_notebook

ALL = sorted(NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))
REGISTRY = load_registry()
MODEL_NAMES = {row.label for row in (*REGISTRY.models.values(), *REGISTRY.tokenizers.values())}


@pytest.mark.slow
def test_a_good_notebook_gets_its_final_name_and_its_make_fragment(tmp_path, write_notebook):
    cells = ("number = 1", "from compressed_code.core import errors\nnumber * 21")
    source = write_notebook(tmp_path / "08-x.ipynb", *cells)
    output = tmp_path / "out" / "08-x.ipynb"
    run_notebook(source, output, {"number": 2})
    cells = nbformat.read(output, as_version=4).cells
    assert cells[-1].outputs[0].data["text/plain"] == "42"
    fragment = output.with_suffix(".d").read_text()
    first = [f"src/compressed_code/{name}.py" for name in ("__init__", "core/__init__", "core/errors")]
    assert fragment.splitlines()[0].startswith(f"{output}: {' '.join(first)} ")
    assert "\nsrc/compressed_code/core/errors.py:\n" in fragment
    assert sorted(path.name for path in output.parent.iterdir()) == ["08-x.d", "08-x.ipynb", "08-x.rows", "08-x.tables"]


@pytest.mark.slow
def test_a_kernel_loads_a_model_without_quantization_libraries(tmp_path, write_notebook):
    """As a command does: transformers imports them for two seconds, in every notebook that loads a model."""
    load = (
        "import sys\n"
        "from compressed_code.models.load import load_model\n"
        "from compressed_code.zoo.recipes import ZOO_DIRECTORY\n"
        "load_model(ZOO_DIRECTORY / 'zoo-xs')\n"
        "sorted({'hqq', 'torchao'} & sys.modules.keys())"
    )
    run_notebook(write_notebook(tmp_path / "08-x.ipynb", "number = 1", load), tmp_path / "out.ipynb")
    assert nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].outputs[-1].data["text/plain"] == "[]"


@pytest.mark.slow
def test_a_failing_cell_is_named_and_leaves_no_output(tmp_path, write_notebook):
    source = write_notebook(tmp_path / "08-x.ipynb", "number = 1", "number / 0")
    output = tmp_path / "out" / "08-x.ipynb"
    output.parent.mkdir()
    output.write_text("an earlier success, which says nothing about the notebook any more")
    with pytest.raises(NotebookFailed) as caught:
        run_notebook(source, output)
    assert str(caught.value).startswith("08-x.ipynb, code cell 2 (under 'Title'): ZeroDivisionError: division by zero")
    assert [path.name for path in output.parent.iterdir()] == ["08-x.failed.ipynb"]
    told = nbformat.read(output.with_suffix(".failed.ipynb"), as_version=4).metadata[METADATA]
    assert told["failure"] == "code cell 2 (under 'Title'): ZeroDivisionError: division by zero"


@pytest.mark.slow
def test_what_cannot_be_had_is_left_out_with_what_needs_it_and_the_rest_runs(tmp_path, write_notebook, capsys):
    source = write_notebook(
        tmp_path / "08-x.ipynb",
        "number = 1",
        "from compressed_code.core.errors import Unavailable\n\ndef measure(): raise Unavailable('no hub\\nhere')",
        "programs = 0\ntable = measure()",  # a name that the same cell has bound before it stopped is not relied on
        "rows = [len(programs) for row in table]",
        "number = number + 1",
        "rows = 'made anew'",
        "print(rows, number)",
    )
    output = tmp_path / "out" / "08-x.ipynb"
    run_notebook(source, output)
    notebook = nbformat.read(output, as_version=4)
    assert notebook.cells[-1].outputs[0].text == "made anew 2\n"
    told = [(entry["cell"], entry["reason"]) for entry in notebook.metadata[METADATA]["left_out"]]
    assert told == [
        ("code cell 3 (under 'Title')", "no hub here"),
        ("code cell 4 (under 'Title')", "needs programs, table of what was left out"),
    ]
    said = capsys.readouterr().err
    assert "08-x.ipynb: left out code cell 3 (under 'Title'): no hub here" in said


@pytest.mark.parametrize(
    ("code", "bound", "needed"),
    [
        ("x = x + 1", {"x"}, {"x"}),
        ("x += 1", {"x"}, {"x"}),
        ("x = 1\ny = x", {"x", "y"}, set()),
        ("t['a'] = 1", set(), {"t"}),
        ("t.a = 1", set(), {"t"}),
        ("%matplotlib inline\n!ls\nfrom a.b import c as d, e\nd(e)", {"d", "e"}, set()),
        ("import a.b\na.b.c", {"a"}, set()),
        ("k = {i: j for i in range(n)}", {"k"}, {"j", "n"}),
        ("f(lambda k: k + z)", set(), {"f", "z"}),
        ("def f(a):\n    b = g(a)\n    return b + f(h)", {"f"}, {"g", "h"}),
        ("class A(B):\n    c: int = q", {"A"}, {"B", "q"}),
        ("for i in rows:\n    s = i", {"i", "s"}, {"rows"}),
        ("with open(p) as file:\n    file.read()", {"file"}, {"p"}),
        ("a, *b = c\nprint(f'{a} {d!r}')", {"a", "b"}, {"c", "d"}),
    ],
)
def test_names_a_cell_binds_and_needs(code, bound, needed):
    assert names_of(code) == (bound, needed)


@pytest.mark.slow
def test_a_kernel_that_dies_in_a_cell_is_said_with_the_cell(tmp_path, write_notebook):
    source = write_notebook(tmp_path / "08-x.ipynb", "number = 1", "import os\nos._exit(1)")
    with pytest.raises(NotebookFailed, match=r"code cell 2 \(under 'Title'\): the kernel died"):
        run_notebook(source, tmp_path / "out" / "08-x.ipynb")


@pytest.mark.slow
@pytest.mark.long
def test_kernels_that_start_together_never_meet(tmp_path, write_notebook):
    """Forks of one process that has loaded what a run needs, so that four begin in the same moment."""
    source = write_notebook(tmp_path / "08-x.ipynb", "number = 1", "number + 1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["papermill", "helpers.run", "helpers.notebook_kernel"])
    for attempt in range(10):
        outputs = [tmp_path / f"{attempt}-{number}.ipynb" for number in range(4)]
        with context.Pool(4, maxtasksperchild=1) as pool:
            pool.starmap(run_notebook, [(source, output) for output in outputs], chunksize=1)
        assert all(output.exists() for output in outputs), f"round {attempt}"


def start(source: Path, output: Path, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "helpers", "run", str(source), str(output)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_one_line_and_leaves_nothing(sent, tmp_path, write_notebook):
    begun = tmp_path / "begun"
    source = write_notebook(
        tmp_path / "08-x.ipynb", f"begun = {str(begun)!r}", "import time\nopen(begun, 'w')\ntime.sleep(600)"
    )
    process = start(source, tmp_path / "out" / "08-x.ipynb")
    while not begun.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    process.send_signal(sent)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (130, "helpers run: interrupted\n")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_a_copy_that_cannot_be_written_is_one_line(tmp_path, write_notebook):
    """As on a full disk: the system refuses to let a file grow."""
    source = write_notebook(tmp_path / "08-x.ipynb", "number = 1", "print('x' * 3_000_000)")

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    process = start(source, tmp_path / "out" / "08-x.ipynb", preexec_fn=small_files_only)
    said = process.communicate()[1]
    assert process.returncode == 2
    assert said.count("\n") == 1 and "08-x.ipynb: cannot be written (File too large)" in said
    assert not list((tmp_path / "out").iterdir())


PARAMETERS = """\
number = 1
share = 0.5
deep = True
# models: the ones looked at
models = ["zoo-s"]
models += ["zoo-m"]
pairs = {"zoo-s": "zoo-m"}  # models: beside each other
tokenizer = "zoo"  # tokenizer: of all of them
rows = [f"gptq-{bits}-g32" for bits in (3, 4)]  # quantizations: of the first
texts = []
figures = "../build/custom"
"""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"numbr": 2}, "unknown parameter 'numbr'; its parameters cell has number, share"),
        ({"number": "many"}, "'number' must be a whole number; got 'many'"),
        ({"number": 1.5}, "'number' must be a whole number"),
        ({"number": True}, "'number' must be a whole number"),
        ({"share": "half"}, "'share' must be a number"),
        ({"deep": 1}, "'deep' must be True or False"),
        ({"models": "zoo-s"}, r"'models' must be a list, such as \['a', 'b'\]; got 'zoo-s'"),
        ({"models": [1]}, "'models' must be a list of values like 'zoo-s'; got"),
        ({"pairs": ["zoo-s"]}, "'pairs' must be a mapping"),
        ({"pairs": {"zoo-s": 1}}, "'pairs' must be a mapping of values like 'zoo-s'"),
        ({"models": ["zoo-s", "zoo-y"]}, "'models': zoo-y: no such file or folder.*did you mean zoo-"),
        ({"models": ["zoo-s+rtn-4-g33"]}, "'models': .*'rtn-4-g33' is not a row of quantizations.yml; did you mean"),
        ({"pairs": {"zoo-s": "./absent"}}, "'pairs': ./absent: no such file or folder"),
        ({"tokenizer": "llama"}, "'tokenizer': llama: no such file or folder"),
        ({"rows": ["gptq-3-g33"]}, "'rows': 'gptq-3-g33' is not a row of data/quantizations.yml; did you mean gptq-3-"),
        ({"rows": ["?"]}, "'rows': '\\?' is not a row of data/quantizations.yml, such as rtn-8-g32"),
        ({"figures": str(FIGURES)}, "is for its own parameters; name another folder"),
    ],
)
def test_parameters_are_checked_before_anything_runs(given, message, tmp_path, write_notebook):
    source = write_notebook(tmp_path / "08-x.ipynb", PARAMETERS, "1 / 0")
    with pytest.raises(InputError, match=message) as caught:
        run_notebook(source, tmp_path / "out" / "08-x.ipynb", given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_what_is_no_notebook_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such notebook"):
        run_notebook(tmp_path / "absent.ipynb", tmp_path / "out.ipynb")
    for number, text in enumerate(("", "{}", "[]", "no JSON")):
        path = tmp_path / f"{number}.ipynb"
        path.write_text(text)
        with pytest.raises(InputError, match="no notebook"):
            run_notebook(path, tmp_path / "out.ipynb")


def test_comments_say_what_parameters_name(tmp_path, write_notebook):
    parameters = read_parameters(write_notebook(tmp_path / "08-x.ipynb", PARAMETERS))
    assert {name: parameter.names for name, parameter in parameters.items() if parameter.names} == {
        "models": "model",
        "pairs": "model",
        "tokenizer": "tokenizer",
        "rows": "quantization",
    }
    assert parameters["models"].default == ["zoo-s", "zoo-m"]
    assert parameters["rows"].default == ["gptq-3-g32", "gptq-4-g32"]


@pytest.mark.slow
def test_paths_start_where_the_command_was_typed_and_figures_go_elsewhere(
    tmp_path, write_notebook, monkeypatch, capsys
):
    (tmp_path / "notebooks").mkdir()
    source = write_notebook(tmp_path / "notebooks" / "08-x.ipynb", PARAMETERS, "print(models, pairs, rows, figures)")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    own = str(tmp_path / "mine")

    def printed(given: dict | None) -> str:
        run_notebook(source, Path("out/08-x.ipynb"), given)
        return nbformat.read("out/08-x.ipynb", as_version=4).cells[-1].outputs[0].text

    given = {"models": ["mine", "./mine", "zoo-xs", "a/b"], "pairs": {"mine+rtn-4-g32": "zoo-s"}, "rows": ["rtn-4-g32"]}
    expected = f"{[own, own, 'zoo-xs', 'a/b']} {{'{own}+rtn-4-g32': 'zoo-s'}} ['rtn-4-g32'] ../build/custom\n"
    assert printed(given) == expected
    assert "figures are in build/custom" in capsys.readouterr().err
    assert printed(None).endswith("../figures\n")
    assert printed({"figures": "elsewhere"}).endswith(f"{tmp_path / 'elsewhere'}\n")


def test_the_closing_table_names_what_matters(tmp_path, write_notebook):
    claimed = [
        ("a holds", "holds"),
        ("two is three", "does not hold"),
        ("nothing was measured", "not checked"),
    ]
    code = "from helpers.claims import Claims"
    notebook = nbformat.read(write_notebook(tmp_path / "08-x.ipynb", code), as_version=4)
    mime = "application/vnd.compressed-code.claim+json"
    for statement, verdict in claimed:
        fields = {"quantity": "n", "number": "2", "bound": "equal to 3", "because": "three is meant"}
        data = {"text/plain": "x", mime: {"statement": statement, "verdict": verdict, **fields}}
        notebook.cells[1].outputs.append(nbformat.v4.new_output("display_data", data=data))
    nbformat.write(notebook, tmp_path / "08-x.ipynb")
    claims = read_claims([tmp_path / "08-x.ipynb"])
    assert list(zip(claims["statement"], claims["verdict"], strict=True)) == claimed
    left_out = [{"heading": "Programs", "reason": "no isolator", "cell": ""}] * 2
    lines = summary(
        claims, {"08-x": {"left_out": left_out}, "09-y": {}}, {"09-y": "code cell 1: ValueError"}
    ).splitlines()
    assert lines == [
        "claims of 2 notebooks: 1 hold, 1 do not hold on this machine, 1 not checked",
        "do not hold on this machine",
        "  08-x: two is three",
        "      n 2; equal to 3 is needed (three is meant)",
        "not checked",
        "  08-x: nothing was measured",
        "left out, for want of what it needs: not to be had here, or not among the parameters",
        "  08-x, 'Programs': 2 cells: no isolator",
        "did not run to the end",
        "  09-y: code cell 1: ValueError",
    ]


def test_imports_are_followed_through_both_packages(tmp_path, write_notebook):
    sources = {
        "helpers/__init__.py": "",
        "helpers/a.py": "from library.deep import c",
        "helpers/unused.py": "from library import b",
        "library/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from library import unused",
        "library/b.py": "import os",
        "library/unused.py": "from library import b",
        "library/deep/__init__.py": "def f():\n    import library.b",
        "library/deep/c.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    notebook = write_notebook(tmp_path / "08-x.ipynb", "%matplotlib inline\nfrom helpers.a import x")
    modules = imported_modules(notebook, [tmp_path / "helpers", tmp_path / "library"])
    found = [path.relative_to(tmp_path).as_posix() for path in modules]
    assert found == [name for name in sorted(sources) if "unused" not in name]


@pytest.mark.slow
def test_a_real_notebook_runs(tmp_path):
    """With one tokenizer; all of them, with what they are about, are run by the long tests."""
    path, figures = NOTEBOOKS / "01-tokenizer-analysis.ipynb", tmp_path / "figures"
    run_notebook(path, tmp_path / path.name, {"figures": str(figures), "tokenizers": ["zoo"]})
    assert (figures / "01-coverage.png").exists() and not read_claims([tmp_path / path.name]).empty


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_every_notebook_runs_and_its_claims_hold(path, tmp_path):
    output, figures = tmp_path / path.name, tmp_path / "figures"
    run_notebook(path, output, {"figures": str(figures), **reduced_parameters().get(path.name, {})})
    claims = read_claims([output])
    assert len(claims) and not (claims["verdict"] == "does not hold").any(), summary(claims, {}, {})
    drawn, committed = (len(list(place.glob(f"{path.name[:2]}-*.png"))) for place in (figures, FIGURES))
    assert drawn >= min(5, committed) > 3


def too_little() -> tuple[str, ...]:
    raise InputError("ulimit -f allows 1 KiB in a file")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("isolators", "reason"), [(tuple, "install bubblewrap"), (too_little, "ulimit -f allows 1 KiB")]
)
def test_without_an_isolator_cells_that_let_programs_run_are_left_out(
    tmp_path, write_notebook, monkeypatch, capsys, isolators, reason
):
    monkeypatch.setattr("helpers.run.available_isolators", isolators)
    source = write_notebook(
        tmp_path / "08-x.ipynb", "number = 1", "ran = 'programs'", "print(ran)", "print(number + 1)"
    )
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[2].metadata["tags"] = ["sandbox"]
    nbformat.write(notebook, source)
    run_notebook(source, tmp_path / "out" / "08-x.ipynb")
    executed = nbformat.read(tmp_path / "out" / "08-x.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == "2\n"
    told = [entry["cell"] for entry in executed.metadata[METADATA]["left_out"]]
    assert told == ["code cell 2 (under 'Title')", "code cell 3 (under 'Title')"]
    assert reason in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.long
def test_without_an_isolator_a_notebook_goes_on_without_its_programs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("helpers.run.available_isolators", tuple)
    path, figures = NOTEBOOKS / "05-scaling-and-fine-tuning.ipynb", tmp_path / "figures"
    few = {"sizes": ["zoo-xs", "zoo-s"], "tuned": {"zoo-m-instruct": "zoo-m"}, "seeds": ["zoo-s"]}
    run_notebook(path, tmp_path / path.name, {"figures": str(figures), **few})
    said = capsys.readouterr().err
    assert "left out code cell" in said and "install bubblewrap" in said
    assert (figures / "05-cold-start-and-pass.png").exists() and not list(figures.glob("05-tuning-gain*"))


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
    importing = [n for n, cell in enumerate(code) if re.search(r"(?m)^(import|from) ", cell.source)]
    assert importing == [1], "imports stand together, after the parameters"
    tags = [cell.metadata.get("tags") for cell in code if cell.metadata.get("tags") != ["sandbox"]]
    assert [tag for tag in tags if tag] == [["parameters"]]
    for cell in code:  # what lets programs run says so
        assert "measure(executions" not in cell.source or cell.metadata.tags == ["sandbox"], cell.source
    # What was found: in bold, or as three to five points.
    opening = notebook.cells[0].source
    assert re.match(rf"# {path.name[:2]} .+\n\n\*\*.+\*\*$", opening, re.DOTALL) or re.match(
        rf"# {path.name[:2]} .+\n\n(- .+(\n|$)){{3,5}}$", opening
    )
    assert "claim(" in "".join(cell.source for cell in code)
    for cell in code:
        assert not cell.outputs and cell.execution_count is None, "stored output"
        imports = all(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(cell.source).body)
        assert imports or len(cell.source.splitlines()) <= 20, f"more than one step: {cell.source}"
        assert str(ROOT) not in cell.source
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert not [
            n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.Lambda)
        ], cell.source


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_numbers_of_an_opening_in_points_are_checked_by_a_claim(path):
    """Every decimal number and every percentage is a text that `digits_off` is given."""
    cells = nbformat.read(path, as_version=4).cells
    opening = cells[0].source.partition("\n\n")[2]
    if opening.startswith("- "):
        checked_texts = {
            node.value
            for cell in cells
            if cell.cell_type == "code" and re.search(r"digits_off|opening", cell.source)
            for node in ast.walk(ast.parse(cell.source))
            if isinstance(node, ast.Constant)
        }
        for name in sorted(MODEL_NAMES, key=len, reverse=True):  # "Llama 3.1" is no number
            opening = opening.replace(name, "")
        numbers = re.findall(r"\d[\d,]*\.\d+|\d[\d,]*(?= %)", opening)
        assert numbers and set(numbers) <= checked_texts, set(numbers) - checked_texts


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_parameters_of_notebooks_suit_their_own_checks(path):
    parameters = read_parameters(path)
    assert parameters["figures"].default == "../build/custom"
    given = {name: parameter.default for name, parameter in parameters.items()}
    assert checked(path, given, NOTEBOOKS) == given | {"figures": str(NOTEBOOKS / "../build/custom")}
    for name, parameter in parameters.items():
        if name in {"models", "base", "quantized", "tokenizers"}:
            assert parameter.names, f"{name}: its comment does not say what it names"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_cells_need_only_what_stands_before_them(path):
    """What the runner reads from the source agrees with what Python would look up."""
    bound = {"display", "get_ipython"}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            binds, needs = names_of(cell.source)
            assert needs <= bound, (needs - bound, cell.source)
            bound |= binds


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_numbers_of_figures_match_their_notebook(path):
    text = path.read_text()
    names = re.findall(r'"(\d\d)-[a-z0-9-]+\\"', text)
    assert names and set(names) == {path.name[:2]}


def test_a_missing_subject_is_named(capsys):
    report_gaps(["a", "b"], {"a"})
    said = capsys.readouterr().out
    assert "measured 1 of 2: a" in said and "without a value in the figures below: b" in said
