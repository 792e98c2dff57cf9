"""The door: one base model and the models made from it, measured stage by stage, and what came out as one object."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from compressed_code.comparison import first_tokens, programs, tokens
from compressed_code.comparison.changes import changes, model_facts, same_vocabulary
from compressed_code.comparison.findings import Findings, findings
from compressed_code.comparison.health import weight_health
from compressed_code.comparison.inputs import NamedModel, Watched, find_models, require_memory, swapped
from compressed_code.comparison.passages import Passage, worst_passages
from compressed_code.core.errors import InputError
from compressed_code.core.names import as_names
from compressed_code.core.paths import RESULTS
from compressed_code.fidelity.summary import bits_per_byte
from compressed_code.measurements.cold_start import cold_starts, with_tokens
from compressed_code.measurements.fidelity import fidelity, noise_floor, text_bytes, text_fidelity
from compressed_code.measurements.readings import TRANSLATIONS, Text, programs_read, read_texts
from compressed_code.measurements.subjects.pairs import AGAINST
from compressed_code.measurements.tables import measure
from compressed_code.models.precision import precision_of
from compressed_code.registry.lookup import Registry, load_registry
from compressed_code.tokenizers.files import open_tokenizer

# In how many languages each of the parallel programs is read by models of float32: about 5,000 tokens.
TRANSLATIONS_OF_LARGE = 1
STAGES = ("files", "weights", "cold-start", "texts", "programs")


@dataclass
class ModelComparison:
    """A base model and its candidates, and everything that was found of them.

    Attributes:
        models: the base first.
        tables: name → table; a column `model` tells candidates apart. What was not measured is not there.
        findings: candidate → whether it is sound, and why.
        passages: candidate → its worst passages.
        notes: what a reader has to know beforehand: swapped models, what is left out.
        benchmark: whose tasks programs were written for; empty for none.
    """

    models: list[NamedModel]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    findings: dict[str, Findings] = field(default_factory=dict)
    passages: dict[str, list[Passage]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    benchmark: str = ""

    @property
    def base(self) -> NamedModel:
        """What the candidates are compared with."""
        return self.models[0]

    @property
    def candidates(self) -> list[NamedModel]:
        """All but the base."""
        return self.models[1:]

    def of(self, table: str, candidate: str) -> pd.DataFrame:
        """The rows of one candidate in a table; none where it was not measured."""
        rows = self.tables.get(table, pd.DataFrame({"model": []}))
        return rows[rows["model"] == candidate].drop(columns="model").reset_index(drop=True)

    def summary(self) -> str:
        """At most 25 lines for a terminal of 80 columns."""
        from compressed_code.comparison.summary import summary

        return summary(self)

    def to_html(self) -> str:
        """The whole comparison as one page that needs no other file."""
        from compressed_code.comparison.page import page

        return page(self)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values; numbers that are missing are null."""
        from compressed_code.comparison.as_json import as_json

        return as_json(self)

    def _repr_html_(self) -> str:
        from compressed_code.comparison.page import fragment

        return fragment(self)


def compare(
    base: str,
    candidates: str | Iterable[str],
    *,
    texts: Iterable[str | Path] | None = None,
    language: str | None = None,
    benchmark: str | None = None,
    stages: Iterable[str] = STAGES,
    registry: Registry | None = None,
    directory: Path = RESULTS,
    progress: Callable[[str], object] | None = None,
) -> ModelComparison:
    """What was done to a model, whether the result is sound, and what it does to code.

    Every stage is stored when it is done, so that a call with one more candidate computes only what is new.

    Args:
        base: the model before: registry key, path of a folder or GGUF file, Hub id, or MODEL+QUANTIZATION.
        candidates: the model after, named in the same way; or several.
        texts: files that both read; by default the repository's parallel programs.
        language: of all texts; by default told by the endings of their names.
        benchmark: whose tasks both write programs for, which are executed in the sandbox; none by default.
        stages: of `STAGES`, which are done; "programs" needs a benchmark.
        registry: by default data/models.yml.
        directory: where tables are stored.
        progress: is told in a line what has been done.

    Raises:
        InputError: a model is unknown, broken, named twice or changes while it is read, a text cannot be read, or two
            models do not fit into memory.
        Unavailable: a model or tokenizer cannot be had here.

    Example:
        >>> comparison = compare("zoo-xs", "zoo-xs+rtn-4-g8", stages=["files", "weights"])
        >>> comparison.findings["zoo-xs+rtn-4-g8"].health
        'sound'
    """
    registry, wanted = registry or load_registry(), list(dict.fromkeys(stages))
    for stage in wanted:
        if stage not in STAGES:
            raise InputError(f"stage {stage!r} is not known; there are {', '.join(STAGES)}")
    given = None if texts is None else read_texts(as_names(texts), language)
    if benchmark is None and "programs" in wanted:
        wanted.remove("programs")
    models = find_models(base, as_names(candidates), registry)
    watched, run = Watched(models), _Run(ModelComparison(models, benchmark=benchmark or ""), given, registry, directory)
    steps = {"files": run.files, "weights": run.weights, "cold-start": run.cold_start, "texts": run.texts}
    steps |= {"programs": run.programs}
    for number, stage in enumerate(wanted, 1):
        started = time.perf_counter()
        try:
            steps[stage]()
        except InputError:
            watched.check()  # a file that grows while it is read looks like a broken one
            raise
        watched.check()
        if progress:
            progress(f"{number}/{len(wanted)} {stage}: {time.perf_counter() - started:.1f} s")
    return run.result


class _Run:
    """One comparison while it is made."""

    def __init__(self, result: ModelComparison, texts: list[Text] | None, registry: Registry, directory: Path) -> None:
        self.result, self._texts = result, texts
        self._where = {"registry": registry, "directory": directory}
        self._names = [model.name for model in result.models]
        facts = {model.name: model_facts(model.path) for model in result.models}
        self._parameters = {name: row["parameters"] for name, row in facts.items()}
        labels = [model.label for model in result.models]
        result.tables["models"] = pd.DataFrame(facts.values()).assign(model=self._names, label=labels)
        result.notes += swapped(facts, self._names[0])

    def files(self) -> None:
        """What the files say of settings and tokenizers."""
        base = self.result.base.path
        self._add("changes", {model.name: changes(base, model.path) for model in self.result.candidates})

    def weights(self) -> None:
        """The error of every weight, and what follows from it."""
        if "changes" not in self.result.tables:
            self.files()
        self._add("weights", {name: measure(weight_health, pair, **self._where) for name, pair in self._pairs()})
        for name, _ in self._pairs():
            self.result.findings[name] = findings(self.result.of("weights", name), self.result.of("changes", name))

    def cold_start(self) -> None:
        """First tokens of all models."""
        table = with_tokens(cold_starts(self._names, **self._where), **self._where)
        self.result.tables["first_tokens"] = first_tokens.first_token_table(table, self._names)
        self.result.tables["shares_by_language"] = first_tokens.shares_by_language(table, self._names)
        moved = {name: first_tokens.moved_tokens(table, self._names[0], name) for name in self._names[1:]}
        self._add("moved_tokens", moved)

    def texts(self) -> None:
        """Both models over the same texts, token by token where their tokens are the same, else by bytes."""
        require_memory(self.result.models, self._parameters)
        base = self.result.base
        same = {model.name: same_vocabulary(base.path, model.path) for model in self.result.candidates}
        vocabulary, parts, pieces = open_tokenizer(base.path), {}, {}
        large = precision_of(*(model.path for model in self.result.models)) == "float32"
        translations = TRANSLATIONS_OF_LARGE if large else TRANSLATIONS
        given = {} if self._texts is None else {"texts": [list(text) for text in self._texts]}
        by_default = {} if given else {"translations": translations}
        for name, pair in self._pairs():
            if same[name]:
                read = measure(text_fidelity if given else fidelity, pair, **given, **by_default, **self._where)
                parts[name] = read
                self.result.passages[name] = worst_passages(read, vocabulary)
            else:
                every = given or {"texts": [list(text) for text in programs_read(translations)]}
                pieces[name] = measure(text_bytes, pair, **every, **self._where)
                self.result.notes.append(
                    f"{name} has other tokens than {base.name}: compared by bytes of the texts; divergence, flips and"
                    " passages are left out"
                )
        if parts:
            self._token_tables(parts, vocabulary, {**given, **by_default})
        if pieces:
            self._add("bits_per_byte", {name: pd.DataFrame([bits_per_byte(table)]) for name, table in pieces.items()})

    def _token_tables(self, parts: dict[str, pd.DataFrame], vocabulary: Any, given: dict[str, Any]) -> None:
        self._add("statistics", {name: tokens.statistics(table) for name, table in parts.items()})
        for column in ("token_class", "language"):
            grouped = {name: tokens.statistics(table, [column]) for name, table in parts.items()}
            self._add(f"by_{column}", grouped)
        self._add("by_confidence", {name: tokens.by_confidence(table) for name, table in parts.items()})
        self._add("flipped_tokens", {name: tokens.flipped_tokens(table, vocabulary) for name, table in parts.items()})
        noise = measure(noise_floor, self._names[0], **given, **self._where)
        self.result.tables["noise_floor"] = tokens.statistics(noise)

    def programs(self) -> None:
        """Programs of all models, executed."""
        where = (self._where["registry"], self._where["directory"])
        outcomes = programs.program_outcomes(self._names, self.result.benchmark, *where)
        self.result.tables["programs"] = programs.program_table(outcomes, self._names)
        turned = {
            name: programs.turned_programs(outcomes, self._names[0], name, self.result.benchmark)
            for name in self._names[1:]
        }
        self._add("turned_programs", turned)

    def _pairs(self) -> Sequence[tuple[str, str]]:
        return [(name, f"{name}{AGAINST}{self._names[0]}") for name in self._names[1:]]

    def _add(self, table: str, parts: dict[str, pd.DataFrame]) -> None:
        """Stack the tables of candidates under their names."""
        named = [part.drop(columns="pair", errors="ignore").assign(model=name) for name, part in parts.items()]
        self.result.tables[table] = pd.concat(named, ignore_index=True)
