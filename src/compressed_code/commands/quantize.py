"""`quantize`: write a quantized variant of a model."""

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressed_code.core.errors import InputError, Unavailable

if TYPE_CHECKING:
    from compressed_code.quantization.record import Provenance
    from compressed_code.registry.quantizations import Quantization
    from compressed_code.registry.specs import ModelSpec, TokenizerSpec

HELP = "Write a quantized variant of a model as an ordinary checkpoint folder, with compression.json beside it."
CALIBRATION_LENGTH = 256  # tokens in a row


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = commands.add_parser("quantize", help=HELP, description=HELP)
    command.add_argument("model", metavar="MODEL", help="registry key, folder, or Hub id OWNER/NAME[@REVISION]")
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
        choices=("random", "self"),
        help="in place of files: random tokens, or the model's own text",
    )
    command.add_argument("--calibration-rows", type=int, default=64, metavar="N", help="default: 64")
    command.add_argument(
        "--calibration-length", type=int, default=CALIBRATION_LENGTH, metavar="N", help="tokens in a row; default: 256"
    )
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of that text; default: 0")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="must not exist")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Quantize, and say what came out in one line."""
    from compressed_code.quantization.engine import quantize
    from compressed_code.quantization.record import Provenance, read_record
    from compressed_code.registry.lookup import find_model, load_registry

    registry = load_registry()
    spec = find_model(options.model, registry)
    if spec.quantization is not None:
        raise InputError(f"{options.model}: is quantized already; name the model it is made from")
    if options.out.exists():
        raise InputError(f"{options.out}: exists already; choose another folder or remove it")
    quantization = _quantization(options)
    parent = _folder(spec)
    rows, provenance = None, Provenance(options.model)
    if quantization.calibration is not None:
        tokenizer = registry.tokenizers[spec.tokenizer] if spec.tokenizer else None
        rows, provenance = _calibration(parent, tokenizer, options)
    path = quantize(parent, quantization, options.out, rows, provenance=provenance)
    record = read_record(path)
    if quantization.method == "gguf":
        _warn_of_fallbacks(options.model, record)
    bits = record["effective_bits"]
    packages = ", ".join(f"{name} {record['versions'][name]}" for name in record["library"].split(", "))
    print(
        f"{path}: {record['method']} by {packages},"
        f" {bits['quantized']:.3f} bits per weight in {len(record['matrices'])} matrices,"
        f" {bits['model']:.3f} over the whole model, weights {record['stored']}"
    )


def _folder(spec: "ModelSpec") -> Path:
    """The model's folder; of one on the Hub, a copy in the local cache."""
    from huggingface_hub import snapshot_download

    from compressed_code.quantization.parent import COMPANIONS, WEIGHT_FILES

    if spec.hub is None:
        return spec.checkpoint
    wanted = ["config.json", *WEIGHT_FILES, *COMPANIONS]
    try:
        return Path(snapshot_download(spec.hub, revision=spec.revision, allow_patterns=wanted))
    except (OSError, ValueError) as error:  # what huggingface_hub raises descends from these
        reason = " ".join(str(error).split())[:200]
        raise Unavailable(f"{spec.hub}: cannot be downloaded ({reason}); name a local folder") from None


def _quantization(options: argparse.Namespace) -> "Quantization":
    """The row that the options describe."""
    from compressed_code.core.yaml_rows import parse_rows
    from compressed_code.registry.quantizations import CALIBRATED, Quantization

    fields = {
        "label": options.method,
        "method": options.method,
        "symmetric": options.symmetric,
        "embeddings": options.embeddings,
        "seed": options.seed,
        "calibration_rows": options.calibration_rows,
    }
    given = {"bits": options.bits, "group_size": options.group_size, "type": options.type}
    fields |= {name: value for name, value in given.items() if value is not None}
    if options.method in CALIBRATED:
        # Files are text of the user's choice; the record names them.
        fields["calibration"] = options.calibration_source or "corpus"
    elif options.calibration or options.calibration_source or options.calibration_length != CALIBRATION_LENGTH:
        raise InputError(f"--method {options.method} looks at no text; leave the calibration out")
    return parse_rows(Quantization, {"quantize": fields}, Path("command line"))["quantize"]


def _calibration(
    parent: Path, tokenizer: "TokenizerSpec | None", options: argparse.Namespace
) -> tuple[Sequence[Sequence[int]], "Provenance"]:
    """Rows of ids, and where they come from. The tokenizer beside the weights serves unless the row names one."""
    from compressed_code.core.hashing import sha256_of_file
    from compressed_code.models.start_contexts import start_context
    from compressed_code.quantization.calibration import calibration_rows
    from compressed_code.quantization.record import Provenance
    from compressed_code.registry.specs import TokenizerSpec
    from compressed_code.tokenizers.files import open_tokenizer

    if bool(options.calibration) == bool(options.calibration_source):
        raise InputError(f"--method {options.method} needs either --calibration FILE … or --calibration-source")
    if options.calibration_length < 1:
        raise InputError(f"--calibration-length {options.calibration_length}: a row needs at least 1 token")
    texts = [_text(file) for file in options.calibration or ()]
    shape = {"rows": options.calibration_rows, "length": options.calibration_length, "seed": options.seed}
    vocabulary = open_tokenizer(tokenizer or TokenizerSpec(key=str(parent), label=str(parent), path=str(parent)))
    if options.calibration_source == "random":
        rows = calibration_rows("random", vocabulary=len(vocabulary), control=vocabulary.added, **shape)
        return rows, Provenance(options.model, "random", regenerate=_regenerated(options))
    start = start_context(parent, "document").ids
    if options.calibration_source == "self":
        rows = calibration_rows("self", model=parent, start=start, **shape)
        return rows, Provenance(options.model, "self", regenerate=_regenerated(options))
    documents = _pieces([vocabulary.encode(text) for text in texts], options.calibration_length)
    names = ", ".join(file.name for file in options.calibration)
    files = {str(file): sha256_of_file(file) for file in options.calibration}
    rows = calibration_rows("corpus", documents=documents, start=start, **shape)
    return rows, Provenance(options.model, f"files: {names}", files, _regenerated(options))


def _regenerated(options: argparse.Namespace) -> str:
    """The command that draws the same ids again, from the same model and files."""
    if options.calibration:
        text = ["--calibration", *map(str, options.calibration)]
    else:
        text = ["--calibration-source", options.calibration_source]
    return shlex.join(
        [
            *("python", "-m", "compressed_code", "quantize", options.model, "--method", options.method),
            *("--bits", str(options.bits), *text),
            *("--calibration-rows", str(options.calibration_rows)),
            *("--calibration-length", str(options.calibration_length), "--seed", str(options.seed)),
            *("--out", "DIR"),
        ]
    )


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


def _pieces(documents: Sequence[Sequence[int]], length: int) -> list[Sequence[int]]:
    """Files cut into documents of one row's length: few long files should all be used."""
    return [document[first : first + length] for document in documents for first in range(0, len(document), length)]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as UTF-8 text ({error})") from None
