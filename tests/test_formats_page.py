"""docs/formats.md names what the reader reads."""

import re

import pytest

from compressed_code.checkpoints.gguf.families import FAMILIES
from compressed_code.checkpoints.quantization_config import FORMS
from compressed_code.checkpoints.storage_forms.compressed_tensors import FORMATS
from compressed_code.core.paths import ROOT

PAGE = ROOT / "docs" / "formats.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the page is not part of an installed package")
def test_the_page_names_every_form_and_architecture():
    words = set(re.findall(r"[\w-]+", PAGE.read_text(encoding="utf-8")))
    written = {name for name in FAMILIES if name != "mixtral"}  # which a file calls llama
    assert not {*FORMS, *written} - words
    assert not {*FORMATS} - {"dense", "naive-quantized"} - words
