"""The reference: commands from their own parsers, the library from its docstrings."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from site_pages.documents import find_documents
from site_pages.markup import contents, escape, link, page, rst, table
from site_pages.stage import Stage

# What a command line is made by; a program is asked for its parser, nothing is run.
PROGRAMS = {"compressed-code": "compressed_code.__main__", "python -m helpers": "helpers.__main__"}


def write_reference(root: Path, stage: Stage) -> None:
    """Write the pages of commands and of the library, and the page that lists them beside the documents."""
    stage.write("commands.md", page("# Commands", *map(_program, PROGRAMS), *_targets(root)))
    packages = list(_packages(root / "src"))
    for name, modules in packages:
        stage.write(f"api/{name}.md", page(f"# {escape(name)}", _members(name), *map(_module, modules)))
    intro = "The library, folder by folder. `import compressed_code as cc` shows the doors that most need."
    names = {name: name.removeprefix("compressed_code.") for name, _ in packages}  # fits beside a page, and on a phone
    folders = [[link(short, f"/api/{name}.md"), _purpose(root, name)] for name, short in names.items()]
    listed = contents({f"api/{name}": short for name, short in names.items()})
    stage.write("api/index.md", page("# Library", intro, table(["folder", "what it holds"], folders), listed))
    documents = [name.removesuffix(".md") for name in find_documents(root)]
    pages = [name for name in documents if name.startswith(("docs/", "data/README", "src/"))]
    stage.write(
        "reference.md",
        page("# Reference", contents(["commands", "api/index", *pages, "provenance"], hidden=False, depth=1)),
    )


def _targets(root: Path) -> Iterator[str]:
    listed = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^([a-z-]+) +(.+)$", listed, re.MULTILINE)
    yield "## make"
    yield table(["target", "what it does"], [[f"`make {name}`", escape(words)] for name, words in found])


def _program(name: str) -> str:
    options = {"module": PROGRAMS[name], "func": "main", "hook": "", "prog": name, "title": name, "usage_width": "80"}
    return rst("sphinx_argparse_cli", **options)


def _packages(source: Path) -> Iterator[tuple[str, list[str]]]:
    """Every folder of modules with the names of its modules."""
    for folder in sorted(path.parent for path in source.rglob("__init__.py")):
        name = ".".join(folder.relative_to(source).parts)
        files = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("__"))
        yield name, [f"{name}.{file}" for file in files]


def _purpose(root: Path, package: str) -> str:
    source = root.joinpath("src", *package.split("."), "__init__.py").read_text(encoding="utf-8")
    return escape((ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0])


def _module(name: str) -> str:
    return page(f"## {escape(name.rpartition('.')[2])}", _members(name))


def _members(name: str) -> str:
    """What a module defines; of the package itself its doors, which are defined below it."""
    options = {"members": ""} if name == "compressed_code" else {"members": "", "ignore-module-all": ""}
    return rst("automodule", name, **options)
