"""What a program can perceive, by its text: whatever is not known to be harmless counts as a sense."""

import ast

import pytest

from compressed_code.sandbox.lent_senses import lends_senses
from compressed_code.sandbox.senses import MOST_READ, has_senses

# Each reaches a clock, a file or the interpreter, by another way.
SEEING = (
    *("import time", "import os.path", "from time import *", "from . import x", "from typing import sys"),
    *("from random import _os", "from math import *", "import typing\ntyping.sys", "import re\nre.enum", "open('x')"),
    *("eval('1')", "x = exec", "__builtins__", "__loader__", "f = ().__class__", "def f(x): return x.f_back"),
    *("def f(): yield\nf().gi_frame", "getattr(1, 'x')", "vars()", "import operator\noperator.attrgetter('sys')"),
    *("from operator import methodcaller as m", "import string\nstring.Formatter()", "async def f(): pass"),
    *("import functools\n@functools.singledispatch\ndef f(x): pass", "import typing\ntyping.get_type_hints"),
    *("match 1:\n    case int(__class__=x): pass", "class A:\n    def f(self): return self.__dict__"),
    *("try: f()\nexcept Exception as error: error.__traceback__", "ｏpen('x')", "import collections.abc as a\na.sys"),
    "class A:\n    def f(self): return super().__getattribute__('x')",
    # an attribute named by a text, code made of other code, and builtins that are another module's names
    *("import functools\nfunctools.update_wrapper(A(), f, ('__globals__',))", "from functools import wraps"),
    *("match f:\n    case A(found): pass", "def f(): yield\nf().gi_code.replace(co_names=())", "g.gi_yieldfrom"),
    *("import operator as __builtins__", "match 1:\n    case __builtins__: pass", "def f(__builtins__): pass"),
    *("match {}:\n    case {**__builtins__}: pass", "def f():\n    global __builtins__", "class __builtins__: pass"),
    # frames and modules as the fields of a text, also of one that is put together or of a field's own format
    *("'{0.__traceback__.tb_frame}'.format(error)", "'{0[x]}'.format_map(x)", "('{0' + '.x}').format(1)"),
    *("x.format(1)", "'{0:{1.x}}'.format(1, 2)", "map(str.format, x)", "match x:\n    case str(format=show): pass"),
    "'{0.x}}{'.format(error)",
    # a copy sets what a class of the program names by text: here the class of a module, whose names that one looks up
    "import copy, functools, statistics\nkey = functools.cached_property(f)\nclass Module(type(statistics)):\n"
    "    peek = key\nclass Setter:\n    def __reduce_ex__(self, version):\n"
    "        return (lambda: statistics), (), (None, {'__class__': Module})\ncopy.copy(Setter())\n",
    *("import functools\nfunctools.cached_property(f).attrname = 'sys'", "import copy\ncopy.dispatch_table[slice] = f"),
    "import copy\nfrom typing import ABCMeta as make",
    *("from copy import copy\nmake = type(int)\n", "import collections\nclass A(collections.UserDict): pass\n"),
    # in place of what others call, with what is theirs: asyncio hands functools.partial a task, which has a clock
    *("import functools\nfunctools.partial = f", "import re\ndel re.compile", "def f(x): x.count = 1"),
    *("import math as m\nfor m.isnan in [f]: pass", "from collections import abc\nabc.Mapping.get = f"),
    "class A:\n    def __await__(self): yield",
    # names of harmless modules that lead on, and a module given away
    *("import typing\ntyping.get_origin(typing.Type[int])", "from typing import get_args", "import math\nf(math)"),
    *("import collections.abc\ncollections.abc.Awaitable", "import re as typing\nx = typing", "from re import Scanner"),
    "import re as m\nm.ascii_letters\nimport string as m",  # a name that the one has, asked of the other
    # makers of classes that have no name here, for a copy to ask
    *("import copy, typing\nmake = typing.get_origin(x)", "import copy, re\nre.RegexFlag.mro()[-2]('A')"),
)
# What programs of these benchmarks do.
UNSEEING = (
    "from typing import List\nimport math, re\nfrom collections import Counter\ndef f(x: List[int]) -> int:\n"
    "    return math.prod(x) if re.compile('a').match('a') else Counter(x).most_common(1)[0][0]\n",
    "class A:\n    def __init__(self, x):\n        super().__init__()\n        self.x = x\n"
    "    def __eq__(self, other):\n        return self.x == other.x\n",
    "import operator as op\ndef f(x):\n    match x:\n        case [first, *rest]: return op.add(first, f(rest))\n"
    "        case {'a': value, **others}: return value\n        case str() | int(): return 0\n",
    "def f(numbers, time, sys):\n    _, open_ = numbers\n    return [sys.x for _ in time if isinstance(_, int)]\n",
    "if __name__ == '__main__':\n    print('time.time() and open')\n",
    "import copy\ndef f(x):\n    return '{} {0:>{1}} {name!r:5.2f}'.format(copy.deepcopy(x), 3, name=x)\n",
    "def f(:\n",  # never runs
)


@pytest.mark.parametrize("program", SEEING)
def test_what_reaches_out_is_seen(program):
    assert has_senses(program)


@pytest.mark.parametrize("program", UNSEEING)
def test_what_only_computes_is_not_suspected(program):
    assert not has_senses(program)


def test_what_is_too_deep_to_be_read_is_suspected():
    assert has_senses("x = " + "-" * 60_000 + "1\n")


def test_fields_within_fields_without_end_are_suspected_and_stop_nothing():
    assert has_senses("x = '" + "{:" * 9000 + "}" * 9000 + "'.format(1)\n")


def test_what_is_too_long_is_not_read(monkeypatch):
    monkeypatch.setattr(ast, "parse", None)  # of two million characters that takes a minute and 2 GB
    assert has_senses("a\n" * (MOST_READ // 2 + 1))


@pytest.mark.parametrize(
    ("setup", "test"),
    [
        ("", "import datetime\nassert f(datetime.datetime(2024, 1, 6))"),  # its class has a clock
        ("", "def check(candidate):\n    from pathlib import Path\n    assert candidate(Path('x'))"),
        ("", "from datetime import (\n    date,\n)\nassert f(date(2024, 1, 1))"),
        ("import math, time as clock\n", "assert f(clock.time)"),
        ("from datetime import date as day\n", "assert f(day(2024, 1, 1))"),
        ("", "import numpy as np\nassert f(np.array([1]))"),  # which can be made to hold the time of "now"
        ("import numpy as xp\n", "assert f(xp.array([1]))"),
        ("", "from numpy import arange\nassert f(arange(3))"),
        ("", "assert f(open)"),
        ("", "assert f(1, key=getattr)"),
        ("", "assert f([eval, len])"),
        ("", "get = getattr\nassert f(get)"),
        ("", "assert f(__import__('datetime').date(2024, 1, 1))"),
        ("", "from collections import UserDict\nassert f(UserDict())"),  # copies itself
        ("", "import operator\nassert f(key=operator.attrgetter('name'))"),
        ("", "import copy\nassert f(copy.deepcopy)"),
        ("", "assert f(1, type)"),
        ("", "import numpy as np\nassert f(np.float64(2))"),
        ("from datetime import *\n", "assert f(date(2024, 1, 1))"),
        ("from datetime import (\n    date as day,\n)\n", "assert f(day(2024, 1, 1))"),
        ("import datetime\nSTART = datetime.date(2024, 1, 1)\n", "assert f(START)"),
    ],
)
def test_what_a_test_may_hand_over_is_seen(setup, test):
    assert lends_senses(setup, test)


@pytest.mark.parametrize(
    ("setup", "test"),
    [
        ("", "assert f(1) == open('x')"),
        ('"""Any type of copy."""\n', "import copy\nassert f('open') == type(copy.copy(1)), \"input\"  # copy"),
        ("from typing import List\nimport math\n", "import random, copy\nassert math.isclose(f(1), 2)"),
        ("import pickle, zlib\nimport numpy\ndef helper(x): return x\n", "assert helper(f(1)) == 2"),
        ("", "import numpy as np\nassert np.allclose(f(1), 2) and isinstance(f(2), (np.ndarray, np.float64))"),
    ],
)
def test_what_only_compares_hands_nothing_over(setup, test):
    assert not lends_senses(setup, test)
