"""What a cold-start distribution says: masses, means, entropy, top tokens. Pure functions, computed when read.

Metrics of the paper (arXiv 2601.02563), with this repository's definitions:

- PKP = Σ p(t) over tokens that spell a keyword, in any form (bare, or led by whitespace); `pkp_bare` takes bare ones
- STP = Σ p(t) over programming symbols: token classes operator and whitespace. The paper's own list is not known;
  `stp_punctuation` takes tokens with ASCII punctuation but the underscore, which reproduces its share for Qwen2.5
- KAP = PKP / number of keywords: the mean over keywords, of which one that is no token counts 0
- NLP = Σ p(t) over common English words (data/english-words.txt) in any form, capitalised or not
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compressed_code.core.errors import InputError
from compressed_code.core.paths import DATA
from compressed_code.registry.languages import Language, keyword_union
from compressed_code.tokenizers.composition import has_punctuation
from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS, TOKEN_CLASSES

ENGLISH_WORDS_FILE = DATA / "english-words.txt"
MASS_LEVELS = (0.80, 0.85, 0.90, 0.95)
SYMBOL_CLASSES = ("operator", "whitespace")


def load_english_words(path: Path = ENGLISH_WORDS_FILE) -> frozenset[str]:
    """The control words, lower case; lines that begin with # are comments.

    Raises:
        InputError: the file is missing or empty.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the name")
    lines = path.read_text(encoding="utf-8").splitlines()
    words = frozenset(word for line in lines if not line.startswith("#") for word in line.split())
    if not words:
        raise InputError(f"{path}: holds no word; write some into it")
    return words


def first_tokens(distribution: pd.DataFrame, vocabulary: pd.DataFrame) -> pd.DataFrame:
    """A distribution joined with what its tokens are.

    Args:
        distribution: columns `token_id` and `log_probability`, one row per row of the output layer.
        vocabulary: `vocabulary.vocabulary_table` of the model's tokenizer.

    Returns:
        Columns `token_id`, `probability` (float64), `bytes`, `token_class`, `keyword`, `form`; rows of the output layer
        beyond the tokenizer are of class padding.

    Raises:
        InputError: the tokenizer has more entries than the output layer has rows.
    """
    if len(vocabulary) > len(distribution):
        raise InputError(
            f"the tokenizer has {len(vocabulary):,} entries but the output layer {len(distribution):,} rows: they"
            " do not belong together; name the right tokenizer in the model's row"
        )
    columns = ["token_id", "bytes", "token_class", "keyword", "form"]
    joined = distribution[["token_id", "log_probability"]].merge(vocabulary[columns], on="token_id", how="left")
    joined["token_class"] = joined["token_class"].fillna("padding")
    probability = np.exp(joined.pop("log_probability").to_numpy(np.float64))
    joined.insert(1, "probability", probability)
    return joined


def metric_table(
    tokens: pd.DataFrame, languages: Iterable[Language], english: Collection[str], levels: Sequence[float] = MASS_LEVELS
) -> pd.DataFrame:
    """All scalar metrics of one distribution.

    Args:
        tokens: `first_tokens`.
        languages: whose keywords count for KAP.
        english: `load_english_words`.
        levels: shares of the keyword and of the symbol mass, for the number of tokens that hold them.

    Returns:
        Columns `metric`, `value`, `renormalised`: the same without the mass on padding rows and control tokens (for
        entropy, of the distribution renormalised so). Metrics: `pkp`, `pkp_bare`, `stp`, `stp_punctuation`, `kap`,
        `nlp`, `padding`, `control`, `entropy_nats`, `keyword_tokens_80` … and `symbol_tokens_80` ….
    """
    probability = tokens["probability"].to_numpy()
    token_class = tokens["token_class"].to_numpy(dtype=object)
    text = ~np.isin(token_class, ["padding", "control"])
    is_keyword = token_class == "keyword"
    is_symbol = np.isin(token_class, SYMBOL_CLASSES)
    punctuation = np.array([isinstance(token, bytes) and has_punctuation(token) for token in tokens["bytes"]])
    english_ids = is_english(tokens, english)
    pkp = probability[is_keyword].sum()
    masses = {
        "pkp": pkp,
        "pkp_bare": probability[is_keyword & (tokens["form"] == "bare").to_numpy()].sum(),
        "stp": probability[is_symbol].sum(),
        "stp_punctuation": probability[text & punctuation].sum(),
        "kap": pkp / len(keyword_union(languages)),
        "nlp": probability[english_ids].sum(),
    }
    kept = probability[text].sum()
    rows = [(name, mass, mass / kept) for name, mass in masses.items()]
    rows += [(name, probability[token_class == name].sum(), 0.0) for name in ("padding", "control")]
    rows.append(("entropy_nats", entropy(probability), entropy(probability[text] / kept)))
    for name, chosen in (("keyword", is_keyword), ("symbol", is_symbol)):
        for level in levels:
            count = tokens_holding(probability[chosen], level)
            rows.append((f"{name}_tokens_{100 * level:.0f}", count, count))
    return pd.DataFrame(rows, columns=["metric", "value", "renormalised"])


def class_masses(tokens: pd.DataFrame) -> pd.DataFrame:
    """Probability per token class; they add to 1.

    Returns:
        Columns `token_class`, `probability`, one row per class of `vocabulary.TOKEN_CLASSES`.
    """
    masses = tokens.groupby("token_class", observed=True)["probability"].sum().reindex(TOKEN_CLASSES, fill_value=0.0)
    return masses.rename_axis("token_class").reset_index()


def language_masses(tokens: pd.DataFrame, languages: Iterable[Language]) -> pd.DataFrame:
    """PKP per language and keyword form. Languages share keywords, so the languages do not add to PKP.

    Returns:
        Columns `language`, `form` (`"other"` included), `probability`, `tokens` (how many of the form exist).
    """
    keywords = tokens[tokens["token_class"] == "keyword"]
    rows = []
    for language in languages:
        own = keywords[keywords["keyword"].isin(language.keywords)]
        for form in (*KEYWORD_FORMS, "other"):
            chosen = own.loc[own["form"] == form, "probability"]
            rows.append((language.key, form, chosen.sum(), len(chosen)))
    return pd.DataFrame(rows, columns=["language", "form", "probability", "tokens"])


def keyword_masses(tokens: pd.DataFrame) -> pd.DataFrame:
    """Probability of every keyword that is a token, all its forms together.

    Returns:
        Columns `keyword`, `probability`, most probable first.
    """
    keywords = tokens[tokens["token_class"] == "keyword"]
    return keywords.groupby("keyword")["probability"].sum().sort_values(ascending=False).reset_index()


def top_tokens(tokens: pd.DataFrame, count: int) -> pd.DataFrame:
    """The most probable tokens, most probable first.

    Returns:
        Columns of `first_tokens` and `rank` (1 is the most probable).
    """
    top = tokens.sort_values(["probability", "token_id"], ascending=[False, True]).head(count).reset_index(drop=True)
    return top.assign(rank=np.arange(1, len(top) + 1))


def tokens_holding(probabilities: np.ndarray, share: float) -> int:
    """How many of the most probable entries hold at least a share of the whole mass; 0 where there is no mass.

    Example:
        >>> tokens_holding(np.array([0.1, 0.6, 0.3]), 0.85)
        2
    """
    total = probabilities.sum()
    if total <= 0:
        return 0
    reached = np.cumsum(np.sort(probabilities)[::-1])
    # The last entry reaches everything, whatever rounding says.
    return int(min(np.searchsorted(reached, share * total) + 1, len(probabilities)))


def entropy(probabilities: np.ndarray) -> float:
    """Shannon entropy −Σ p ln p in nats; 0 ln 0 = 0."""
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())


def divergence(before: pd.Series, after: pd.Series) -> float:
    """KL(before‖after) of two distributions over the same tokens, in nats."""
    p, q = before.to_numpy(np.float64), after.to_numpy(np.float64)
    return float(np.sum(p * (np.log(p) - np.log(q))))


def readable(token: object) -> str:
    """A token's bytes as a Python literal without quotes, so that line ends and bytes that are no text stay visible.

    Example:
        >>> readable(b" def"), readable(b"\\n"), readable(None)
        (' def', '\\\\n', '')
    """
    return repr(token.decode("utf-8", "backslashreplace"))[1:-1] if isinstance(token, bytes) else ""


def is_english(tokens: pd.DataFrame, english: Collection[str]) -> np.ndarray:
    """Which tokens spell a control word after any leading whitespace, lower case or capitalised; [tokens] bool."""
    forms = {word.encode() for word in english} | {word.capitalize().encode() for word in english}
    words = (tokens["token_class"] == "word").to_numpy()
    return np.array([word and token.lstrip() in forms for word, token in zip(words, tokens["bytes"], strict=True)])
