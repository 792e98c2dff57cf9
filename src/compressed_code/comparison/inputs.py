"""The models of a comparison: found by name, told apart, and watched while they are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressed_code.checkpoints.model_files import deciding_files, fingerprint
from compressed_code.core.errors import InputError, printable
from compressed_code.core.memory import free_memory
from compressed_code.measurements.subjects.models import ModelSubject
from compressed_code.models.precision import precision_of
from compressed_code.registry.lookup import Registry, find_model, model_labels

# What Python, torch and transformers take, tokenizers, buffers, and what is kept of the base's reading: 0.75 GB of two
# models of 135 million weights with 49,152 entries, and some more where hidden states of long texts are kept.
BESIDE_WEIGHTS = 900_000_000
MORE_BITS = 1.05  # a candidate with so many times the base's bits was probably meant to be the base


@dataclass(frozen=True)
class NamedModel:
    """A model as it was named.

    Attributes:
        name: registry key, path or Hub id.
        label: for figures and tables.
        path: its folder or GGUF file on this machine.
    """

    name: str
    label: str
    path: Path


def find_models(base: str, candidates: Sequence[str], registry: Registry) -> list[NamedModel]:
    """The base and the candidates; variants of the registry are made, models of a Hub downloaded.

    Raises:
        InputError: there is no candidate, one of them is unknown or broken, or is the base or another one once more.
        Unavailable: one cannot be had here.
    """
    if not candidates:
        raise InputError("no candidate was named; name the compressed model behind its base")
    names = [base, *candidates]
    labels = {name: printable(label) for name, label in model_labels(names, registry).items()}
    models = [
        NamedModel(name, labels[name], ModelSubject().open(find_model(name, registry), registry)) for name in names
    ]
    seen: dict[tuple[str, ...], str] = {}
    for model in models:
        content = tuple(fingerprint(model.path).values())
        if content in seen:
            raise InputError(f"{model.name}: is {seen[content]} once more, file by file; name the other model")
        seen[content] = model.name
    return models


class Watched:
    """The files of models, as they were when the comparison began."""

    def __init__(self, models: Sequence[NamedModel]) -> None:
        self._models = models
        self._states = {model.name: _state(model.path) for model in models}

    def check(self) -> None:
        """Stop where a file has changed since: what was read of it may be of two models.

        Raises:
            InputError: naming the file.
        """
        for model in self._models:
            now, before = _state(model.path), self._states[model.name]
            changed = sorted(str(file) for file in {*now, *before} if now.get(file) != before.get(file))
            if changed:
                raise InputError(f"{changed[0]}: was written to while it was read; call again when it is whole")


def require_memory(models: Sequence[NamedModel], parameters: Mapping[str, int]) -> None:
    """Stop before two models are loaded that do not fit.

    Args:
        models: the base first.
        parameters: name → number of weights.

    Raises:
        InputError: saying how much is needed, and what can be done with less.
    """
    free = free_memory()
    paths = [model.path for model in models]
    size = 8 if precision_of(*paths) == "float64" else 4
    largest = max(parameters[model.name] for model in models[1:])
    needed = size * (parameters[models[0].name] + largest) + BESIDE_WEIGHTS  # one candidate at a time
    if needed > free:
        raise InputError(
            f"{models[0].name}: reading texts takes about {needed / 1e9:.1f} GB for both models in float{8 * size}, and"
            f" {free / 1e9:.1f} GB are free; what was measured before is kept: compare without texts (--only files"
            " weights cold-start), or on a machine with more memory"
        )


def require_order(facts: Mapping[str, Mapping[str, Any]], base: str) -> None:
    """Stop where a quantized model was named first and the model that it was made from behind it.

    Args:
        facts: `changes.model_facts` by name.

    Raises:
        InputError: a candidate of the base's size has no quantized weight, and the base has.
    """
    for name, row in facts.items():
        same_size = row["parameters"] == facts[base]["parameters"]
        if same_size and facts[base]["quantized"] > 0 and row["quantized"] == 0 and not row["method"]:
            raise InputError(
                f"{base}: is quantized ({facts[base]['effective_bits']:.1f} bits a weight) and {name} behind it is not"
                f" ({row['effective_bits']:.1f}): base and candidate are swapped; name the unquantized model first"
            )


def other_families(
    facts: Mapping[str, Mapping[str, Any]], base: str, candidates: Sequence[str], *, stop: bool
) -> list[str]:
    """A line for each candidate of another family than its base.

    Args:
        facts: `changes.model_facts` by name.
        candidates: whose weights have no counterpart in the base; a GGUF file may only call its family otherwise.
        stop: nothing but weights was to be compared.

    Raises:
        InputError: nothing else was to be compared, and no candidate has weights that could be.
    """
    ours = facts[base]["family"]
    lines = [
        f"{name}: is of another family ({facts[name]['family']}) than the base {base} ({ours}), so that weights cannot"
        " be compared; name the model that it was made from, or compare what both write (--only cold-start texts)"
        for name in candidates
        if facts[name]["family"] != ours
    ]
    if stop and lines and len(lines) == len(facts) - 1:
        raise InputError(lines[0])
    return lines


def with_more_bits(facts: Mapping[str, Mapping[str, Any]], base: str) -> list[str]:
    """A line for each candidate that has more bits a weight than its base."""
    ours = facts[base]["effective_bits"]
    return [
        f"{name} has {row['effective_bits']:.1f} bits a weight and the base {base} only {ours:.1f}: are they swapped?"
        for name, row in facts.items()
        if row["effective_bits"] > MORE_BITS * ours
    ]


def _state(path: Path) -> dict[Path, tuple[int, int]]:
    return {file: (file.stat().st_size, file.stat().st_mtime_ns) for file in deciding_files(path)}
