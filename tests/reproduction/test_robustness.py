"""The settings imitate other machines and change nothing else, and what they move is told per claim and column."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from compressed_code.reproduction import robustness as subject
from compressed_code.reproduction.robustness import changes_by_setting, claims_by_setting, not_robust, possible_settings
from compressed_code.reproduction.settings import load_settings

BY_NAME = {setting.key: setting for setting in load_settings()}

PROBE = """
import json, os
import numpy, threadpoolctl, torch
from numpy._core._multiarray_umath import __cpu_features__ as features
blas = [pool for pool in threadpoolctl.threadpool_info() if "openblas" in pool["prefix"]]
print(json.dumps({
    "torch": torch.backends.cpu.get_cpu_capability(),
    "numpy": sorted(name for name, found in features.items() if found),
    "openblas": [pool["architecture"] for pool in blas],
    "threads": torch.get_num_threads(),
    "sum": float(torch.linspace(0, 1, 100_003).sin().sum()),
}))
"""


def probe(environment) -> dict:
    """What libraries make of an environment; a warning about it is an error."""
    command = [sys.executable, "-W", "error::ImportWarning", "-c", PROBE]
    finished = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.slow
def test_every_library_takes_the_setting_for_a_plain_processor():
    found = probe(BY_NAME["without-avx"].environment)
    assert found["torch"] == "DEFAULT" and found["threads"] == 1
    assert not {"AVX", "AVX2", "FMA3", "SSE42", "AVX512F"} & set(found["numpy"])
    plain = {"Katmai", "Prescott", "Core2", "Banias"}  # as OpenBLAS calls kernels without SSE4
    assert set(found["openblas"]) <= plain


@pytest.mark.slow
def test_the_threads_setting_gives_two_and_leaves_the_instruction_sets():
    (setting,), left_out = possible_settings([BY_NAME["threads"]])
    assert not left_out
    found = probe(setting.environment)
    assert found["threads"] == 2 and found["torch"] != "DEFAULT"


def test_a_setting_that_this_processor_cannot_have_is_left_out_by_name(monkeypatch):
    monkeypatch.setattr(subject, "instruction_sets", lambda: ("sse4_2", "avx"))
    possible, left_out = possible_settings(load_settings())
    assert "threads" not in [setting.key for setting in possible]
    assert left_out == ["threads: left out, this processor has no avx2"]


TABLE = pd.DataFrame(
    [
        ("claim", "03", "bits cost", "reference", "2", "holds"),
        ("claim", "03", "bits cost", "without-avx", "2", "holds"),
        ("claim", "03", "bits cost", "draws", "1", "does not hold"),
        ("claim", "03", "seeds differ", "reference", "1", "holds"),
        ("claim", "03", "seeds differ", "draws", "", "not checked"),
        ("column", "03", "03-a: value", "without-avx", "0", "identical"),
        ("column", "03", "03-a: value", "draws", "0.03", "different"),
        ("column", "03", "03-a: low", "without-avx", "0", "identical"),
        ("column", "03", "03-a: low", "draws", "0", "identical"),
        ("file", "03", "03-a.svg", "draws", "", "differs"),
    ],
    columns=subject.COLUMNS,
)


def test_claims_are_counted_over_settings_and_what_moves_is_shown():
    assert claims_by_setting(TABLE).to_numpy().tolist() == [
        ["03", "bits cost", 2, 3, "draws"],
        ["03", "seeds differ", 1, 1, ""],
    ]
    assert changes_by_setting(TABLE, "column").to_dict("list") == {
        "name": ["03-a: value"],
        "without-avx": ["0"],
        "draws": ["0.03"],
    }
    assert changes_by_setting(TABLE, "file")["draws"].tolist() == ["differs"]


def test_the_short_form_objects_to_another_verdict_and_to_what_an_imitated_machine_moves():
    assert not_robust(TABLE, ["without-avx"]) == [
        "03: bits cost (draws: does not hold, reference: holds, without-avx: holds)"
    ]
    moved = TABLE.replace({"setting": {"draws": "without-avx"}}).iloc[[6]]
    assert not_robust(pd.concat([TABLE.iloc[[0]], moved]), ["without-avx"]) == [
        "03-a: value: moves by 0.03 under without-avx"
    ]
