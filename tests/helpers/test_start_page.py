"""The page that JupyterLab opens on, and how `make lab` opens it."""

import json
import os
import re
import subprocess

import pytest

from compressed_code.core.paths import NOTEBOOKS, ROOT
from helpers.start_page import START_PAGE, all_notebooks, question_of, start_page, title_of, write_start_page


def test_every_notebook_of_the_repository_has_a_line_with_its_question(tmp_path):
    write_start_page(tmp_path / "below" / "start.md")
    page = (tmp_path / "below" / "start.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(.+)\]\((.+)\) \| (.*) \|$", page, flags=re.MULTILINE)
    assert [(tmp_path / "below" / target).resolve() for _, target, _ in rows] == all_notebooks()
    assert {path.name for path in all_notebooks()} == {path.name for path in NOTEBOOKS.glob("*.ipynb")}
    for title, target, question in rows:
        text = (tmp_path / "below" / target).read_text(encoding="utf-8")
        assert title in text and len(question) > 20 and json.dumps(question, ensure_ascii=False)[1:-1] in text
    assert [path.name[:2] for path in (tmp_path / "below").iterdir()] == ["st"]  # nothing half written stays


def test_titles_and_questions_are_found_where_they_are_and_tables_stay_whole(tmp_path):
    def notebook(*texts):
        return {"cells": [{"cell_type": "markdown", "source": [text]} for text in texts]}

    both = notebook("intro\n\n# A | title\n", "**Question.** Is it | so?\nMore.")
    assert (title_of(both), question_of(both)) == ("A | title", "Is it | so?")
    assert (title_of(notebook()), question_of(notebook("text"))) == ("", "")
    for name, content in (("02-b.ipynb", both), ("play.ipynb", notebook())):
        (tmp_path / name).write_text(json.dumps(content))
    page = start_page(all_notebooks(tmp_path), tmp_path)
    assert page.index("| [play](play.ipynb) |  |") < page.index("| [A \\| title](02-b.ipynb) | Is it \\| so? |")


@pytest.mark.parametrize("user", ["0", "1000"])
def test_make_lab_passes_options_on_and_runs_as_root_in_a_container(tmp_path, user):
    """The environment is a stand-in that prints what it is called with; `id -u` says who calls."""
    tools = tmp_path / "venv" / "bin"
    tools.mkdir(parents=True)
    scripts = {"python": "exit 0", "jupyter": 'printf "%s\\n" "$PATH" "$@"', "id": f"echo {user}"}
    for name, line in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)
    (tmp_path / "venv" / ".installed").touch()
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    command = ["make", "--silent", "lab", f"VENV={tmp_path / 'venv'}", "LAB=--no-browser --port 9999"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path, *given = done.stdout.splitlines()[-9:] if user == "0" else done.stdout.splitlines()[-8:]
    assert ("--allow-root" in given) == (user == "0")
    assert given[-3:] == ["--no-browser", "--port", "9999"]
    assert path.split(os.pathsep)[0] == str(tools)  # so that a terminal in JupyterLab finds the command
    url = next(option.partition("=")[2] for option in given if "default_url" in option)
    assert url == f"/lab/tree/{START_PAGE.relative_to(ROOT).as_posix()}"  # a query of its own would swallow the token
    settings = next(option.partition("=")[2] for option in given if "app_settings_dir" in option)
    assert json.loads((ROOT / settings / "overrides.json").read_text())
