"""What the project's guidelines predict of a pair, beside what was measured. Pure functions.

The guidelines are notebook 07's rules of thumb about lost programs: those that the base passes and the candidate does
not. They rest on `data/reference/study-variants.csv`, quantized variants of the repository's own small models, from
which every prediction here is fitted anew. A model unlike those is predicted by extrapolation, and that is said.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from compressed_code.measurements.damage import PREDICTORS
from compressed_code.statistics.intervals_and_tests import wilson_interval
from compressed_code.statistics.prediction import left_out_residuals, log_odds_line

SAFE_TASK_KL = 0.0005  # nats per token of task solutions, below which no variant lost so many programs as:
TOLERABLE = 0.05  # share of lost programs
COVERED = 0.9  # share of the variants of models that were left out which lie within a prediction's interval
FEWEST = 20  # of fewer programs even a loss of none may be one in six (Wilson): too few to contradict anything
UNQUANTIZED_BITS = 16.0
CLASSES = ("string", "identifier")  # which rule 4 is about
CLASSES_FROM_BITS = 3.0  # down to which that rule was tested (notebook 03)
COLUMNS = (
    *("rule", "says", "number", "predicted", "low", "high", "measured", "measured_low", "measured_high"),
    *("verdict", "extrapolation"),
)

# Numbers that predict → what they are called, the most reliable first. Bits are those of the whole model, which every
# file tells; in them the line is straight without a logarithm.
NUMBERS: Mapping[str, str] = {
    **{name: PREDICTORS[name] for name in ("task_kl", "text_kl", "first_token_kl")},
    "bits_model": "bits a weight",
}
_LINEAR = "bits_model"
AS_PREDICTED, MORE, FEWER = "as predicted", "more lost than predicted", "fewer lost than predicted"
UNTRIED, TOO_FEW = "no program was run", "the base passes too few programs to tell"


class PairNumbers(NamedTuple):
    """What is known of one pair.

    Attributes:
        base_parameters: weights of the base.
        base_bits: of them, a weight.
        numbers: keys of `NUMBERS`, with those that were measured; divergences in nats.
        lost, kept: programs of the benchmark that the base passes; `None` where none was run.
        classes: `changes_at_equal_uncertainty` by token class; empty where texts were not read.
        calibration: what the quantizer looked at, as the candidate's record says; empty for nothing.
    """

    base_parameters: float
    base_bits: float
    numbers: Mapping[str, float]
    lost: int | None = None
    kept: int | None = None
    classes: pd.DataFrame = pd.DataFrame()
    calibration: str = ""


def guidelines(pair: PairNumbers, study: pd.DataFrame, parameters: Mapping[str, float]) -> pd.DataFrame:
    """Every rule that applies to a quantized candidate.

    Args:
        study: columns of `measurements.damage.damages`; rows without a program of the base are passed over.
        parameters: weights of each model of the study.

    Returns:
        Columns `COLUMNS`, a row per rule. `predicted` is a share of lost programs, with the interval that holds
        `COVERED` of the study's variants when their model is left out; `measured` the pair's own, with Wilson's 95 %;
        of the rule about token classes, changed tokens over what their uncertainty lets expect. Numbers that there are
        not are missing. `extrapolation` says in what the pair is unlike the study; empty where it is alike.
    """
    known = study[study["lost"] + study["kept"] > 0]
    rows = [*_bound(pair, known, parameters), *_predictions(pair, known, parameters), *_advice(pair)]
    blank = dict.fromkeys(COLUMNS, np.nan) | {"extrapolation": ""}
    return pd.DataFrame([blank | row for row in rows], columns=list(COLUMNS))


def where_tested(study: pd.DataFrame, parameters: Mapping[str, float]) -> str:
    """Where the guidelines were tested, in words."""
    sizes = [parameters[base] for base in study["base"].unique()]
    return f"{len(study)} quantized variants of {len(sizes)} models of {_millions(sizes)} million parameters"


def in_a_sentence(table: pd.DataFrame) -> str:
    """The most reliable prediction of `guidelines` as a terminal shows it; empty where there is none."""
    found = table if table.empty else table[table["rule"].isin(NUMBERS) & table["predicted"].notna()]
    if found.empty:
        return ""
    row = found.iloc[0]
    told = f"{NUMBERS[row['rule']]} {row['number']:.2g} predicts {_within(row, 'predicted', '')} of the programs lost"
    if pd.notna(row["measured"]):
        told += f", {_within(row, 'measured', 'measured_')} are"
    return f"{told}: {row['verdict']}" + (" (extrapolated)" if row["extrapolation"] else "")


def _bound(pair: PairNumbers, study: pd.DataFrame, parameters: Mapping[str, float]) -> Iterator[dict[str, object]]:
    """Rule 1."""
    number = pair.numbers.get("task_kl", np.nan)
    below = (study["task_kl"] < SAFE_TASK_KL).sum()
    row = {
        "rule": "bound",
        "says": f"below {SAFE_TASK_KL:g} nats on task solutions fewer than {100 * TOLERABLE:g} % of the programs are"
        f" lost ({below} variants)",
        "number": number,
    }
    if np.isnan(number):
        yield row | {"verdict": "not measured: needs the solutions of a benchmark"}
    elif number >= SAFE_TASK_KL:
        yield row | {"verdict": "says nothing: this pair lies above"}
    else:
        yield row | _judged(pair, 0.0, TOLERABLE) | {"extrapolation": _unlike(pair, study, parameters)}


def _predictions(pair: PairNumbers, study: pd.DataFrame, parameters: Mapping[str, float]) -> Iterator[dict]:
    """Rules 1, 2 and 5: lost programs by what was measured without running one."""
    counts = {"lost": "lost", "kept": "kept"}
    for name, words in NUMBERS.items():
        value = pair.numbers.get(name, np.nan)
        if np.isnan(value):
            continue
        is_linear = name == _LINEAR
        line = log_odds_line(study[name], study["lost"], study["kept"], is_linear=is_linear)
        apart = left_out_residuals(study, name, "base", is_linear=is_linear, **counts)
        centre = float(line.log_odds(value))
        low, high = expit(centre + apart.quantile([(1 - COVERED) / 2, (1 + COVERED) / 2]))
        yield {
            "rule": name,
            "says": f"programs lost by {words}" + (": do not trust bits alone" if is_linear else ""),
            "number": value,
            "predicted": float(expit(centre)),
            **_judged(pair, low, high),
            "extrapolation": _unlike(pair, study, parameters, name),
        }


def _advice(pair: PairNumbers) -> Iterator[dict[str, object]]:
    """Rules 4 and 3, which predict no share of lost programs."""
    of_classes = pair.classes[pair.classes["group"].isin(CLASSES)].dropna() if len(pair.classes) else pair.classes
    for row in of_classes.itertuples():
        if pair.numbers.get("bits_model", np.nan) >= CLASSES_FROM_BITS:
            yield {
                "rule": "classes",
                "says": f"at equal uncertainty {row.group}s do not change before other tokens (×1)",
                "measured": row.value,
                "measured_low": row.low,
                "measured_high": row.high,
                "verdict": "does not hold here" if row.low > 1 else "holds here",
            }
    if pair.calibration:
        yield {
            "rule": "calibration",
            "says": f"calibrate on tasks or on what the model writes itself, not on random tokens (here:"
            f" {pair.calibration})",
            "verdict": "advice, which one candidate cannot test",
        }


def _judged(pair: PairNumbers, low: float, high: float) -> dict[str, object]:
    """A prediction's interval, and what was measured where programs were run."""
    row: dict[str, object] = {"low": low, "high": high}
    if pair.lost is None or pair.kept is None:
        return row | {"verdict": UNTRIED}
    count = pair.lost + pair.kept
    if not count:
        return row | {"verdict": TOO_FEW}
    least, most = wilson_interval(pair.lost, count)
    row |= {"measured": pair.lost / count, "measured_low": least, "measured_high": most}
    if count < FEWEST:
        return row | {"verdict": TOO_FEW}
    return row | {"verdict": MORE if least > high else FEWER if most < low else AS_PREDICTED}


def _unlike(pair: PairNumbers, study: pd.DataFrame, parameters: Mapping[str, float], name: str = "") -> str:
    """In what a pair is unlike the study."""
    sizes = [parameters[base] for base in study["base"].unique()]
    reasons = []
    if not min(sizes) <= pair.base_parameters <= max(sizes):
        reasons.append(
            f"a base of {_millions([pair.base_parameters])} million parameters, tested were {_millions(sizes)}"
        )
    if pair.base_bits < UNQUANTIZED_BITS:
        reasons.append(f"the base itself has {pair.base_bits:.1f} bits a weight")
    if name and not study[name].min() <= pair.numbers[name] <= study[name].max():
        reasons.append(f"{NUMBERS[name]} was {study[name].min():.2g} to {study[name].max():.2g}")
    return "; ".join(reasons)


def _millions(sizes: list[float]) -> str:
    ends = [f"{size / 1e6:.2g}" if size < 1e8 else f"{size / 1e6:.0f}" for size in (min(sizes), max(sizes))]
    return " to ".join(dict.fromkeys(ends))


def percent(share: float) -> str:
    """A share in percent, without its sign, in digits that tell it from none and from all.

    Example:
        >>> percent(0.0042), percent(0.34), percent(0.9996)
        ('0.4', '34', '100')
    """
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.1f}"


def _within(row: pd.Series, value: str, ends: str) -> str:
    return f"{percent(row[value])} % ({percent(row[f'{ends}low'])} … {percent(row[f'{ends}high'])})"
