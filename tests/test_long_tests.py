"""Long tests that run alone are collected without the files of all the others."""

import os
import shutil
import subprocess
import sys

import pytest

from compressed_code.core.paths import ROOT

LONG = "import pytest\n@pytest.mark.{}\ndef test_x(): pass\n"


def collected(folder, *options):
    """What pytest says of a folder with this suite's conftest."""
    shutil.copy2(ROOT / "tests" / "conftest.py", folder)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--collect-only", "--rootdir", folder]
    done = subprocess.run([*command, *options, folder], env=environment, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("chosen", "imported"), [("long", False), ("not long", True), ("", True)])
def test_a_file_without_long_tests_is_not_imported_for_them(chosen, imported, tmp_path):
    (tmp_path / "test_whole.py").write_text(LONG.format("long"))
    (tmp_path / "test_quick.py").write_text("raise ValueError('imported')\n")
    _, said = collected(tmp_path, "-m", chosen)
    assert ("ValueError: imported" in said) == imported
    assert ("test_whole.py::test_x" in said) == (chosen != "not long")


def test_a_long_test_whose_file_does_not_name_the_mark_is_an_error(tmp_path):
    """It would be run by nobody."""
    (tmp_path / "test_whole.py").write_text(LONG.format("__getattr__('long')"))
    code, said = collected(tmp_path)
    assert code == pytest.ExitCode.USAGE_ERROR and "test_whole.py::test_x: write" in said
    (tmp_path / "test_whole.py").write_text(LONG.format("long"))
    assert collected(tmp_path)[0] == 0
