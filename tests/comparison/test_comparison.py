"""The door and the command from end to end on tiny models: numbers, what is stored, the page, and every mistake."""

import argparse
import io
import json
import os
import re
import shutil
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import torch
import tqdm
from transformers import AutoModelForCausalLM

import compressed_code as cc
from compressed_code.__main__ import main
from compressed_code.benchmarks.tasks import BENCHMARKS
from compressed_code.commands import compare as command
from compressed_code.comparison import inputs
from compressed_code.comparison.page_tables import STATISTICS, overall_table
from compressed_code.comparison.pictures import pictures
from compressed_code.comparison.programs import program_table, turned_programs
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import DATA
from compressed_code.fidelity.pair import encode_document, token_fidelity
from compressed_code.fidelity.summary import fidelity_summary
from compressed_code.models.devices import DEVICE_VARIABLE
from compressed_code.models.load import load_model
from compressed_code.quantization.engine import write_variant
from compressed_code.registry.languages import load_languages, load_programs
from compressed_code.registry.quantizations import Quantization
from compressed_code.tokenizers.files import open_tokenizer
from tiny_models import contents, save_contents
from working_isolators import working_isolators

NO_GPU = not torch.cuda.is_available()
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def models(tmp_path_factory, base) -> dict[str, Path]:
    """A base, two sound candidates and a broken one, under names that a page must escape."""
    folder = tmp_path_factory.mktemp("models")
    row = Quantization(key="t", label="T", method="rtn", bits=4, group_size=32)
    found = {"base": Path(shutil.copytree(base, folder / "base")), "rtn4": write_variant(base, row, folder / "rtn4")}
    found["rtn3"] = write_variant(base, row.model_copy(update={"bits": 3}), folder / HOSTILE)
    tensors, _ = contents(base)
    tensors["model.layers.1.mlp.up_proj.weight"] = torch.zeros_like(tensors["model.layers.1.mlp.up_proj.weight"])
    found["broken"] = save_contents(Path(shutil.copytree(base, folder / "broken")), tensors)
    return found


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("texts") / "program.py"
    text = next(iter(load_programs(load_languages()["python"]).values()))
    file.write_text(f'{text}\nx = "</pre><script>alert(2)</script>"\n', encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def comparison(models, program, store):
    names = [str(models[name]) for name in ("rtn4", "rtn3", "broken")]
    return cc.compare(str(models["base"]), names, texts=[program], directory=store)


def test_its_numbers_are_those_of_fidelity(comparison, models, program):
    vocabulary = open_tokenizer(models["base"])
    document = encode_document(vocabulary, load_languages()["python"], program.read_text(), str(program))
    both = (load_model(models[name], dtype="float64") for name in ("base", "rtn4"))
    tokens = token_fidelity(*both, [document], [0])
    expected = fidelity_summary(tokens).set_index("statistic")["value"]
    found = comparison.of("statistics", str(models["rtn4"])).set_index("statistic")["value"]
    for name in found.index:
        assert found[name] == pytest.approx(expected[name], rel=1e-5), name
    by_class = comparison.of("by_token_class", str(models["rtn4"]))
    kl = by_class[by_class["statistic"] == "kl_mean_nats"]
    assert (kl["value"] * kl["tokens"]).sum() / kl["tokens"].sum() == pytest.approx(found["kl_mean_nats"], rel=1e-5)
    confidence = comparison.of("by_confidence", str(models["rtn4"]))
    assert confidence["tokens"].sum() == len(tokens) == kl["tokens"].sum()
    assert 0 < comparison.tables["noise_floor"].set_index("statistic")["value"]["kl_mean_nats"] < found["kl_mean_nats"]


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(NO_GPU, reason="needs a GPU")])]
)
def test_bfloat16_on_a_device_is_a_column_of_noise(device, models, program, store, monkeypatch):
    """The same statistic of transformers' model in bfloat16 beside ours, on the page, in the summary, in JSON."""
    monkeypatch.setenv(DEVICE_VARIABLE, device)
    stages = {"stages": ["texts"], "texts": [program], "directory": store}
    found = cc.compare(str(models["base"]), str(models["rtn4"]), bfloat16=True, **stages)
    vocabulary = open_tokenizer(models["base"])
    document = encode_document(vocabulary, load_languages()["python"], program.read_text(), str(program))
    theirs = AutoModelForCausalLM.from_pretrained(models["base"], dtype=torch.bfloat16).eval().to(device)
    kl = token_fidelity(load_model(models["base"], dtype="float64"), theirs, [document], [0])["kl_nats"].mean()
    table = found.tables["bfloat16_noise"].set_index("statistic")["value"]
    assert table["kl_mean_nats"] == pytest.approx(kl, rel=1e-3) and kl > 0
    (told,) = re.findall(f"the base computed in bfloat16 on {device}: (.*)", found.summary())
    assert float(told) == pytest.approx(kl, rel=0.05)
    (heading,) = [part for part in re.findall(r"<th[^>]*>(.*?)</th>", found.to_html()) if "in bfloat16 on" in part]
    assert f"the base in bfloat16 on {device}" in heading
    assert {row["device"] for row in found.to_json()["bfloat16_noise"]} == {device}
    without = cc.compare(str(models["base"]), str(models["rtn4"]), **stages)
    assert "bfloat16_noise" not in without.tables and "in bfloat16 on" not in without.to_html()


def test_the_broken_one_is_told_from_the_sound(comparison, models):
    health = {name: comparison.findings[str(models[name])].health for name in ("rtn4", "rtn3", "broken")}
    assert health == {"rtn4": "sound", "rtn3": "sound", "broken": "broken"}
    (sentence,) = comparison.findings[str(models["broken"])].sentences
    assert sentence.startswith("zeroed: model.layers.1.mlp.up_proj.weight")


def test_one_more_candidate_computes_only_what_is_new(models, program, tmp_path):
    def stored() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}

    def compare(*candidates: str) -> None:
        names = [str(models[name]) for name in candidates]
        cc.compare(str(models["base"]), names, texts=[program], directory=tmp_path)

    compare("rtn4")
    before = stored()
    compare("rtn4", "rtn3")
    after = stored()
    assert {file: after[file] for file in before} == before
    new = Counter(file.parent.name for file in after if file not in before)
    assert new == {"weight_health": 1, "cold_start": 1, "text_fidelity": 1}  # and no noise floor, the base's alone


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watched(monkeypatch) -> Terminal:
    """Where every step of every bar is drawn from now on, as in front of somebody who watches."""
    monkeypatch.setattr("compressed_code.core.progress.bars.tqdm", partial(tqdm.tqdm, mininterval=0, miniters=1))
    monkeypatch.setattr("compressed_code.measurements.tables.PROGRESS_DELAY", 0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


def bars_with_time_left(terminal: Terminal) -> set[str]:
    """Names of the bars that said how much is done, and how long the rest takes."""
    return set(re.findall(r"([\w -]+): +\d+%[^\r\n]*\[\d+:\d+<\d+:\d+", terminal.getvalue()))


def test_every_stage_shows_the_time_that_is_left(models, program, tmp_path, monkeypatch):
    terminal = watched(monkeypatch)
    cc.compare(str(models["base"]), str(models["rtn4"]), texts=[program], directory=tmp_path)
    assert bars_with_time_left(terminal) >= {"files", "weights", "cold_start", "texts", "noise floor"}


def test_nothing_new_is_computed_for_the_same_candidates(comparison, models, program, store):
    def stored() -> dict[str, int]:
        return {str(file): file.stat().st_mtime_ns for file in store.rglob("*.parquet")}

    before = stored()
    names = [str(models[name]) for name in ("rtn4", "rtn3", "broken")]
    again = cc.compare(str(models["base"]), names, texts=[program], directory=store)
    assert stored() == before
    assert again.summary() == comparison.summary()
    assert again.to_html() == comparison.to_html()


def test_the_summary_fits_a_terminal(comparison):
    lines = comparison.summary().splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 80
    assert any("zeroed: model.layers.1.mlp.up_proj.weight" in line for line in lines)


def test_json_holds_everything(comparison):
    found = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert found["candidates"] == [model.name for model in comparison.candidates]
    for name, table in comparison.tables.items():
        assert len(found[name]) == len(table) and all(set(row) == set(table.columns) for row in found[name]), name
    assert found["weights"][0]["tensor"] and found["passages"][found["candidates"][0]][0]["tokens"][0]["flip"]


class Page(HTMLParser):
    """What a page consists of: tags with their attributes, and the text outside of style and script."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text, self._inside, self.depth = "", "", 0
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = tag if tag in ("style", "script") else self._inside

    def handle_endtag(self, tag):
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data):
        self.text += "" if self._inside else data


def test_the_page_needs_no_network_and_escapes_what_it_is_given(comparison):
    page = Page(comparison.to_html())
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert HOSTILE in page.text and "</pre><script>alert(2)</script>" in re.sub(r"\s", "", page.text.replace("·", " "))
    for tag, attributes in page.tags:
        assert tag not in ("img", "iframe", "object", "embed", "base")
        for name in ("src", "href", "xlink:href", "action"):
            assert not attributes.get(name) or attributes[name].startswith(("#", "data:")), (tag, attributes)
    for _, attributes in page.tags:
        if attributes.get("role") == "img":
            assert len(attributes["aria-label"]) > 20
    assert "currentColor" in comparison.to_html() and "prefers-color-scheme: dark" in comparison.to_html()
    headings = [attributes for tag, attributes in page.tags if tag == "button"]
    assert headings and all(attributes["type"] == "button" for attributes in headings)


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_name_moves_neither_a_terminal_nor_a_reader(models, tmp_path, capsys, form):
    """Control signs, another direction of writing, a line end."""
    odd = shutil.copytree(models["rtn4"], tmp_path / "a\x1b[2J\x9b\u202eb\nc")
    page = tmp_path / "page.html"
    arguments = ["compare", str(models["base"]), str(odd), "--only", "files", "--out", str(page), "--format", form]
    assert main(arguments) == 0
    found = capsys.readouterr()
    for text in (page.read_text(encoding="utf-8"), found.out, found.err):
        assert set(text).isdisjoint("\x1b\x9b\u202e")
    assert r"a\x1b[2J\x9b\u202eb\nc" in page.read_text(encoding="utf-8")
    if form == "json":
        assert json.loads(found.out)["candidates"] == [str(odd)]


def test_a_chart_says_whether_it_has_intervals(comparison):
    """One text is too little for any."""
    captions = {name: picture.caption for name, picture in pictures(comparison).items()}
    assert "too few texts of each" in captions["language"] and "too few texts of each" in captions["token_class"]
    rows = comparison.tables["by_language"]
    wide = replace(comparison, tables={**comparison.tables, "by_language": rows.assign(low=0.01, high=0.1)})
    assert "95 % bootstrap-t intervals over texts" in pictures(wide)["language"].caption


def test_a_cell_of_a_notebook_shows_it(comparison):
    page = Page(comparison._repr_html_())
    assert "script" not in dict(page.tags) and HOSTILE in page.text and "broken" in page.text
    assert "svg" in dict(page.tags)


def run(*arguments) -> None:
    parser = argparse.ArgumentParser()
    command.add_command(parser.add_subparsers())
    options = parser.parse_args(["compare", *map(str, arguments)])
    options.run(options)


def fails(*arguments) -> str:
    with pytest.raises(InputError) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_command_writes_the_page_once(models, tmp_path, capsys, monkeypatch):
    page, pair = tmp_path / "report.html", (models["base"], models["rtn4"], "--only", "files", "weights")
    run(*pair, "--out", page)
    shown = capsys.readouterr()
    assert "sound" in shown.out and "2/2 weights" in shown.err
    assert Page(page.read_text()).text.count("sound") > 1
    assert "exists already" in fails(*pair, "--out", page)
    run(*pair, "--out", page, "--force", "--format", "json")
    assert json.loads(capsys.readouterr().out)["health"][str(models["rtn4"])]["health"] == "sound"
    assert "ends in .html" in fails(*pair, "--out", tmp_path / "report.txt")


def test_mistakes_are_one_line(models, tmp_path, monkeypatch, program):
    base, candidate = models["base"], models["rtn4"]
    weights = ("--only", "weights")
    assert "once more, file by file" in fails(base, shutil.copytree(base, tmp_path / "copy"), *weights)
    assert "no such file or folder" in fails(base, "./nowhere", *weights)
    assert "stage 'wieghts' is not known" in fails(base, candidate, "--only", "wieghts")
    assert "no UTF-8 text" not in fails(base, candidate, "--text", tmp_path / "notes.xyz")
    without = Path(shutil.copytree(candidate, tmp_path / "without"))
    (without / "tokenizer.json").unlink()
    assert "holds no tokenizer" in fails(base, without)
    cut = Path(shutil.copytree(base, tmp_path / "cut"))
    content = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(content[: len(content) // 2])
    assert "model.safetensors" in fails(base, cut, *weights)
    monkeypatch.setattr(inputs, "free_memory", lambda: 1 << 20)
    assert re.search(
        r"takes about \d+\.\d GB .* 0\.0 GB are free; what was measured before is kept", fails(base, candidate)
    )


def test_every_bad_input_is_one_line_and_code_2(models, tmp_path, monkeypatch, capsys, make_base):
    """What the models of a command may have; each line says what to do."""
    from compressed_code.__main__ import main

    other = make_base(tmp_path / "other", family="gpt2")
    same = Path(shutil.copytree(models["rtn4"], tmp_path / "same"))
    bare = Path(shutil.copytree(models["rtn4"], tmp_path / "bare"))
    (bare / "tokenizer.json").unlink()
    half = Path(shutil.copytree(models["rtn4"], tmp_path / "half"))
    os.truncate(half / "model.safetensors", (half / "model.safetensors").stat().st_size - 1)
    base, candidate = models["base"], models["rtn4"]
    for arguments, words in {
        (candidate, base): ("swapped", "name the unquantized model first"),
        (base, base): ("once more, file by file", "name the other model"),
        (base, candidate, same): ("once more, file by file", "name the other model"),
        (base, other, "--only", "weights"): ("of another family (gpt2)", "name the model that it was made from"),
        (base, bare): ("holds no tokenizer", "tokenizer.json"),
        (base, half, "--only", "weights"): ("model.safetensors", "half"),
    }.items():
        assert main(["compare", *map(str, arguments)]) == 2, arguments
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("compressed-code compare: ") and all(word in line for word in words), line


def test_too_little_memory_says_what_is_needed_and_keeps_what_was_measured(models, tmp_path, monkeypatch, capsys):
    """Two models of 135 million weights need 2 GB in float32, which is what was measured."""
    named = [inputs.NamedModel(name, name, models["base"]) for name in ("base", "candidate")]
    monkeypatch.setattr(inputs, "precision_of", lambda *_: "float32")
    monkeypatch.setattr(inputs, "free_memory", lambda: 1_500_000_000)
    with pytest.raises(
        InputError, match=r"takes about 2\.0 GB for both models in float32, and 1\.5 GB are free"
    ) as stop:
        inputs.require_memory(named, dict.fromkeys(("base", "candidate"), 134_515_008))
    assert "--only files weights cold-start" in str(stop.value)
    monkeypatch.undo()
    monkeypatch.setattr(inputs, "free_memory", lambda: 1 << 20)
    with pytest.raises(InputError, match="what was measured before is kept"):
        cc.compare(str(models["base"]), str(models["rtn4"]), directory=tmp_path)
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    assert {"weight_health"} < {file.parent.name for file in kept}
    offered = ["files", "weights", "cold-start"]
    cc.compare(str(models["base"]), str(models["rtn4"]), stages=offered, directory=tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")} == kept


def test_another_family_is_a_note_where_more_than_weights_is_compared(models, tmp_path, make_base):
    other = make_base(tmp_path / "other", family="gpt2")
    found = cc.compare(str(models["base"]), str(other), stages=["weights", "cold-start"], directory=tmp_path)
    assert found.findings[str(other)].health == "not compared" and "first_tokens" in found.tables
    assert any("is of another family (gpt2)" in note for note in found.notes)


def test_a_file_that_is_still_being_written_is_told(models, tmp_path, monkeypatch):
    growing = Path(shutil.copytree(models["rtn4"], tmp_path / "growing"))
    (growing / "config.json").write_text((growing / "config.json").read_text() + " ")  # not the other one again

    def write(line: str) -> None:
        if line.startswith("1/2"):
            with (growing / "model.safetensors").open("ab") as file:
                file.write(b"0")

    with pytest.raises(InputError, match="was written to while it was read"):
        cc.compare(str(models["base"]), str(growing), stages=["files", "weights"], progress=write, directory=tmp_path)


def test_base_and_candidate_exchanged_are_told(models, tmp_path):
    problem = fails(models["rtn4"], models["base"], "--only", "files")
    assert "base and candidate are swapped; name the unquantized model first" in problem
    found = cc.compare(str(models["rtn3"]), str(models["rtn4"]), stages=["files"], directory=tmp_path)
    assert len(found.notes) == 1 and "are they swapped?" in found.notes[0]  # which may be meant


def test_nothing_can_be_stored_and_everything_is_told(models, program):
    """As in a checkout that may only be read: even root can make no folder below a file."""
    nowhere = program / "results"
    pair, stages = (str(models["base"]), str(models["rtn4"])), ["files", "weights", "cold-start"]
    found = cc.compare(*pair, stages=stages, directory=nowhere)
    assert found.findings[pair[1]].health == "sound" and {"weights", "first_tokens"} <= set(found.tables)


def test_a_stage_that_cannot_be_done_is_a_note_and_the_others_stand(tmp_path):
    """Zoo S cuts text by a rule of its own, which GGUF has no name for, so that its files cannot be given text."""
    base = DATA / "zoo" / "zoo-s"
    rows = [Quantization(key="t", label="T", method="gguf", type=name) for name in ("Q8_0", "Q4_0")]
    files = [write_variant(base, row, tmp_path / row.type) for row in rows]
    found = cc.compare(*map(str, files), directory=tmp_path / "results")
    assert found.findings[str(files[1])].health == "sound" and "first_tokens" in found.tables
    assert len(found.notes) == 1 and found.notes[0].startswith("texts: left out: ") and "tokenizer" in found.notes[0]
    assert found.notes[0] in Page(found.to_html()).text
    assert "put its original tokenizer.json beside it" in fails(*files, "--only", "texts")


@pytest.mark.slow
def test_two_gguf_files_that_quantize_wrote_are_given_text(tmp_path):
    """What their rule is called nobody knows, so the tokenizer that cuts lies beside them."""
    files = [cc.quantize("zoo-xs", "gguf", tmp_path / name, type=name).path for name in ("q8_0", "q4_0")]
    text = tmp_path / "a.py"
    text.write_text("def add(one, other):\n    return one + other\n" * 3, encoding="utf-8")
    found = cc.compare(*map(str, files), texts=[text], stages=["texts"], directory=tmp_path / "results")
    assert not found.notes and "statistics" in found.tables
    files[0].with_name("tokenizer.json").unlink()
    files[1].with_name("tokenizer.json").unlink()
    with pytest.raises(Unavailable, match="beside it"):
        cc.compare(*map(str, files), texts=[text], stages=["texts"], directory=tmp_path / "others")


@pytest.mark.slow
def test_programs_are_written_executed_and_shown_side_by_side(tmp_path, monkeypatch):
    """Rounding whole rows to three bits costs Zoo S nearly all programs that it passes."""
    if not working_isolators():
        pytest.skip("no isolator on this system")
    benchmark, rows = tmp_path / "tasks.jsonl", BENCHMARKS / "zoo-standard.jsonl"
    benchmark.write_text("".join(rows.read_text().splitlines(keepends=True)[:40]))
    row = Quantization(key="t", label="T", method="rtn", bits=3)
    pair = str(DATA / "zoo" / "zoo-s"), str(write_variant(DATA / "zoo" / "zoo-s", row, tmp_path / "rtn3"))
    stages, terminal = ["weights", "programs"], watched(monkeypatch)
    found = cc.compare(*pair, stages=stages, benchmark=str(benchmark), directory=tmp_path / "results")
    assert bars_with_time_left(terminal) >= {"programs", "executions"}
    programs, turned = found.tables["programs"].set_index("model"), found.of("turned_programs", pair[1])
    assert programs["tasks"].eq(40).all() and programs["lost"][pair[1]] == (turned["turn"] == "lost").sum() > 0
    assert (turned.loc[turned["turn"] == "lost", "base_outcome"] == "passed").all()
    page = Page(found.to_html())
    for side in ("base_program", "candidate_program"):
        assert turned[side].iloc[0] in page.text
    prediction = found.of("guidelines", pair[1]).set_index("rule").loc["task_kl"]
    passed = round(programs["pass_at_1"][pair[0]] * 40)
    assert prediction["measured"] == programs["lost"][pair[1]] / passed
    assert prediction["low"] <= prediction["predicted"] <= prediction["high"]
    assert "of 40 tasks" in " ".join(page.text.split())


def test_other_tokenizers_are_compared_by_bytes(models, tmp_path, program, make_base, monkeypatch):
    other = make_base(tmp_path / "other", hidden_size=32, intermediate_size=48)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:-1]
    vocabulary = tokenizer["model"]["vocab"]
    one, last = list(vocabulary)[280], max(vocabulary, key=vocabulary.get)
    vocabulary[one], vocabulary[last] = vocabulary[last], vocabulary[one]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    terminal = watched(monkeypatch)
    found = cc.compare(str(models["base"]), str(other), texts=[program], directory=tmp_path)
    assert "texts" in bars_with_time_left(terminal)
    assert "statistics" not in found.tables and "compared by bytes" in found.notes[-1]
    (row,) = found.of("bits_per_byte", str(other)).to_dict(orient="records")
    assert row["bits_per_byte_candidate"] - row["bits_per_byte_base"] == pytest.approx(row["bits_per_byte_difference"])
    assert found.findings[str(other)].health == "not compared"
    assert "bits/byte" in found.summary() and "bits per byte" in Page(found.to_html()).text


def test_a_ratio_near_one_is_told_from_it():
    """The overview has 1.005, and where its interval stands a reader meets the same number."""
    row = {"value": 0.5, "low": float("nan"), "high": float("nan"), "tokens": 9, "documents": 2}
    table = pd.DataFrame([{"statistic": name, **row} for name in STATISTICS])
    table.loc[table["statistic"] == "perplexity_ratio", ["value", "low", "high"]] = 1.00458, 0.99512, 1.01409
    shown = {cells[0].text: [cell.text for cell in cells[1:]] for cells in overall_table(table, table).rows}
    assert shown["perplexity ratio"] == ["1.005", "0.9951\u00a0…\u00a01.014", "1.005"]
    assert shown["… median"] == ["0.5", "–", "0.5"]


def test_programs_that_turn_are_shown_side_by_side():
    tasks = [f"zoo-ood/{number}" for number in range(4)]
    rows = [
        {"model": model, "task_id": task, "sample": 0, "passed": passed, "outcome": "passed" if passed else "failed"}
        | {"exception": "", "completion": f"    return {model!r}\n"}
        for model, results in {"base": (1, 1, 0, 0), "small": (1, 0, 1, 0)}.items()
        for task, passed in zip(tasks, map(bool, results), strict=True)
    ]
    outcomes = pd.DataFrame(rows)
    table = program_table(outcomes, ["base", "small"]).set_index("model")
    assert table.loc["small", ["pass_at_1", "lost", "gained", "tasks"]].tolist() == [0.5, 1, 1, 4]
    turned = turned_programs(outcomes, "base", "small", "zoo-ood")
    assert turned[["task_id", "turn"]].to_numpy().tolist() == [["zoo-ood/1", "lost"], ["zoo-ood/2", "gained"]]
    assert turned["candidate_program"].tolist() == ["    return 'small'\n"] * 2 and all(turned["prompt"])
