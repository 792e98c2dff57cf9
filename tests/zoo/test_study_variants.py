"""The summary of variants holds what data/zoo.yml asks for."""

import pytest

from compressed_code.core.errors import InputError
from compressed_code.measurements.damage import COLUMNS, COLUMNS_OUT
from compressed_code.zoo.study_variants import load_compressed, load_study_variants


def test_the_stored_table_has_every_model_in_every_way():
    chosen, table = load_compressed(), load_study_variants()
    assert list(table) == [*COLUMNS, *COLUMNS_OUT]
    assert table["model"].tolist() == [f"{model}+{row}" for model in chosen.models for row in chosen.quantizations]
    assert table.notna()[["text_kl", "task_kl", "first_token_kl", "bits"]].all(axis=None)


@pytest.mark.parametrize("line", ["models: [zoo-q], quantizations: []", "models: [], quantizations: [rtn-9]"])
def test_what_is_not_there_is_named(tmp_path, line):
    path = tmp_path / "zoo.yml"
    path.write_text(f"compressed: {{{line}}}\n")
    with pytest.raises(InputError, match=r"compressed: there is no 'zoo-q'|compressed: there is no 'rtn-9'"):
        load_compressed(path)


def test_without_a_table_there_is_no_row(tmp_path):
    assert load_study_variants(tmp_path / "none.csv").empty
