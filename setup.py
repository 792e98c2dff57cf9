"""The build copies data/ into the package of a wheel. All else is declared in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """Modules, and the files they read."""

    def run(self) -> None:
        """Copy; an editable installation reads the checkout's own."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "compressed_code" / "_shipped" / "data"
            shutil.copytree("data", target, ignore=shutil.ignore_patterns("results"), dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithData})
