"""What a program may take of the standard library without perceiving anything: a closed list of names.

A module has more names than anyone has thought of, and one of them leads on (`typing.get_origin` gives `type`,
`functools.wraps` sets attributes named by a text). So what counts as harmless is named here, one by one: functions and
types that give what they compute from their arguments. All else costs time and no verdict (`senses`).
"""

from collections.abc import Mapping

_ABSTRACT = (
    "Callable Collection Container Hashable ItemsView Iterable Iterator KeysView Mapping MappingView MutableMapping "
    "MutableSequence MutableSet Reversible Sequence Sized ValuesView"
)
_NAMES = {
    "bisect": "bisect bisect_left bisect_right insort insort_left insort_right",
    "cmath": "acos acosh asin asinh atan atanh cos cosh e exp inf infj isclose isfinite isinf isnan log log10 nan nanj "
    "phase pi polar rect sin sinh sqrt tan tanh tau",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "collections.abc": f"{_ABSTRACT} Set",
    "copy": "copy deepcopy",
    "decimal": "Context Decimal ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP "
    "ROUND_UP getcontext localcontext setcontext",
    "fractions": "Fraction",
    "functools": "cache cmp_to_key lru_cache partial reduce",
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "itertools": "accumulate chain combinations combinations_with_replacement compress count cycle dropwhile "
    "filterfalse groupby islice pairwise permutations product repeat starmap takewhile tee zip_longest",
    "math": "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf erfc exp exp2 "
    "expm1 fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm ldexp "
    "lgamma log log10 log1p log2 modf nan nextafter perm pi pow prod radians remainder sin sinh sqrt tan tanh tau "
    "trunc ulp",
    "operator": "abs add and_ concat contains countOf eq floordiv ge getitem gt iadd imul index indexOf inv invert "
    "is_ is_not isub itemgetter le lshift lt matmul mod mul ne neg not_ or_ pos pow rshift sub truediv truth xor",
    "random": "betavariate choice choices expovariate gauss getrandbits normalvariate randint random randrange sample "
    "seed shuffle triangular uniform",
    "re": "A ASCII DOTALL I IGNORECASE M MULTILINE Match Pattern S U UNICODE VERBOSE X compile error escape findall "
    "finditer fullmatch match search split sub subn",
    "statistics": "StatisticsError fmean geometric_mean harmonic_mean mean median median_grouped median_high "
    "median_low mode multimode pstdev pvariance quantiles stdev variance",
    "string": "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable "
    "punctuation whitespace",
    "typing": f"{_ABSTRACT} AbstractSet Any AnyStr ChainMap Counter DefaultDict Deque Dict Final FrozenSet Generator "
    "Generic List Literal NoReturn Optional OrderedDict Set SupportsFloat SupportsInt Text Tuple Type TypeVar Union "
    "cast",
}
# Module → names of it.
UNSEEING: Mapping[str, frozenset[str]] = {module: frozenset(names.split()) for module, names in _NAMES.items()}
