"""Speed of the tokenizer analysis, side by side with what one would otherwise run. Prints; judges nothing."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from compressed_code.registry.languages import keyword_union, load_languages
from compressed_code.registry.lookup import load_registry
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.keyword_coverage import coverage_table
from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS, vocabulary_table

RUNS = 5


def seconds(work: Callable[[], object]) -> float:
    """Median wall time of several runs, the first one thrown away."""
    work()
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    languages = load_languages().values()
    keywords = keyword_union(languages)
    vocabulary = open_tokenizer(load_registry().tokenizers["qwen2.5"])

    def ours() -> object:
        return coverage_table(vocabulary_table(vocabulary, keywords), languages)

    def encode_every_form() -> object:
        """The usual way without reading the vocabulary: encode each keyword in each form and count tokens."""
        words = [
            (lead + word) for language in languages for word in language.keywords for lead in KEYWORD_FORMS.values()
        ]
        return [len(vocabulary.encode(word)) == 1 for word in words]

    def decode_every_id() -> object:
        """The usual way to look at a vocabulary: decode id by id, then test each against every language and form."""
        forms = [
            {lead + word for word in language.keywords} for language in languages for lead in KEYWORD_FORMS.values()
        ]
        texts = [token.decode("utf-8", "replace") for token in vocabulary.tokens]
        return [[text in form for form in forms] for text in texts]

    measured = seconds(ours)
    print(f"classify {len(vocabulary):,} tokens and match 12 languages in 4 forms: {measured:.2f} s (aim < 1 s)")
    print(f"  decode every id and test it against every list: {seconds(decode_every_id) / measured:.2f} x that time")
    print(
        f"  encode every keyword in every form (coverage only): {seconds(encode_every_form) / measured:.2f} x that time"
    )

    light = seconds(lambda: subprocess.run([sys.executable, "-c", "import helpers"], check=True))
    bare = seconds(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
    print(f"import helpers: {light - bare:.3f} s over a bare interpreter's {bare:.3f} s (aim < 0.3 s)")

    notebook = [sys.executable, "-m", "helpers", "run", "notebooks/01-tokenizer-analysis.ipynb", "build/bench/01.ipynb"]
    notebook += ["-p", "figures='../build/bench'"]
    started = time.perf_counter()
    subprocess.run(notebook, check=True)
    print(f"notebook 01 from cached vocabularies: {time.perf_counter() - started:.0f} s (aim < 60 s)")


if __name__ == "__main__":
    main()
