"""Two folders of figures compared: tables cell by cell, all files by their bytes."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from compressed_code.core.errors import InputError
from compressed_code.reproduction.figure_origins import read_origin
from compressed_code.reproduction.table_comparison import Deviation, Tolerance, compare_tables, read_cells

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


def compare_figures(
    committed: Path, found: Path, numbers: Sequence[str], tolerances: Sequence[Tolerance]
) -> Comparison:
    """Compare the figures of some notebooks, cell by cell and file by file.

    Args:
        committed, found: folders of figures.
        numbers: of the notebooks, `03`.
    """
    return compare_files(figure_pairs(committed, found, numbers), tolerances)


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


def figure_pairs(committed: Path, found: Path, numbers: Sequence[str]) -> list[tuple[Path, Path]]:
    """CSV and SVG files of either folder that belong to the notebooks, in the order of names."""
    paths = [path for folder in (committed, found) if folder.is_dir() for path in folder.iterdir()]
    names = sorted({path.name for path in paths if path.suffix in (".csv", ".svg") and path.name[:2] in numbers})
    return [(committed / name, found / name) for name in names]


def _file_verdict(old: Path, new: Path) -> str:
    if not new.is_file():
        return "missing"
    if not old.is_file():
        return "surplus"
    return "identical" if old.read_bytes() == new.read_bytes() else "differs"


def numbers_beside_boundary(figures: Path, names: Iterable[str]) -> int:
    """Numbers of a folder's tables that print other digits when changed by a billionth; names are those of files."""
    total = 0
    for name in names:
        if name.endswith(".csv") and (figures / name).is_file():
            try:
                total += read_origin(name.removesuffix(".csv"), figures).beside_boundary
            except InputError:  # it rests on no measured table
                continue
    return total
