"""Speed of the tokenizer analysis, side by side with what one would otherwise run."""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench_rows import Row, bare_start, is_short, memory_rate, show

from compressed_code.registry.languages import keyword_union, load_languages
from compressed_code.registry.lookup import load_registry
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.keyword_coverage import coverage_table
from compressed_code.tokenizers.vocabulary import KEYWORD_FORMS, vocabulary_table

RUNS = 5
NOTEBOOK = "01-tokenizer-analysis"


def seconds(work: Callable[[], object], runs: int) -> float:
    """Median wall time of several runs, the first one thrown away."""
    work()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    runs = 1 if is_short() else RUNS
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

    measured = seconds(ours, runs)
    size = sum(map(len, vocabulary.tokens))
    goal = f"classify {len(vocabulary):,} tokens, match {len(languages)} languages in {len(KEYWORD_FORMS)} forms"
    rows = [
        Row(goal, measured, "s", 1, None, peer, seconds(theirs, runs), "its bytes from memory", size / memory_rate())
        for peer, theirs in (
            ("decode every id, test it against every list", decode_every_id),
            ("encode every keyword in every form (coverage only)", encode_every_form),
        )
    ]
    light = seconds(lambda: subprocess.run([sys.executable, "-c", "import helpers"], check=True), runs)
    bare = bare_start()
    rows.append(Row("import helpers", light, "s", bare + 0.3, limit="a bare interpreter", least=bare))
    rows.append(notebook())
    show(rows)


def notebook() -> Row:
    """Notebook 01 from cached vocabularies, without stored tables of its own."""
    place = Path("build/bench")
    command = [sys.executable, "-m", "helpers", "run", f"notebooks/{NOTEBOOK}.ipynb", str(place / f"{NOTEBOOK}.ipynb")]
    command += ["--parameters", f"figures='{place}'"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = sum(after[:2]) - sum(before[:2])
    return Row("notebook 01 from cached vocabularies", took, "s", 60, limit="its seconds of one core", least=worked)


if __name__ == "__main__":
    main()
