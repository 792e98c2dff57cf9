"""How many choices of written programs rounding could have turned, and which programs could differ elsewhere."""

import pandas as pd


def near_tie_summary(written: pd.DataFrame) -> pd.DataFrame:
    """Near-ties of one model's programs.

    Every token is a choice, and so is the end of a text; a program that a stop string or the limit ended made no choice
    to end. A program without a near-tie is the same on every machine; one with a near-tie may be another from there on.

    Args:
        written: rows of the measurement `generations` or `executions`: columns `task_id`, `sample`, `tokens`,
            `finish_reason`, `near_ties`.

    Returns:
        One row: `choices`, `near_ties` (of the choices), `programs`, `doubtful_programs` (those with a near-tie) and
        `doubtful` (their names, `task_id` or `task_id#sample`, separated by commas; empty where there is none).
    """
    doubtful = written[written["near_ties"] > 0]
    names = [
        f"{row.task_id}#{row.sample}" if written["sample"].any() else str(row.task_id) for row in doubtful.itertuples()
    ]
    return pd.DataFrame(
        {
            "choices": [int(written["tokens"].sum() + written["finish_reason"].eq("end").sum())],
            "near_ties": [int(written["near_ties"].sum())],
            "programs": [len(written)],
            "doubtful_programs": [len(doubtful)],
            "doubtful": [", ".join(names)],
        }
    )
