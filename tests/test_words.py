"""One word for one thing: the field's words in public names, tables and command lines, and one meaning per class."""

import ast
import csv
from collections import Counter
from pathlib import Path

import pytest

from compressed_code.core.paths import FIGURES, ROOT

SOURCE = ROOT / "src"
# Old word → the field's. Some of the old ones mean something else elsewhere: processes have parents, too.
WORDS = {
    "parent": "base",
    "parents": "bases",
    "child": "candidate",
    "children": "candidates",
    "unit": "cluster",
    "strict": "batch_invariant",
    "finish": "finish_reason",
    "NotUnderstood": "UnsupportedArchitecture",
    "Latent": "MLA",
    "value_heads": "num_key_value_heads",
    "compression": "quantization",
}
ELSEWHERE = {
    "sandbox": {"parent", "parents", "child", "children"},
    "training_data": {"parent", "unit", "strict"},
    "charts": {"unit"},  # of an axis
    "quantization/methods/pinned_worker.py": {"parent"},  # the process that started it
}


def public_names(path: Path) -> set[str]:
    """Names of public classes and functions, of their arguments and of the fields of classes."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            names.add(node.name)
            if isinstance(node, ast.FunctionDef):
                arguments = node.args
                names |= {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
            else:
                names |= {field.target.id for field in node.body if isinstance(field, ast.AnnAssign)}
    return names


def old_words(names: set[str], allowed: set[str]) -> dict[str, str]:
    """Each name that is an old word, or has one between underscores, with the word to use."""
    return {
        name: WORDS[part]
        for name in names
        for part in {name, *name.split("_")} & set(WORDS) - allowed
        if WORDS[part] not in name
    }


MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_public_names_use_the_words_of_the_field(module):
    inside = module.removeprefix("compressed_code/")
    allowed = set().union(*(words for place, words in ELSEWHERE.items() if inside.startswith(place)))
    names = {*public_names(SOURCE / module), Path(module).stem}
    assert old_words(names, allowed) == {}


def test_tables_and_registry_use_them_too():
    for path in sorted(FIGURES.glob("*.csv")):
        with path.open(encoding="utf-8") as file:
            columns = set(next(csv.reader(file)))
        assert old_words(columns, set()) == {}, path.name
    registry = (ROOT / "data" / "models.yml").read_text(encoding="utf-8")
    assert "    parent:" not in registry and "    base_model:" in registry


def test_a_class_name_has_one_meaning():
    names = Counter(
        node.name
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []
