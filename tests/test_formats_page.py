"""docs/formats.md names what the reader reads, and what it does not."""

import re
from pathlib import Path

import pytest

from compressed_code.checkpoints.gguf.families import FAMILIES
from compressed_code.checkpoints.quantization_config import FORMS, read_form
from compressed_code.checkpoints.storage_forms.compressed_tensors import FORMATS
from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT

PAGE = ROOT / "docs" / "formats.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the page is not part of an installed package")


def _part(heading: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def _quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_page_names_every_form_and_architecture():
    words = set(re.findall(r"[\w-]+", PAGE.read_text(encoding="utf-8")))
    written = {name for name in FAMILIES if name != "mixtral"}  # which a file calls llama
    assert not {*FORMS, *written} - words
    assert not {*FORMATS} - {"dense", "naive-quantized"} - words


def test_methods_that_the_page_says_are_not_read_are_refused():
    """And those of its table are read, or ask for a field that a row here does not give."""
    part = _part("Stored forms of a folder")
    refused = _quoted(part.split("Not read, refused by name: ")[1].split("(no decoder here yet)")[0])
    assert len(refused) >= 7
    for method in refused:
        with pytest.raises(InputError, match=f"'{method}' is not supported"):
            read_form(Path("m"), {"quantization_config": {"quant_method": method}})
    read = {name for row in re.findall(r"^\| ([\w, -]+) \|", part, re.MULTILINE) for name in row.split(", ")}
    assert read - {"none", "---"} == {*FORMS}


def test_layouts_that_the_page_says_are_not_read_are_refused():
    """Each behind the name of its method."""
    part = _part("Stored forms of a folder")
    for method, said in (("awq", "AWQ for "), ("gptq", "GPTQ for ")):
        layouts = _quoted(part.split(said)[1].split(",")[0])
        assert len(layouts) == 2
        for layout in layouts:
            described = {"quant_method": method, "bits": 4, "checkpoint_format": layout}
            with pytest.raises(InputError, match=f"'{layout}' is not supported"):
                read_form(Path("m"), {"quantization_config": described})
    transformed = {"quant_method": "compressed-tensors", "transform_config": {"config_groups": {"a": {}}}}
    for described in (transformed, {"quant_method": "compressed-tensors", "sparsity_config": {"format": "sparse-24"}}):
        with pytest.raises(InputError, match="not supported"):
            read_form(Path("m"), {"quantization_config": described})


def test_architectures_that_the_page_says_are_not_read_are_not():
    part = _part("Architectures of a GGUF file")
    listed, rest = part.strip().split("\n\n")
    assert {*_quoted(listed)} == {*FAMILIES} - {"mixtral"}
    refused = _quoted(rest.split("Refused by name: other\narchitectures")[1].split(")")[0])
    assert len(refused) == 3 and not {*refused} & {*FAMILIES}
