"""Values of classes that derive from Python's own: what the class does with them is not redone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cells import Cells

KINDS = {
    "float": (
        "class C(float):\n    def __new__(c, f): return float.__new__(c, (f - 32) / 1.8)\n"
        "v = C(212)",
        "float.__float__(v) == 100.0",
    ),
    "int": (
        "class C(int):\n    def __new__(c, a): return super().__new__(c, a * 2)\n"
        "v = C(1); v.z = [1]",
        "int(v) == 2 and v.z == [1]",
    ),
    "str": (
        "class C(str):\n    def __new__(c, a): return super().__new__(c, a + '!')\n"
        "    def __str__(self): return 'no'\nv = C('a')",
        "str.__eq__(v, 'a!')",
    ),
    "bytes": (
        "class C(bytes):\n    def __new__(c, a): return super().__new__(c, a + b'!')\nv = C(b'a')",
        "v == b'a!'",
    ),
    "complex": (
        "class C(complex):\n    def __new__(c, a): return super().__new__(c, a, 1)\nv = C(2)",
        "v == 2 + 1j",
    ),
    "tuple": (
        "class C(tuple):\n    def __new__(c, a): return super().__new__(c, (a, a))\n"
        "    def __iter__(self): return iter('lies')\nv = C([1])",
        "tuple.__getitem__(v, 0) is tuple.__getitem__(v, 1) and len(v) == 2",
    ),
    "named tuple": (
        "import collections\nclass C(collections.namedtuple('B', 'a b')):\n"
        "    def __new__(c, a): return super().__new__(c, a, a * 2)\nv = C(3)",
        "v == (3, 6) and v.b == 6",
    ),
    "frozenset": (
        "class C(frozenset):\n    def __new__(c, *a): return super().__new__(c, (*a, 'more'))\n"
        "v = C(1)",
        "v == {1, 'more'}",
    ),
    "dict that doubles": (
        "class C(dict):\n    def __setitem__(self, k, v): super().__setitem__(k, v * 2)\n"
        "v = C(); v['a'] = 1",
        "dict(v) == {'a': 2}",
    ),
    "dict that lies": (
        "class C(dict):\n    def items(self): return [(k, 'X') for k in self]\n"
        "    def __iter__(self): return iter(())\n    def keys(self): return ['no']\nv = C(a=1)",
        "list(dict.items(v)) == [('a', 1)]",
    ),
    "dict that counts": (
        "class C(dict):\n    def __setitem__(self, k, v): self.log = getattr(self, 'log', 0) + 1\n"
        "v = C(); w = [1]; dict.__setitem__(v, 'k', w)",
        "v['k'] is w and not hasattr(v, 'log')",
    ),
    "list that counts": (
        "class C(list):\n    n = 0\n    def append(self, v): self.n += 1; super().append(v)\n"
        "    def extend(self, v): self.n += 100; super().extend(v)\n"
        "v = C(); v.append(1); v.append(v)",
        "list.__len__(v) == 2 and v[1] is v and v.n == 2",
    ),
    "set": (
        "class C(set):\n    def add(self, v): super().add(v + 1)\n"
        "    def __init__(self, *a): super().__init__([7])\nv = C(); v.q = v",
        "set.__eq__(v, {7}) and v.q is v",
    ),
    "bytearray": (
        "class C(bytearray):\n    def __init__(self, n): super().__init__(b'x' * n)\nv = C(3)",
        "v == b'xxx'",
    ),
    "ordered": (
        "import collections\nclass C(collections.OrderedDict):\n"
        "    def __setitem__(self, k, v): super().__setitem__(k, v * 2)\n"
        "v = C(); v['a'] = 1; v['b'] = 2; v.move_to_end('a')",
        "list(v.items()) == [('b', 4), ('a', 2)]",
    ),
    "default": (
        "import collections\nclass C(collections.defaultdict):\n"
        "    def __init__(self): super().__init__(list)\nv = C(); v['a'].append(1)",
        "v['a'] == [1] and v['new'] == []",
    ),
    "counter": (
        "import collections\nclass C(collections.Counter):\n"
        "    def update(self, *a): super().update('zz')\nv = C('a')",
        "dict(v) == {'z': 2}",
    ),
    "deque": (
        "import collections\nclass C(collections.deque):\n"
        "    def __init__(self): super().__init__([1, 2, 3], maxlen=2)\n"
        "    def append(self, v): super().append(v * 2)\nv = C()",
        "list(v) == [2, 3] and v.maxlen == 2",
    ),
    "moment": (
        "import datetime\nclass C(datetime.datetime):\n"
        "    def __new__(c, y): return super().__new__(c, y, 1, 1)\nv = C(2024)",
        "v.year == 2024 and v.month == 1",
    ),
    "decimal": (
        "import decimal\nclass C(decimal.Decimal):\n"
        "    def __new__(c, a): return super().__new__(c, a) * 1 and super().__new__(c, '5')\n"
        "v = C('1.10')",
        "str(v) == '5'",
    ),
    "keys that know their hash late": (
        "class K:\n    def __init__(self, n): self.n = n\n"
        "    def __hash__(self): return hash(self.n)\n"
        "class C(dict):\n    pass\nk = K(3); v = C(); v[k] = v; k.home = v",
        "v[k] is v and k.home is v",
    ),
    "its own way": (
        "class C(dict):\n    def __reduce__(self): return C, ({'mine': True},)\nv = C(a=1)",
        "v == {'mine': True} if fresh else True",
    ),
    "its own state": (
        "class C(list):\n    def __init__(self): self.seen = 0\n"
        "    def __getstate__(self): return {'kept': len(self)}\n"
        "    def __setstate__(self, state): self.seen = (state['kept'], len(self))\n"
        "v = C(); v.append(4)",
        "v == [4] and v.seen == ((1, 1) if fresh else 0)",
    ),
}  # fmt: skip


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_class_does_with_its_values_is_not_done_again(
    cells: Cells, tmp_path: Path, kind: str
) -> None:
    """In a new kernel, twice over: the value is what it was and not what the class makes of it."""
    source, check = KINDS[kind]
    then = cells.run(f"{source}\nalias = v\nfresh = True")
    for name in ("second", "third"):
        cells.close()
        cells = Cells(tmp_path, run=name)
        cells.go(then)
        cells.check(f"({check}) and alias is v and type(v) is C")
        then = cells.run("x = 1")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("its own")])
def test_in_place_too(cells: Cells, kind: str) -> None:
    """Back and forth in one kernel."""
    source, check = KINDS[kind]
    then = cells.run(f"{source}\nalias = v\nbox = [v]\nfresh = False")
    later = cells.run("box.append(1)")
    for state in (then, later, then):
        cells.go(state)
        cells.check(f"({check}) and alias is v and box[0] is v and type(v) is C")


_NAMED = "typing.get_type_hints(N.__new__) == N.__new__.__annotations__ == {'x': int, 'y': str}"


def test_a_typed_named_tuple_says_what_its_fields_are(tmp_path: Path) -> None:
    """In a new kernel, too, and where the class was changed and comes back: what makes one of a
    `typing.NamedTuple` has the annotations of the class."""
    old = Cells(tmp_path)
    state = old.run(
        "import typing\nclass N(typing.NamedTuple):\n    x: int\n    y: str = 'a'\nn = N(1)"
    )
    old.run("N.__new__.__annotations__ = N.__annotations__ = {'x': float}; n = 2")
    old.go(state)
    old.check(f"{_NAMED} and n == N(1) == (1, 'a')")
    old.close()
    new = Cells(tmp_path, run="next")
    new.go(state)
    new.check(f"{_NAMED} and N.__annotations__ is N.__new__.__annotations__ and n == N(1)")
    new.close()


def test_a_counter_may_hold_itself(cells: Cells) -> None:
    """And what was set on it comes back, too."""
    state = cells.run("from collections import Counter\nv = Counter('aab'); v[2] = v; v.note = [v]")
    cells.run("v.clear(); v = None")
    cells.go(state)
    cells.check(
        "type(v) is Counter and v[2] is v and v.note[0] is v and (v['a'], v['b']) == (2, 1)"
    )
