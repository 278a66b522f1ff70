"""States of a kernel: kept after each cell, brought back whole, each fault costing itself alone."""

from __future__ import annotations

import copy
import math
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import NotFound
from jupyter_rewind.kernels.environment import Environment
from jupyter_rewind.kernels.onevariable import load_variable
from jupyter_rewind.kernels.tracking import Touched, Tracker
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


def new_kernel(tmp_path: Path) -> Cells:
    return Cells(tmp_path, run="next")


# --- what stays, and what comes back ------------------------------------------------------


def test_what_did_not_change_stays_the_very_object(cells: Cells) -> None:
    """Going back leaves alone what is as it was: the same object, not a copy."""
    before = cells.run("a = [1, [2]]; b = {'x': a}; n = [0]")
    a, b = cells.namespace["a"], cells.namespace["b"]
    cells.run("n.append(1)")
    cells.go(before)
    assert cells.namespace["a"] is a
    assert cells.namespace["b"] is b
    cells.check("n == [0]")


def test_a_list_that_others_hold_is_filled_in_place(cells: Cells) -> None:
    """Whoever holds a list from outside the notebook sees the state that was restored."""
    before = cells.run("log = ['one']")
    held = cells.namespace["log"]
    cells.run("log.append('two')")
    cells.go(before)
    assert held == ["one"]
    assert cells.namespace["log"] is held


@pytest.mark.parametrize(
    ("make", "change", "array"),
    [
        ("x = np.arange(300_000.)", "x[5] = -1", "x"),
        ("x = [np.arange(300_000.), 'a']; y = x[0][100:]", "y[7] = -1; x[0][-1] = -2", "x[0]"),
        ("x = pd.DataFrame(np.ones((50_000, 4)))", "x.iloc[5, 3] = 0.5", "x._mgr.arrays[0].base"),
    ],
)
def test_an_array_that_others_hold_is_changed_in_place(
    cells: Cells, make: str, change: str, array: str
) -> None:
    """Going back over a change of large arrays keeps the arrays, and so whoever holds them."""
    before = cells.run("import numpy as np, pandas as pd; n = 0\n" + make)
    held = eval(array, cells.namespace)
    first = held.copy()
    after = cells.run(change + "; n = 1")
    second = held.copy()
    assert not (first == second).all()
    cells.go(before)
    assert eval(array, cells.namespace) is held
    assert (held == first).all()
    assert cells.run("n").new_bytes == 0
    cells.go(after)
    assert (held == second).all()
    cells.check("n == 1")


@pytest.mark.parametrize("monitor", [False, True])
def test_a_function_that_is_not_called_costs_nothing(tmp_path: Path, monitor: bool) -> None:
    """What a function of mine would read is looked at when the function is named, not after every
    cell since it was defined."""
    tracker = Tracker(monitor=monitor)
    cells = Cells(tmp_path, tracker=tracker)
    cells.run("rows = [[n] for n in range(100)]; other = [1]")
    cells.run("def count(limit):\n    return [row for row in rows if row[0] > limit]")
    cells.run("few = len(count(90))")
    told: list[set[str]] = []
    real = tracker.end

    def end(seconds: float = math.inf) -> Touched:
        touched = real(seconds)
        assert not touched.everything, touched.why
        told.append({"rows", "other"} & touched.names)
        return touched

    tracker.end = end  # type: ignore[method-assign]
    for source in ("other.append(2)", "few = len(count(5))", "other[0] = 5", "x = 1"):
        cells.run(source)
    assert told == [{"other"}, {"rows"}, {"other"}, set()]
    cells.close()
    tracker.close()


def test_an_index_is_made_anew_with_what_it_finds(cells: Cells) -> None:
    """A frame whose index differs finds its rows: nothing that was remembered of the other index
    is left."""
    make = "x = pd.DataFrame({'v': np.arange(1000.)}, index=np.arange(1000) * 2)"
    before = cells.run("import numpy as np, pandas as pd\n" + make)
    cells.run("x.loc[4]")
    other = cells.run("x.index = np.arange(1000)[::-1].copy() * 3; x.loc[3]")
    cells.go(before)
    cells.check("x.loc[4, 'v'] == 2 and 3 not in x.index")
    cells.go(other)
    cells.check("x.loc[3, 'v'] == 998 and 4 not in x.index")


def test_aliases_and_views_stay_so_in_a_new_kernel(tmp_path: Path) -> None:
    """In a new kernel, two names of one object are two names of one object, and a view sees the
    changes of its array."""
    old = Cells(tmp_path)
    state = old.run(
        "import numpy as np\na = [1]; b = (a, a); x = np.arange(6.).reshape(2, 3); y = x.T[1:]"
    )
    old.close()
    new = new_kernel(tmp_path)
    new.go(state)
    new.check("b[0] is a and b[1] is a")
    new.check("y.base is x or y.base is x.base")
    exec("x[0, 1] = 50", new.namespace)
    new.check("y[0, 0] == 50 and (y.flags.owndata, x.T[1:].strides) == (False, y.strides)")
    new.close()


def test_functions_see_the_namespace_they_are_restored_into(tmp_path: Path) -> None:
    """A restored function reads and writes the variables of the kernel it is in."""
    old = Cells(tmp_path)
    state = old.run(
        """
import math
factor = 2
def scale(x): return math.floor(x) * factor
def count(n): return 0 if n == 0 else 1 + count(n - 1)
def make():
    total = 0
    def add(n):
        nonlocal total
        total += n
        return total
    return add, lambda: total
add, total = make(); add(5)
"""
    )
    old.close()
    new = new_kernel(tmp_path)
    new.go(state)
    exec("factor = 10", new.namespace)
    new.check("scale(1.5) == 10 and count(3) == 3 and add(1) == 6 and total() == 6")
    new.check("scale.__globals__ is globals()")
    new.close()


CLASSES = """
import abc, collections, dataclasses, enum
class Base:
    made = []
    def __init_subclass__(cls): Base.made.append(cls.__name__)
    def name(self): return 'base'
class Child(Base):
    __slots__ = ('x',)
    def name(self): return super().name() + ' child'
    @property
    def twice(self): return self.x * 2
    @classmethod
    def new(cls, x): c = cls(); c.x = x; return c
class Colour(enum.Enum):
    RED = 1
    BLUE = 2
    def warm(self): return self is Colour.RED
Point = collections.namedtuple('Point', 'x y', defaults=[7])
@dataclasses.dataclass(order=True)
class Card:
    value: int
    tags: list = dataclasses.field(default_factory=list)
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
class Square(Shape):
    def area(self): return 4
class Meta(type):
    def __new__(m, name, bases, body):
        body['tag'] = body.get('tag', 0) + 1
        return type.__new__(m, name, bases, body)
class WithMeta(metaclass=Meta): pass
child = Child.new(21); colour = Colour.RED; point = Point(1); card = Card(3, ['a'])
"""

CHECKS = (
    "child.twice == 42 and child.name() == 'base child' and type(child) is Child",
    "Base.made == ['Child'] and isinstance(child, Base)",
    "colour is Colour.RED and colour.warm() and Colour(2) is Colour.BLUE and len(Colour) == 2",
    "point == (1, 7) and type(point) is Point and Point(5, 6)._replace(x=1).x == 1",
    "card == Card(3, ['a']) and Card(1) < card and dataclasses.asdict(card)['tags'] == ['a']",
    "Square().area() == 4 and 'area' in Shape.__abstractmethods__",
    "WithMeta.tag == 1 and type(WithMeta) is Meta",
)


@pytest.mark.parametrize("check", CHECKS)
def test_classes_of_the_notebook_work_in_a_new_kernel(tmp_path: Path, check: str) -> None:
    """Classes, enumerations, named tuples and dataclasses are what they were, and their making
    has no side effect a second time."""
    old = Cells(tmp_path)
    state = old.run(CLASSES)
    old.close()
    new = new_kernel(tmp_path)
    new.go(state)
    new.check(check)
    new.close()


@pytest.mark.parametrize(
    ("source", "check"),
    [
        ("import weakref\nclass A: pass\na = A(); w = weakref.ref(a)", "w() is a"),
        (
            "import typing as t\nT = t.TypeVar('T')\nclass G(t.Generic[T]): pass\ng = G[int]()",
            "type(g) is G and G.__parameters__ == (T,)",
        ),
        ("import typing\nclass D(typing.TypedDict): a: int", "D(a=1) == {'a': 1}"),
        (
            "class A:\n    def __getattr__(self, name): return name\na = A(); a.x = [1]",
            "a.x == [1] and a.y == 'y'",
        ),
        (
            "class A:\n    __slots__ = ('x',)\n    def __setattr__(self, name, value):\n"
            "        object.__setattr__(self, name, value * 2)\na = A(); a.x = 2",
            "a.x == 4",
        ),
        ("a = [1, 2, 3]; i = iter(a); next(i)", "next(i) == 2 and (a.clear() or list(i)) == []"),
        ("g = {}; exec('k = [5]\\ndef f(): return k', g); f = g['f']", "f() is g['k']"),
    ],
)
def test_unusual_values_work_in_a_new_kernel(tmp_path: Path, source: str, check: str) -> None:
    """Weak references, generics, classes that answer to any name: as they were."""
    old = Cells(tmp_path)
    state = old.run(source)
    old.close()
    new = new_kernel(tmp_path)
    new.go(state)
    new.check(check)
    new.close()


def test_a_changed_class_is_changed_back_in_place(cells: Cells) -> None:
    """Instances that did not change follow their class back."""
    before = cells.run("class A:\n    size = 1\n    def get(self): return self.size\na = A()")
    kind, instance = cells.namespace["A"], cells.namespace["a"]
    cells.run("A.size = 2; A.more = 3; A.get = lambda self: 'patched'")
    after = cells.run("pass")
    cells.go(before)
    assert cells.namespace["A"] is kind
    assert cells.namespace["a"] is instance
    cells.check("a.get() == 1 and not hasattr(A, 'more')")
    cells.go(after)
    cells.check("a.get() == 'patched' and A.size == 2 and A.more == 3")


def test_deeply_nested_values_come_back(cells: Cells) -> None:
    """A list a hundred thousand levels deep is kept as any other."""
    state = cells.run("deep = []\nfor _ in range(100_000): deep = [deep]")
    cells.run("del deep")
    cells.go(state)
    value, depth = cells.namespace["deep"], 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 100_000


def test_text_that_looks_like_a_frame_is_kept(cells: Cells) -> None:
    """No content of the user's is taken for a part of the format."""
    size = 1 << 17
    source = f"import struct\na = b'\\x95' + struct.pack('<Q', {size} - 9) + bytes({size} - 9)"
    state = cells.run(source + "\nb = [a, a[:70_000], b'B' + struct.pack('<I', len(a)), a]")
    expected = copy.deepcopy(cells.namespace["b"])
    cells.run("a = b = None")
    cells.go(state)
    assert cells.namespace["b"] == expected
    cells.check("b[0] is b[3]")


def test_outputs_come_back(cells: Cells) -> None:
    """`Out` holds what it held, and shares it with the variables."""
    before = cells.run("a = [1]; _oh[1] = a; _oh[2] = 5")
    cells.run("del _oh[1]; _oh[2] = 6; _oh[3] = 'x'")
    cells.go(before)
    cells.check("_oh == {1: [1], 2: 5} and _oh[1] is a")


def test_new_variables_go_and_deleted_ones_come_back(cells: Cells) -> None:
    """The namespace has exactly the names that it had, IPython's own left alone."""
    before = cells.run("a = 1; b = [2]")
    cells.namespace["_i3"] = "typed later"
    cells.run("del a, b; c = 3; d = [4]")
    cells.go(before)
    assert {name for name in cells.namespace if not name.startswith("_")} == {"a", "b"}
    assert cells.namespace["_i3"] == "typed later"


def test_every_restore_can_be_undone(cells: Cells) -> None:
    """The present is kept before it is replaced, with what no capture had seen yet."""
    before = cells.run("a = [1]")
    exec("a.append('unseen')", cells.namespace)
    prepared = cells.prepare(before)
    prepared.swap()
    cells.check("a == [1]")
    assert prepared.present is not None
    cells.go(prepared.present)
    cells.check("a == [1, 'unseen']")


def test_one_variable_out_of_the_past_leaves_the_present_alone(cells: Cells) -> None:
    """A variable can be fetched from an earlier state as an object of its own."""
    before = cells.run("a = [1]; n = 5\nclass A: size = 1\nx = A()")
    cells.run("a.append(2); n = 6; A.size = 2")
    found = load_variable(cells.store, before, "a", cells.namespace, cells.capturer)
    assert found == [1]
    assert load_variable(cells.store, before, "n", cells.namespace, cells.capturer) == 5
    then = load_variable(cells.store, before, "x", cells.namespace, cells.capturer)
    assert type(then).size == 1
    cells.check("a == [1, 2] and A.size == 2")
    with pytest.raises(NotFound, match="no variable nothing"):
        load_variable(cells.store, before, "nothing", cells.namespace, cells.capturer)


def test_the_environment_comes_back(tmp_path: Path) -> None:
    """The random numbers drawn after a restore are those that were drawn then."""
    cells = Cells(tmp_path, environment=Environment())
    state = cells.run("import random, numpy as np; random.seed(3); np.random.seed(4)")
    cells.run("a = random.random(), np.random.rand()")
    drawn = cells.namespace["a"]
    cells.go(state)
    cells.run("b = random.random(), np.random.rand()")
    assert cells.namespace["b"] == drawn
    cells.close()


# --- other processes ---------------------------------------------------------------------------

RESUME = """
import sys
from pathlib import Path
from jupyter_rewind.kernels.records import SNAPSHOT, decode_snapshot
from tests.support.cells import Cells
cells = Cells(Path(sys.argv[1]), run="next")
cells.store.refresh()
entry = cells.store.entries(kind=SNAPSHOT, newest_first=True)[0]
cells.go(decode_snapshot(entry, cells.store.layout))
exec(sys.argv[2], cells.namespace)
cells.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_kernel_leaves_its_last_state(tmp_path: Path) -> None:
    """After kill -9 the last state comes back, whole, in another process."""
    child = os.fork()
    if child == 0:
        cells = Cells(tmp_path)
        cells.run(CLASSES)
        cells.run(
            "import numpy as np; a = np.arange(9).reshape(3, 3); b = [a, a.T]; t = {a.size: b}"
        )
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    checks = " and ".join(f"({check})" for check in CHECKS)
    more = "b[0] is a and b[1].base is a.base and t[9] is b"
    code = f"assert {checks}\nassert {more}\na[0, 1] = 77\nassert b[1][1, 0] == 77"
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RESUME), str(tmp_path), code],
        check=True, cwd=Path(__file__).parents[2], timeout=120,
    )  # fmt: skip
