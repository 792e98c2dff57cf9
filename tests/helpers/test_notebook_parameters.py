"""Every notebook runs with other parameters: what cannot be measured is named and left out, the rest is drawn."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest

from compressed_code.__main__ import main
from compressed_code.core.paths import FIGURES, NOTEBOOKS, ROOT
from compressed_code.reproduction.claims import read_claims
from compressed_code.zoo.recipes import ZOO_DIRECTORY
from helpers.notebook_kernel import METADATA
from helpers.notebook_parameters import read_parameters
from helpers.run import run_notebook

pytestmark = [pytest.mark.slow, pytest.mark.long]

# What a run needs minutes for is made smaller, so that a case is about the parameter it changes.
SMALL_02 = {
    "contexts": ["document", "bos"],
    "blind": "zoo-xs",
    "quantized": "zoo-xs",
    # Groups of 32 do not divide its layers: one row of a method cannot be had, and a method whole.
    "rounding": ["rtn-4-rows", "rtn-3-rows", "rtn-3-g32"],
    "gptq": ["gptq-3-g32"],
    "draws": [0],
}
SMALL_03 = {
    "rounding": ["rtn-4-rows", "rtn-3-rows"],
    "gptq": ["gptq-4-rows"],
    "libraries": [],
    "texts": [],
    "draws": [0],
    "gguf": ["gguf-q8_0"],
    "gguf_four": ["gguf-q4_0"],
    "gguf_low": [],
    "hqq": [],
    "others": [],
    "modules": [],
    "groups": [],
    "trained_again": ["rtn-3-rows"],
}
SMALL_06 = {
    "models": ["zoo-xs", "zoo-s"],
    "quantized": ["rtn-4-rows"],
    "draws": [0],
    "sampled": {"zoo-xs": "zoo-s-long"},  # as in data/robustness.yml, so that their programs are written once
    "sampled_quantized": [],
    "samples": 2,
    "noisy": "zoo-xs",
    "general": "zoo-xs",
}
SMALL_07 = {"quantized": ["rtn-4-rows", "rtn-3-rows"], "draws": [0]}
ONE_03 = {**{name: [] for name in SMALL_03}, "rounding": ["rtn-4-g32"]}

# The parameter of each notebook that names the model it is about, and what that model is put in beside it.
BASES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "02": ("models", SMALL_02),
    "03": ("base", SMALL_03),
    "04": ("teacher", {"distilled": ["zoo-s-distilled"], "alone": ["zoo-s"], "longer": ["zoo-s-long"]}),
    "05": ("sizes", {"tuned": {}}),
    "06": ("base", SMALL_06),
    "07": ("base", SMALL_07),
}
MODELS = ("zoo-xs", "zoo-s", "zoo-m", "folder", "gguf", "gptq")


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Mapping[str, str]:
    """Names of models: a folder of one's own, a GGUF file made from it, and a folder in GPTQ's format."""
    place = tmp_path_factory.mktemp("models")
    shutil.copytree(ZOO_DIRECTORY / "zoo-xs", place / "mine")
    gguf, gptq = ["--method", "gguf", "--type", "Q8_0"], ["--method", "rtn", "--bits", "4", "--group-size", "16"]
    assert main(["quantize", str(place / "mine"), *gguf, "--out", str(place / "gguf")]) == 0
    assert main(["quantize", "zoo-s", *gptq, "--out", str(place / "gptq")]) == 0
    return {
        "folder": str(place / "mine"),
        "gguf": str(next((place / "gguf").glob("*.gguf"))),
        "gptq": str(place / "gptq"),
    }


def run(number: str, parameters: Mapping[str, Any], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Run a notebook; its executed copy and what it says was left out. Nothing may be written to figures/."""
    source = next(NOTEBOOKS.glob(f"{number}-*.ipynb"))
    committed = {path: path.stat().st_mtime_ns for path in FIGURES.iterdir()}
    output = tmp_path / source.name
    run_notebook(source, output, {"figures": str(tmp_path / "figures"), **parameters})
    assert {path: path.stat().st_mtime_ns for path in FIGURES.iterdir()} == committed
    return output, nbformat.read(output, as_version=4).metadata[METADATA]


def named(value: str, default: Any) -> Any:
    """A model's name in the shape of a parameter: alone, or as the only entry of a list."""
    return [value] if isinstance(default, list) else value


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("number", list(BASES))
def test_another_base(number, model, models, tmp_path):
    parameter, others = BASES[number]
    default = read_parameters(next(NOTEBOOKS.glob(f"{number}-*.ipynb")))[parameter].default
    name = models.get(model, model)
    output, told = run(number, {**others, parameter: named(name, default)}, tmp_path)
    claims = read_claims([output])
    told_of_nothing = claims.empty and told["left_out"]  # whoever needs the base model is left out, with the claims
    assert "not checked" in set(claims["verdict"]) or told_of_nothing, "claims speak of a run that they do not know"
    captions = "".join(path.read_text() for path in (tmp_path / "figures").glob(f"{number}-*.svg"))
    assert captions or told["left_out"], "neither a figure nor a reason why there is none"
    assert all(entry["reason"] for entry in told["left_out"])
    drawn = tmp_path / "figures" / "02-quantization.svg"
    assert not drawn.exists() or {"RTN, whole rows", "GGUF levels"} == {
        label for label in ("RTN, whole rows", "RTN, groups of 32", "GPTQ", "GGUF levels") if label in drawn.read_text()
    }


@pytest.mark.parametrize(
    ("number", "parameters"),
    [
        ("03", ONE_03),
        ("03", {**ONE_03, "rounding": [], "gptq": ["gptq-3-g32"]}),
        ("03", {**ONE_03, "rounding": [], "gguf": ["gguf-q8_0"]}),
        ("03", {**ONE_03, "base": "zoo-s"}),  # groups of 32 do not divide its layers
        ("06", {**SMALL_06, "quantized": ["rtn-3-g32"]}),
        ("06", {**SMALL_06, "quantized": []}),
        ("07", {**SMALL_07, "quantized": ["rtn-4-g32"]}),
        ("06", {**SMALL_06, "sampled": {}, "models": ["zoo-xs"]}),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:60],
)
def test_one_variant_or_none(number, parameters, tmp_path):
    output, told = run(number, parameters, tmp_path)
    assert list((tmp_path / "figures").glob(f"{number}-*.csv")) or told["left_out"]
    assert len(read_claims([output])) or told["left_out"]


@pytest.mark.parametrize(
    "tokenizers",
    [["llama-3.1", "deepseek-v3"], ["qwen2.5", "codestral"], ["mistral-nemo"], ["data/zoo/zoo-m"]],
    ids="+".join,
)
def test_a_subset_of_tokenizers(tokenizers, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    output, _ = run("01", {"tokenizers": tokenizers}, tmp_path)
    assert (tmp_path / "figures" / "01-coverage.png").exists()
    assert "not checked" in set(read_claims([output])["verdict"])
