"""One row per model with the numbers that a reader asks for first; what summary and page begin with."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from compressed_code.comparison.comparison import ModelComparison

STATISTICS = ("kl_mean_nats", "same_top_fraction", "perplexity_ratio")


def overview(comparison: "ModelComparison") -> pd.DataFrame:
    """The base first.

    Returns:
        Columns `model`, `label`, `health` (empty for the base), `bits` a weight, `bytes` of the weights, and, NaN where
        they were not measured, `kl_mean_nats`, its `low` and `high`, `same_top_fraction`, `perplexity_ratio`,
        `bits_per_byte_difference`, `first_kl_nats`, `pass_at_1`.
    """
    tables, rows = comparison.tables, []
    facts = tables["models"].set_index("model")
    first = tables["first_tokens"].set_index("model")["kl_nats"] if "first_tokens" in tables else {}
    passed = tables["programs"].set_index("model")["pass_at_1"] if "programs" in tables else {}
    for model in comparison.models:
        name, found = model.name, comparison.findings.get(model.name)
        row = {"model": name, "label": model.label, "health": found.health if found else ""}
        row |= {"bits": facts["effective_bits"][name], "bytes": facts["weight_bytes"][name]}
        statistics = comparison.of("statistics", name)
        by_name = statistics.set_index("statistic") if len(statistics) else None
        row |= {one: np.nan if by_name is None else by_name["value"][one] for one in STATISTICS}
        row |= {end: np.nan if by_name is None else by_name[end]["kl_mean_nats"] for end in ("low", "high")}
        by_bytes = comparison.of("bits_per_byte", name)
        row["bits_per_byte_difference"] = by_bytes["bits_per_byte_difference"].iloc[0] if len(by_bytes) else np.nan
        row |= {"first_kl_nats": first.get(name, np.nan), "pass_at_1": passed.get(name, np.nan)}
        rows.append(row)
    return pd.DataFrame(rows)


def noise_floor_nats(comparison: "ModelComparison", table: str = "noise_floor") -> float:
    """Mean KL of the base beside itself with rounded activations; NaN where it was not measured.

    Args:
        table: "bfloat16_noise" for the base beside itself in bfloat16 on a device.
    """
    if table not in comparison.tables:
        return float("nan")
    return float(comparison.tables[table].set_index("statistic")["value"]["kl_mean_nats"])
