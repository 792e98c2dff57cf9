"""What an earlier run noted of canonical solutions is taken as it was written, or refused."""

import json
from dataclasses import asdict

import pytest

from compressed_code.benchmarks.stepwise import Verified

NOTE = asdict(
    Verified(
        {"x/0": 0.5},
        ["x/0"],
        {"x/1": "its solution fails"},
        {"x/2": "its solution fails"},
        ["x/0"],
        {"x/0": "an object decides"},
    )
)


def test_a_note_is_read_as_it_was_written():
    assert Verified.noted(json.loads(json.dumps(NOTE))) == Verified(**NOTE)


@pytest.mark.parametrize(
    "note",
    [
        *(None, 5, [], {}, NOTE | {"more": 1}),
        *(
            NOTE | {"seconds": {"x/0": "fast"}},
            NOTE | {"heavy": 7},
            NOTE | {"failing": []},
            NOTE | {"void": {"a": "b"}},
        ),
    ],
)
def test_another_note_is_refused(note):
    with pytest.raises(ValueError):
        Verified.noted(note)
