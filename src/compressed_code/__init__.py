"""What compression does to programming tokens: an instrument in a folder for each question, imports pointing down.

`import compressed_code as cc` costs nothing: numpy, torch and transformers are loaded when something is computed. Every
door takes a registry key, a path or a Hub id as plain text.

    cc.open_tokenizer            a tokenizer of any format
    cc.coverage                  which keywords of twelve languages it holds as one token
    cc.cold_start_probabilities  what a model wants to write before any prompt
    cc.quantize                  a quantized variant of a model
    cc.compare                   a model beside those made from it: what was changed, is it sound, what does it do
    cc.generate, cc.score        the programs a model writes; how many of them are right
    cc.measure, cc.load_registry every other measurement, stored; the models and tokenizers that have a name
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compressed_code.benchmarks.scoring import score
    from compressed_code.comparison.comparison import compare
    from compressed_code.measurements.code_generation import generate
    from compressed_code.measurements.cold_start import cold_start_probabilities
    from compressed_code.measurements.tables import measure
    from compressed_code.quantization.quantized import quantize
    from compressed_code.registry.lookup import load_registry
    from compressed_code.tokenizers.files import open_tokenizer
    from compressed_code.tokenizers.keyword_coverage import coverage

__all__ = [
    "cold_start_probabilities",
    "compare",
    "coverage",
    "generate",
    "load_registry",
    "measure",
    "open_tokenizer",
    "quantize",
    "score",
]

_MODULES = {
    "cold_start_probabilities": "measurements.cold_start",
    "compare": "comparison.comparison",
    "coverage": "tokenizers.keyword_coverage",
    "generate": "measurements.code_generation",
    "load_registry": "registry.lookup",
    "measure": "measurements.tables",
    "open_tokenizer": "tokenizers.files",
    "quantize": "quantization.quantized",
    "score": "benchmarks.scoring",
}


def __getattr__(name: str) -> Any:
    """A door is imported when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """The doors, so that Tab shows them."""
    return __all__
