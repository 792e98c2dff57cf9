"""The door: one base model and the models made from it, measured stage by stage, and what came out as one object."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from compressed_code.comparison.findings import Findings
from compressed_code.comparison.inputs import NamedModel, Watched, find_models
from compressed_code.comparison.passages import Passage
from compressed_code.comparison.stages import Stages
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.names import as_names
from compressed_code.core.paths import RESULTS
from compressed_code.measurements.readings import read_texts
from compressed_code.registry.lookup import Registry, load_registry

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
        tested_on: the models that guidelines rest on, in words.
    """

    models: list[NamedModel]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    findings: dict[str, Findings] = field(default_factory=dict)
    passages: dict[str, list[Passage]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    benchmark: str = ""
    tested_on: str = ""

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
    bfloat16: bool = False,
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
        bfloat16: whether texts are read by the base in bfloat16, too, on the device that COMPRESSED_CODE_DEVICE names:
            what computing so does without any compression.
        registry: by default data/models.yml.
        directory: where tables are stored.
        progress: is told in a line what has been done.

    Raises:
        InputError: a model is unknown, broken, named twice or changes while it is read, a text cannot be read, or two
            models do not fit into memory.
        Unavailable: a model cannot be had here. What a stage lacks beside that is a note, and the others go on.

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
    watched, result = Watched(models), ModelComparison(models, benchmark=benchmark or "")
    reads = not set(wanted) <= {"files", "weights"}
    run = Stages(result, given, registry, directory, reads, bfloat16)
    steps = {"files": run.files, "weights": run.weights, "cold-start": run.cold_start, "texts": run.texts}
    steps |= {"programs": run.programs}
    for number, stage in enumerate(wanted, 1):
        started = time.perf_counter()
        try:
            steps[stage]()
        except Unavailable as gap:  # a tokenizer that cannot cut text, no sandbox: the other stages stand
            if len(wanted) == 1:
                raise
            result.notes.append(f"{stage}: left out: {gap}")
        except InputError:
            watched.check()  # a file that grows while it is read looks like a broken one
            raise
        watched.check()
        if progress:
            progress(f"{number}/{len(wanted)} {stage}: {time.perf_counter() - started:.1f} s")
    run.guidelines()
    return result
