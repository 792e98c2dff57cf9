"""Tokenizers as what a measurement is of."""

from collections.abc import Mapping
from typing import Any

from compressed_code.registry.lookup import Registry, find_tokenizer
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer, tokenizer_fingerprint
from compressed_code.tokenizers.vocabulary import Vocabulary

# Fields of a row that say where a tokenizer is or how it is called, not what it is.
_NAMING_FIELDS = {"key", "label", "note", "path", "hub", "revision", "wheel"}


class TokenizerSubject:
    """Tokenizers as subjects: the file's content and the fields that change its reading decide the key."""

    column = "tokenizer"

    def find(self, name: str, registry: Registry) -> TokenizerSpec:
        return find_tokenizer(name, registry)

    def key_fields(self, spec: TokenizerSpec, registry: Registry) -> Mapping[str, Any]:
        return {"fingerprint": tokenizer_fingerprint(spec), **spec.model_dump(mode="json", exclude=_NAMING_FIELDS)}

    def made_of(self, spec: TokenizerSpec, registry: Registry) -> Mapping[str, Any]:
        return self.key_fields(spec, registry)

    def open(self, spec: TokenizerSpec, registry: Registry) -> Vocabulary:
        return open_tokenizer(spec)
