"""The errors a user of the repository is meant to read."""

import re

# Control signs but tabs and line ends, what turns the direction of writing, line ends that are none, half characters.
_MOVING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class InputError(Exception):
    """Something that was given is wrong.

    The message is one line that names the file, row or value and says what to do.
    The command line prints it without a traceback and exits with code 2.
    """


class Unavailable(InputError):
    """Something the registry knows cannot be had: no network or hub now, no rule to encode with, a model that a
    quantization does not suit.

    Unlike its parent it is not the user's mistake: `measure` names the gap and goes on with the rest.
    """


def printable(text: str) -> str:
    r"""A text from elsewhere as one line without control signs or half characters.

    Example:
        >>> print(printable("zoo/1\x1b[2J\n"))
        zoo/1\x1b[2J\n
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def readable(text: str) -> str:
    r"""A text of several lines, which may hold others' names and programs, without what moves a terminal or a reader.

    Example:
        >>> print(readable("zoo/1\x1b[2J\u202e: lost\nzoo/2"))
        zoo/1\x1b[2J\u202e: lost
        zoo/2
    """
    return _MOVING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def in_one_line(error: BaseException | str, limit: int = 300) -> str:
    """What an error says, for the end of a message: its first lines in one, cut at `limit` signs; never empty, and with
    nothing that moves a terminal, which a name in it may hold.

    Example:
        >>> in_one_line(ValueError("no such\\n  key"))
        'no such key'
        >>> in_one_line(KeyboardInterrupt())
        'KeyboardInterrupt'
    """
    return printable(" ".join(str(error).split()))[:limit] or type(error).__name__
