"""Exceptions of the program as the test would have met them: classes of the same name and the same bases."""

from typing import Any, Protocol

from . import said
from .owned import Asked
from .programs import MODULE
from .standard_modules import ERRORS, public_callable

_LONGEST = 80


class Resolver(Protocol):
    """Who knows what stands for what."""

    def resolve(self, number: int, about: Any) -> Any:
        """What stands here for an object of the program."""


class Mirrors:
    """The exception classes of one program."""

    def __init__(self, judge: Asked, objects: Resolver) -> None:
        self.judge, self.objects = judge, objects
        self.kinds: dict[int, type[BaseException]] = {}
        self.agreed: dict[str, type[Exception]] = {}  # of the setup, which the program defines in the same words

    def kind(self, number: int, name: str, about: tuple[str, tuple[Any, ...]]) -> type[BaseException]:
        """The class that stands for one of the program's, the same for the same number.

        Args:
            name: the class's own.
            about: the module that defines it, and its bases, each a class already: a class of a loaded module is
                that very class.

        Raises:
            TypeError: those are no bases of an exception.
        """
        module, bases = about
        if number in self.kinds:
            return self.kinds[number]
        # A library names its exceptions in the package above the module that defines them (json.decoder, json).
        known = public_callable(module, name) or public_callable(module.rpartition(".")[0], name)
        if not (isinstance(known, type) and issubclass(known, BaseException)):
            if not any(isinstance(base, type) and issubclass(base, BaseException) for base in bases):
                raise TypeError("an exception without a base")
            named = name[:_LONGEST] if name.isidentifier() else "Exception"
            fields = {"__getattr__": _attribute, "__str__": _text, "__module__": "program"}
            fields |= {"_its_judge": self.judge, "_objects": self.objects}
            agreed = self.agreed.get(name) if module == MODULE else None
            known = type(
                named, (agreed,) if agreed else tuple(base for base in bases if isinstance(base, type)), fields
            )
        # Any `except` would take it, where the test asks which error is right.
        if _unrelated(known) > 1 or _of_its_own(known) > 1:
            self.judge.refuse(known)  # a library's too, such as `io.UnsupportedOperation`
        self.kinds[number] = known
        return known

    def number(self, kind: Any) -> int | None:
        """The number of a class that stands for one of the program's."""
        return next((number for number, each in self.kinds.items() if each is kind), None)

    def error(self, kind: type, arguments: tuple[Any, ...], number: int, text: str) -> BaseException:
        """An exception that the program raised.

        Raises:
            TypeError: its class is no exception's.
        """
        if not issubclass(kind, BaseException):
            raise TypeError("no exception")
        try:
            # What a class of the setup makes of its arguments, the program's has made of them already.
            error = kind.__new__(kind, *arguments) if issubclass(kind, (*self.agreed.values(),)) else kind(*arguments)
        except Exception:  # UnicodeDecodeError wants arguments of certain types
            error = self.without_arguments(kind)
            error.args = arguments
        if not arguments and text and not hasattr(kind, "_objects"):  # what Python's own was given is no plain data
            error.args = (text,)
        error.__dict__.update(_its_number=number, _text=text)
        return error

    def without_arguments(self, kind: type) -> BaseException:
        """An exception whose arguments make none; one of those that cannot be without is another one."""
        try:
            return kind.__new__(kind)
        except Exception:
            self.judge.refuse(kind)
            return RuntimeError()


def name_of_its_kind(error: BaseException) -> str:
    """The name of the error of Python's own that one is, which the program's `except` takes it for."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")


def is_of_the_program(error: BaseException) -> bool:
    """Whether it stands for one that the program raised, or Python made it of one in a generator of the test."""
    return "_its_number" in error.__dict__ or isinstance(error.__cause__, StopIteration)


def _unrelated(kind: type) -> int:
    """How many of Python's own errors a class is, of which none extends another."""
    own = [base for base in kind.__mro__ if any(base is each for each in ERRORS.values())]
    return sum(not any(other is not base and issubclass(other, base) for other in own) for base in own)


def _of_its_own(kind: type) -> int:
    """How many errors of the program's own a class is beside itself, of which none extends another."""
    own = [base for base in kind.__mro__[1:] if hasattr(base, "_objects")]
    return sum(not any(other is not base and issubclass(other, base) for other in own) for base in own)


def _attribute(error: Any, name: str) -> Any:
    """An attribute that the program gave its exception."""
    number = error.__dict__.get("_its_number")
    if name.startswith("_") or number is None:
        raise AttributeError(name)
    place = error._objects.resolve(number, ("object", "exception", ()))
    return said.attribute(error, name, lambda: error._its_judge.request("attribute", place, name))


def _text(error: BaseException) -> str:
    text = error.__dict__.get("_text")
    return text if text is not None else BaseException.__str__(error)
