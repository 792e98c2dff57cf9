"""Models that write programs as what a measurement is of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressed_code.measurements.subjects.models import ModelSubject
from compressed_code.measurements.subjects.tokenizers import TokenizerSubject
from compressed_code.registry.lookup import Registry, find_model, find_tokenizer, tokenizer_name
from compressed_code.registry.specs import ModelSpec, TokenizerSpec


@dataclass(frozen=True)
class Writer:
    """A model that writes programs.

    Attributes:
        spec: its row, which says whether it is asked as in a chat.
        tokenizer: what encodes its prompts; a GGUF file's own vocabulary cannot.
        path: its weights.
    """

    spec: ModelSpec
    tokenizer: TokenizerSpec
    path: Path


class WriterSubject:
    """Models as writers: besides the weights, the tokenizer and the way of asking decide the key."""

    column = "model"

    def find(self, name: str, registry: Registry) -> tuple[ModelSpec, TokenizerSpec]:
        return find_model(name, registry), find_tokenizer(tokenizer_name(name, registry), registry)

    def key_fields(self, found: tuple[ModelSpec, TokenizerSpec], registry: Registry) -> Mapping[str, Any]:
        return self._fields(found, registry, ModelSubject().key_fields(found[0], registry))

    def made_of(self, found: tuple[ModelSpec, TokenizerSpec], registry: Registry) -> Mapping[str, Any]:
        return self._fields(found, registry, ModelSubject().made_of(found[0], registry))

    def _fields(
        self, found: tuple[ModelSpec, TokenizerSpec], registry: Registry, of_model: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        spec, tokenizer = found
        fields = dict(of_model)
        fields["tokenizer"] = TokenizerSubject().key_fields(tokenizer, registry)
        return {**fields, "chat": True} if spec.chat else fields

    def open(self, found: tuple[ModelSpec, TokenizerSpec], registry: Registry) -> Writer:
        return Writer(*found, ModelSubject().open(found[0], registry))
