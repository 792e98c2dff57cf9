"""What exists: the tokenizers and models of data/models.yml, and the ones a user names ad hoc.

What a row holds is said in `compressed_code.registry.specs`.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA
from compressed_code.core.yaml_rows import kept_while_unchanged, parse_rows, read_yaml
from compressed_code.registry.quantizations import load_quantizations
from compressed_code.registry.specs import ModelSpec, TokenizerSpec

REGISTRY_FILE = DATA / "models.yml"

_HUB_ID = re.compile(r"(?P<hub>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_FILE_SUFFIXES = {".json", ".gz", ".model", ".gguf", ".tiktoken", ".safetensors"}


@dataclass(frozen=True)
class Registry:
    """The rows of data/models.yml; keys are unique within each part."""

    tokenizers: Mapping[str, TokenizerSpec]
    models: Mapping[str, ModelSpec]


def load_registry(path: Path = REGISTRY_FILE) -> Registry:
    """Read and validate the registry.

    Raises:
        InputError: naming file, row and field: an unknown field, a duplicate key, a missing base model or tokenizer,
            a cycle of base models, a revision that YAML read as a number.

    Example:
        >>> load_registry().models["zoo-m"].label
        'Zoo M'
    """
    return kept_while_unchanged(_read, path)


def _read(path: Path) -> Registry:
    content = read_yaml(path)
    unknown = sorted(set(map(str, content)) - {"tokenizers", "models"})
    if unknown:
        raise InputError(f"{path}: {unknown[0]}: unknown part; the file holds tokenizers and models")
    tokenizers = parse_rows(TokenizerSpec, content.get("tokenizers", {}), path, "tokenizers.")
    models = parse_rows(ModelSpec, content.get("models", {}), path, "models.")
    _check_references(dict(tokenizers), dict(models), path)  # copies: looking up a row to check it is no use of it
    return Registry(tokenizers, models)


def find_tokenizer(name: str, registry: Registry) -> TokenizerSpec:
    """A registry key of a tokenizer or of a model, a folder's or file's path, or a Hub id `OWNER/NAME[@REVISION]`.

    The first that it is, in this order.

    Raises:
        InputError: it is none of these.
        Unavailable: a model's own tokenizer lies in a package that cannot be had now.
    """
    if name in registry.tokenizers:
        return registry.tokenizers[name]
    if name in registry.models:
        return find_tokenizer(tokenizer_name(name, registry), registry)
    return TokenizerSpec(key=name, label=name, **_ad_hoc(name, registry.tokenizers))


def find_model(name: str, registry: Registry) -> ModelSpec:
    """A registry key, the path of a folder or file, a Hub id `OWNER/NAME[@REVISION]`, or `MODEL+QUANTIZATION`.

    Raises:
        InputError: it is none of these.
    """
    if name in registry.models:
        return registry.models[name]
    base_name, plus, quantization = name.rpartition("+")
    if plus and base_name and not Path(name).exists():
        return _variant(name, find_model(base_name, registry), quantization)
    return ModelSpec(key=name, label=_short_name(name), **_ad_hoc(name, registry.models))


def tokenizer_name(model: str, registry: Registry) -> str:
    """What the tokenizer of a model is found by: its row's tokenizer, its base model's, or the model's own files.

    Raises:
        InputError: the model is unknown.
        Unavailable: it lies in a package that cannot be had now.
    """
    spec = find_model(model, registry)
    if spec.tokenizer is not None:
        return spec.tokenizer
    if spec.quantization is not None:
        return tokenizer_name(spec.base_model, registry)
    if spec.hub is not None:
        return f"{spec.hub}@{spec.revision}" if spec.revision else spec.hub
    return str(spec.wheel.kept() if spec.wheel is not None else spec.location)


def with_seeds(names: Iterable[str], registry: Registry) -> dict[str, str]:
    """Each model and the ones that repeat it with another seed: name → the name of the model they belong to."""
    names = list(dict.fromkeys(names))
    repeats = {key: row.seed_of for key, row in registry.models.items() if row.seed_of in names}
    return {name: name for name in names} | repeats


def model_labels(names: Iterable[str], registry: Registry) -> dict[str, str]:
    """Name → label for figures, in the order given; of those that would share one, each is called by its name."""
    return _told_apart({name: find_model(name, registry).label for name in names})


def tokenizer_labels(names: Iterable[str], registry: Registry) -> dict[str, str]:
    """Name → label for figures, in the order given; a path is called by its folder's or file's own name.

    Of those that would share a label, each is called by its name.
    """
    rows = registry.tokenizers
    return _told_apart({name: rows[name].label if name in rows else _short_name(name) for name in names})


def _told_apart(labels: Mapping[str, str]) -> dict[str, str]:
    often = Counter(labels.values())
    return {name: label if often[label] == 1 else name for name, label in labels.items()}


def _variant(name: str, base: ModelSpec, quantization: str) -> ModelSpec:
    known = load_quantizations()
    if quantization not in known:
        raise InputError(f"{name}: {quantization!r} is not a row of quantizations.yml{_close_to(quantization, known)}")
    row = known[quantization]
    return ModelSpec(
        key=name,
        label=f"{base.label}, {row.label}",
        tokenizer=base.tokenizer,
        base_model=base.key,
        relation="quantized",
        quantization=row,
        chat=base.chat,
        parameters=base.parameters,
    )


def _short_name(name: str) -> str:
    path = Path(name)
    if not path.exists():
        return name
    path = path.absolute()
    return path.parent.name if path.name.startswith("tokenizer.") else path.name


def _ad_hoc(name: str, known: Mapping[str, object]) -> dict[str, str | None]:
    if any("\ud800" <= sign <= "\udfff" for sign in name):  # what Python makes of bytes that are no UTF-8
        raise InputError(f"{name}: a byte of its name is no text in UTF-8, which tables need; rename it")
    try:
        path = Path(name).expanduser()
    except RuntimeError:  # ~somebody without a home
        path = Path(name)
    if name and path.exists():
        # Links are not followed: in the cache of a Hub they have the names of files, and what they lead to has not.
        return {"path": str(path.absolute())}
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


def _check_references(tokenizers: Mapping[str, object], models: Mapping[str, ModelSpec], path: Path) -> None:
    for key, model in models.items():
        if model.tokenizer is not None and model.tokenizer not in tokenizers:
            raise InputError(f"{path}: models.{key}.tokenizer: {model.tokenizer!r} is not a tokenizer row")
        if model.base_model is not None and model.base_model not in models:
            raise InputError(f"{path}: models.{key}.base_model: {model.base_model!r} is not a model row")
        if model.seed_of is not None and model.seed_of not in models:
            raise InputError(f"{path}: models.{key}.seed_of: {model.seed_of!r} is not a model row")
    for key in models:
        lineage = [key]
        while (base := models[lineage[-1]].base_model) is not None:
            if base in lineage:
                raise InputError(f"{path}: models.{key}.base_model: cycle {' -> '.join([*lineage, base])}")
            lineage.append(base)
