"""Files of reference are what was declared of them."""

import shutil
from pathlib import Path

from compressed_code.core.reference_files import REFERENCES, check_references, declare, load_references


def test_every_file_of_reference_is_declared_and_is_what_was_declared():
    assert check_references() == []
    assert {"recorded", "recomputed"} <= {reference.kind for reference in load_references().values()}


def test_an_altered_deleted_or_undeclared_reference_is_named(tmp_path):
    folder = Path(shutil.copytree(REFERENCES, tmp_path / "reference"))
    scores = folder / "zoo-scores.csv"
    scores.write_text(scores.read_text().replace("0.996875", "0.996876", 1))
    (folder / "authors-cold-start.csv").unlink()
    (folder / "new.csv").write_text("a\n1\n")
    problems = "\n".join(check_references(folder))
    assert len(problems.splitlines()) == 3
    assert "zoo-scores.csv: is not the declared file (recomputed: make zoo)" in problems
    assert "authors-cold-start.csv: is missing (recorded:" in problems
    assert "new.csv: is not declared in references.yml" in problems
    declare(scores, "recomputed", "make zoo")
    assert not [line for line in check_references(folder) if "zoo-scores" in line]
    assert load_references(folder)["authors-tokenizers.yml"] == load_references()["authors-tokenizers.yml"]
    declare(folder / "new.csv", "machine", "make new")
    assert load_references(folder)["new.csv"].kind == "machine"
    assert [line.split(": ")[0].split("/")[-1] for line in check_references(folder)] == ["authors-cold-start.csv"]
