"""How a model is quantized: the rows of data/quantizations.yml.

A variant of a model is named `MODEL+QUANTIZATION` (`zoo-m+gptq-4-g32`) wherever a model can be named: one row here
serves every model. A calibrated row has further draws of its calibration text, by rule and without rows of their own:
`gptq-4-g32-seed1` is `gptq-4-g32` with seed 1, and `gptq-4-g32-seed0` is `gptq-4-g32` itself.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import Record, kept_while_unchanged, parse_rows, read_yaml

QUANTIZATIONS_FILE = DATA / "quantizations.yml"

Method = Literal["rtn", "gptq", "gptqmodel", "auto-gptq", "gguf", "hqq", "torchao", "bitsandbytes"]
Module = Literal["query-key", "value-output", "feed-forward", "embeddings"]
CalibrationSource = Literal["corpus", "tasks", "random", "self"]

CALIBRATED = ("gptq", "gptqmodel", "auto-gptq")
# Methods whose levels are named types of fixed width instead of a number of bits.
TYPED = {"gguf": "Q4_K_M …", "bitsandbytes": "nf4, fp4"}
# Fields that a method would take no notice of, and that its record must not claim. GGUF's types say all of it by
# themselves, and the blocks of bitsandbytes are 64 weights.
IGNORED: Mapping[Method, tuple[str, ...]] = {
    "gguf": ("group_size", "symmetric", "embeddings"),
    "bitsandbytes": ("group_size",),
}

_DRAW = re.compile(r"(?P<row>.+)-seed(?P<seed>0|[1-9]\d{0,8})")


class Quantization(Record):
    """One way to quantize.

    Attributes:
        method: rtn (round to nearest) and gptq, both our own, gguf (llama.cpp's types), or a library's name.
        bits: per weight, 2 … 8; `None` where `type` says it.
        group_size: weights of a row that share scale and zero; `None` is the whole row (per channel).
        symmetric: the zero lies in the middle of the codes.
        embeddings: embedding and output matrix are quantized as well.
        modules: only matrices of these modules are quantized; by default all of the decoder's layers.
        type: name of a type of fixed width: "Q4_K_M", "nf4".
        calibration: text a calibrated method sees: held-in corpus code, benchmark-like tasks, random tokens, or what
            the model itself writes.
        calibration_rows: number of rows of that text.
        seed: of the choice of calibration text and of whatever is random in a calibrated method; the others draw
            nothing.
    """

    key: str
    label: str = Field(min_length=1)
    method: Method
    bits: int | None = Field(default=None, ge=2, le=8)
    group_size: int | None = Field(default=None, ge=8)
    symmetric: bool = False
    embeddings: bool = False
    modules: list[Module] = Field(default_factory=list)
    type: str | None = None
    calibration: CalibrationSource | None = None
    calibration_rows: int = Field(default=64, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)  # what both numpy and torch take
    note: str | None = None

    @property
    def grouping(self) -> str:
        """In words, which weights share scale and zero, where that is no type's own."""
        return f"groups of {self.group_size}" if self.group_size else "whole rows"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.method in TYPED and (self.type is None or self.bits is not None):
            raise ValueError(f"the method {self.method} needs a type ({TYPED[self.method]}) in place of bits")
        if self.method not in TYPED and (self.bits is None or self.type is not None):
            raise ValueError(f"the method {self.method} needs bits (2 … 8); only {' and '.join(TYPED)} have types")
        if (self.calibration is not None) != (self.method in CALIBRATED):
            raise ValueError(f"calibration goes with the methods {', '.join(CALIBRATED)}, and they need it")
        if self.modules and (self.method != "rtn" or self.embeddings):
            raise ValueError("modules goes with the method rtn, and names embeddings itself")
        ignored = list(IGNORED.get(self.method, ()))
        if self.method not in CALIBRATED:
            ignored += ["calibration_rows", "seed"]
        for name in ignored:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no effect with the method {self.method}; leave it out")
        return self


class Quantizations(Mapping[str, Quantization]):
    """Rows by name, and further draws of the calibrated ones (`ROW-seedN`), which are found but not listed."""

    def __init__(self, rows: Mapping[str, Quantization]) -> None:
        """Take the rows that are listed."""
        self._rows = rows

    def __getitem__(self, name: str) -> Quantization:
        if name in self._rows:
            return self._rows[name]
        match = _DRAW.fullmatch(name)
        row = self._rows.get(match["row"]) if match else None
        if match is None or row is None or row.calibration is None or row.seed:
            raise KeyError(name)
        seed = int(match["seed"])
        draw = {"key": name, "label": f"{row.label} (draw {seed})", "seed": seed}
        return row.model_copy(update=draw) if seed else row

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def load_quantizations(path: Path = QUANTIZATIONS_FILE) -> Mapping[str, Quantization]:
    """The rows of data/quantizations.yml, in the order of the file; further draws of a row are found by their name.

    Raises:
        InputError: naming file, row and field.

    Example:
        >>> load_quantizations()["gptq-3-g32-seed2"].seed
        2
    """
    return kept_while_unchanged(_read, path)


def _read(path: Path) -> Quantizations:
    return Quantizations(parse_rows(Quantization, read_yaml(path), path))
