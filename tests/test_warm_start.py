"""What may follow a keyword is held against real programs; leading tokens against a case by hand."""

import pandas as pd
import pytest
from pygments.lexers import get_lexer_by_name
from pygments.token import Keyword, Name, Operator

from helpers.errors import InputError
from helpers.languages import load_languages, load_programs, select_languages
from helpers.warm_start import chance_of_leading, follower_kind, leading_followers, load_followers


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


def test_a_bad_table_is_named(tmp_path):
    path = tmp_path / "followers.yml"
    path.write_text("python:\n  identifier: def def\n")
    with pytest.raises(InputError, match="python: names a keyword twice"):
        load_followers(path)
    path.write_text("python:\n  identifier: [def]\n")
    with pytest.raises(InputError, match="keywords separated by blanks"):
        load_followers(path)
