"""What may follow a keyword is held against real programs; leading tokens against a case by hand."""

import numpy as np
import pandas as pd
import pytest
from pygments.lexers import get_lexer_by_name
from pygments.token import Keyword, Name, Operator

from compressed_code.cold_start.warm_start import (
    chance_of_leading,
    follower_kind,
    leading_contrasts,
    leading_followers,
    leading_shares,
    load_followers,
)
from compressed_code.core.errors import InputError
from compressed_code.registry.languages import load_languages, load_programs, select_languages


@pytest.mark.parametrize("name", list(load_followers()))
def test_the_programs_of_every_language_obey_the_table(name):
    language = load_languages()[name]
    wanted = load_followers()[name]
    assert set(wanted) <= set(language.keywords)
    seen = 0
    for program, text in load_programs(language).items():
        lexed = [(kind, value) for _, kind, value in get_lexer_by_name(language.lexer).get_tokens_unprocessed(text)]
        for number, (kind, value) in enumerate(lexed):
            word = value.strip()
            is_word = any(kind in group for group in (Keyword, Operator.Word, Name))
            if word not in wanted or not is_word:
                continue
            rest = "".join(later for _, later in lexed[number + 1 :]).lstrip()
            if value != word and not rest:
                continue
            # `class << self`, `default` as a C++ or C# modifier and the like do not occur in these programs.
            assert follower_kind(rest.split()[0][:1], ()) == wanted[word], (program, word, rest[:30])
            seen += 1
    assert seen > 0


def test_leading_followers_by_hand():
    rows = [
        ("def", 1, b" ", 0.5),  # a blank is skipped
        ("def", 2, b"name", 0.3),
        ("try", 1, b" def", 0.6),  # a keyword is no identifier and no colon
        ("try", 2, b":", 0.2),
    ]
    warm = pd.DataFrame(rows, columns=["keyword", "rank", "bytes", "probability"])
    leads = leading_followers(warm, select_languages(["python"]), load_followers()).set_index("keyword")
    assert leads["leads"].to_dict() == {"def": True, "try": False}
    assert leads.loc["def", ["token", "kind", "probability"]].tolist() == ["name", "identifier", 0.3]
    assert leads.loc["try", "kind"] == "keyword"
    # wanted: half identifier, half colon; leading: half identifier, half keyword
    assert chance_of_leading(leads) == pytest.approx(0.25)


KINDS = ("identifier", "(", ":", "{")


def leads_of(seed: int, model: str, start: str) -> pd.DataFrame:
    """Twelve keywords, of which every third is shared by two languages."""
    rng = np.random.default_rng(seed)
    rows = [(f"k{number}", language) for number in range(12) for language in ("x", "y")[: 1 + (number % 3 == 0)]]
    table = pd.DataFrame(rows, columns=["keyword", "language"])
    table = table.assign(wanted=rng.choice(KINDS[:3], len(rows)), kind=rng.choice(KINDS, len(rows)))
    return table.assign(leads=table["wanted"] == table["kind"], model=model, start=start)


def test_contrasts_are_those_of_resampled_tables():
    """Every draw redone keyword by keyword, with the plain functions on the table it makes."""
    cases = [(model, start) for model in ("a", "b") for start in ("document", "alone")]
    tables = {case: leads_of(number, *case) for number, case in enumerate(cases)}
    contrasts = leading_contrasts(pd.concat(tables.values()), seed=3, resamples=40).set_index(["contrast", "model"])
    draws = np.random.default_rng(3).integers(12, size=(40, 12))
    share, beyond = {}, {}
    for case, table in tables.items():
        drawn = [pd.concat([table[table["keyword"] == f"k{number}"] for number in draw]) for draw in draws]
        share[case] = np.array([rows["leads"].mean() for rows in drawn])
        beyond[case] = share[case] - [chance_of_leading(rows) for rows in drawn]
        plain = leading_shares(table, 0).iloc[0]
        assert contrasts.loc[(case[1], case[0]), "value"] == pytest.approx(plain["value"] - plain["chance"])
        bounds = contrasts.loc[(case[1], case[0]), ["low", "high"]].tolist()
        assert bounds == pytest.approx(np.quantile(beyond[case], [0.025, 0.975]).tolist())
    for contrast, parts in (("starts", share), ("starts beyond chance", beyond)):
        gains = [parts[model, "document"] - parts[model, "alone"] for model in ("a", "b")]
        for model, gain in (("a", gains[0]), ("b", gains[1]), ("mean", np.mean(gains, axis=0))):
            bounds = contrasts.loc[(contrast, model), ["low", "high"]].tolist()
            assert bounds == pytest.approx(np.quantile(gain, [0.025, 0.975]).tolist())


def test_what_two_starts_share_cancels():
    same = pd.concat([leads_of(0, "a", "document"), leads_of(0, "a", "alone")])
    contrasts = leading_contrasts(same, seed=0, resamples=50)
    assert contrasts.loc[contrasts["contrast"].str.startswith("starts"), ["value", "low", "high"]].eq(0).all(axis=None)
    assert list(contrasts["model"]) == ["a", "mean"] * 4


def test_a_bad_table_is_named(tmp_path):
    path = tmp_path / "followers.yml"
    path.write_text("python:\n  identifier: def def\n")
    with pytest.raises(InputError, match="python: names a keyword twice"):
        load_followers(path)
    path.write_text("python:\n  identifier: [def]\n")
    with pytest.raises(InputError, match="keywords separated by blanks"):
        load_followers(path)
