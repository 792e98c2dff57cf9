"""What is silent meanwhile is afterwards as it was."""

import logging
import sys

import pytest
from transformers.utils import logging as library

from compressed_code.core.quiet import quiet


@pytest.mark.parametrize("shown", [True, False])
def test_bars_of_transformers_are_as_the_user_had_them(shown):
    before = library.is_progress_bar_enabled()
    try:
        (library.enable_progress_bar if shown else library.disable_progress_bar)()
        with pytest.raises(KeyError), quiet():
            assert not library.is_progress_bar_enabled()
            raise KeyError
        assert library.is_progress_bar_enabled() == shown
    finally:
        (library.enable_progress_bar if before else library.disable_progress_bar)()


def test_streams_and_warnings_are_silent(capsys, caplog):
    with quiet():
        print("said")
        print("warned", file=sys.stderr)
        logging.getLogger("somebody").warning("logged")
    assert capsys.readouterr() == ("", "") and caplog.text == ""
    logging.getLogger("somebody").warning("heard")
    assert "heard" in caplog.text
