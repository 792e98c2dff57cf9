"""Everything computed anew in a folder of its own and compared, number by number, with what is committed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from compressed_code.core.errors import InputError
from compressed_code.core.paths import BUILD, COMPUTED_VARIABLE, FIGURES, NOTEBOOKS
from compressed_code.core.reference_files import REFERENCES, check_references
from helpers.claims import read_claims
from helpers.figure_origins import read_origin
from helpers.notebook_runs import Run, find_notebooks, is_current, last_words, log_file, run_all
from helpers.recorded_verdicts import recorded_verdicts
from helpers.table_comparison import Deviation, Tolerance, compare_tables, load_tolerances, read_cells

VERIFY = BUILD / "verify"
VERDICTS = ("identical", "within", "different", "not_compared")
_DEVIATION_COLUMNS = ["file", *Deviation.__dataclass_fields__]


@dataclass(frozen=True)
class Comparison:
    """Two folders of figures, compared.

    Attributes:
        cells: one row per file and column: `file`, `column` and the number of cells by verdict (`VERDICTS`).
        deviations: one row per cell that is not identical: `file` and the fields of `Deviation`.
        files: one row per SVG and CSV file of either side: `file`, `verdict` ("identical", "differs", "missing",
            "surplus"), by their bytes.
    """

    cells: pd.DataFrame
    deviations: pd.DataFrame
    files: pd.DataFrame

    @property
    def different(self) -> int:
        """Cells that differ, and CSV files that one side lacks."""
        tables = self.files[self.files["file"].str.endswith(".csv")]
        lacking = int(tables["verdict"].isin(["missing", "surplus"]).sum())
        return int(self.cells["different"].sum()) + lacking


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes:
        comparison: committed figures against those made now.
        claims: of the notebooks that ran (`claims.read_claims`).
        failed: notebook → what it said last.
        references: problems of data/reference, a line each.
        recorded: the authors' numbers with a verdict each (`recorded_verdicts`).
        beside_boundary: numbers made now that print other digits when changed by a billionth.
    """

    comparison: Comparison
    claims: pd.DataFrame
    failed: dict[str, str]
    references: Sequence[str]
    recorded: pd.DataFrame
    beside_boundary: int

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, every notebook ran, every file of reference is as declared and no claim fails."""
        refuted = (self.claims["verdict"] == "does not hold").any()
        return not (self.comparison.different or self.failed or self.references or refuted)


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
    pairs = _figure_pairs(committed, figures, [source.name[:2] for source in sources])
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
        _beside_boundary(figures, comparison),
    )


def compare_figures(
    committed: Path, found: Path, numbers: Sequence[str], tolerances: Sequence[Tolerance]
) -> Comparison:
    """Compare the figures of some notebooks, cell by cell and file by file.

    Args:
        committed, found: folders of figures.
        numbers: of the notebooks, `03`.
    """
    return compare_files(_figure_pairs(committed, found, numbers), tolerances)


def compare_files(pairs: Iterable[tuple[Path, Path]], tolerances: Sequence[Tolerance]) -> Comparison:
    """Compare files, a committed one and one found of each name: all by their bytes, tables by their cells too."""
    cells, deviations, files = [], [], []
    for old, new in pairs:
        name = old.name
        files.append((name, _file_verdict(old, new)))
        if name.endswith(".csv") and old.is_file() and new.is_file():
            counts, changed = compare_tables(read_cells(old), read_cells(new), tolerances)
            cells.append(counts.assign(file=name))
            deviations += [{"file": name, **asdict(deviation)} for deviation in changed]
    empty = pd.DataFrame(columns=["file", "column", *VERDICTS])
    return Comparison(
        pd.concat(cells, ignore_index=True)[list(empty)] if cells else empty,
        pd.DataFrame(deviations, columns=_DEVIATION_COLUMNS),
        pd.DataFrame(files, columns=["file", "verdict"]),
    )


def _figure_pairs(committed: Path, found: Path, numbers: Sequence[str]) -> list[tuple[Path, Path]]:
    """CSV and SVG files of either folder that belong to the notebooks, in the order of names."""
    paths = [path for folder in (committed, found) if folder.is_dir() for path in folder.iterdir()]
    names = sorted({path.name for path in paths if path.suffix in (".csv", ".svg") and path.name[:2] in numbers})
    return [(committed / name, found / name) for name in names]


def _score(path: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> dict[Path, str]:
    """Score the zoo anew, in a process of its own; the notebooks have measured most of it already."""
    log = log_file(path)
    command = [sys.executable, "-P", "-m", "compressed_code", "zoo", "--scores", str(path)]
    with log.open("w", encoding="utf-8") as said:
        code = subprocess.run(command, env={**os.environ, **environment}, stdout=said, stderr=said).returncode
    say(f"{path.stem}: {'failed' if code else 'done'}")
    return {path: last_words(log)} if code else {}


def _file_verdict(old: Path, new: Path) -> str:
    if not new.is_file():
        return "missing"
    if not old.is_file():
        return "surplus"
    return "identical" if old.read_bytes() == new.read_bytes() else "differs"


def _beside_boundary(figures: Path, comparison: Comparison) -> int:
    total = 0
    for name in comparison.files["file"]:
        if name.endswith(".csv") and (figures / name).is_file():
            try:
                total += read_origin(name.removesuffix(".csv"), figures).beside_boundary
            except InputError:  # it rests on no measured table
                continue
    return total
