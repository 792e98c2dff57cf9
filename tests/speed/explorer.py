"""How long the explorer's panels take to answer: from stored tables, and where models of the zoo must be run.

    python tests/speed/explorer.py

Each panel is asked as a click asks it: a control gets another value. One process asks with nothing stored, so that
every model is run and every variant is made; a second one asks the same of the tables that the first left.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench_rows import Row, is_short, show

from compressed_code.core.paths import COMPUTED_VARIABLE, NOTEBOOKS
from helpers.notebook_parameters import read_parameters

AIMS = {"stored tables": 0.5, "models that must be run": 3.0}  # seconds
OPENING = "what it opens with"
# Panel → question → the controls that are set one after the other; the last one asks it.
QUESTIONS = {
    "before any prompt": {
        OPENING: {},
        "the whole distribution": {"view": "distribution"},
        "mass by class": {"view": "classes"},
        "mass by language": {"view": "languages"},
        "difference of two models": {"view": "difference"},
        "keywords of one language": {"view": "top", "language": "python"},
        "keywords behind a space": {"form": "space"},
        "another start context": {"context": "newline"},
        "two models and a variant of each": {"variants": ["", "rtn-2-rows"]},
        "a further model by its path": {"typed": "data/zoo/zoo-s"},
    },
    "after a text": {
        OPENING: {},
        "another text": {"text": "class Stack:\n    def"},
        "four variants": {"variants": ["", "rtn-4-g32", "rtn-3-g32", "rtn-2-g32"]},
        "no start context": {"context": "none"},
        "another model": {"variants": ["", "rtn-2-rows"], "models": ["zoo-m"]},
    },
    "a program": {
        OPENING: {},
        "another program": {"program": "quicksort"},
        "another variant": {"variant": "rtn-2-g32"},
        "another model": {"variant": "", "candidate": "zoo-l-instruct"},
        "another base": {"candidate": "", "base": "zoo-m", "variant": "rtn-2-rows"},
    },
}


def asked(only: int | None) -> dict[str, dict[str, float]]:
    """Seconds of every question by panel, of the first `only` ones of each; in this process."""
    from compressed_code.explorer.panels import first_tokens_panel, next_tokens_panel, own_program_panel
    from compressed_code.registry.languages import load_languages, load_programs

    programs = load_programs(load_languages()["python"])
    start = {name: parameter.default for name, parameter in read_parameters(NOTEBOOKS / "explore.ipynb").items()}
    base, variant = start["base"], start["variant"]
    opened = {
        "before any prompt": lambda: first_tokens_panel(start["models"]),
        "after a text": lambda: next_tokens_panel([base], ["", variant], start["text"]),
        "a program": lambda: own_program_panel(base, variant, programs[start["program"]]),
    }
    found: dict[str, dict[str, float]] = {}
    for name, questions in QUESTIONS.items():
        started = time.perf_counter()
        panel = opened[name]()
        found[name] = {OPENING: time.perf_counter() - started}
        for question, values in list(questions.items())[1:only]:
            *before, last = [
                (control, programs[value] if control == "program" else value) for control, value in values.items()
            ]
            for control, value in before:
                panel.controls[control].value = value
            started = time.perf_counter()
            panel.controls[last[0]].value = last[1]
            found[name][question] = time.perf_counter() - started
            if 'class="notice"' in panel.answer.value:
                raise SystemExit(f"explorer: {name}, {question}: {panel.answer.value[-300:]}")
    return found


def rows_of(kind: str, found: Mapping[str, Mapping[str, float]]) -> list[Row]:
    """A row for each panel: its slowest answer."""
    rows = []
    for panel, seconds in found.items():
        slowest = max(seconds, key=seconds.__getitem__)
        name = f"explorer, {panel}: slowest of {len(seconds)} answers of {kind} ({slowest})"
        rows.append(Row(name, seconds[slowest], "s", AIMS[kind]))
    return rows


def main() -> None:
    short, rows = is_short(), []
    with tempfile.TemporaryDirectory(prefix="explorer-") as folder:
        environment = {**os.environ, COMPUTED_VARIABLE: folder}
        command = [sys.executable, str(Path(__file__)), "--ask", *["--short"] * short]
        for kind in reversed(AIMS):
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            for panel, seconds in found.items():
                for question, value in seconds.items():
                    print(f"{kind}: {panel}: {question}: {value:.2f} s", flush=True)
            rows += rows_of(kind, found)
    show(rows)


if __name__ == "__main__":
    if "--ask" in sys.argv:
        print(json.dumps(asked(2 if is_short() else None)))
    else:
        main()
