"""What a program may say to its judge: messages of a closed set of forms."""

from typing import Any

from .codec import Malformed

_ANY_VALUE: tuple[tuple[type, ...], ...] = ()
# What the program may say, and of which types; the last text of an answer, or of a call, is what was printed meanwhile.
_MESSAGES = {
    "value": _ANY_VALUE,
    "module": ((str, str),),
    "raised": ((type, tuple, int, str, str),),
    "syntax error": ((str, str),),
    "too large": ((str,),),
    "call": ((int, tuple, dict, str),),
}


def checked(message: Any) -> tuple[Any, ...]:
    """A message as it was read, if it has one of the forms.

    Raises:
        Malformed: it has none; an object that answers like a tuple is none.
    """
    if type(message) is not tuple or not message or type(message[0]) is not str:
        raise Malformed("no message")
    found, forms = tuple(map(type, message[1:])), _MESSAGES.get(message[0])
    if forms is None or not (found in forms or (forms is _ANY_VALUE and len(found) == 2 and found[1] is str)):
        raise Malformed("a message of no known form")
    return message
