"""The panels answer from stored tables where nothing runs a model, as on Binder; what is not stored is named."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compressed_code.core.paths import COMPUTED_VARIABLE
from compressed_code.core.stored_release import as_entries
from compressed_code.core.table_archive import pack, unpack

pytest.importorskip("ipywidgets", reason="is not installed; `make env` installs it")
pytestmark = pytest.mark.slow

ANSWERS = """
import json, re
from compressed_code.core.stored_release import entries_so_far
from compressed_code.explorer.panels import first_tokens_panel, next_tokens_panel, own_program_panel

panels = [
    first_tokens_panel(["zoo-xs"]),
    next_tokens_panel(["zoo-xs"], ["", "rtn-2-rows"], "def f(x):\\n    return"),
    own_program_panel("zoo-xs", "rtn-2-rows", "def f(x):\\n    return x + 1\\n"),
]
answers = [panel.answer.value for panel in panels]
panels[1].controls["text"].value = "class A:"
print(json.dumps([answers, panels[1].answer.value, entries_so_far()]))
"""
WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in ("torch", "transformers") else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


def asked(code: str, computed: Path) -> tuple[list[str], str, str]:
    """The three answers, the answer to another text, and the list of tables that were read."""
    environment = {**os.environ, COMPUTED_VARIABLE: str(computed), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_stored_answers_are_the_same_without_torch_and_others_are_named(tmp_path):
    answers, other, read = asked(ANSWERS, tmp_path / "computed")
    assert not any('class="notice"' in answer for answer in answers)
    entries = [entry for entry in as_entries(json.loads(read)) if "class A:" not in str(entry)]
    assert len({entry.measurement for entry in entries}) >= 3
    stored = answers_of_release(tmp_path, entries)
    again, absent, _ = asked(WITHOUT + ANSWERS, stored)
    assert again == answers
    assert "not among the stored tables of version 1.0.0" in absent and 'class="notice"' in absent
    assert other not in absent


def test_without_stored_tables_and_without_torch_a_panel_says_what_is_missing(tmp_path):
    """As on Binder while binder/stored.txt names no archive: a model as it is, and a variant that is to be made."""
    answers, _, _ = asked(WITHOUT + ANSWERS.replace('["", "rtn-2-rows"]', '[""]'), tmp_path / "computed")
    as_it_is, variant = (re.search(r'class="notice"[^>]*>([^<]*)', answer)[1] for answer in answers[1:])
    assert "torch is not installed here" in as_it_is and "make env" in as_it_is
    assert "torch" in variant


def answers_of_release(place: Path, entries: list) -> Path:
    archive = place / "tables.tar.xz"
    pack(entries, place / "computed" / "results", archive, "1.0.0")
    return unpack(str(archive), place / "stored", "1.0.0")
