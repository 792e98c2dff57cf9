"""The stages of a comparison: what each of them measures of a base and its candidates."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from compressed_code.benchmarks.tasks import load_benchmark
from compressed_code.comparison import first_tokens, programs, tokens
from compressed_code.comparison.changes import changes, model_facts, same_vocabulary
from compressed_code.comparison.findings import findings
from compressed_code.comparison.guidelines import PairNumbers, guidelines, where_tested
from compressed_code.comparison.health import weight_health
from compressed_code.comparison.inputs import other_families, require_memory, require_order, with_more_bits
from compressed_code.comparison.passages import worst_passages
from compressed_code.core.errors import InputError
from compressed_code.core.progress import progress_bar
from compressed_code.fidelity.equal_uncertainty import changes_at_equal_uncertainty
from compressed_code.fidelity.summary import bits_per_byte
from compressed_code.measurements.cold_start import cold_starts, with_tokens
from compressed_code.measurements.device_noise import bfloat16_noise
from compressed_code.measurements.fidelity import fidelity, noise_floor, task_fidelity, text_bytes, text_fidelity
from compressed_code.measurements.readings import TRANSLATIONS, Text, programs_read
from compressed_code.measurements.subjects.pairs import AGAINST
from compressed_code.measurements.tables import measure
from compressed_code.models.devices import chosen_device
from compressed_code.models.precision import precision_of
from compressed_code.quantization.record import read_record
from compressed_code.registry.lookup import Registry, load_registry
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.zoo.study_variants import load_study_variants

if TYPE_CHECKING:
    from compressed_code.comparison.comparison import ModelComparison

# Models of float32 read each of the parallel programs in so many languages, about 5,000 tokens, and of a benchmark so
# many solutions; smaller ones what notebook 07 read.
TRANSLATIONS_OF_LARGE = 1
SOLUTIONS, SOLUTIONS_OF_LARGE = 160, 40
OUT_OF_DISTRIBUTION = "ood"  # a tier that the rules were not made for
APPLY_TO = ("sound", "suspect")  # candidates that guidelines about quantized models say something of


class Stages:
    """One comparison while it is made; each stage adds to its result what it finds."""

    def __init__(
        self,
        result: "ModelComparison",
        texts: list[Text] | None,
        registry: Registry,
        directory: Path,
        reads: bool,
        bfloat16: bool = False,
    ) -> None:
        """Look at the files.

        Args:
            result: where everything goes.
            texts: that are read; by default our own.
            registry, directory, bfloat16: as of `comparison.compare`.
            reads: whether models are run at all.

        Raises:
            InputError: a file is broken, or base and candidate are swapped.
        """
        self.result, self._texts, self._reads, self._bfloat16 = result, texts, reads, bfloat16
        self._where = {"registry": registry, "directory": directory}
        self._names = [model.name for model in result.models]
        facts = {model.name: model_facts(model.path) for model in result.models}
        require_order(facts, self._names[0])
        self._facts = facts
        self._large = precision_of(*(model.path for model in result.models)) == "float32"
        # Candidate → what guidelines ask for, as far as a stage has found it.
        self._known: dict[str, dict[str, Any]] = {name: {} for name in self._names[1:]}
        self._numbers: dict[str, dict[str, float]] = {name: {} for name in self._names[1:]}
        labels = [model.label for model in result.models]
        result.tables["models"] = pd.DataFrame(facts.values()).assign(model=self._names, label=labels)
        result.notes += with_more_bits(facts, self._names[0])

    def files(self) -> None:
        """What the files say of settings and tokenizers."""
        base, candidates = self.result.base.path, progress_bar(self.result.candidates, desc="files", unit=" models")
        self._add("changes", {model.name: changes(base, model.path) for model in candidates})

    def weights(self) -> None:
        """The error of every weight, and what follows from it."""
        if "changes" not in self.result.tables:
            self.files()
        self._add("weights", {name: measure(weight_health, pair, **self._where) for name, pair in self._pairs()})
        for name, _ in self._pairs():
            self.result.findings[name] = findings(self.result.of("weights", name), self.result.of("changes", name))
        apart = [name for name, found in self.result.findings.items() if found.health == "not compared"]
        self.result.notes += other_families(self._facts, self._names[0], apart, stop=not self._reads)

    def cold_start(self) -> None:
        """First tokens of all models."""
        table = with_tokens(cold_starts(self._names, **self._where), **self._where)
        self.result.tables["first_tokens"] = first_tokens.first_token_table(table, self._names)
        self.result.tables["shares_by_language"] = first_tokens.shares_by_language(table, self._names)
        moved = {name: first_tokens.moved_tokens(table, self._names[0], name) for name in self._names[1:]}
        self._add("moved_tokens", moved)

    def texts(self) -> None:
        """Both models over the same texts, token by token where their tokens are the same, else by bytes."""
        self._require_memory()
        base = self.result.base
        vocabulary, parts, pieces = open_tokenizer(base.path), {}, {}
        translations = TRANSLATIONS_OF_LARGE if self._large else TRANSLATIONS
        given = {} if self._texts is None else {"texts": [list(text) for text in self._texts]}
        by_default = {} if given else {"translations": translations}
        for name, pair in self._pairs():
            if self._same_vocabulary[name]:
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
        for name, table in parts.items():
            self._known[name]["classes"] = changes_at_equal_uncertainty(table, comparisons=len(parts))
            if "texts" not in given:  # what a divergence predicts depends on the texts
                self._numbers[name]["text_kl"] = float(table["kl_nats"].astype(float).mean())
        noise = measure(noise_floor, self._names[0], **given, **self._where)
        self.result.tables["noise_floor"] = tokens.statistics(noise)
        if self._bfloat16:
            device = chosen_device()
            noise = measure(bfloat16_noise, self._names[0], device=device, **given, **self._where)
            self.result.tables["bfloat16_noise"] = tokens.statistics(noise).assign(device=device)

    def programs(self) -> None:
        """Programs of all models, executed; and divergence on the solutions of their tasks."""
        self._require_memory()
        where = (self._where["registry"], self._where["directory"])
        outcomes = programs.program_outcomes(self._names, self.result.benchmark, *where)
        self.result.tables["programs"] = programs.program_table(outcomes, self._names)
        turned = {
            name: programs.turned_programs(outcomes, self._names[0], name, self.result.benchmark)
            for name in self._names[1:]
        }
        self._add("turned_programs", turned)
        tasks = [task.task_id for task in load_benchmark(self.result.benchmark) if task.tier != OUT_OF_DISTRIBUTION]
        settings = {"benchmark": self.result.benchmark, "tasks": self._solutions()}
        for name, pair in self._pairs():
            kept, lost = programs.kept_and_lost(outcomes, self._names[0], name, tasks)
            self._known[name] |= {"kept": kept, "lost": lost}
            if self._same_vocabulary[name]:
                read = measure(task_fidelity, pair, **settings, **self._where)
                read = read[read["document"].isin(tasks)]
                if len(read):
                    self._numbers[name]["task_kl"] = float(read["kl_nats"].astype(float).mean())

    def guidelines(self) -> None:
        """What the rules of thumb predict, of candidates that they apply to."""
        registry, study = load_registry(), load_study_variants()
        parameters = {base: registry.models[base].parameters or np.nan for base in study["base"].unique()}
        self.result.tested_on = where_tested(study, parameters)
        base, parts = self._facts[self._names[0]], {}
        first = self.result.tables.get("first_tokens")
        for model in self.result.candidates:
            found, own, numbers = (
                self.result.findings.get(model.name),
                self._facts[model.name],
                self._numbers[model.name],
            )
            if found is None or found.health not in APPLY_TO:
                continue
            if first is not None:
                numbers["first_token_kl"] = first.set_index("model")["kl_nats"][model.name]
            if own["effective_bits"] < base["effective_bits"]:
                numbers["bits_model"] = own["effective_bits"]
            sizes = {"base_parameters": base["parameters"], "base_bits": base["effective_bits"]}
            pair = PairNumbers(
                **sizes, numbers=numbers, calibration=_calibration(model.path), **self._known[model.name]
            )
            parts[model.name] = guidelines(pair, study, parameters)
        if parts:
            self._add("guidelines", parts)

    @cached_property
    def _same_vocabulary(self) -> dict[str, bool]:
        base = self.result.base
        return {model.name: same_vocabulary(base.path, model.path) for model in self.result.candidates}

    def _require_memory(self) -> None:
        require_memory(self.result.models, {name: row["parameters"] for name, row in self._facts.items()})

    def _solutions(self) -> int:
        """Of how many tasks the canonical solutions are read."""
        return min(SOLUTIONS_OF_LARGE if self._large else SOLUTIONS, len(load_benchmark(self.result.benchmark)))

    def _pairs(self) -> Sequence[tuple[str, str]]:
        return [(name, f"{name}{AGAINST}{self._names[0]}") for name in self._names[1:]]

    def _add(self, table: str, parts: dict[str, pd.DataFrame]) -> None:
        """Stack the tables of candidates under their names."""
        named = [part.drop(columns="pair", errors="ignore").assign(model=name) for name, part in parts.items()]
        self.result.tables[table] = pd.concat(named, ignore_index=True)


def _calibration(path: Path) -> str:
    """What a quantizer looked at, where the files say so."""
    with suppress(InputError):
        return (read_record(path)["calibration"] or {}).get("source", "")
    return ""
