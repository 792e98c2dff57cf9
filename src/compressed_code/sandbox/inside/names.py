"""The global names of a test that is judged apart from its program."""

from collections.abc import Sequence
from typing import Any, Protocol

from .remotes import Remote, Standing, is_of_a_class
from .said import hold_no_less
from .standard_modules import own_meaning


class Looked(Protocol):
    """Who looks names up in the program."""

    packages: Sequence[str]
    ran: int
    made: int

    def request(self, operation: str, *arguments: Any) -> Any:
        """Let the program do something and give back what came of it."""

    def refuse(self, value: Any) -> None:
        """An object of the program would have had to decide, and the test gets an exception instead."""


class Names(dict[str, Any]):
    """The global names of the test; what it does not define itself is looked up in the program, once until something
    runs there that may change it."""

    def __init__(self, judge: Looked) -> None:
        self.judge = judge
        self.known: dict[str, tuple[tuple[int, int], Any]] = {}  # with what had run before

    def __missing__(self, name: str) -> Any:
        ran = self.judge.ran, self.judge.made
        when, found = self.known.get(name, ((-1, -1), None))
        if when != ran:
            before, found = found, self._looked_up(name)
            if when[0] == ran[0]:  # nothing but objects was made
                hold_no_less(self.judge, before, found)
            self.known[name] = ran, found
        return found

    def _looked_up(self, name: str) -> Any:
        try:
            found = self.judge.request("name", name)
        except NameError:
            raise KeyError(name) from None
        known = own_meaning(name, self.judge.packages)
        # What is called math decides as math does, or not at all.
        if known and not any(found is each for each in known):
            self.judge.refuse(found)
            raise KeyError(name)
        # What a test calls by the name of a function has to answer as one.
        if isinstance(found, Remote) and not ("__instancecheck__" in vars(type(found)) and is_of_a_class(name)):
            found._its_arrive(Standing.ANSWERED)
        if isinstance(found, Remote):
            found._its_be_free(name)
        return found


class Module:
    """Where `dataclasses` and `typing` look up the names of a class that the test defines."""

    def __init__(self, names: Names) -> None:
        self.__dict__ = names
