"""The page that JupyterLab opens on: every notebook with the question that it answers."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.paths import NOTEBOOKS

START_PAGE = NOTEBOOKS / "start.md"  # JupyterLab lists the folder of what it opens

_TITLE = re.compile(r"^# (.+)", re.MULTILINE)
_QUESTION = re.compile(r"\*\*Question\.\*\*\s*(.+)")

_ABOVE = """# compressed-code

What quantization, distillation and scaling do to the programming-language tokens and programs of code models.

| notebook | question |
|---|---|"""
_BELOW = """
- **Run** a notebook with Run → Restart Kernel and Run All Cells. Change its parameters in the first code cell as you
  like: figures go to `build/custom`, and those that are committed stay as they are.
- **Begin your own** with File → New → Notebook, in any folder:

  ```python
  import compressed_code as cc

  cc.cold_start_probabilities(["zoo-m", "path/to/your/model"], top=5)
  ```

  `cc.` and Tab shows the other doors; `?` behind a name its documentation.
- **Stop** with ■, or restart, whenever you like: each table is stored as soon as it is measured, and the next run goes
  on from there.
- **In a terminal** (File → New → Terminal) `compressed-code --help` shows the commands.
"""


def title_of(notebook: Mapping[str, Any]) -> str:
    """The first heading of a notebook; empty where it has none."""
    return _first(_TITLE, notebook)


def question_of(notebook: Mapping[str, Any]) -> str:
    """The question that a notebook states, as Markdown; empty where it states none."""
    return _first(_QUESTION, notebook)


def all_notebooks(folder: Path = NOTEBOOKS) -> list[Path]:
    """The notebooks of a folder: what is played with first, then those with a number."""
    return sorted(folder.glob("*.ipynb"), key=lambda path: (path.name[:1].isdigit(), path.name))


def start_page(notebooks: Iterable[Path], folder: Path) -> str:
    """The page as Markdown.

    Args:
        notebooks: in their order.
        folder: where the page lies, from where its links start.
    """
    rows = []
    for path in notebooks:
        content = json.loads(path.read_text(encoding="utf-8"))
        target = Path(os.path.relpath(path, folder)).as_posix()
        rows.append(f"| [{_cell(title_of(content) or path.stem)}]({target}) | {_cell(question_of(content))} |")
    return "\n".join([_ABOVE, *rows, _BELOW])


def write_start_page(path: Path = START_PAGE, notebooks: Path = NOTEBOOKS) -> None:
    """Write the page anew, so that it shows the notebooks as they are."""
    with written_whole(path) as part:
        part.write_text(start_page(all_notebooks(notebooks), path.parent), encoding="utf-8")


def _first(pattern: re.Pattern[str], notebook: Mapping[str, Any]) -> str:
    texts = ("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    return next((found[1] for text in texts if (found := pattern.search(text))), "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
