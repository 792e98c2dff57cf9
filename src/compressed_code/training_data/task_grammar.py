"""Building blocks of the zoo's programming tasks: what a task may be about, in English and in Python.

A composition is a family of elements (the numbers of a list, the digits of a number ...), predicates that choose
elements, a map applied to each chosen element, and a reducer that makes one result of them. A block carries its
English and its Python side by side; `{x}` stands for the element, `{v}` for the value of a dictionary's key, `{k}` for
the block's constant. Which style of program answers a task (one expression or a loop) follows from family and reducer
alone, so that the right answer can be told from the prompt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

Kind = Literal["number", "text"]
Constant = int | str

LETTERS = tuple("abcdefghijklmnoprstuvw")
_NUMBER_BOUNDS = tuple(bound for bound in range(-9, 21) if bound not in (0, 1, -1))
_CHOICES: Mapping[str, tuple] = {
    "bound": _NUMBER_BOUNDS,
    "divisor": (3, 4, 5, 6, 7),
    "letter": LETTERS,
    "lower length": (2, 3, 4, 5),
    "upper length": (7, 8, 9),
    "exact length": (5, 6, 7),
    "few": (2, 3, 4),
    "step": (1, 2, 3, 4, 5, 6, 7, 8, 9),
    "factor": (2, 3, 4, 5, 6, 7, 8, 9),
}


@dataclass(frozen=True)
class Predicate:
    """A condition on one element.

    Attributes:
        name: part of the composition's key.
        expression: Python, true for the chosen elements.
        plural, singular: verb phrases ("are even", "is even").
        axes: what the condition speaks about; two predicates of one composition share no axis, otherwise one would
            contradict or repeat the other.
        adjective: the word that stands before the noun instead of a relative clause.
        constant: kind of `{k}`, a key of the choices of a family.
    """

    name: str
    expression: str
    plural: str
    singular: str
    axes: frozenset[str]
    adjective: str | None = None
    constant: str | None = None

    @property
    def variable(self) -> str:
        """`v` for a condition on the value of a dictionary's key, else `x`."""
        return "v" if "{v}" in self.expression else "x"


@dataclass(frozen=True)
class Map:
    """What is done to each chosen element.

    Attributes:
        before, after: the English around the noun phrase ("the squares of " or ", each increased by 3").
        result: kind of what comes out.
        one_to_one: it keeps different elements different.
        axes: shared with the predicates that would leave the map without effect.
    """

    name: str
    expression: str
    before: str = ""
    after: str = ""
    result: Kind = "number"
    one_to_one: bool = False
    axes: frozenset[str] = frozenset()
    constant: str | None = None


class Loop(NamedTuple):
    """A program with a loop: lines before it, lines run for each chosen element, and what is returned after it."""

    before: str
    step: str
    result: str


@dataclass(frozen=True)
class Reducer:
    """What is made of the chosen and mapped elements.

    Attributes:
        phrase, ending: the English before and after the noun phrase; the ending states the result for no elements.
        accepts: the kinds of elements it takes.
        expression: one Python expression; `{items}` stands for `VALUE for x in ITERABLE if CONDITION`.
        takes_map: false where a map would change nothing (a count) or read badly (any, all).
        asks: the last predicate is the question asked about the elements that the others choose (any, all).
        needs_predicate: the task would be trivial without one.
        merges: equal results count once.
    """

    name: str
    phrase: str
    accepts: tuple[Kind, ...]
    ending: str = ""
    expression: str | None = None
    loop: Loop | None = None
    takes_map: bool = True
    asks: bool = False
    needs_predicate: bool = False
    merges: bool = False
    constant: str | None = None


@dataclass(frozen=True)
class TaskFamily:
    """Where the elements come from.

    Attributes:
        name: also the plural noun in the function's name.
        arguments: the parameter list.
        noun, place: the English around the relative clause ("numbers", "in numbers").
        variable: name of one element in the program.
        iterable: what a program walks through.
        kind: of an element.
        prefers_loop: which style is taken where a reducer knows both.
        distinct: no element occurs twice.
        never_empty: there is at least one element.
        excluded: names of reducers that make no sense here.
        universe: the elements on which constants are tried out; empty where every choice of constants is sound.
        choices: constants that differ from those of other families, by kind.
    """

    name: str
    arguments: str
    noun: str
    place: str
    variable: str
    iterable: str
    kind: Kind
    predicates: tuple[Predicate, ...]
    maps: tuple[Map, ...]
    prefers_loop: bool = False
    distinct: bool = False
    never_empty: bool = False
    excluded: frozenset[str] = frozenset()
    universe: tuple = ()
    choices: Mapping[str, tuple] = field(default_factory=dict, hash=False)

    def constants(self, kind: str) -> tuple:
        """The constants of one kind that a block of this family may take."""
        return self.choices.get(kind, _CHOICES[kind])


def _are(
    name: str, expression: str, quality: str, axes: str, constant: str | None = None, adjective: bool = False
) -> Predicate:
    """A predicate of the form "are QUALITY"."""
    word = quality if adjective else None
    return Predicate(name, expression, f"are {quality}", f"is {quality}", frozenset(axes.split()), word, constant)


def _verb(name: str, expression: str, plural: str, axes: str, constant: str) -> Predicate:
    """A predicate with another verb than "are"; the verb is the first word."""
    verb, rest = plural.split(" ", 1)
    singular = {"have": "has", "do": "does"}.get(verb, f"{verb}s")
    return Predicate(name, expression, plural, f"{singular} {rest}", frozenset(axes.split()), constant=constant)


def _without_map(
    name: str, phrase: str, ending: str, expression: str, loop: Loop | None = None, asks: bool = False
) -> Reducer:
    """A reducer that takes no map and needs a predicate."""
    return Reducer(
        name, phrase, ("number", "text"), ending, expression, loop, takes_map=False, asks=asks, needs_predicate=True
    )


def _of_values(predicate: Predicate) -> Predicate:
    """The same condition on the value of a dictionary's key."""
    quality = predicate.plural.removeprefix("are ").replace("at ", "of at ")
    if predicate.adjective:
        article = "an" if quality[0] in "aeiou" else "a"
        plural, singular = f"have {quality} values", f"has {article} {quality} value"
    else:
        plural, singular = f"have values {quality}", f"has a value {quality}"
    axes = frozenset(f"value {axis}" for axis in predicate.axes)
    expression = predicate.expression.replace("{x}", "{v}")
    return Predicate(f"value-{predicate.name}", expression, plural, singular, axes, constant=predicate.constant)


_SIGNS = (
    _are("positive", "{x} > 0", "positive", "low sign", adjective=True),
    _are("negative", "{x} < 0", "negative", "high sign", adjective=True),
    # An odd number is never zero, nor is one that is not divisible.
    _are("nonzero", "{x} != 0", "non-zero", "equal sign parity divisor", adjective=True),
)
_NUMBER_PREDICATES = (
    _are("even", "{x} % 2 == 0", "even", "parity", adjective=True),
    _are("odd", "{x} % 2 == 1", "odd", "parity", adjective=True),
    _are("above", "{x} > {k}", "greater than {k}", "low", "bound"),
    _are("at-least", "{x} >= {k}", "at least {k}", "low", "bound"),
    _are("below", "{x} < {k}", "less than {k}", "high", "bound"),
    _are("at-most", "{x} <= {k}", "at most {k}", "high", "bound"),
    _are("divisible", "{x} % {k} == 0", "divisible by {k}", "divisor", "divisor"),
    _are("indivisible", "{x} % {k} != 0", "not divisible by {k}", "divisor", "divisor"),
    _are("unequal", "{x} != {k}", "not equal to {k}", "equal", "bound"),
)
# Few digits are divisible by 3 or 4: beside a bound or a parity at most one would be left.
_LONELY_AXES = {"divisible": frozenset({"divisor", "parity", "low", "high"})}
_DIGIT_PREDICATES = tuple(
    replace(predicate, axes=_LONELY_AXES.get(predicate.name, predicate.axes)) for predicate in _NUMBER_PREDICATES
)
_TEXT_PREDICATES = (
    _verb("starts", "{x}.startswith({k})", "start with {k}", "start", "letter"),
    _verb("starts-not", "not {x}.startswith({k})", "do not start with {k}", "start", "letter"),
    _verb("ends", "{x}.endswith({k})", "end with {k}", "end", "letter"),
    _verb("ends-not", "not {x}.endswith({k})", "do not end with {k}", "end", "letter"),
    _verb("contains", "{k} in {x}", "contain {k}", "inside", "letter"),
    _verb("lacks", "{k} not in {x}", "do not contain {k}", "inside", "letter"),
    _verb("longer", "len({x}) > {k}", "have more than {k} characters", "low", "lower length"),
    _verb("shorter", "len({x}) < {k}", "have fewer than {k} characters", "high", "upper length"),
    _verb("length", "len({x}) == {k}", "have exactly {k} characters", "low high", "exact length"),
)
_CLASS_AXES = frozenset({"class", "vowel", "equal", "low", "high"})
_CHARACTER_PREDICATES = (
    Predicate("vowel", '{x}.lower() in "aeiou"', "are vowels", "is a vowel", frozenset({"vowel"})),
    Predicate("not-vowel", '{x}.lower() not in "aeiou"', "are not vowels", "is not a vowel", frozenset({"vowel"})),
    # Uppercase letters stand before nearly all others, lowercase ones behind: beside such a bound they say nothing.
    _are("upper", "{x}.isupper()", "uppercase", "class high", adjective=True),
    _are("lower", "{x}.islower()", "lowercase", "class low", adjective=True),
    Predicate("digit", "{x}.isdigit()", "are digits", "is a digit", _CLASS_AXES),
    Predicate("letter", "{x}.isalpha()", "are letters", "is a letter", _CLASS_AXES),
    _are("unequal", "{x} != {k}", "not equal to {k}", "equal", "bound"),
    _are("above", "{x} > {k}", "greater than {k}", "low", "bound"),
    _are("below", "{x} < {k}", "less than {k}", "high", "bound"),
)

_NUMBER_MAPS = (
    Map("square", "{x} * {x}", "the squares of "),
    Map("cube", "{x} * {x} * {x}", "the cubes of ", one_to_one=True),
    Map("negate", "-{x}", "the negations of ", one_to_one=True),
    Map("add", "{x} + {k}", after=", each increased by {k}", constant="step", one_to_one=True),
    Map("subtract", "{x} - {k}", after=", each decreased by {k}", constant="step", one_to_one=True),
    Map("subtract-from", "{k} - {x}", after=", each subtracted from {k}", constant="step", one_to_one=True),
    Map("multiply", "{x} * {k}", after=", each multiplied by {k}", constant="factor", one_to_one=True),
    Map("floor-divide", "{x} // {k}", after=", each floor-divided by {k}", constant="few"),
    Map("remainder", "{x} % {k}", after=", each taken modulo {k}", constant="divisor"),
)
_ABSOLUTE = Map("absolute", "abs({x})", "the absolute values of ", axes=frozenset({"sign", "low"}))
_TEXT_MAPS = (
    Map("length", "len({x})", "the lengths of "),
    Map("occurrences", "{x}.count({k})", "the counts of {k} in ", constant="letter"),
    Map("uppercase", "{x}.upper()", after=", each in upper case", result="text"),
    Map("reverse", "{x}[::-1]", after=", each reversed", result="text", one_to_one=True),
    Map("cut", "{x}[:{k}]", after=", each cut to its first {k} characters", result="text", constant="few"),
    Map("drop", "{x}[{k}:]", after=", each without its first {k} characters", result="text", constant="few"),
    Map("append", "{x} + {k}", after=", each followed by {k}", result="text", constant="letter", one_to_one=True),
    Map("prepend", "{k} + {x}", after=", each preceded by {k}", result="text", constant="letter", one_to_one=True),
    Map("repeat", "{x} * {k}", after=", each repeated {k} times", result="text", constant="few", one_to_one=True),
    Map("remove", '{x}.replace({k}, "")', after=", each with {k} removed", result="text", constant="letter"),
)
_CHARACTER_MAPS = (
    Map("code", "ord({x})", "the code points of "),
    Map("uppercase", "{x}.upper()", after=", each in upper case", result="text", axes=frozenset({"class"})),
    Map("lowercase", "{x}.lower()", after=", each in lower case", result="text", axes=frozenset({"class"})),
    *(block for block in _TEXT_MAPS if block.name in ("append", "prepend", "repeat")),
)

_NUMBER: tuple[Kind, ...] = ("number",)
_TEXT: tuple[Kind, ...] = ("text",)
_BOTH: tuple[Kind, ...] = ("number", "text")
_SUM = Loop("total = 0", "total += {value}", "total")
_PRODUCT = Loop("result = 1", "result *= {value}", "result")
_RUNNING = Loop("total = 0\nresult = []", "total += {value}\nresult.append(total)", "result")
_LIST = Loop("result = []", "result.append({value})", "result")
_FIRST = Loop("", "return {value}", "None")
_LAST = Loop("result = None", "result = {value}", "result")
_COUNT = Loop("count = 0", "count += 1", "count")
_OR_0, _OR_1, _OR_EMPTY, _OR_NONE = (f", or {value} if there are none" for value in ("0", "1", "''", "None"))
_LONGEST, _SHORTEST = "the longest (first if tied) of", "the shortest (first if tied) of"
REDUCERS = (
    Reducer("sum", "the sum of", _NUMBER, "", "sum({items})", _SUM),
    Reducer("product", "the product of", _NUMBER, _OR_1, loop=_PRODUCT),
    Reducer("largest", "the largest of", _NUMBER, _OR_0, "max(({items}), default=0)"),
    Reducer("smallest", "the smallest of", _NUMBER, _OR_0, "min(({items}), default=0)"),
    Reducer("running", "a list of the running totals of", _NUMBER, loop=_RUNNING),
    Reducer("longest", _LONGEST, _TEXT, _OR_EMPTY, 'max(({items}), key=len, default="")'),
    Reducer("shortest", _SHORTEST, _TEXT, _OR_EMPTY, 'min(({items}), key=len, default="")'),
    Reducer("joined", "a string made of", _TEXT, "", '"".join({items})'),
    Reducer("dashed", "a dash-separated string of", _TEXT, "", '"-".join({items})'),
    Reducer("list", "a list of", _BOTH, "", "[{items}]", _LIST),
    Reducer("sorted", "a sorted list of", _BOTH, "", "sorted({items})"),
    Reducer("descending", "a reverse-sorted list of", _BOTH, "", "sorted(({items}), reverse=True)"),
    Reducer("distinct", "a sorted list without duplicates of", _BOTH, "", "sorted({{{items}}})", merges=True),
    Reducer("varieties", "the number of distinct values among", _BOTH, "", "len({{{items}}})", merges=True),
    Reducer("leading", "a list of the first {k} of", _BOTH, "", "[{items}][:{k}]", constant="few"),
    Reducer("first", "the first of", _BOTH, _OR_NONE, loop=_FIRST, needs_predicate=True),
    Reducer("last", "the last of", _BOTH, _OR_NONE, loop=_LAST, needs_predicate=True),
    _without_map("count", "the count of", "", "sum(1 for {loop}{where})", _COUNT),
    _without_map("any", "True if at least one of", ", otherwise False", "any({items})", asks=True),
    _without_map("all", "True if each of", " (or there are none), otherwise False", "all({items})", asks=True),
)

_NUMBERS = tuple(range(-40, 61))
_CHARACTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .-~")
_ONLY_FOR_WORDS = frozenset({"longest", "shortest"})
FAMILIES = (
    TaskFamily(
        name="numbers",
        arguments="numbers",
        noun="numbers",
        place="in numbers",
        variable="x",
        iterable="numbers",
        kind="number",
        predicates=_SIGNS + _NUMBER_PREDICATES,
        maps=(*_NUMBER_MAPS, _ABSOLUTE),
        universe=_NUMBERS,
    ),
    TaskFamily(
        name="integers",
        arguments="a, b",
        noun="integers",
        place="from a through b",
        variable="x",
        iterable="range(a, b + 1)",
        kind="number",
        predicates=_SIGNS + _NUMBER_PREDICATES,
        maps=(*_NUMBER_MAPS, _ABSOLUTE),
        distinct=True,
        excluded=frozenset({"sorted"}),
        universe=_NUMBERS,
    ),
    TaskFamily(
        name="digits",
        arguments="n",
        noun="digits",
        place="of n",
        variable="d",
        iterable="map(int, str(n))",
        kind="number",
        predicates=_DIGIT_PREDICATES,
        maps=_NUMBER_MAPS,
        prefers_loop=True,
        never_empty=True,
        excluded=frozenset({"all"}),  # among ten digits, three conditions would leave none to ask about
        universe=tuple(range(10)),
        choices={"bound": (1, 2, 3, 4, 5, 6, 7, 8), "divisor": (3, 4)},
    ),
    TaskFamily(
        name="values",
        arguments="scores",
        noun="values",
        place="in scores",
        variable="v",
        iterable="scores.values()",
        kind="number",
        predicates=_SIGNS + _NUMBER_PREDICATES,
        maps=(*_NUMBER_MAPS, _ABSOLUTE),
        universe=_NUMBERS,
    ),
    TaskFamily(
        name="words",
        arguments="words",
        noun="words",
        place="in words",
        variable="w",
        iterable="words",
        kind="text",
        predicates=_TEXT_PREDICATES,
        maps=_TEXT_MAPS,
    ),
    TaskFamily(
        name="keys",
        arguments="scores",
        noun="keys",
        place="in scores",
        variable="k",
        iterable="scores",
        kind="text",
        predicates=_TEXT_PREDICATES + tuple(map(_of_values, _SIGNS + _NUMBER_PREDICATES)),
        maps=_TEXT_MAPS,
        prefers_loop=True,
        distinct=True,
        universe=_NUMBERS,
    ),
    TaskFamily(
        name="characters",
        arguments="text",
        noun="characters",
        place="in text",
        variable="c",
        iterable="text",
        kind="text",
        predicates=_CHARACTER_PREDICATES,
        maps=_CHARACTER_MAPS,
        prefers_loop=True,
        excluded=_ONLY_FOR_WORDS,
        universe=_CHARACTERS,
        # Vowels stand twice: a bound has to satisfy the other predicates, and "are vowels" is one of them.
        choices={"bound": tuple("BCDEFGHIJKLMNOPRSTUVWbcdefghijklmnoprstuvwaeiouAEIOU")},
    ),
)
