"""Programs of models as measured tables: what decides their key, and what is said of tasks that cannot be scored."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch

from compressed_code.benchmarks.completions import STOP_SEQUENCES
from compressed_code.benchmarks.tasks import load_benchmark
from compressed_code.code_generation.engine import write_programs
from compressed_code.code_generation.requests import Settings, end_ids, input_ids, make_requests
from compressed_code.core.paths import DATA
from compressed_code.measurements.code_generation import batch_noise, executions, generations
from compressed_code.measurements.tables import measure
from compressed_code.models.load import load_model
from compressed_code.registry.lookup import Registry, load_registry
from compressed_code.registry.specs import ModelSpec, TokenizerSpec
from compressed_code.sandbox import Sandbox
from compressed_code.tokenizers.files import open_tokenizer
from working_isolators import working_isolators

FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")


@pytest.fixture
def benchmark(tmp_path):
    """Four tasks of the zoo's in a file of their own."""
    path = tmp_path / "tasks.jsonl"
    write(path, load_benchmark("zoo-standard")[:4])
    return path


def keep_results_in(folder, monkeypatch):
    """Tables and verdicts of measurements that a measurement reads."""
    monkeypatch.setattr("compressed_code.measurements.tables.RESULTS", folder / "results")
    monkeypatch.setattr("compressed_code.measurements.code_generation.RESULTS", folder / "results")


def write(path, tasks, **changed):
    rows = [{field: getattr(task, field) for field in FIELDS} | changed.get(task.task_id, {}) for task in tasks]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_the_content_of_a_benchmark_file_decides_the_key(benchmark, tmp_path):
    options = {"benchmark": str(benchmark), "max_tokens": 3, "directory": tmp_path / "results"}
    first = measure(generations, ["zoo-xs"], **options)
    assert first["task_id"].tolist() == [task.task_id for task in load_benchmark(benchmark)]
    assert (first["tokens"] <= 3).all() and (first["near_ties"] <= first["tokens"] + 1).all()
    write(benchmark, load_benchmark("zoo-standard")[2:4])
    assert len(measure(generations, ["zoo-xs"], **options)) == 2


@pytest.mark.slow
def test_the_batch_changes_no_program_of_the_zoo(tmp_path):
    """Greedy programs at batch 1 are those of transformers' generate(), and at batch 64 those of batch 1."""
    path, tasks = DATA / "zoo" / "zoo-s", load_benchmark("zoo-standard")[:64]
    vocabulary = open_tokenizer(TokenizerSpec(key="zoo-s", label="zoo-s", path=str(path)))
    model = load_model(path)
    given = input_ids(tasks, path, vocabulary.encode, chat=False, context="document")
    settings = Settings(max_tokens=120, stop=STOP_SEQUENCES, end_ids=end_ids(model, path), batch_invariant=True)
    requests = make_requests(given)
    written = {
        batch: {
            part.task_id: part
            for parts in write_programs(model, vocabulary, requests, replace(settings, batch=batch))
            for part in parts
        }
        for batch in (1, 64)
    }
    ids = [{name: part.token_ids for name, part in parts.items()} for parts in written.values()]
    assert ids[0] == ids[1] and len(ids[0]) == len(tasks) and len(set(ids[0].values())) > 30
    for task in tasks[:6]:
        prompt, expected = torch.tensor([given[task.task_id]]), ids[0][task.task_id]
        whole = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=120)
        assert tuple(whole[0, prompt.shape[1] :].tolist())[: len(expected)] == expected


@pytest.mark.slow
def test_a_gguf_variant_writes_with_its_row_s_tokenizer(benchmark, tmp_path):
    options = {"benchmark": str(benchmark), "directory": tmp_path / "results"}
    written = measure(generations, ["zoo-l", "zoo-l+gguf-q8_0"], **options).groupby("model")["completion"].agg(list)
    solutions = [task.canonical_solution for task in load_benchmark(benchmark)]
    assert written["zoo-l+gguf-q8_0"] == written["zoo-l"] and len(written["zoo-l"]) == len(solutions)


@pytest.mark.slow
def test_a_variant_reads_what_its_base_wrote_and_writes_what_it_writes_without(tmp_path, monkeypatch):
    """Four bits depart from the base in some of 48 tasks. Where the base's programs are not stored it writes alone."""
    path, given = tmp_path / "tasks.jsonl", []
    write(path, load_benchmark("zoo-standard")[:48])

    def watched(*arguments):
        given.append(arguments[4])
        return write_programs(*arguments)

    monkeypatch.setattr("compressed_code.code_generation.engine.write_programs", watched)
    options, variant = {"benchmark": str(path)}, "zoo-s+rtn-4-g8"
    base = measure(generations, "zoo-s", directory=tmp_path / "both", **options)
    with_base = measure(generations, variant, directory=tmp_path / "both", **options)
    alone = measure(generations, variant, directory=tmp_path / "alone", **options)
    drafts = [len(drafts) for drafts in given]
    assert drafts == [0, 48, 0]
    pd.testing.assert_frame_equal(with_base, alone)
    assert 0 < (with_base["raw"] == base["raw"]).sum() < 48


@pytest.mark.slow
def test_a_task_whose_solution_fails_is_named_and_left_out(benchmark, tmp_path, capsys, monkeypatch):
    if not working_isolators():
        pytest.skip("no isolator on this system")
    keep_results_in(tmp_path, monkeypatch)
    tasks = load_benchmark(benchmark)
    write(benchmark, tasks, **{tasks[1].task_id: {"canonical_solution": "    return undefined_name\n"}})
    table = measure(executions, ["zoo-l"], directory=tmp_path / "results", benchmark=str(benchmark))
    assert table["task_id"].tolist() == [task.task_id for task in tasks if task is not tasks[1]]
    assert (
        f"left out, since they cannot be scored here: {tasks[1].task_id}: its solution fails (NameError)"
        in capsys.readouterr().err
    )
    assert set(table["outcome"]) <= {"passed", "wrong answer", "exception"}


@pytest.mark.slow
def test_programs_of_another_model_that_ran_before_do_not_run_again(benchmark, tmp_path, monkeypatch):
    """Zoo L and its 8-bit variant write the same programs; what the second is told equals what it finds by itself."""
    if not working_isolators():
        pytest.skip("no isolator on this system")
    keep_results_in(tmp_path, monkeypatch)
    judged, judge = [], Sandbox.judge

    def counting(sandbox, trials):
        judged.extend(trials)
        return judge(sandbox, trials)

    monkeypatch.setattr(Sandbox, "judge", counting)
    tables = {}
    for model, folder in (("zoo-l", "one"), ("zoo-l+rtn-8-g32", "one"), ("zoo-l+rtn-8-g32", "two")):
        judged.clear()
        monkeypatch.setattr("compressed_code.measurements.code_generation.RESULTS", tmp_path / folder)
        monkeypatch.setattr("compressed_code.measurements.code_generation._VERIFIED", {})  # as in another process
        table = measure(executions, [model], directory=tmp_path / folder, benchmark=str(benchmark))
        tables[model, folder] = table.drop(columns="seconds"), len(judged)
    told, ran = tables["zoo-l+rtn-8-g32", "one"]
    found, ran_alone = tables["zoo-l+rtn-8-g32", "two"]
    pd.testing.assert_frame_equal(told, found)
    assert ran == 0 and ran_alone == tables["zoo-l", "one"][1] >= 8  # four solutions, four stubs, other programs


def test_batch_noise_with_batch_invariance_is_none(benchmark, tmp_path):
    options = {"benchmark": str(benchmark), "max_tokens": 20, "directory": tmp_path / "results"}
    table = measure(batch_noise, ["zoo-xs"], batch_invariant=True, batches=[1, 4], **options)
    assert table[["batch", "programs", "differing"]].to_numpy().tolist() == [[1, 4, 0], [4, 4, 0]]


def test_a_row_says_that_its_model_is_asked_as_in_a_chat(benchmark, tmp_path):
    folder = shutil.copytree(DATA / "zoo" / "zoo-xs", tmp_path / "talker")
    (folder / "chat_template.jinja").write_text("{% for m in messages %}Q: {{ m.content }}A:{% endfor %}")
    tokenizers = load_registry().tokenizers
    rows = {
        name: ModelSpec(key=name, label=name, path=str(folder), tokenizer="zoo", chat=name == "asked")
        for name in ("asked", "bare")
    }
    options = {"benchmark": str(benchmark), "max_tokens": 8, "directory": tmp_path / "results"}
    tables = measure(generations, rows, registry=Registry(tokenizers, rows), **options)
    raw = tables.groupby("model")["raw"].agg(list)
    assert raw["asked"] != raw["bare"]
    vocabulary, model = open_tokenizer(tokenizers["zoo"]), load_model(folder)
    prompt = load_benchmark(benchmark)[0].prompt
    ids = vocabulary.encode(f"Q: {prompt}A:")
    for token in vocabulary.encode(raw["asked"][0])[:3]:  # the first greedy tokens after the template
        with torch.inference_mode():
            assert int(model(torch.tensor([ids])).logits[0, -1].argmax()) == token
        ids.append(token)
