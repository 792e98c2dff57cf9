"""The table of `make bench`: every script has the one schema, and the last committed run is one of all of them."""

import importlib.util
import os
import re
import subprocess
import sys

import pandas as pd
import pytest

from compressed_code.core.paths import ROOT
from compressed_code.core.reference_files import REFERENCES, load_references

SPEED = ROOT / "tests" / "speed"
BENCH = REFERENCES / "bench.csv"


def module(name: str):
    spec = importlib.util.spec_from_file_location(name, SPEED / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded


rows = module("bench_rows")


def test_ratios_and_goals_by_hand():
    """Twice as fast as a peer that is to take three times as long: 4 s of 2 s, 8 times the least of 0.25 s."""
    table = rows.table_of(
        [
            rows.Row("one", 2.0, "s", 3, 3, "peer", 4.0, "reading", 0.25),
            rows.Row("two", 2.0, "s", 3, 2, "peer", 4.0),
            rows.Row("three", 5.0, "MB", 3),
            rows.Row("four", 1.0, "ms", times=3, peer="not at hand"),
        ]
    )
    assert list(table.columns) == rows.COLUMNS
    assert table.loc[0, ["ratio", "of_limit"]].tolist() == [2.0, 8.0]
    assert table["aim"].tolist() == ["3 s, peer 3 x", "3 s, peer 2 x", "3 MB", "peer 3 x"]
    assert table["met"].tolist() == ["no", "yes", "no", ""]


def test_every_script_is_collected():
    scripts = {path.stem for path in SPEED.glob("*.py")} - {"bench", "bench_rows"}
    listed = re.search(r"SCRIPTS = \{(.*?)\n\}", (SPEED / "bench.py").read_text(), re.DOTALL)[1]
    assert set(re.findall(r'"(\w+)": \[', listed)) == scripts
    for name in scripts:
        assert "show(" in (SPEED / f"{name}.py").read_text(), name


@pytest.mark.slow
def test_a_script_that_fails_is_named_and_one_can_be_measured_anew(tmp_path):
    """On a copy whose scripts are two: one that measures, one that breaks."""
    for name in ("bench.py", "bench_rows.py"):
        (tmp_path / name).write_bytes((SPEED / name).read_bytes())
    text = (tmp_path / "bench.py").read_text()
    text = re.sub(r"SCRIPTS = \{.*?\n\}", 'SCRIPTS = {"good": [], "broken": []}', text, flags=re.DOTALL)
    text = text.replace("BENCH = REFERENCES", f"REFERENCES = Path({str(tmp_path)!r})\nBENCH = REFERENCES")
    (tmp_path / "bench.py").write_text(text)
    (tmp_path / "good.py").write_text("from bench_rows import Row, show\nshow([Row('nothing', 1.0, 's', 2)])\n")
    (tmp_path / "broken.py").write_text("raise SystemExit('no')\n")
    declared = "other.csv:\n  kind: machine\n  origin: make other\n  sha256: aa\n"
    (tmp_path / "references.yml").write_text(declared)
    command = [sys.executable, str(tmp_path / "bench.py")]

    def run(*names: str) -> subprocess.CompletedProcess:
        return subprocess.run([*command, *names], capture_output=True, text=True, env={**os.environ})

    done = run()
    assert done.returncode == 1 and "bench: failed: broken; the rows of the others are" in done.stderr, done.stderr
    assert "nothing" in done.stdout and pd.read_csv(tmp_path / "bench.csv")["script"].tolist() == ["good"]
    (tmp_path / "broken.py").write_bytes((tmp_path / "good.py").read_bytes())
    assert run().returncode == 0
    written = pd.read_csv(tmp_path / "bench.csv")
    assert written["script"].tolist() == ["good", "broken"] and written["machine"].str.contains("cores").all()
    assert load_references(tmp_path)["bench.csv"].kind == "machine"
    # One script anew: the rows of the other stay, but those of another machine.
    (tmp_path / "good.py").write_text("from bench_rows import Row, show\nshow([Row('nothing', 1.5, 's', 2)])\n")
    assert run("good", "--short").returncode == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "bench.csv"), written)
    assert run("good").returncode == 0
    again = pd.read_csv(tmp_path / "bench.csv")
    assert list(zip(again["script"], again["ours"], strict=True)) == [("good", 1.5), ("broken", 1.0)]
    again.assign(machine="another").to_csv(tmp_path / "bench.csv", index=False)
    assert run("broken").returncode == 0
    assert pd.read_csv(tmp_path / "bench.csv")["script"].tolist() == ["broken"]


def test_the_last_run_is_whole():
    table = pd.read_csv(BENCH)
    assert list(table.columns)[: len(rows.COLUMNS)] == rows.COLUMNS
    assert set(table["script"]) == {path.stem for path in SPEED.glob("*.py")} - {"bench", "bench_rows"}
    assert table[["machine", "threads", "versions", "load"]].notna().all(axis=None)
    assert load_references()[BENCH.name].kind == "machine"
    compared = table.dropna(subset="theirs")
    assert (compared["ratio"] - compared["theirs"] / compared["ours"]).abs().max() < 1e-6 * compared["ratio"].max()


def test_what_the_documents_say_of_compare_is_what_was_measured():
    text = " ".join((ROOT / "docs/own-models.md").read_text(encoding="utf-8").split())
    table = pd.read_csv(BENCH)
    table = table[table["script"] == "comparison"].assign(what=lambda rows: rows["goal"].str.rpartition(": ")[2])
    found = table.set_index("what")
    ours, theirs = found["ours"], found["theirs"]
    compared, read = "1,000 tokens compared", "1,000 tokens read beyond the start"
    assert f"take {ours['without programs']:.0f} seconds" in text
    assert f"and {ours['resident memory'] / 1000:.1f} GB without programs" in text
    assert f"take `compare` {ours[compared]:.1f} seconds" in text
    assert f"its start included, and the tool {theirs[compared]:.1f} (" in text
    assert f"take it {theirs[read]:.1f} seconds and `compare` {ours[read]:.1f}" in text
