"""The errors a user of the repository is meant to read."""


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
