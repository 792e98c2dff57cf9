"""measure(): stored once, found again, and only what changed is computed."""

import hashlib
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from compressed_code.core import table_store as store
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.table_store import read_provenance, tables_read
from compressed_code.measurements.code_generation import executions, generations
from compressed_code.measurements.stored_tables import fingerprint
from compressed_code.measurements.subjects.tokenizers import TokenizerSubject
from compressed_code.measurements.tables import for_each, measure, measurement
from compressed_code.measurements.tokenizers import vocabulary
from compressed_code.registry.lookup import Registry
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer


@pytest.fixture
def calls():
    return []


@pytest.fixture
def counted(calls, tmp_path):
    """A measurement that notes every real computation."""
    notes = tmp_path / "input.txt"
    notes.write_text("first")

    @measurement(version=1, subject=TokenizerSubject(), inputs=[notes], packages=["tokenizers"])
    def sizes(tokenizer, *, factor=1):
        calls.append(factor)
        return pd.DataFrame({"size": [len(tokenizer) * factor]})

    return sizes


def registry_with(path: Path, **fields) -> Registry:
    spec = TokenizerSpec(**{"key": "tiny", "label": "Tiny", "path": str(path), **fields})
    return Registry({"tiny": spec}, {})


def test_the_second_call_reads_and_a_new_label_hits(counted, calls, tokenizer_json, tmp_path):
    first = measure(counted, ["tiny"], directory=tmp_path / "r", registry=registry_with(tokenizer_json))
    renamed = registry_with(tokenizer_json, label="Another name", note="moved")
    again = measure(counted, ["tiny"], directory=tmp_path / "r", registry=renamed)
    pd.testing.assert_frame_equal(first, again)
    assert list(first.columns) == ["tokenizer", "size"]
    assert calls == [1]


def test_every_key_ingredient_misses(counted, calls, tokenizer_json, tmp_path):
    def run(what=counted, registry=None, **parameters):
        before = len(calls)
        measure(
            what, ["tiny"], directory=tmp_path / "r", registry=registry or registry_with(tokenizer_json), **parameters
        )
        return len(calls) - before

    assert run() == 1
    assert run() == 0
    assert run(factor=2) == 1
    assert run(replace(counted, version=2)) == 1
    assert run(replace(counted, name="other")) == 1
    assert run(registry=registry_with(tokenizer_json, normalizer="NFC")) == 1
    (tmp_path / "input.txt").write_text("second")
    assert run() == 1
    tokenizer_json.write_text(tokenizer_json.read_text() + "\n")
    assert run() == 1
    assert run() == 0


def test_a_default_that_is_said_hits_and_a_default_that_changed_misses(counted, calls, tokenizer_json, tmp_path):
    def run(what, **parameters):
        measure(what, ["tiny"], directory=tmp_path / "r", registry=registry_with(tokenizer_json), **parameters)
        return len(calls)

    def sizes(tokenizer, *, factor=2):
        return counted.compute(tokenizer, factor=factor)

    assert run(counted) == 1
    assert run(counted, factor=1) == 1
    assert run(replace(counted, compute=sizes)) == 2
    assert run(counted, factor=2) == 2  # the same numbers, whatever their default was


def test_parameters_handed_on_have_the_defaults_of_what_is_used():
    assert executions.parameters({"samples": 3}) == {**generations.parameters({}), "samples": 3}
    with pytest.raises(TypeError, match="executions has no parameter sample; it has benchmark, samples"):
        executions.parameters({"sample": 3})


def test_a_damaged_table_is_named_and_measured_again(counted, calls, tokenizer_json, tmp_path, capsys):
    registry = registry_with(tokenizer_json)
    first = measure(counted, ["tiny"], directory=tmp_path / "r", registry=registry)
    (path,) = (tmp_path / "r" / "sizes").glob("*.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    again = measure(counted, ["tiny"], directory=tmp_path / "r", registry=registry)
    pd.testing.assert_frame_equal(first, again)
    assert calls == [1, 1]
    assert path.name in capsys.readouterr().err


@pytest.mark.parametrize(
    "field", ["measurement", "version", "parameters", "subject", "inputs", "packages", "seconds", "commit"]
)
def test_a_table_is_taken_by_what_its_provenance_says_it_is_made_of(
    counted, calls, tokenizer_json, tmp_path, capsys, field
):
    """A table with the right name whose provenance was altered in one field; the last three decide no number."""
    registry = registry_with(tokenizer_json)
    first = measure(counted, ["tiny"], directory=tmp_path / "r", registry=registry)
    (path,) = (tmp_path / "r" / "sizes").glob("*.parquet")
    key, provenance = path.name.split(".")[0], read_provenance(path)
    path.unlink()
    altered = store.write_table(
        tmp_path / "r", "sizes", key, pd.DataFrame({"size": [0]}), {**provenance, field: ["another", provenance[field]]}
    )
    again = measure(counted, ["tiny"], directory=tmp_path / "r", registry=registry)
    decides = field not in ("packages", "seconds", "commit")
    assert (again["size"].tolist() == first["size"].tolist(), calls) == (decides, [1] * (1 + decides))
    said = capsys.readouterr().err
    assert said.count("\n") == decides and (altered.name in said) == decides


def test_tables_of_the_store_as_it_was_are_found(counted, calls, tokenizer_json, tmp_path):
    """Without the key that a file once held beside its provenance, and with it."""
    registry = registry_with(tokenizer_json)
    for metadata in ({}, {b"key": b"anything"}):
        measure(counted, ["tiny"], directory=tmp_path / "r", registry=registry)
        (path,) = (tmp_path / "r" / "sizes").glob("*.parquet")
        arrow = pq.read_table(path)
        pq.write_table(arrow.replace_schema_metadata({**arrow.schema.metadata, **metadata}), tmp_path / "t")
        path.unlink()
        digest = hashlib.sha256((tmp_path / "t").read_bytes()).hexdigest()[:16]
        (tmp_path / "t").rename(path.with_name(f"{path.name.split('.')[0]}.{digest}.parquet"))
    measure(counted, ["tiny"], directory=tmp_path / "r", registry=registry)
    assert calls == [1]


def test_provenance_says_how_a_table_was_made(counted, tokenizer_json, tmp_path):
    measure(counted, ["tiny"], directory=tmp_path / "r", registry=registry_with(tokenizer_json), factor=3)
    (path,) = (tmp_path / "r" / "sizes").glob("*.parquet")
    provenance = read_provenance(path)
    assert provenance["parameters"] == {"factor": 3}
    assert provenance["subject"]["fingerprint"] == fingerprint(tokenizer_json)
    assert provenance["packages"]["tokenizers"] and provenance["seconds"] >= 0
    assert "label" not in provenance["subject"]
    assert set(provenance["machine"]) == {"system", "processor", "instruction_sets", "cores", "settings"}


def test_what_a_session_reads_is_noted_computed_or_stored_and_a_gap_is_not(
    counted, tokenizer_json, tmp_path, monkeypatch
):
    registry = registry_with(tokenizer_json)
    noted = []
    for _ in range(2):  # computed, then stored
        monkeypatch.setattr(store, "_READ", {})
        measure(counted, ["tiny"], directory=tmp_path / "r", registry=registry, factor=3)
        with pytest.raises(InputError):
            measure(counted, ["nobody"], directory=tmp_path / "r", registry=registry)
        noted.append(tables_read())
    assert noted[0] == noted[1]
    (table,) = noted[0]
    assert (table.measurement, table.subject, table.parameters) == ("sizes", "tiny", {"factor": 3})
    assert [path.name.split(".")[0] for path in (tmp_path / "r" / "sizes").glob("*.parquet")] == [table.key]


def test_what_a_measurement_reads_for_itself_is_not_noted(counted, tokenizer_json, tmp_path, monkeypatch):
    """It is read only where the outer table is not stored yet, and a key must not depend on that."""
    registry = registry_with(tokenizer_json)

    @measurement(version=1, subject=TokenizerSubject(), uses=[counted])
    def doubled(tokenizer, sizes):
        return sizes * 2

    for _ in range(2):
        monkeypatch.setattr(store, "_READ", {})
        table = measure(doubled, "tiny", directory=tmp_path / "r", registry=registry, factor=3)
        assert [table.measurement for table in tables_read()] == ["doubled"]
    assert table["size"].tolist() == [2 * 3 * len(open_tokenizer(registry.tokenizers["tiny"]))]
    # What it used is stored beside it, and nowhere else.
    assert len(list((tmp_path / "r" / "sizes").glob("*.parquet"))) == 1


def test_what_cannot_be_had_is_left_out_by_name(counted, tokenizer_json, tmp_path, capsys):
    class Gap(TokenizerSubject):
        def open(self, spec, registry):
            if spec.key == "gone":
                raise Unavailable("gone: no hub in reach")
            return super().open(spec, registry)

    tiny = registry_with(tokenizer_json).tokenizers["tiny"]
    registry = Registry({"tiny": tiny, "gone": tiny.model_copy(update={"key": "gone", "pattern": "x"})}, {})
    table = measure(replace(counted, subject=Gap()), ["gone", "tiny"], directory=tmp_path / "r", registry=registry)
    assert table["tokenizer"].tolist() == ["tiny"]
    assert "left out gone" in capsys.readouterr().err
    with pytest.raises(Unavailable, match="nothing could be measured"):
        measure(replace(counted, subject=Gap()), ["gone"], directory=tmp_path / "r", registry=registry)
    with pytest.raises(InputError, match="nobody"):
        measure(counted, ["nobody"], directory=tmp_path / "r", registry=registry)


RACER = textwrap.dedent("""
    import os, sys, time, pandas as pd
    from pathlib import Path
    from compressed_code.measurements.tables import measure, measurement
    from compressed_code.measurements.tokenizers import TokenizerSubject
    from compressed_code.registry.lookup import Registry

    @measurement(version=1, subject=TokenizerSubject())
    def slow(tokenizer):
        Path(sys.argv[2], "computed").open("a").write("computed\\n")
        while len(list(Path(sys.argv[2]).glob("began-*"))) < 2:  # the other has to wait for this one
            time.sleep(0.01)
        return pd.DataFrame({"size": [len(tokenizer)]})

    Path(sys.argv[2], f"began-{os.getpid()}").touch()
    print(measure(slow, [sys.argv[3]], directory=Path(sys.argv[1]), registry=Registry({}, {}))["size"].item())
""")


def test_two_processes_asking_at_once_end_with_one_whole_table(tokenizer_json, tmp_path):
    command = [sys.executable, "-c", RACER, str(tmp_path / "r"), str(tmp_path), str(tokenizer_json)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [racer.communicate()[0] for racer in racers]
    assert answers[0] == answers[1] != ""
    assert (tmp_path / "computed").read_text() == "computed\n"
    assert len(list((tmp_path / "r" / "slow").glob("*.parquet"))) == 1


def test_the_vocabulary_measurement_keeps_bytes_and_classes(tokenizer_json, tmp_path):
    table = measure(vocabulary, [str(tokenizer_json)], directory=tmp_path)
    assert table["bytes"].map(type).eq(bytes).all()
    assert table["token_class"].notna().all()
    assert measure(vocabulary, [str(tokenizer_json)], directory=tmp_path).equals(table)


def test_for_each_applies_per_subject():
    table = pd.DataFrame({"tokenizer": ["b", "b", "a"], "value": [1, 2, 5]})
    sums = for_each(table, "tokenizer", lambda rows, plus: pd.DataFrame({"sum": [rows["value"].sum() + plus]}), 10)
    assert sums.to_dict("list") == {"sum": [13, 15], "tokenizer": ["b", "a"]}
    with pytest.raises(Unavailable, match="nothing was measured"):  # a section without subjects, not an error
        for_each(table[:0], "tokenizer", lambda rows: rows)


def test_a_missing_input_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        fingerprint(tmp_path / "absent")
