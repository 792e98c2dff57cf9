"""What may follow a keyword is held against real programs; leading tokens against a case by hand."""

import numpy as np
import pandas as pd
import pytest
from pygments.lexers import get_lexer_by_name
from pygments.token import Keyword, Name, Operator

from compressed_code.cold_start.warm_start import (
    dealt_leads,
    follower_kind,
    leading_followers,
    leading_permutations,
    load_followers,
)
from compressed_code.core.errors import InputError, Unavailable
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


def test_a_leading_token_is_judged_by_the_language_it_is_dealt_to():
    """`def` is an identifier in C++ and a keyword in Python; `class` is a keyword of both."""
    rows = [("class", 1, b"def", 0.5), ("def", 1, b"name", 0.5), ("public", 1, b"  ", 0.6), ("public", 2, b":", 0.2)]
    warm = pd.DataFrame(rows, columns=["keyword", "rank", "bytes", "probability"])
    followers = {"cpp": {"class": "identifier", "public": ":"}, "python": {"class": "identifier", "def": "identifier"}}
    dealt = dealt_leads(warm, select_languages(["cpp", "python"]), followers)
    assert list(dealt.index) == [("class", 2), ("def", 1), ("public", 1)] and list(dealt) == ["class", "def", "public"]
    assert dealt.to_numpy().tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 1]]


def dealt_of(wanted: np.ndarray, leading: np.ndarray) -> pd.DataFrame:
    """A keyword per entry, in one language."""
    keywords = [f"k{number:02}" for number in range(len(wanted))]
    index = pd.MultiIndex.from_arrays([keywords, [1] * len(keywords)], names=["keyword", "cases"])
    return pd.DataFrame((wanted[:, None] == leading).astype(int), index=index, columns=keywords)


def test_permutations_by_hand():
    # Of the six orders of three different kinds one leads in all cases, three in one, two in none.
    right = dealt_of(np.arange(3), np.arange(3))
    wrong = dealt_of(np.arange(3), np.array([1, 2, 0]))
    constant = dealt_of(np.arange(3), np.array([0, 0, 0]))  # whatever is dealt, one of three leads
    dealt = {("a", "x"): right, ("b", "x"): wrong, ("a", "y"): constant}
    table = leading_permutations(dealt, seed=0).set_index(["start", "model"])
    assert table["value"].tolist() == pytest.approx([1, 0, 1 / 2, 1 / 3, 1 / 3])
    assert table["chance"].tolist() == pytest.approx([1 / 3] * 5)
    # A mean of 1/2 is reached where one of both leads in all cases: two of six orders.
    expected = [1 / 6, 1, 2 / 6, 1, 1]
    assert table["p_value"].tolist() == pytest.approx(expected, abs=4 * 0.5 / 20_000**0.5)
    assert table.loc[("y", "a"), ["low", "high"]].tolist() == pytest.approx([1 / 3, 1 / 3])
    single = table.loc[[("x", "a"), ("x", "b"), ("y", "a")]]
    assert single["p_holm"].tolist() == pytest.approx([min(1, 3 * single["p_value"].iloc[0]), 1, 1])
    assert table.loc[("x", "mean"), "p_holm"] == pytest.approx(2 * table.loc[("x", "mean"), "p_value"])


def test_p_values_are_uniform_where_nothing_leads():
    """Leading kinds that have nothing to do with the wanted ones, the models of a draw as alike as real ones are."""
    generator, p_values = np.random.default_rng(0), []
    for number in range(400):
        wanted, common = generator.integers(3, size=(2, 30))
        models = [np.where(generator.random(30) < 0.5, common, generator.integers(3, size=30)) for _ in range(3)]
        dealt = {(f"m{place}", "x"): dealt_of(wanted, leading) for place, leading in enumerate(models)}
        table = leading_permutations(dealt, seed=number, permutations=199)
        p_values.append(table.loc[table["model"] == "mean", "p_value"].item())
    for level in (0.05, 0.1, 0.25, 0.5, 0.75):
        assert np.mean(np.array(p_values) <= level) == pytest.approx(level, abs=4 * (level * (1 - level) / 400) ** 0.5)


def test_vocabularies_are_compared_on_the_keywords_that_all_have():
    """What another vocabulary lacks counts for nobody, and what is left is tested as if nothing else had been there."""
    generator = np.random.default_rng(0)
    whole = {name: dealt_of(generator.integers(3, size=8), generator.integers(3, size=8)) for name in "abc"}
    shared = ["k01", "k02", "k04", "k05", "k07"]

    def cut(table: pd.DataFrame, keywords: list[str]) -> pd.DataFrame:
        return table.loc[table.index.get_level_values("keyword").isin(keywords), keywords]

    cuts = {"a": [*shared, "k00"], "b": [*shared, "k03", "k06"], "c": list(whole["c"])}
    mixed = {(name, "x"): cut(whole[name], sorted(keywords)) for name, keywords in cuts.items()}
    alone = {(name, "x"): cut(table, shared) for name, table in whole.items()}
    found = leading_permutations(mixed, seed=0)
    pd.testing.assert_frame_equal(found, leading_permutations(alone, seed=0), check_exact=True)
    assert set(found["keywords"]) == set(found["cases"]) == {len(shared)}
    by_hand = np.diag(alone["a", "x"].to_numpy()).mean()
    assert found.set_index("model").loc["a", "value"] == by_hand


def test_vocabularies_that_share_no_keyword_are_named():
    one, other = dealt_of(np.arange(3), np.arange(3)), dealt_of(np.arange(3), np.arange(3))
    other = other.set_axis(["x0", "x1", "x2"], axis=1)
    with pytest.raises(Unavailable, match="a, b: no keyword is one token of all of them; name models whose"):
        leading_permutations({("a", "x"): one, ("b", "x"): other}, seed=0)


def test_a_bad_table_is_named(tmp_path):
    path = tmp_path / "followers.yml"
    path.write_text("python:\n  identifier: def def\n")
    with pytest.raises(InputError, match="python: names a keyword twice"):
        load_followers(path)
    path.write_text("python:\n  identifier: [def]\n")
    with pytest.raises(InputError, match="keywords separated by blanks"):
        load_followers(path)
