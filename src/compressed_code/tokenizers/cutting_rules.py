"""The rules by which llama.cpp cuts text before it merges bytes, by the names that GGUF files give them.

Each is the regular expressions of the tokenizers that go by the name, applied one after the other; whatever none
matches is a piece of its own. `default`, and files without a name, say nothing of the original rule: they are not here.
Source: llama.cpp, src/llama-vocab.cpp (`llm_tokenizer_bpe`), and the tokenizer.json files of the models named there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class CuttingRule:
    """How text is cut.

    Attributes:
        patterns: regular expressions, in the order in which they cut.
        whole_words: a piece that is a token is taken as it is, without merging.
    """

    patterns: tuple[str, ...]
    whole_words: bool = False


_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_SUFFIXES = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = rf"{_SUFFIXES}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}{_REST}"
_QWEN2 = rf"{_SUFFIXES}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{_REST}"
_QWEN35 = (
    rf"{_SUFFIXES}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_BY_CASE = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+%s|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*%s|%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SEED = (
    rf"{_SUFFIXES}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1}}"
    r"| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_DEEPSEEK3 = (
    r"\p{N}{1,3}",
    r"[一-龥\u3040-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)
_DEEPSEEK_CODER = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+", r"\p{N}")


def _named(rule: CuttingRule, *names: str) -> dict[str, CuttingRule]:
    return dict.fromkeys(names, rule)


CUTTING_RULES: Mapping[str, CuttingRule] = MappingProxyType(
    {
        **_named(CuttingRule((_GPT2,)), "gpt-2", "phi-2", "mpt", "olmo", "jais", "mellum", "gigachat", "exaone4"),
        **_named(CuttingRule((r"\p{N}", _GPT2)), "starcoder", "refact", "command-r", "smollm", "codeshell", "exaone"),
        **_named(CuttingRule((r"\p{N}", _GPT2)), "minerva-7b", "mellum2"),
        **_named(CuttingRule((_LLAMA3,), True), "llama3", "llama-v3", "llama-bpe", "falcon3", "pixtral", "lfm2"),
        **_named(CuttingRule((_LLAMA3,), True), "glm4", "glm5"),
        **_named(CuttingRule((_LLAMA3,)), "dbrx", "smaug-bpe", "chatglm-bpe"),
        **_named(CuttingRule((_QWEN2,)), "qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "grok-2"),
        **_named(CuttingRule((_QWEN35,)), "qwen35"),
        **_named(CuttingRule((_SEED,)), "seed-coder"),
        **_named(CuttingRule((_BY_CASE % ("", "", r"\p{N}"),), True), "tekken"),
        **_named(CuttingRule((_BY_CASE % (f"{_SUFFIXES}?", f"{_SUFFIXES}?", r"\p{N}{1,3}"),)), "gpt-4o", "llama4"),
        **_named(CuttingRule(_DEEPSEEK_CODER), "deepseek-coder"),
        **_named(CuttingRule(_DEEPSEEK3), "deepseek-v3", "hunyuan-dense"),
    }
)
