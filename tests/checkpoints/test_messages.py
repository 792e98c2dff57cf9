"""Every refusal of a model says what to do: the sentences are read from the code, so that a new one is held to it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import compressed_code

PACKAGE = Path(compressed_code.__file__).parent
READERS = ("checkpoints", "models", "cold_start")
WAY_OUT = re.compile(
    r"[;:,] (or |and )?(accept|check|choose|connect|convert|download|export|fetch|give|keep|make|merge|name|quantize|"
    r"remove|run|save|set|start|take|use|write)\b|; [^;]+ (is|are)$|\bmust \w+"
)


def _text(node: ast.expr) -> str:
    """A message with {} for its values."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    return "{}"


def _refusals(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("InputError", "Unavailable") and node.args:
            yield node.lineno, _text(node.args[0])


def test_every_refusal_names_something_and_a_way_out():
    """Sentences that end with a value, which holds the way out, are left to the tests of their modules."""
    found = [
        (f"{file.relative_to(PACKAGE)}:{line}", text)
        for reader in READERS
        for file in sorted((PACKAGE / reader).rglob("*.py"))
        for line, text in _refusals(file)
    ]
    assert len(found) > 150
    assert [(place, text) for place, text in found if not re.search(r"\{\}", text)] == []
    assert [(place, text) for place, text in found if not text.endswith("{}") and not WAY_OUT.search(text)] == []
