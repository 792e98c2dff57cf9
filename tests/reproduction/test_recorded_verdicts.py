"""What the authors recorded has a verdict each."""

import pandas as pd

from compressed_code.core.paths import FIGURES
from compressed_code.core.reference_files import REFERENCES
from compressed_code.reproduction.recorded_verdicts import recorded_verdicts


def test_every_number_of_the_authors_has_a_verdict_and_a_reason_where_it_is_not_reproduced():
    verdicts = recorded_verdicts(FIGURES)
    recorded = pd.read_csv(FIGURES / "01-recorded-counts.csv")
    levels, models = (len(pd.read_csv(REFERENCES / f"authors-{name}.csv")) for name in ("cold-start", "humaneval"))
    assert len(verdicts) == len(recorded) + 3 * levels + models
    assert set(verdicts["verdict"]) == {"reproduced", "differs", "not testable here"}
    assert (verdicts["why"].ne("") == verdicts["verdict"].ne("reproduced")).all()
    tested = verdicts[verdicts["verdict"] != "not testable here"]
    assert tested["verdict"].value_counts().to_dict() == recorded["verdict"].value_counts().to_dict()
