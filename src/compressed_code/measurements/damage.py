"""What compression did to a model, one row a variant: what can be measured without a program, and what was lost.

The first predicts the second, or does not: that is what guidelines rest on (notebook 07).
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from compressed_code.benchmarks.pass_rates import paired_flips
from compressed_code.cold_start.metrics import divergence, load_english_words, metric_table
from compressed_code.measurements.code_generation import executions
from compressed_code.measurements.cold_start import cold_starts, with_tokens
from compressed_code.measurements.fidelity import fidelity, fidelity_by, task_fidelity, variant_record
from compressed_code.measurements.tables import for_each, measure
from compressed_code.registry.languages import select_languages
from compressed_code.statistics.intervals_and_tests import wilson_interval

# Numbers that need no program: column → what it is called. All are 0 for a model that did not change, but bits.
PREDICTORS: Mapping[str, str] = {
    "pkp_change": "|change of PKP|",
    "stp_change": "|change of STP|",
    "first_token_kl": "KL of the first token",
    "text_kl": "KL on generic code",
    "task_kl": "KL on task solutions",
    "flips": "changed top tokens",
    "ln_perplexity_ratio": "ln perplexity ratio",
    "bits": "effective bits",
}
RECORDED = ("method", "bits", "bits_model", "calibration", "seed")
INSIDE = ("standard", "hard")  # tiers that the model was trained for; out of distribution is never pooled with them
COLUMNS = ("model", "base", *RECORDED, *[name for name in PREDICTORS if name != "bits"], "kept", "lost", "gained")
COLUMNS_OUT = ("ood_kept", "ood_lost", "ood_gained")
_NONE = (np.nan, np.nan, np.nan)


def damages(base: str, variants: Iterable[str]) -> pd.DataFrame:
    """One row per variant of a model.

    Args:
        base: the model; its greedy programs are those that can be lost.
        variants: names of its variants (`MODEL+ROW`); what cannot be had here is named and left out.

    Returns:
        Columns `COLUMNS` and `COLUMNS_OUT`: how it was made, with effective bits per quantized weight (`bits`) and per
        weight of the whole model; `PREDICTORS`, divergences from the base in nats after the document start, on parallel
        programs and on task solutions; programs of the standard and hard tiers that both pass (`kept`), that only the
        base passes (`lost`) or only the variant (`gained`), and the same out of distribution.
    """
    records = measure(variant_record, variants).set_index("model")
    names = list(records.index)
    tokens = with_tokens(cold_starts([base, *names]))
    metrics = for_each(tokens, "model", metric_table, select_languages(None), load_english_words())
    metrics = metrics.pivot(index="model", columns="metric", values="value")
    first = tokens.pivot(index="token_id", columns="model", values="probability")
    on_text, on_tasks = (
        fidelity_by(names, on=on).pivot(index="pair", columns="statistic", values="value")
        for on in (fidelity, task_fidelity)
    )
    outcomes = dict(iter(measure(executions, [base, *names], benchmark="zoo").groupby("model")))
    rows = []
    for name in names:
        made = records.loc[name].drop("bits").rename({"bits_quantized": "bits"})
        rows.append(
            {
                "model": name,
                "base": base,
                **made[list(RECORDED)],
                "pkp_change": abs(metrics.loc[name, "pkp"] - metrics.loc[base, "pkp"]),
                "stp_change": abs(metrics.loc[name, "stp"] - metrics.loc[base, "stp"]),
                "first_token_kl": divergence(first[base], first[name]),
                "text_kl": on_text.loc[name, "kl_mean_nats"],
                "task_kl": on_tasks.loc[name, "kl_mean_nats"],
                "flips": on_text.loc[name, "flip_fraction"],
                "ln_perplexity_ratio": on_text.loc[name, "ln_perplexity_ratio"],
                **_programs(outcomes[base], outcomes[name]),
            }
        )
    return pd.DataFrame(rows, columns=[*COLUMNS, *COLUMNS_OUT])


def _programs(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, int]:
    parts = {"": before["tier"].isin(INSIDE), "ood_": before["tier"] == "ood"}
    counts = {}
    for prefix, of_base in parts.items():
        own = after[after["task_id"].isin(before.loc[of_base, "task_id"])]
        flips = paired_flips(before[of_base], own)
        counts |= {f"{prefix}{name}": int(flips[name]) for name in ("kept", "lost", "gained")}
    return counts


def with_lost_share(table: pd.DataFrame, prefix: str = "") -> pd.DataFrame:
    """A table of `damages` with the share of the base's passing programs that fail, and its Wilson interval.

    Args:
        prefix: of the counts: "ood_" for tasks out of distribution.

    Returns:
        The table with `share`, `low`, `high`; missing where the base passes none.
    """
    counts = table[[f"{prefix}lost", f"{prefix}kept"]].to_numpy(int)
    rows = [
        (lost / (lost + kept), *wilson_interval(lost, lost + kept)) if lost + kept else _NONE for lost, kept in counts
    ]
    return table.assign(**dict(zip(("share", "low", "high"), np.array(rows).reshape(-1, 3).T, strict=True)))
