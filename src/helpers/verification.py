"""Everything computed anew in a folder of its own and compared, number by number, with what is committed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from compressed_code.core.paths import BUILD, COMPUTED_VARIABLE, FIGURES, NOTEBOOKS
from compressed_code.core.reference_files import REFERENCES, check_references
from compressed_code.reproduction.claims import read_claims
from compressed_code.reproduction.figure_comparison import compare_files, figure_pairs, numbers_beside_boundary
from compressed_code.reproduction.recorded_verdicts import recorded_verdicts
from compressed_code.reproduction.table_comparison import load_tolerances
from compressed_code.reproduction.verification import Verification
from helpers.notebook_runs import Run, find_notebooks, is_current, last_words, log_file, run_all

VERIFY = BUILD / "verify"


def verify(
    numbers: Sequence[str] = (),
    *,
    resume: bool = False,
    say: Callable[[str], None],
    notebooks: Path = NOTEBOOKS,
    committed: Path = FIGURES,
    references: Path = REFERENCES,
    directory: Path = VERIFY,
) -> Verification:
    """Run notebooks from nothing and compare their figures with the committed ones.

    Args:
        numbers: of notebooks; by default all, and the scores of the zoo.
        resume: keep what an interrupted verification has computed.
        say: takes a line per notebook that has run.
        notebooks, committed, references: what is verified.
        directory: where everything is computed; emptied first unless `resume`.

    Raises:
        InputError: no such notebook, or a file of data is wrong.
    """
    sources, tolerances = find_notebooks(numbers, notebooks), load_tolerances()
    problems = check_references(references)
    figures, computed = directory / "figures", {COMPUTED_VARIABLE: str(directory / "computed"), "OMP_NUM_THREADS": "1"}
    if not resume:
        shutil.rmtree(directory, ignore_errors=True)
    # One thread each, as make gives notebooks that run side by side.
    runs = [Run(source, directory / "notebooks" / source.name, figures, environment=computed) for source in sources]
    failed = run_all([run for run in runs if not is_current(run)], say)
    executed = [run.output for run in runs if run.output not in failed]
    pairs = figure_pairs(committed, figures, [source.name[:2] for source in sources])
    if not numbers:
        from compressed_code.zoo.scores import SCORES_FILE  # which loads torch

        scores = directory / SCORES_FILE.name
        failed |= _score(scores, computed, say)
        pairs.append((references / SCORES_FILE.name, scores))
    comparison = compare_files(pairs, tolerances)
    return Verification(
        comparison,
        read_claims(executed),
        {output.stem: words for output, words in failed.items()},
        problems,
        recorded_verdicts(figures, references),
        numbers_beside_boundary(figures, comparison.files["file"]),
    )


def _score(path: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> dict[Path, str]:
    """Score the zoo anew, in a process of its own; the notebooks have measured most of it already."""
    log = log_file(path)
    command = [sys.executable, "-P", "-m", "compressed_code", "zoo", "--scores", str(path)]
    with log.open("w", encoding="utf-8") as said:
        code = subprocess.run(command, env={**os.environ, **environment}, stdout=said, stderr=said).returncode
    say(f"{path.stem}: {'failed' if code else 'done'}")
    return {path: last_words(log)} if code else {}
