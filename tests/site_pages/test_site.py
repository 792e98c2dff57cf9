"""The built site: links lead somewhere, nothing comes from a network, hostile texts are texts, pictures have words."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup

from compressed_code.core.paths import BUILD, ROOT
from compressed_code.reproduction.claims import CLAIM_MIME, Claim

writing = pytest.importorskip("site_pages.__main__", reason="its tools are not installed; `make site` installs them")

# What a model may write, a caption may quote or a table may hold.
HOSTILE = [
    "<script>alert('script')</script>",
    "<img src=x onerror=alert('img')>",
    '"><svg onload=alert(1)>',
    "</pre></div></details><h1>out</h1>",
    "[x](javascript:alert(1)) ![y](https://example.org/z.png) <https://example.org>",
    "```{raw} html\n<b>raw</b>\n```",
    "{{ role }} {py:obj}`x` |sub| *a* _b_ `c` $m$ \\ ~~s~~",
    ":::{note}\nx\n:::",
]
# Where a page names something that a browser loads by itself.
LOADED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "object": "data",
    "use": "href",
}


def build(root: Path, executed: Path, place: Path) -> tuple[Path, str]:
    """The site's folder, and what Sphinx complained of."""
    writing.write_sources(place / "sources", root, executed)
    command = [sys.executable, "-m", "sphinx", "-q", "-c", ROOT / "docs", "-d", place / "trees"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    done = subprocess.run(
        [*command, place / "sources", place / "site"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return place / "site", done.stderr


def hostile_repository(root: Path) -> Path:
    """A repository like ours with one notebook, one figure and one table, which mean harm; a part of the library is
    enough."""
    for name in ("Makefile", "data"):
        (root / name).symlink_to(ROOT / name)
    (root / "docs").mkdir()  # without the documents that lead to notebooks and modules which are not here
    for path in (path for path in (ROOT / "docs").iterdir() if path.suffix != ".md" or path.stem in {"formats", "lab"}):
        (root / "docs" / path.name).symlink_to(path)
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        (root / name).write_text(f"# {name}\n\n[data](data/README.md) and [formats](docs/formats.md)\n")
    library = Path("src") / "compressed_code"
    shutil.copytree(ROOT / library / "statistics", root / library / "statistics")
    shutil.copy2(ROOT / library / "__init__.py", root / library)
    for folder in ("notebooks", "figures", "executed"):
        (root / folder).mkdir()
    claims = [Claim(text, "does not hold", text, text, text, text) for text in HOSTILE]
    outputs = [
        nbformat.v4.new_output("display_data", {CLAIM_MIME: vars(claim), "text/html": claim.statement})
        for claim in claims
    ]
    outputs += [nbformat.v4.new_output("display_data", {"text/html": text, "text/plain": text}) for text in HOSTILE]
    outputs += [nbformat.v4.new_output("stream", text=text) for text in HOSTILE]
    outputs += [nbformat.v4.new_output("display_data", {"application/javascript": "alert(1)"})]
    cells = [
        nbformat.v4.new_markdown_cell("# 01 Hostile\n\n**Question.** <script>alert('question')</script> | What?"),
        nbformat.v4.new_code_cell("print('<script>alert(1)</script>')", outputs=outputs),
    ]
    metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    for folder in ("notebooks", "executed"):
        nbformat.write(notebook, root / folder / "01-hostile.ipynb")
    caption = " ".join(HOSTILE).replace("&", "&amp;").replace("<", "&lt;")
    terms = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    (root / "figures" / "01-drawn.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {terms} width="9" height="9"><metadata>'
        f"<dc:title>{caption}</dc:title><dc:description>{caption}</dc:description></metadata></svg>"
    )
    (root / "figures" / "01-drawn.png").write_bytes((ROOT / "figures" / "01-overlap.png").read_bytes())
    for name in ("01-drawn", "01-alone"):
        quoted = ['"' + text.replace('"', '""') + '"' for text in HOSTILE]
        (root / "figures" / f"{name}.csv").write_text("\n".join(["<b>text</b>", *quoted]) + "\n")
    tables = [{"measurement": text, "subject": text, "parameters": {text: text}, "key": text} for text in HOSTILE]
    known = {name: {"key": HOSTILE[0], "tables": len(tables), "beside_boundary": 0} for name in ("01-drawn",)}
    (root / "figures" / "01-tables.json").write_text(json.dumps({"figures": known, "tables": tables}))
    return root


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> tuple[Path, str]:
    root = hostile_repository(tmp_path_factory.mktemp("repository"))
    return build(root, root / "executed", tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, str]:
    """The repository as it is, with the notebooks that were executed here, if any were."""
    return build(ROOT, BUILD / "notebooks", tmp_path_factory.mktemp("whole"))


@pytest.fixture(
    scope="module",
    params=[pytest.param("hostile", marks=pytest.mark.slow), pytest.param("whole", marks=pytest.mark.long)],
)
def built(request) -> tuple[Path, str]:
    return request.getfixturevalue(request.param)


@cache
def read(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@cache
def places(page: Path) -> frozenset[str]:
    return frozenset(element["id"] for element in read(page).find_all(id=True))


def pages(site: Path) -> Iterator[tuple[Path, BeautifulSoup]]:
    for page in sorted(site.rglob("*.html")):
        if "_static" not in page.parts:
            yield page, read(page)


def test_sphinx_has_nothing_to_complain_of(built):
    assert built[1] == ""


def test_every_link_leads_to_a_place_that_is_there(built):
    broken = []
    for page, content in pages(built[0]):
        for anchor in content.find_all("a", href=True):
            url = urlsplit(anchor["href"])
            if url.scheme in ("http", "https", "mailto"):
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            target = target / "index.html" if target.is_dir() else target
            there = target.is_file() and not url.scheme
            if there and url.fragment and target.suffix == ".html":
                there = unquote(url.fragment) in places(target)
            if not there:
                broken.append(f"{page.relative_to(built[0])}: {anchor['href']}")
    assert broken == []


def test_nothing_is_loaded_but_the_sites_own_files(built):
    site = built[0]
    foreign = []
    for page, content in pages(site):
        for name, attribute in LOADED.items():
            for element in content.find_all(name, **{attribute: True}):
                url = urlsplit(element[attribute])
                inline = url.scheme == "data" and element[attribute].startswith("data:image/")
                own = page if not url.path else page.parent / unquote(url.path)
                if not inline and (url.scheme or url.netloc or not own.is_file()):
                    foreign.append(f"{page.relative_to(site)}: {element}")
    for style in site.rglob("*.css"):
        for address in re.findall(r"(?:url\(|@import\s+)[\"']?([^\"')]+)", style.read_text(encoding="utf-8")):
            path = address.split("?")[0].split("#")[0]
            if not address.startswith(("data:", "#")) and not (style.parent / path).is_file():
                foreign.append(f"{style.relative_to(site)}: {address}")
    assert foreign == []


def test_no_element_runs_a_text(built):
    for page, content in pages(built[0]):
        for element in content.find_all(True):
            handlers = [name for name in element.attrs if name.startswith("on")]
            assert handlers == [], f"{page}: {element}"
            assert not str(element.get("href", "")).strip().lower().startswith(("javascript:", "data:")), page


def test_every_picture_has_words(built):
    for page, content in pages(built[0]):
        for image in content.find_all("img"):
            assert image.get("alt", "").strip(), f"{page}: {image}"


@pytest.mark.slow
def test_hostile_texts_are_texts_everywhere(hostile):
    """Claims, outputs, streams, captions, alternative texts, cells and origins: each shows every sign."""
    site = hostile[0]
    spaced = [" ".join(text.split()) for text in HOSTILE]
    for name in ("notebooks/01-hostile.html", "claims.html", "figures/01-drawn.html", "figures/01-alone.html"):
        content = read(site / name)
        article = content.find("article")
        assert [script for script in article.find_all("script") if "alert" in script.text] == [], name
        assert article.find("svg") is None and article.find("h1", string="out") is None, name
        text = " ".join(article.get_text().split())
        for line in spaced:
            assert line in text, f"{name}: {line}"
    drawn = read(site / "figures" / "01-drawn.html").find("article")
    assert drawn.find("img")["alt"] == " ".join(HOSTILE).replace("\n", " ")
    assert "alert('question')" in read(site / "notebooks" / "index.html").find("article").get_text()
    folded = read(site / "notebooks" / "01-hostile.html").select("details.hide pre")
    assert [block.get_text().strip() for block in folded] == ["print('<script>alert(1)</script>')"]


@pytest.mark.slow
def test_what_the_repository_holds_is_on_the_site(hostile):
    site = hostile[0]
    page = read(site / "commands.html")
    blocks, commands = [block.get_text() for block in page.select("pre")], page.get_text()
    assert any("\n  compressed-code list models\n" in block for block in blocks)  # examples, a line each
    for words in ("compressed-code cold-start", "--input-ids", "python -m helpers", "make figures"):
        assert words in commands
    api = read(site / "api" / "compressed_code.statistics.html")
    assert api.find(id="compressed_code.statistics.intervals_and_tests.wilson_interval") is not None
    for path in ROOT.glob("data/zoo/*/README.md"):
        card = read(site / path.relative_to(ROOT).with_suffix(".html"))
        assert path.read_text().split("# ", 1)[1].split("\n")[0] in card.find("h1").get_text()
    assert (site / "searchindex.js").is_file() and (site / "index.html").is_file()
