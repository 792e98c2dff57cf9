"""Is this the damage that its bits cost, or is the file broken? Every weight of a candidate beside its base's.

A weight is in line where its error is at most `LIMIT` times what rounding the base's numbers to its stored form gives.
Calibrated methods pay more than rounding does, all weights of a kind about as much, so that the kind's median counts
where it is larger. Beyond that they trade the error of weights for that of a layer's output, most where the calibration
text was short: of such files a weight without a known cause is in line up to `TRADED` times that limit. Where most
weights are others without another cause, the candidate was trained further or made from another base; that is said
once, and only weights that stand out among their kind are named.
"""

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from compressed_code.checkpoints.checkpoint import Checkpoint
from compressed_code.comparison.causes import (
    LOOKED_AT,
    MADE_FROM_OTHERS,
    MORE_THAN_ROUNDING,
    OTHER_WEIGHTS,
    Cause,
    Suspect,
    cause_of,
    damaged_rows,
    nearest_other,
)
from compressed_code.comparison.rescaling import Factors, Rescaled, moved_factors
from compressed_code.comparison.stored_forms import StoredForms
from compressed_code.comparison.tensor_errors import TensorError, tensor_error
from compressed_code.core.progress import progress_bar
from compressed_code.measurements.subjects.pairs import Pair, PairSubject
from compressed_code.measurements.tables import measurement

# Times the expected error. Of 56 sound variants of one model (rounding, GPTQ by three libraries, HQQ, torchao, GGUF)
# every weight had 0.91 to 1.49 times it; zero points that are one off give √13.
LIMIT = 2.0
# Times the limit. GPTQ on 60 to 358 tokens, 2 to 4 bits: up to 2.6 times the error of rounding, with half of the
# output's error on these tokens or less.
TRADED = 2.0
SMALLEST = 1e-5  # an error that float32 arithmetic alone may leave
UNLIKE = 0.5  # cosine below which two matrices are not one and its rounding, whatever the form
MOST_OF_A_KIND = 1.5  # times the limit that a kind's median may allow
STANDS_OUT = 4.0  # times the median error of its kind, among weights that were all changed
FEWEST = 3  # weights of a kind that have a median worth asking
STATES = ("in line", "changed", "out of line", "missing", "surplus", "other shape")

_LAYER = re.compile(r"(?:.*\.)?(?:layers|h|blocks)\.(\d+)\.(.+)")
_DERIVED = re.compile(r"(rotary_emb\.inv_freq|\.attn\.bias|masked_bias)$")
_BODIES = ("model.", "transformer.")  # which some writers leave out
_HEAD, _EMBEDDING = "lm_head.weight", "embed_tokens.weight"


@measurement(version=3, subject=PairSubject(), packages=["gguf"])
def weight_health(pair: Pair) -> pd.DataFrame:
    """Every weight of two models that have one of its name, side by side.

    Returns:
        One row per weight, in the order of the base: `tensor`; `module` (its name within a layer) and `layer` (−1
        outside of layers); `rows`, `columns`; `base_form`, `candidate_form` (`stored_forms.StoredForm.name`); `error`,
        `expected_error`, `cosine`, `scale`, `zeros` (`tensor_errors.TensorError`); `excess`, error over expected;
        `damaged_rows`; `state`, one of `STATES`; `cause` and `detail` (`causes.Cause`), of weights in line
        empty or a detail alone.

    Raises:
        InputError: a file is broken.
    """
    base, candidate = StoredForms(pair.base), StoredForms(pair.candidate)
    rows, errors, limits, calibrated = [], {}, {}, {}
    names, moved = _names(base.checkpoint, candidate.checkpoint), _moved(base.checkpoint, candidate.checkpoint)
    for name in progress_bar(names, desc="weights", unit=" tensors"):
        row, error = _compared(base, candidate, name, moved.get(name))
        rows.append(row)
        if error is not None:
            errors[name], limits[name] = error, max(LIMIT * row["expected_error"], SMALLEST)
            calibrated[name] = candidate.of(_counterpart(candidate.checkpoint, name)).calibrated
    known = {_counterpart(candidate.checkpoint, name) for name in names}
    for name in sorted(set(candidate.checkpoint.names) - known):
        if not _DERIVED.search(name):
            rows.append({**_blank(name), "state": "surplus", "candidate_form": candidate.of(name).name})
    table = pd.DataFrame(rows)
    limits = {name: limit * _kind_factor(table, name) for name, limit in limits.items()}
    for place, name in enumerate(table["tensor"]):
        if name in errors and _is_suspect(errors[name], limits[name], calibrated[name]):
            cause = _explained(base, candidate, name, errors, limits)
            table.loc[place, ["state", "cause", "detail"]] = ["out of line", cause.name, cause.detail]
    spared = [name for name in errors if calibrated[name] and errors[name].error <= TRADED * limits[name]]
    return _moved_by_calibration(_changed_as_a_whole(table), spared)


def _moved(base: Checkpoint, candidate: Checkpoint) -> dict[str, Factors]:
    """Weights that are rescaled together, which changes nothing (`rescaling`)."""
    layers = dict.fromkeys(name.partition(".input_layernorm")[0] for name in base.names if ".input_layernorm." in name)
    sides = [
        lambda name, side=side: side.open_weight(own) if (own := _counterpart(side, name)) in side.names else None
        for side in (base, candidate)
    ]
    return {name: factors for layer in layers for name, factors in moved_factors(layer, *sides)}


def _compared(
    base: StoredForms, candidate: StoredForms, name: str, moved: Factors | None
) -> tuple[dict[str, Any], TensorError | None]:
    own, counterpart = (_counterpart(side.checkpoint, name) for side in (base, candidate))
    one = base.checkpoint.open_weight(own)
    row = {**_blank(name), "rows": one.shape[0], "columns": one.shape[1], "base_form": base.of(own).name}
    if counterpart not in candidate.checkpoint.names:
        return {**row, "state": "missing"}, None
    other, form = candidate.checkpoint.open_weight(counterpart), candidate.of(counterpart)
    row["candidate_form"] = form.name
    if other.dimensions != one.dimensions:
        wanted, found = (" × ".join(map(str, matrix.dimensions)) for matrix in (one, other))
        return {**row, "state": "other shape", "detail": f"{found}, the base's is {wanted}"}, None
    error = tensor_error(one, other, base.of(own), form)
    if moved is not None:
        apart = tensor_error(one, Rescaled(other, moved), base.of(own), form, rescaled=True)
        if apart.error < error.error / 2 or apart.error <= LIMIT * apart.expected < error.error:
            error, row["detail"] = apart, f"rescaled together with {moved.because}"
    row |= {"error": error.error, "expected_error": error.expected, "cosine": error.cosine}
    row |= {"scale": error.scale, "zeros": error.zeros, "excess": error.sampled_error / max(error.expected, SMALLEST)}
    if one.shape[0] > 1:
        row["damaged_rows"] = len(damaged_rows(error, LIMIT * error.expected, calibrated=form.calibrated))
    return row, error


def _is_suspect(error: TensorError, limit: float, calibrated: bool) -> bool:
    if not error.finite or min(error.error, error.sampled_error) > limit:
        return True
    if len(error.row_errors) == 1:
        return False
    return error.cosine < UNLIKE or len(damaged_rows(error, limit, calibrated=calibrated)) > 0


def _explained(
    base: StoredForms, candidate: StoredForms, name: str, errors: dict[str, TensorError], limits: dict[str, float]
) -> Cause:
    own, counterpart = (_counterpart(side.checkpoint, name) for side in (base, candidate))
    matrix = base.checkpoint.open_weight(own)
    rows = min(matrix.shape[0], max(1, LOOKED_AT // max(1, matrix.shape[1])))
    suspect = Suspect(
        name=name,
        base=matrix.decode(0, rows),
        candidate=candidate.checkpoint.open_weight(counterpart).decode(0, rows),
        found=errors[name],
        limit=limits[name],
        group=candidate.of(counterpart).group,
        calibrated=candidate.of(counterpart).calibrated,
        head_size=_head_size(base.checkpoint),
    )
    size = len(errors[name].base_sketch), matrix.dimensions
    alike = [other for other in errors if _size_of(base.checkpoint, other, errors) == size]
    sketches = [{other: getattr(errors[other], f"{side}_sketch") for other in alike} for side in ("base", "candidate")]
    return cause_of(suspect, nearest_other(name, *sketches, limits[name]))


def _kind_factor(table: pd.DataFrame, name: str) -> float:
    """How much more than rounding the weights of this kind cost in the median, within bounds."""
    kind = table.loc[table["tensor"] == name, "module"].iloc[0]
    excess = table.loc[(table["module"] == kind) & (table["rows"] > 1), "excess"].dropna()
    return float(np.clip(excess.median(), 1, MOST_OF_A_KIND)) if len(excess) >= FEWEST else 1.0


def _changed_as_a_whole(table: pd.DataFrame) -> pd.DataFrame:
    """Where most matrices are others and no cause is known, those are changed; out of line is what stands out."""
    others = table["cause"] == OTHER_WEIGHTS
    matrices = (table["rows"] > 1) & table["error"].notna()
    if not matrices.any() or others[matrices].mean() < 0.5:
        return table
    median = table[others].groupby("module")["error"].transform("median")
    changed = others & (table["error"] <= STANDS_OUT * median.reindex(table.index))
    # Training moves the numbers of a norm together, which looks like a scale: it is one where it exceeds all else.
    moved = others | (table["cause"] == "scale")
    changed |= moved & (table["rows"] == 1) & (table["error"] <= table.loc[matrices & others, "error"].median())
    table.loc[changed, ["state", "cause", "detail"]] = ["changed", OTHER_WEIGHTS, MADE_FROM_OTHERS]
    return table


def _moved_by_calibration(table: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """Of these names the weights without a known cause are in line, unless the whole model is another."""
    if not (table["state"] == "changed").any():
        further = (table["cause"] == OTHER_WEIGHTS) & table["tensor"].isin(names)
        table.loc[further, ["state", "cause", "detail"]] = ["in line", "", MORE_THAN_ROUNDING]
    return table


def _blank(name: str) -> dict[str, Any]:
    found = _LAYER.fullmatch(name)
    numbers = dict.fromkeys(("error", "expected_error", "excess", "cosine", "scale", "zeros"), np.nan)
    place = {"module": found[2] if found else name, "layer": int(found[1]) if found else -1}
    words = {"base_form": "", "candidate_form": "", "state": "in line", "cause": "", "detail": ""}
    return {"tensor": name, **place, "rows": 0, "columns": 0, **words, **numbers, "damaged_rows": 0}


def _size_of(checkpoint: Checkpoint, name: str, errors: dict[str, TensorError]) -> tuple[int, tuple[int, ...]]:
    return len(errors[name].base_sketch), checkpoint.dimensions(_counterpart(checkpoint, name))


def _names(base: Checkpoint, candidate: Checkpoint) -> list[str]:
    """The base's weights, numbers in their names read as numbers; and a head that only the candidate has by itself."""
    names = {name for name in base.names if not _DERIVED.search(name)}
    names |= {name for name in candidate.names if name.endswith(_HEAD) and _counterpart(base, name) in base.names}
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])


def _counterpart(checkpoint: Checkpoint, name: str) -> str:
    """What a model calls a weight: with or without its body's name before it, and the embedding for a tied head."""
    spellings = (name, *(name.removeprefix(prefix) for prefix in _BODIES), *(prefix + name for prefix in _BODIES))
    found = next((one for one in spellings if one in checkpoint.names), None)
    if found is None and name.endswith(_HEAD):
        found = next((one for one in checkpoint.names if one.endswith(_EMBEDDING)), None)
    return found or name


def _head_size(checkpoint: Checkpoint) -> int:
    config = checkpoint.config
    heads, hidden = config.get("num_attention_heads"), config.get("hidden_size")
    if isinstance(config.get("head_dim"), int):
        return config["head_dim"]
    return hidden // heads if isinstance(heads, int) and isinstance(hidden, int) and heads else 0
