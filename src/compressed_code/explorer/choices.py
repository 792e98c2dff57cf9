"""What there is to choose from: models on this machine, variants, languages, forms of a keyword."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT
from compressed_code.registry.languages import load_languages
from compressed_code.registry.lookup import Registry, model_labels
from compressed_code.registry.quantizations import load_quantizations
from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS

AS_IT_IS = ""  # in place of a quantization: the model itself
ANY = ""  # in place of a language or a form: all of them

Options = list[tuple[str, str]]  # label, then what it stands for, as ipywidgets takes them


def model_options(registry: Registry) -> Options:
    """The registry's models whose files lie on this machine."""
    here = [key for key, row in registry.models.items() if row.path is not None and row.location.exists()]
    return [(label, key) for key, label in model_labels(here, registry).items()]


def variant_options() -> Options:
    """The model itself, and every row of data/quantizations.yml."""
    rows = dict(load_quantizations())
    return [("as it is", AS_IT_IS), *((f"{row.label} ({key})", key) for key, row in rows.items())]


def language_options() -> Options:
    """All languages together, and each by itself."""
    return [("any", ANY), *((language.label, key) for key, language in load_languages().items())]


def form_options() -> Options:
    """All forms of a keyword together, and each by itself."""
    leads: Mapping[str, str] = {"bare": "bare", "space": "after a space", "newline": "after a line end"}
    return [("any", ANY), *((leads.get(form, f"after a {form}"), form) for form in KEYWORD_FORMS)]


def typed_model(typed: str) -> str:
    """A typed model's name; a path that JupyterLab's file browser copied starts from the checkout, not from here.

    Example:
        >>> typed_model(" owner/name ")
        'owner/name'
    """
    name = typed.strip()
    copied = ROOT / name
    return os.path.relpath(copied) if name and not Path(name).exists() and copied.exists() else name


def names_of(models: Iterable[str], typed: str, variants: Iterable[str]) -> tuple[str, ...]:
    """The names of all models in all variants, as `registry.lookup.find_model` takes them.

    Args:
        models: registry keys.
        typed: further models, a path or Hub id a line (`typed_model`).
        variants: quantizations, or `AS_IT_IS`.

    Raises:
        InputError: there is no model, or no variant.

    Example:
        >>> names_of(["zoo-s"], " my/folder ", ["", "rtn-4-g32"])
        ('zoo-s', 'zoo-s+rtn-4-g32', 'my/folder', 'my/folder+rtn-4-g32')
    """
    found = [*models, *(typed_model(line) for line in typed.splitlines() if line.strip())]
    variants = list(variants)
    if not found:
        raise InputError("no model is chosen; choose one, or type a path")
    if not variants:
        raise InputError("no variant is chosen; choose “as it is” for the model itself")
    return tuple(dict.fromkeys(f"{model}+{variant}" if variant else model for model in found for variant in variants))
