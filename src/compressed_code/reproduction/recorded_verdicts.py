"""What the authors recorded, in one table with a verdict each: reproduced, differs (why), or not testable here."""

from pathlib import Path

import pandas as pd

from compressed_code.core.reference_files import REFERENCES

COUNTS = "01-recorded-counts.csv"  # the figure's table that holds the verdicts on counts
_LEVELS_MODEL = "Qwen2.5-Coder-7B-Instruct"  # inferred by what their files are called
_METRICS = ("pkp", "stp", "kap")


def recorded_verdicts(figures: Path, directory: Path = REFERENCES) -> pd.DataFrame:
    """The authors' recorded numbers beside what comes out here.

    Args:
        figures: folder with the table of notebook 01 that compares counts.
        directory: the recorded numbers.

    Returns:
        Columns `subject`, `quantity`, `recorded`, `here` (by their rule; empty where not testable), `verdict`
        ("reproduced", "differs" or "not testable here"), `why` (what differs, or which model it needs).
    """
    return pd.concat([_counts(figures / COUNTS), _cold_starts(directory), _pass_rates(directory)], ignore_index=True)


def _counts(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame()
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = table.rename(columns={"tokenizer": "subject", "by_their_rule": "here"})
    table["why"] = table["reason"].where(table["verdict"] != "reproduced", "")
    return table[["subject", "quantity", "recorded", "here", "verdict", "why"]]


def _cold_starts(directory: Path) -> pd.DataFrame:
    recorded = pd.read_csv(directory / "authors-cold-start.csv", dtype=str)
    long = recorded.melt("level", list(_METRICS), "metric", "recorded")
    long["subject"] = _LEVELS_MODEL + " " + long["level"]
    long["quantity"] = "cold start, " + long["metric"].str.upper()
    return _not_testable(long, f"needs {_LEVELS_MODEL} as GGUF and the tokens it was fed, which are not recorded")


def _pass_rates(directory: Path) -> pd.DataFrame:
    recorded = pd.read_csv(directory / "authors-humaneval.csv", dtype=str)
    recorded = recorded.rename(columns={"model": "subject", "pass_at_1": "recorded"})
    return _not_testable(recorded.assign(quantity="HumanEval, greedy pass@1"), "needs {}")


def _not_testable(table: pd.DataFrame, why: str) -> pd.DataFrame:
    texts = [why.format(subject) for subject in table["subject"]]
    return table.assign(here="", verdict="not testable here", why=texts)[
        ["subject", "quantity", "recorded", "here", "verdict", "why"]
    ]
