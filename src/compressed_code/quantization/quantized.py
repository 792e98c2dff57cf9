"""A model quantized as a caller asks: by name, with calibration text of the caller's own."""

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compressed_code.checkpoints.local_models import local_model
from compressed_code.checkpoints.model_files import RECORD, TOKENIZER
from compressed_code.core.errors import InputError
from compressed_code.core.hashing import sha256_of_file
from compressed_code.core.names import as_names
from compressed_code.core.yaml_rows import parse_rows
from compressed_code.models.start_contexts import start_context
from compressed_code.quantization.calibration import calibration_rows
from compressed_code.quantization.decoded_base import plain_base
from compressed_code.quantization.engine import write_variant
from compressed_code.quantization.own_programs import drawn_texts, task_texts
from compressed_code.quantization.record import Provenance, read_record
from compressed_code.registry.lookup import Registry, find_model, load_registry
from compressed_code.registry.quantizations import CALIBRATED, Quantization
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.gguf import read_gguf_tokenizer

if TYPE_CHECKING:
    import pandas as pd

# Calibration text that needs no file: random tokens, the model's own, or generated programs of this project, none of
# which is read by a comparison.
DRAWN = ("random", "self", "tasks")


FEWEST_OF_A_TASK = 20  # tokens that a generated program has at least, in any vocabulary


@dataclass(frozen=True)
class Calibration:
    """The text that a calibrated method looks at.

    Attributes:
        source: files of text, or one of `DRAWN`.
        rows: how many rows of tokens.
        length: tokens in a row.
        seed: of the choice of that text.
    """

    source: str | Path | Sequence[str | Path] | Literal["random", "self", "tasks"]
    rows: int = 64
    length: int = 256
    seed: int = 0


@dataclass(frozen=True)
class Quantized:
    """A quantized model on disk.

    Attributes:
        path: its folder, or the GGUF file.
        record: how it was made and what its weights need: compression.json beside them.
    """

    path: Path
    record: dict[str, Any]

    def table(self) -> "pd.DataFrame":
        """One row: `path`, `method`, `packages`, `bits_quantized` and `bits_model` per weight, `matrices`, `stored`."""
        import pandas as pd

        bits, versions = self.record["effective_bits"], self.record["versions"]
        row = {
            "path": str(self.path),
            "method": self.record["method"],
            "packages": ", ".join(f"{name} {versions[name]}" for name in self.record["library"].split(", ")),
            "bits_quantized": bits["quantized"],
            "bits_model": bits["model"],
            "matrices": len(self.record["matrices"]),
            "stored": self.record["stored"],
        }
        return pd.DataFrame([row])

    def _repr_html_(self) -> str:
        return self.table().to_html(index=False)


def quantize(
    model: str,
    method: str,
    out: str | Path,
    *,
    bits: int | None = None,
    group_size: int | None = None,
    type: str | None = None,
    symmetric: bool = False,
    embeddings: bool = False,
    calibration: Calibration | None = None,
    force: bool = False,
    registry: Registry | None = None,
) -> Quantized:
    """Write a quantized variant of a model as an ordinary checkpoint folder; it appears whole or not at all.

    A row of data/quantizations.yml needs no call: `MODEL+ROW` is a model by itself wherever a model is named.

    Args:
        model: registry key, folder, GGUF file, or Hub id `OWNER/NAME[@REVISION]`, which is downloaded; one that others
            quantized is decoded first.
        method: rtn (round to nearest), gptq (ours, the same on every machine), gptqmodel, auto-gptq, gguf, hqq,
            torchao or bitsandbytes.
        out: folder to write; must not exist, unless `force` is given.
        bits: per weight, 2 to 8.
        group_size: weights that share scale and zero point; by default a whole row.
        type: of gguf (Q4_K_M, in any case) and bitsandbytes (nf4, fp4), in place of `bits`.
        symmetric: the zero point is the middle of the codes.
        embeddings: quantize embedding and output matrix as well.
        calibration: what gptq, gptqmodel and auto-gptq look at, by default generated programs of this project; for no
            other method.
        force: replace a variant that this function has written to `out`; it stays until the new one is whole.
        registry: by default data/models.yml.

    Raises:
        InputError: the model is unknown or quantized already, `out` exists or is no variant that may be replaced, a
            setting does not suit method or model.
        Unavailable: a library is not installed, or the model cannot be downloaded.

    Example:
        >>> import tempfile
        >>> quantized = quantize("zoo-xs", "rtn", Path(tempfile.mkdtemp()) / "zoo-xs-4-bit", bits=4, group_size=8)
        >>> quantized.table()[["method", "bits_quantized"]].values.tolist()
        [['rtn', 6.5]]
    """
    registry, out = registry or load_registry(), Path(out)
    spec = find_model(model, registry)
    if spec.quantization is not None:
        raise InputError(f"{model}: is quantized already; name the model it is made from")
    if out.exists() and not force:
        raise InputError(f"{out}: exists already; choose another folder, or replace it with --force")
    if out.exists() and not (out / RECORD).is_file():
        raise InputError(f"{out}: is no variant that quantize has written; choose another folder or remove it yourself")
    given = {"bits": bits, "group_size": group_size, "type": type, "symmetric": symmetric, "embeddings": embeddings}
    if calibration is None and method in CALIBRATED:
        calibration = Calibration("tasks")
    row = _row(method, given, calibration)
    base = local_model(spec)
    if out.exists() and base.resolve().is_relative_to(out.resolve()):
        raise InputError(f"{out}: is read in this run and would be lost; choose another folder")
    rows, provenance = None, Provenance(model)
    with plain_base(base) as plain:
        if calibration is not None:
            tokenizer = registry.tokenizers[spec.tokenizer] if spec.tokenizer else plain
            rows, provenance = _calibrated(model, plain, tokenizer, row, calibration)
        path = write_variant(plain, row, out, rows, provenance=provenance, replace=force)
        if method == "gguf":
            _keep_tokenizer(plain, path)
    return Quantized(path, read_record(path))


def _keep_tokenizer(base: Path, path: Path) -> None:
    """The base's tokenizer.json beside a GGUF file whose rule that cuts text llama.cpp has no name for."""
    own = base / TOKENIZER
    if own.is_file() and not read_gguf_tokenizer(path).cuts_text:
        shutil.copyfile(own, path.with_name(TOKENIZER))


def _row(method: str, given: dict[str, Any], calibration: Calibration | None) -> Quantization:
    """The row that the arguments describe."""
    fields = {"label": method, "method": method, **{name: value for name, value in given.items() if value is not None}}
    if "type" in fields:  # in either case, as llama.cpp takes its own
        fields["type"] = fields["type"].upper() if method == "gguf" else fields["type"].lower()
    if method in CALIBRATED and calibration is not None:
        # Files are text of the user's choice; the record names them.
        fields["calibration"] = calibration.source if calibration.source in DRAWN else "corpus"
        fields |= {"calibration_rows": calibration.rows, "seed": calibration.seed}
    elif calibration is not None:
        raise InputError(f"{method} looks at no text; leave the calibration out")
    return parse_rows(Quantization, {"quantize": fields}, Path("arguments"))["quantize"]


def _calibrated(
    model: str, base: Path, tokenizer: Path | TokenizerSpec, row: Quantization, calibration: Calibration
) -> tuple[Sequence[Sequence[int]], Provenance]:
    """Rows of ids, and where they come from."""
    if calibration.length < 1:
        raise InputError(f"calibration: a row of {calibration.length} tokens: needs at least 1")
    named = [] if calibration.source in DRAWN else as_names(calibration.source)
    texts = [_text(Path(file)) for file in named]
    vocabulary = open_tokenizer(tokenizer)
    shape = {"rows": calibration.rows, "length": calibration.length, "seed": calibration.seed}
    again = _command(model, row, calibration)
    if calibration.source == "random":
        rows = calibration_rows("random", vocabulary=len(vocabulary), control=vocabulary.added, **shape)
        return rows, Provenance(model, "random", regenerate=again)
    if calibration.source == "tasks":
        texts = drawn_texts(task_texts(), calibration.rows * calibration.length // FEWEST_OF_A_TASK, calibration.seed)
        documents, start = [vocabulary.encode(text) for text in texts], start_context(base, "document").ids
        rows = calibration_rows("tasks", documents=documents, start=start, **shape)
        return rows, Provenance(model, "tasks", regenerate=again)
    if calibration.source == "self":
        start = start_context(base, "document").ids
        rows = calibration_rows("self", model=base, start=start, **shape)
        return rows, Provenance(model, "self", regenerate=again)
    documents = _pieces([vocabulary.encode(text) for text in texts], calibration.length)
    files = {file: sha256_of_file(Path(file)) for file in named}
    rows = calibration_rows("corpus", documents=documents, start=start_context(base, "document").ids, **shape)
    names = ", ".join(Path(file).name for file in named)
    return rows, Provenance(model, f"files: {names}", files, again)


def _command(model: str, row: Quantization, calibration: Calibration) -> str:
    """The command that draws the same ids again, from the same model and files."""
    drawn = calibration.source in DRAWN
    source = as_names(calibration.source)
    return shlex.join(
        [
            *("compressed-code", "quantize", model, "--method", row.method, "--bits", str(row.bits)),
            *("--calibration-source" if drawn else "--calibration", *source),
            *("--calibration-rows", str(calibration.rows), "--calibration-length", str(calibration.length)),
            *("--seed", str(calibration.seed), "--out", "DIR"),
        ]
    )


def _pieces(documents: Sequence[Sequence[int]], length: int) -> list[Sequence[int]]:
    """Files cut into documents of one row's length: few long files should all be used."""
    return [document[first : first + length] for document in documents for first in range(0, len(document), length)]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as text ({error})") from None
