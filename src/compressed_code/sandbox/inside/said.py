"""What an answer has said of itself holds until something runs that may change it.

A test that counts an answer's items at one time, and looks at each of them at another, would see two answers otherwise.
The answer is asked again each time, but what the test gets is what was said first, and something else is refused. Of an
object that the test made itself, by calling a class by its name, it is the class that is tested: it may change by
being looked at, as a cache does, or what is drained by going through it. What it has said holds until it gives an item,
or the test reads another attribute.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NoReturn, Protocol

from .differences import count, differs, has_fewer, is_asked, matched, stands

ENOUGH = 8  # times that an object is asked the same without a change: each looks through all that both sides have


class Stands(Protocol):
    """What stands for an object of the program.

    Attributes:
        _its_judge: asks the program (`owned.Asked`).
    """

    _its_judge: Any


def made_by_the_test(value: Any) -> bool:
    """Whether the test made an object by calling its class, though it may have come back since."""
    return getattr(value, "_its_lives", False) and not getattr(value, "_its_is_free", False)


def once(value: Stands, about: Hashable, ask: Callable[[], Any]) -> Any:
    """What an object says of something: what it said before, if it did.

    It is asked again all the same, some times, for a test may count that, or see what it does; what it says then is no
    other thing.

    Args:
        ask: asks the program.

    Raises:
        Exception: what was raised when it was asked.
        TypeError: it says something else now.
    """
    told = keep(value)
    again = told.get(("again", about), 0)
    if about not in told:
        return known(value, about, ask)
    if again >= ENOUGH:
        return _told(told[about])
    told["again", about] = again + 1
    found, error = _asked(ask)
    told = keep(value)
    if about not in told:  # something ran meanwhile
        return _first(value, about, found, error)
    before, raised = told[about]
    if type(before) is not type(found) or type(error) is not type(raised) or differs(before, found, objects=False):
        value._its_judge.refuse(value)
        raise TypeError("an answer says something else each time")
    if raised is not None:
        raise raised
    # Another list, if the program makes one each time; a dictionary in no other order.
    if found is not before and _is_flat(found) and not (isinstance(found, dict) and [*found] != [*before]):
        told[about] = found, None
    elif _is_iterator(found) and found is not before:
        return _following(value, about, found)
    return told.get(about, (before,))[0]


def known(value: Stands, about: Hashable, ask: Callable[[], Any]) -> Any:
    """The same without asking again: it is not the test that looks."""
    told = keep(value)
    return _told(told[about]) if about in told else _first(value, about, *_asked(ask))


def _first(value: Stands, about: Hashable, found: Any, error: Exception | None) -> Any:
    """What an object says of something now, for the first time since something ran."""
    if not isinstance(found, Items):  # of which nobody knows how many there will be
        _agree(value, about, found, error)
    keep(value)[about] = found, error
    return _following(value, about, found) if _is_iterator(found) else _told((found, error))


def _told(said: tuple[Any, Exception | None]) -> Any:
    found, error = said
    if error is not None:
        raise error
    return found


def _asked(ask: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return ask(), None
    except Exception as raised:
        return None, raised


def _following(value: Stands, about: Hashable, iterator: Any) -> Any:
    """An iterator, which gives the items that the one before it gave: the test uses each up."""
    told = keep(value)
    first = ("iterated", about) not in told
    iterator._its_follow(told.setdefault(("iterated", about), Items(value, ("iterated", about))), first)
    return iterator


def _is_iterator(value: Any) -> bool:
    kind = type(value)
    return stands(value) and hasattr(kind, "__next__") and not hasattr(kind, "__len__")


def _is_flat(value: Any) -> bool:
    """Whether a container holds nothing but plain data, and is none of the program's own."""
    if type(value) not in (list, set, dict, deque, bytearray):
        return False
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return all(type(each) in (bool, int, float, complex, str, bytes, type(None)) for each in parts)


def attribute(value: Stands, name: str, ask: Callable[[], Any]) -> Any:
    """The same as `once` of an attribute."""
    about = "attribute", name
    if made_by_the_test(value):  # which may have computed another one on the way
        renew(value, _least(keep(value), about))
    return once(value, about, ask)


def keep(value: Stands) -> dict[Hashable, Any]:
    """What an object has said since something ran that may have changed it."""
    value._its_judge.notice()
    when, told = getattr(value, "_its_said", (None, {}))
    now = _now(value)
    if when != now:
        told = _least(told) if when is not None and when[:-1] == now[:-1] else {}
        renew(value, told)
    return told


def renew(value: Stands, told: dict[Hashable, Any]) -> None:
    """Let an object have said this, and nothing else, whatever ran."""
    object.__setattr__(value, "_its_said", (_now(value), told))


def _now(value: Stands) -> tuple[int, int, int]:
    """What has run, whose last part took nothing away."""
    judge = value._its_judge
    # The test made it, or has it by its name: it lives.
    if made_by_the_test(value):
        return judge.ran, judge.taken, judge.made + judge.found
    return (judge.ran, 0, judge.made) if getattr(value, "_its_lives", False) else (judge.changes, 0, judge.bound)


def _least(told: dict[Hashable, Any], but: Hashable = None) -> dict[Hashable, Any]:
    """Of what an object has said, what it had: where nothing has run that takes away, that does not get less.

    Args:
        but: what it has said all the same.
    """
    kept = {about: what for about, what in told.items() if about == but or _is_least(about)}
    held = {("least", about): _held(about, what) for about, what in told.items() if about not in kept}
    return kept | {about: what for about, what in held.items() if what is not None}


def _is_least(about: Hashable) -> bool:
    return isinstance(about, tuple) and about[:1] == ("least",)


def _held(about: Hashable, said: Any) -> Any:
    """What an object has said to have: of its items how many, or a value that may have some; None for any other."""
    found = said[0] if isinstance(said, tuple) else said
    if isinstance(found, Items):  # one that was broken off gave a part of what it has
        return found.given if found.complete else max(found.given, found.least, key=len)
    if about == "length" and type(found) is int:
        return range(found)
    return found if not isinstance(found, bool | int | float | complex) else None


def _agree(value: Stands, about: Hashable, found: Any, error: Exception | None) -> None:
    """Refuse what an object says, or that it says nothing, if it has less now than it had.

    Raises:
        TypeError: it has.
    """
    before = keep(value).get(("least", about))
    if before is None:
        return
    if error is not None:
        _refuse_less(value._its_judge, value)
    hold_no_less(value._its_judge, before, range(found) if about == "length" else found)


def hold_no_less(judge: Any, before: Any, found: Any) -> None:
    """Refuse what has fewer items than it had, or anything within, or is of another type where it had any; an object
    in place of another one has to have what that one had, when it is asked, or when it was.

    Raises:
        TypeError: it has fewer.
    """
    waiting = [(before, found)]
    seen = dict[tuple[int, int], tuple[Any, Any]]()  # which lives as long as its key counts
    while waiting:
        for one, other in matched(*waiting.pop()):
            if one is other or (id(one), id(other)) in seen:
                continue
            seen[id(one), id(other)] = one, other
            if type(one) is not type(other):
                fewer = count(one) > 0 or (stands(one) and (other is not None or _counted(one) > 0))
            else:
                fewer = has_fewer(one, other)
            if fewer:
                _refuse_less(judge, found)
            if is_asked(one) and is_asked(other):
                waiting += _said_by_both(one, other)


def _refuse_less(judge: Any, value: Any) -> NoReturn:
    judge.refuse(value)
    raise TypeError("an answer has less than it had, and nothing took that away")


def _said_by_both(one: Any, other: Any) -> list[tuple[Any, Any]]:
    """What an object had and another one in its place has; the other one is told what it has to have."""
    told, both = keep(other), []
    for least, held in _least(_said_before(one)).items():
        about = least[1]
        now = told[about][0] if isinstance(told.get(about), tuple) else told.get(about)
        if isinstance(now, Items) and not now.complete:
            now.least = max(now.least, held, key=len)
        elif about in told:
            both.append((held, _held(about, told[about])))
        elif least in told:
            both.append((held, told[least]))
        else:
            told[least] = held
    return both


def _said_before(value: Any) -> dict[Hashable, Any]:
    return getattr(value, "_its_said", (None, {}))[1]


def _counted(value: Any) -> int:
    """How many items an object has said to have."""
    least = _least(_said_before(value))
    return max(len(least.get(("least", about), ())) for about in ("length", "items"))


class Items:
    """What iterating over an object gives, kept as it comes.

    Args:
        value: the object.
        about: what gives them, of all that the object says.
    """

    def __init__(self, value: Stands, about: Hashable = "items") -> None:
        self.value = value
        self.given: list[Any] = []
        self.least: list[Any] = keep(value).get(("least", about), [])
        self.complete = False
        self.rounds = 0

    def each(self, source: Iterator[Any]) -> Iterator[Any]:
        """From the first to the last.

        Args:
            source: what the program gives this time.

        Raises:
            TypeError: those are others, or not as many.
        """
        place = 0
        for item in source:
            yield self.at(place, item)
            place += 1
        self.end(place)

    def at(self, place: int, item: Any) -> Any:
        """The item at a place, where the program gives this one now.

        Raises:
            TypeError: it is another one.
        """
        if place == len(self.given) and not self.complete:
            if place < len(self.least):
                hold_no_less(self.value._its_judge, self.least[place], item)
            self.given.append(item)
        if place == len(self.given) or differs(self.given[place], item, objects=False):
            self._refuse()
        return self.given[place]

    def end(self, count: int) -> None:
        """There are no more than so many.

        Raises:
            TypeError: there were more.
        """
        if count < max(len(self.given), len(self.least)):
            self._refuse()
        self.complete = True
        self.rounds += 1

    def _refuse(self) -> NoReturn:
        self.value._its_judge.refuse(self.value)
        raise TypeError("an answer gives other items each time")
