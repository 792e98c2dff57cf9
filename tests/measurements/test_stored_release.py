"""A folder that holds a release: what was measured is found without its subject, and nothing is computed."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from compressed_code.core import stored_release, table_store
from compressed_code.core.errors import Unavailable
from compressed_code.core.stored_release import as_entries, entries_so_far
from compressed_code.core.table_archive import pack, unpack
from compressed_code.core.table_store import tables_read
from compressed_code.measurements.fidelity import stored_size, variant_record
from compressed_code.measurements.subjects import models
from compressed_code.measurements.subjects.models import ModelSubject
from compressed_code.measurements.tables import measure, measurement
from compressed_code.registry.lookup import load_registry

VARIANT = "zoo-xs+rtn-4-g8"


@pytest.fixture
def session(monkeypatch):
    """What a new process begins with; call it to begin another."""

    def begin() -> None:
        monkeypatch.setattr(table_store, "_READ", {})
        monkeypatch.setattr(stored_release, "_ENTRIES", {})

    begin()
    return begin


@pytest.fixture
def released(tmp_path):
    """Pack what this session was handed out, and unpack it: the folder of its tables."""

    def make(directory):
        rows = json.loads(entries_so_far())
        pack(as_entries(rows), directory, tmp_path / "a.tar.xz", "1.0.0")
        return unpack(str(tmp_path / "a.tar.xz"), tmp_path / "unpacked", "1.0.0") / "results"

    return make


def refuse(*_, **__):
    raise AssertionError("a variant was made, or a measurement computed")


def test_a_variant_is_not_made_and_the_tables_are_noted_as_before(session, released, tmp_path, monkeypatch):
    names = ["zoo-xs", VARIANT]
    records = measure(variant_record, VARIANT, directory=tmp_path / "r")
    computed = measure(stored_size, names, directory=tmp_path / "r")
    noted, directory = tables_read(), released(tmp_path / "r")
    session()
    monkeypatch.setattr(models, "quantized_variant", refuse)
    pd.testing.assert_frame_equal(measure(variant_record, VARIANT, directory=directory), records)
    pd.testing.assert_frame_equal(measure(stored_size, names, directory=directory), computed)
    assert tables_read() == noted
    assert {(one.measurement, one.subject) for one in noted} == {
        ("variant_record", VARIANT),
        *(("stored_size", name) for name in names),
    }


def test_what_a_release_lacks_is_left_out_by_name(session, released, tmp_path, monkeypatch, capsys):
    """Another model, another row under the same name, another version, other parameters: none is computed."""
    measure(stored_size, VARIANT, directory=tmp_path / "r")
    directory = released(tmp_path / "r")
    monkeypatch.setattr(models, "quantized_variant", refuse)
    with pytest.raises(Unavailable, match="stored_size of zoo-s: not among the stored tables"):
        measure(stored_size, "zoo-s", directory=directory)
    assert measure(stored_size, [VARIANT, "zoo-s"], directory=directory)["model"].unique().tolist() == [VARIANT]
    assert "left out zoo-s" in capsys.readouterr().err
    with pytest.raises(Unavailable, match="not among"):
        measure(replace(stored_size, version=stored_size.version + 1), VARIANT, directory=directory)
    registry = load_registry()
    kind, spec = ModelSubject(), stored_size.subject.find(VARIANT, registry)
    changed = spec.model_copy(update={"quantization": spec.quantization.model_copy(update={"bits": 3})})
    renamed = spec.model_copy(update={"quantization": spec.quantization.model_copy(update={"label": "Another"})})
    assert kind.made_of(spec, registry) == kind.made_of(renamed, registry) != kind.made_of(changed, registry)


def test_of_a_sum_over_tables_the_tables_are_noted_and_only_the_sum_is_packed(session, released, tmp_path, monkeypatch):
    @measurement(version=1, subject=ModelSubject())
    def weights(model, scale: int = 1):
        return pd.DataFrame({"value": [float(scale), float(len(str(model)))]})

    @measurement(version=1, subject=ModelSubject(), uses=[weights], sums_up=True)
    def total(_, weights, power: int = 1):
        return pd.DataFrame({"total": [weights["value"].sum() ** power]})

    measure(weights, "zoo-xs", directory=tmp_path / "r", scale=2)
    (noted,) = tables_read()
    session()
    computed = measure(total, "zoo-xs", directory=tmp_path / "r", scale=2, power=2)
    assert tables_read() == (noted,)
    directory = released(tmp_path / "r")
    assert [path.name for path in sorted(directory.iterdir()) if path.is_dir()] == ["total"]
    session()
    stored = measure(replace(total, compute=refuse_table), "zoo-xs", directory=directory, scale=2, power=2)
    pd.testing.assert_frame_equal(stored, computed)
    assert tables_read() == (noted,)


def refuse_table(_, weights, power: int = 1):
    raise AssertionError("a measurement was computed")
