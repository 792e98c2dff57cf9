"""Documents keep their text; their links lead to pages, to copies of files, or stay words."""

from compressed_code.core.paths import ROOT
from site_pages.documents import find_documents, read_document, targets
from site_pages.stage import Stage

TEXT = """---
license: mit
---
# Data

[models](models.yml), [the zoo](zoo), [programs](parallel/), [a \\[x\\]](../README.md#two),
[web](https://example.org), [here](#data), ![a plot](../figures/a.png), [gone](gone.yml)
"""


def test_links_lead_inside_the_site(tmp_path):
    (tmp_path / "data" / "parallel").mkdir(parents=True)
    (tmp_path / "data" / "README.md").write_text(TEXT)
    (tmp_path / "data" / "models.yml").write_text("a: 1")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(b"png")
    stage = Stage(tmp_path / "stage")
    text = read_document(tmp_path, "data/README.md", targets(ROOT), stage)
    assert text.strip().splitlines() == [
        "# Data",
        "",
        "[models](/files/data/models.yml), [the zoo](/models.md), programs, [a \\[x\\]](/index.md#two),",
        "[web](https://example.org), [here](#data), ![a plot](/files/figures/a.png), [gone](gone.yml)",
    ]
    assert (tmp_path / "stage" / "files" / "figures" / "a.png").read_bytes() == b"png"


def test_every_document_is_found_by_listing():
    found = find_documents(ROOT)
    cards = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("data/zoo/*/README.md")}
    assert {"CONTRIBUTING.md", "CHANGELOG.md", "data/README.md", "docs/formats.md", *cards} <= set(found)
    assert len(found) == len(set(found))
