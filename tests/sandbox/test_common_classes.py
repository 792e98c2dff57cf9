"""Which classes program and setup have in common."""

import pytest

from compressed_code.sandbox.common_classes import common_classes

NODE = "class Node:\n    def __init__(self, value):\n        self.value = value\n"
POINT = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Point:\n    x: int = 0\n"


@pytest.mark.parametrize(
    ("setup", "program", "names"),
    [
        (NODE, f"import math\n{NODE}", ["Node"]),
        (NODE, NODE.replace("        self.value", "        # the same to Python\n        self.value"), ["Node"]),
        (NODE + "class Leaf(Node): pass\n", NODE + "class Leaf(Node): pass\n", ["Node", "Leaf"]),
        (NODE + "class Leaf(Node): pass\n", NODE.replace("= value\n", "= 1\n") + "class Leaf(Node): pass\n", []),
        (POINT, POINT, ["Point"]),
        (NODE, NODE.replace("= value\n", "= 1\n"), []),
        (NODE, NODE + "class Node:\n    pass\n", []),  # the last one counts
        (NODE, "def f():\n    pass\n", []),
        (NODE, "def f(:\n", []),
        (NODE, "(" * 9999, []),
        (NODE, NODE + "x\n" * 99_999, []),  # too long to be read
        ("x = 1\n", NODE, []),
        ("class Odd(int): pass\n", "class Odd(int): pass\n", []),  # more than its attributes
        ("class Empty(ValueError): pass\n", "class Empty(ValueError): pass\n", ["Empty"]),
        ("class Empty(AssertionError): pass\n", "class Empty(AssertionError): pass\n", []),
        ("class Done(StopIteration): pass\n", "class Done(StopIteration): pass\n", []),
        ("class Odd(metaclass=M): pass\n", "class Odd(metaclass=M): pass\n", []),
        ("@cache\nclass Odd: pass\n", "@cache\nclass Odd: pass\n", []),
        ("class A(int): pass\nclass B(A): pass\n", "class A(int): pass\nclass B(A): pass\n", []),
        (f"if True:\n    {NODE.splitlines()[0]} pass\n", f"if True:\n    {NODE.splitlines()[0]} pass\n", []),
    ],
)
def test_the_same_words_make_a_common_class(setup, program, names):
    assert common_classes(setup, program) == names
