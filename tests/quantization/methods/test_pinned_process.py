"""GPTQ elsewhere: the same codes under the arithmetic of other machines, and a library's process and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import ROOT
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.engine import write_variant
from compressed_code.quantization.methods import pinned_process
from compressed_code.quantization.methods.quantized_matrix import QuantizedMatrix
from compressed_code.quantization.record import read_record
from compressed_code.registry.quantizations import Quantization

ZOO = ROOT / "data" / "zoo"
# Settings that stand for other machines: no vector instructions at all, and others of each library than it would take.
MACHINES = [
    {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Prescott"},
    {"MKL_CBWR": "SSE2", "ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
]
QUANTIZE = """
import sys
from pathlib import Path
from compressed_code.quantization.engine import write_variant, read_record
from compressed_code.registry.quantizations import Quantization
import json
row, calibration = json.loads(Path(sys.argv[2]).read_text())
write_variant(Path(sys.argv[1]), Quantization(**row), Path(sys.argv[3]), calibration)
print(read_record(Path(sys.argv[3]))["weights_sha256"])
"""


def row(method: str, bits: int, group_size: int | None = None) -> Quantization:
    described = {"key": "test", "label": "Test", "bits": bits, "group_size": group_size, "calibration": "random"}
    return Quantization(method=method, **described)


@pytest.fixture(scope="module")
def calibration():
    return np.random.default_rng(0).integers(3, 2048, (16, 64)).tolist()


def weights_elsewhere(folder: Path, base: Path, quantization: Quantization, rows, machine: dict[str, str]) -> str:
    """sha256 of the weights of a variant that a process under other settings makes."""
    job, out = folder / "job.json", folder / f"variant-{len(list(folder.iterdir()))}"
    job.write_text(json.dumps([quantization.model_dump(), rows]))
    command = [sys.executable, "-c", QUANTIZE, str(base), str(job), str(out)]
    result = subprocess.run(command, env={**os.environ, **machine}, capture_output=True, text=True, check=True)
    return result.stdout.split()[-1]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("model", "bits", "group_size"), [("zoo-s", 3, 8), ("zoo-m", 4, None)])
def test_ours_gives_the_same_weights_on_other_machines(tmp_path, calibration, model, bits, group_size):
    quantization = row("gptq", bits, group_size)
    folder = write_variant(ZOO / model, quantization, tmp_path / "here", calibration)
    elsewhere = {weights_elsewhere(tmp_path, ZOO / model, quantization, calibration, machine) for machine in MACHINES}
    assert elsewhere == {read_record(folder)["weights_sha256"]}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("method", ["gptqmodel", "auto-gptq"])
def test_a_library_gives_the_same_weights_on_other_machines(tmp_path, calibration, method):
    quantization = row(method, 4)
    found = [weights_elsewhere(tmp_path, ZOO / "zoo-s", quantization, calibration, machine) for machine in MACHINES]
    assert found[0] == found[1]


def script(monkeypatch, tmp_path, text: str) -> None:
    """Let a program of ours take the place of the worker."""
    package = tmp_path / "worker.py"
    package.write_text(text)
    monkeypatch.setattr(pinned_process, "WORKER", (str(package),))


def test_an_answer_comes_back_as_it_was(monkeypatch, tmp_path, calibration):
    program = "import sys; from pathlib import Path; import numpy as np\n"
    program += "from compressed_code.quantization.methods import pinned_process\n"
    program += "from compressed_code.quantization.base_checkpoint import BaseCheckpoint\n"
    program += "from compressed_code.quantization.methods.round_to_nearest import round_to_nearest\n"
    program += f"base = BaseCheckpoint(Path({str(ZOO / 'zoo-xs')!r}))\n"
    program += "found = {name: round_to_nearest(base.read(name), 3, 8) for name in base.linear}\n"
    program += "pinned_process.write_answer(found, Path(sys.argv[1]))\n"
    script(monkeypatch, tmp_path, program)
    from compressed_code.quantization.methods.round_to_nearest import round_to_nearest

    base = BaseCheckpoint(ZOO / "zoo-xs")
    found = pinned_process.solve_pinned(base, row("gptqmodel", 3, 8), calibration)
    assert list(found) == list(base.linear)
    for name, matrix in found.items():
        assert isinstance(matrix, QuantizedMatrix)
        expected = round_to_nearest(base.read(name), 3, 8)
        assert (matrix.bits, matrix.symmetric) == (3, False)
        assert all(
            np.array_equal(getattr(matrix, part), getattr(expected, part)) for part in ("codes", "scales", "zeros")
        )


def test_the_process_has_the_pinned_settings_and_ours_has_not(monkeypatch, tmp_path, calibration):
    told = tmp_path / "told.json"
    text = f"import json, os; open({str(told)!r}, 'w').write(json.dumps(dict(os.environ))); print('x' * 10**6)"
    script(monkeypatch, tmp_path, text)
    with pytest.raises(InputError, match=r"zoo-xs: the process of GPTQModel ended early \(without a word\)"):
        pinned_process.solve_pinned(BaseCheckpoint(ZOO / "zoo-xs"), row("gptqmodel", 4), calibration)
    environment = json.loads(told.read_text())
    assert pinned_process.PINNED.items() <= environment.items()
    assert "ATEN_CPU_CAPABILITY" not in os.environ


def test_a_process_that_breaks_is_one_line(monkeypatch, tmp_path, calibration):
    script(monkeypatch, tmp_path, "raise MemoryError('no\\nmore')")
    with pytest.raises(InputError, match="the process of auto-gptq ended early") as caught:
        pinned_process.solve_pinned(BaseCheckpoint(ZOO / "zoo-xs"), row("auto-gptq", 4), calibration)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [InputError, Unavailable])
def test_a_failure_keeps_its_kind(monkeypatch, tmp_path, calibration, kind):
    text = "import sys; from pathlib import Path\n"
    text += "from compressed_code.quantization.methods.pinned_process import write_failure\n"
    text += "from compressed_code.core.errors import InputError, Unavailable\n"
    text += f"write_failure({kind.__name__}('why'), Path(sys.argv[1]))"
    script(monkeypatch, tmp_path, text)
    with pytest.raises(InputError, match=r"^why$") as caught:
        pinned_process.solve_pinned(BaseCheckpoint(ZOO / "zoo-xs"), row("auto-gptq", 4), calibration)
    assert type(caught.value) is kind


@pytest.mark.slow
def test_the_worker_ends_when_the_process_that_started_it_is_gone(tmp_path):
    """Killed, not interrupted: nothing of ours runs any more, but its end of the pipe closes."""
    told, sleeper, starter = (tmp_path / name for name in ("pid", "sleeper.py", "starter.py"))
    sleeper.write_text(
        "import os, threading, time\nfrom pathlib import Path\n"
        "from compressed_code.quantization.methods import pinned_worker\n"
        "threading.Thread(target=pinned_worker.end_with_the_parent).start()\n"
        f"Path({str(told)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    )
    starter.write_text(
        "from pathlib import Path\nfrom compressed_code.quantization.methods import pinned_process\n"
        f"pinned_process.WORKER = ({str(sleeper)!r},)\npinned_process._run(Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen([sys.executable, str(starter)])
    deadline = time.monotonic() + 120
    while not (told.exists() and told.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    pid = int(told.read_text())
    process.send_signal(signal.SIGKILL)
    process.wait()
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()
