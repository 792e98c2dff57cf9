"""A release: one command writes version and date in three files, and the citation stays valid."""

import datetime
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from compressed_code.core.paths import ROOT

FILES = ("Makefile", "pyproject.toml", "CITATION.cff", "CHANGELOG.md")


@pytest.fixture
def copy(tmp_path) -> Path:
    for name in FILES:
        shutil.copy2(ROOT / name, tmp_path)
    return tmp_path


def release(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["make", "release", *arguments], cwd=root, capture_output=True, text=True)


def versions(root: Path) -> tuple[str, str, str]:
    """Version of the package, version and date of the citation."""
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    package = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return package["project"]["version"], str(citation["version"]), str(citation["date-released"])


def dated_sections(root: Path) -> list[tuple[str, str]]:
    """Version and date of the changelog's sections, the newest first."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## (\d\S*) \((\d{4}-\d\d-\d\d)\)$", text, flags=re.MULTILINE)


def test_the_files_of_a_release_agree():
    version, cited, date = versions(ROOT)
    assert version == cited
    assert dated_sections(ROOT)[:1] in ([], [(version, date)])


def test_one_command_prepares_a_release(copy):
    before = (copy / "CHANGELOG.md").read_text(encoding="utf-8")
    done = release(copy, "VERSION=7.1.0")
    assert done.returncode == 0, done.stderr
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert versions(copy) == ("7.1.0", "7.1.0", today)
    assert dated_sections(copy)[0] == ("7.1.0", today)
    after = (copy / "CHANGELOG.md").read_text(encoding="utf-8")
    assert after == before.replace("## Unreleased\n", f"## Unreleased\n\n## 7.1.0 ({today})\n", 1)
    again = release(copy, "VERSION=7.1.0")
    assert again.returncode != 0 and "7.1.0 is in CHANGELOG.md already" in again.stderr
    assert (copy / "CHANGELOG.md").read_text(encoding="utf-8") == after


@pytest.mark.parametrize("given", ["", "v1.0.0", "1.0", "1.0.0; rm x", "1.0.0-final"])
def test_what_is_no_version_changes_nothing(given, copy):
    done = release(copy, f"VERSION={given}")
    assert done.returncode != 0 and "make release: VERSION=1.2.3 is needed" in done.stderr
    assert [(copy / name).read_bytes() for name in FILES] == [(ROOT / name).read_bytes() for name in FILES]


def test_the_citation_is_valid():
    """By the format's own validator; its dependencies exclude ours, so it lives in an environment of its own."""
    validator = shutil.which("cffconvert")
    if not validator:
        pytest.skip("cffconvert is not installed; `pipx install cffconvert`")
    done = subprocess.run([validator, "--validate", "-i", ROOT / "CITATION.cff"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
