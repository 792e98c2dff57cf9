"""`quantize`: write a quantized variant of a model."""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressed_code.commands.parsers import declare
from compressed_code.core.errors import InputError

if TYPE_CHECKING:
    from compressed_code.quantization.quantized import Calibration

HELP = "Write a quantized variant of a model as an ordinary checkpoint folder, with compression.json beside it."
EXAMPLES = (
    "quantize zoo-xs --method rtn --bits 4 --group-size 8 --out zoo-xs-4-bit",
    "quantize zoo-l --method gguf --type q4_k_m --out zoo-l-q4",
)
CALIBRATION_ROWS, CALIBRATION_LENGTH = 64, 256  # rows, tokens in a row


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = declare(commands, "quantize", HELP, EXAMPLES)
    command.add_argument(
        "model", metavar="MODEL", help="registry key, folder, GGUF file, or Hub id OWNER/NAME[@REVISION]"
    )
    command.add_argument(
        "--method",
        required=True,
        choices=("rtn", "gptq", "gptqmodel", "auto-gptq", "gguf", "hqq", "torchao", "bitsandbytes"),
        help="rtn is round to nearest; gptq is our own GPTQ in float64, the same on every machine; gptqmodel and"
        " auto-gptq are GPTQ by those libraries; gguf is llama.cpp's types",
    )
    command.add_argument("--bits", type=int, metavar="N", help="per weight, 2 … 8")
    command.add_argument(
        "--group-size", type=int, metavar="N", help="weights that share scale and zero point; default: a whole row"
    )
    command.add_argument(
        "--type", metavar="NAME", help="of gguf (Q4_K_M …) and bitsandbytes (nf4, fp4), in place of --bits"
    )
    command.add_argument("--symmetric", action="store_true", help="the zero point is the middle of the codes")
    command.add_argument("--embeddings", action="store_true", help="quantize embedding and output matrix as well")
    command.add_argument(
        "--calibration", nargs="+", type=Path, metavar="FILE", help="text that gptq, gptqmodel and auto-gptq look at"
    )
    command.add_argument(
        "--calibration-source",
        choices=("tasks", "random", "self"),
        help="in place of files: generated programs of this project (the default), random tokens, or the model's own",
    )
    command.add_argument("--calibration-rows", type=int, default=CALIBRATION_ROWS, metavar="N", help="default: 64")
    command.add_argument(
        "--calibration-length", type=int, default=CALIBRATION_LENGTH, metavar="N", help="tokens in a row; default: 256"
    )
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of that text; default: 0")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    command.add_argument("--force", action="store_true", help="replace the variant of --out")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Quantize, and say what came out in one line."""
    from compressed_code.quantization.quantized import quantize

    quantized = quantize(
        options.model,
        options.method,
        options.out,
        bits=options.bits,
        group_size=options.group_size,
        type=options.type,
        symmetric=options.symmetric,
        embeddings=options.embeddings,
        calibration=_calibration(options),
        force=options.force,
    )
    if quantized.record["method"] == "gguf":
        _warn_of_fallbacks(options.model, quantized.record)
    (row,) = quantized.table().itertuples()
    print(
        f"{row.path}: {row.method} by {row.packages}, {row.bits_quantized:.3f} bits per weight in {row.matrices}"
        f" matrices, {row.bits_model:.3f} over the whole model, weights {row.stored}"
    )


def _calibration(options: argparse.Namespace) -> "Calibration | None":
    from compressed_code.quantization.quantized import Calibration
    from compressed_code.registry.quantizations import CALIBRATED

    given = bool(options.calibration) + bool(options.calibration_source)
    if given > 1:
        raise InputError("--calibration and --calibration-source exclude each other")
    if options.method not in CALIBRATED:
        if given or options.calibration_length != CALIBRATION_LENGTH:
            raise InputError(f"--method {options.method} looks at no text; leave the calibration out")
        idle = {"seed": options.seed, "calibration-rows": options.calibration_rows - CALIBRATION_ROWS}
        for name in (name for name, value in idle.items() if value):
            raise InputError(f"--{name} has no effect with the method {options.method}; leave it out")
        return None
    source = options.calibration_source or options.calibration or "tasks"
    return Calibration(source, options.calibration_rows, options.calibration_length, options.seed)


def _warn_of_fallbacks(model: str, record: Mapping[str, Any]) -> None:
    """One line on standard error where rows do not divide into the blocks of a type, and others took its place."""
    from compressed_code.quantization.gguf import MIXTURES
    from compressed_code.quantization.gguf.rows import block_elements

    base, matrices = MIXTURES[record["type"]], record["matrices"]
    block = block_elements(base)
    misfits = [matrix for matrix in matrices if matrix["shape"][1] % block]
    if not misfits:
        return
    instead = ", ".join(f"{kind} ({count})" for kind, count in Counter(m["type"] for m in misfits).most_common())
    which = "no matrix is" if all(matrix["type"] != base for matrix in matrices) else "not all matrices are"
    print(
        f"{model}: {which} {base}: the rows of {len(misfits)} of {len(matrices)} do not divide into blocks of {block};"
        f" stored instead as {instead}",
        file=sys.stderr,
    )
