"""A comparison as JSON values."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compressed_code.comparison.comparison import ModelComparison

DIGITS = 10  # behind the point


def as_json(comparison: "ModelComparison") -> dict[str, Any]:
    """Everything that was found.

    Returns:
        `base`, `candidates` (names), `notes`, `benchmark`, `tested_on` (the models that guidelines rest on);
        `health` (candidate → `health`, `sentences`); `passages` (candidate → passages with their marked tokens); and
        every table under its name, a list of rows, in which a number that is missing is null.
    """
    return {
        "base": comparison.base.name,
        "candidates": [model.name for model in comparison.candidates],
        "notes": list(comparison.notes),
        "benchmark": comparison.benchmark,
        "tested_on": comparison.tested_on,
        "health": {name: found._asdict() for name, found in comparison.findings.items()},
        "passages": {name: [asdict(one) for one in passages] for name, passages in comparison.passages.items()},
        **{
            name: json.loads(table.to_json(orient="records", double_precision=DIGITS))
            for name, table in comparison.tables.items()
        },
    }
