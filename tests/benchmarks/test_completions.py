"""Where a completion ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.benchmarks.completions import STOP_SEQUENCES, truncate


@pytest.mark.parametrize(
    ("completion", "kept"),
    [
        ("    return 1\n", "    return 1\n"),
        ("    return 1\n\n\ndef g():\n    pass\n", "    return 1\n\n"),
        ("    return 1\n# note\nclass A:\n", "    return 1"),
        ("    x = 1\n    if x:\n        return\nif __name__:\n", "    x = 1\n    if x:\n        return"),
        ("    return '# no stop, nor a def inside a line'\n", "    return '# no stop, nor a def inside a line'\n"),
        ("\nprint(1)", ""),
        ("", ""),
    ],
)
def test_a_completion_is_cut_at_the_earliest_stop(completion, kept):
    assert truncate(completion) == truncate(completion, STOP_SEQUENCES) == kept


@given(st.text("\nabcdef# ", max_size=40), st.lists(st.text("\nabdef#", min_size=1, max_size=3), max_size=4))
def test_truncation_leaves_the_longest_prefix_free_of_stops(completion, stop):
    kept = truncate(completion, stop)
    assert completion.startswith(kept) and not any(text in kept for text in stop)
    rest = completion[len(kept) :]
    assert rest == "" or any(rest.startswith(text) for text in stop)
    assert truncate(kept, stop) == kept
