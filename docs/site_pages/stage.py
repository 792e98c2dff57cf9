"""The folder that Sphinx reads: what did not change keeps its date, what nobody wrote in this run is removed."""

import shutil
from pathlib import Path


class Stage:
    """A folder of sources that is written anew by each run, file by file."""

    def __init__(self, folder: Path) -> None:
        """Begin a run.

        Args:
            folder: made where it is missing; it belongs to the stage alone, other files in it are removed by `finish`.
        """
        self.folder = folder
        self._written: set[Path] = set()

    def write(self, name: str, text: str) -> None:
        """Write one file; a file that holds this text already is left alone, so that Sphinx passes over it.

        Args:
            name: path below the folder, with slashes.
            text: its whole content.
        """
        path = self._own(name)
        if not path.is_file() or path.read_bytes() != text.encode("utf-8", errors="replace"):
            path.write_bytes(text.encode("utf-8", errors="replace"))

    def copy(self, source: Path, name: str) -> None:
        """Copy one file of the repository, date included."""
        path = self._own(name)
        if not path.is_file() or path.stat().st_mtime_ns != source.stat().st_mtime_ns:
            shutil.copy2(source, path)

    def finish(self) -> None:
        """Remove what this run did not write."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in self._written:
                path.unlink()

    def _own(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._written.add(path)
        return path
