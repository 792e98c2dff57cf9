"""The process of `pinned_process`: this module, run with a folder as its argument, does the job in the folder."""

import json
import os
import sys
import threading
from pathlib import Path

from compressed_code.core.errors import InputError
from compressed_code.quantization.base_checkpoint import BaseCheckpoint
from compressed_code.quantization.methods.gptq_libraries import solve_with_auto_gptq, solve_with_gptqmodel
from compressed_code.quantization.methods.pinned_process import JOB, write_answer, write_failure
from compressed_code.registry.quantizations import Quantization

SOLVERS = {"gptqmodel": solve_with_gptqmodel, "auto-gptq": solve_with_auto_gptq}


def main(folder: Path) -> None:
    """Quantize, and leave the matrices or the reason why there are none."""
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    quantization = Quantization(**job["quantization"])
    try:
        matrices = SOLVERS[quantization.method](BaseCheckpoint(Path(job["base"])), quantization, job["calibration"])
    except InputError as error:
        write_failure(error, folder)
    else:
        write_answer(matrices, folder)


def end_with_the_parent() -> None:
    """Standard input is a pipe whose other end nobody but the process that wants the answer holds."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
