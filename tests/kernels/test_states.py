"""States of a kernel: kept after each cell, brought back whole, each fault costing itself alone."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.errors import Full, NotFound, RestoreRefused
from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.comparison import compare, report
from jupyter_rewind.kernels.environment import Environment
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.records import SNAPSHOT, decode_snapshot, read_pod, read_state
from jupyter_rewind.kernels.restore import Prepared, load_variable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.model.snapshot import Fidelity, How, Snapshot
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.repository import Repository
from tests.support.cells import Cells
from tests.support.stores import QuickFiles


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


# --- faults ----------------------------------------------------------------------------------


def test_a_value_that_cannot_be_kept_costs_itself_alone(cells: Cells) -> None:
    """What stands beside it in the same list is kept; the report names it and says why."""
    captured = cells.try_run(
        """
class Bad:
    def __reduce__(self): raise OSError('not today')
mixed = [1, Bad(), {'k': [2]}]
good = [3]
"""
    )
    state = captured.snapshot
    assert state is not None
    (loss,) = captured.losses
    assert (loss.name, loss.fidelity) == ("mixed", Fidelity.MISSING)
    assert "not today" in loss.reason
    cells.run("mixed = good = None")
    cells.go(state)
    cells.check("mixed[0] == 1 and mixed[2] == {'k': [2]} and good == [3]")
    assert isinstance(cells.namespace["mixed"][1], Placeholder)
    kept = {one.name: one.fidelity for one in report(cells.store, state)}
    assert kept == {"Bad": Fidelity.EXACT, "mixed": Fidelity.MISSING, "good": Fidelity.EXACT}


def test_a_file_open_for_writing_is_left_alone(cells: Cells, tmp_path: Path) -> None:
    """Keeping and restoring never touches what a file holds."""
    path = tmp_path / "out.txt"
    state = cells.run(f"f = open({str(path)!r}, 'w'); f.write('precious'); f.flush(); a = [1]")
    cells.run("a.append(2)")
    cells.go(state)
    cells.check("a == [1] and not f.closed")
    assert path.read_text() == "precious"


def test_a_swap_that_fails_changes_nothing(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last step of a restore fails, everything is as before: names, contents, classes."""
    before = cells.run(
        "class A: size = 1\ndef f(): return 1\nf.x = 1\na = [1]; n = 1; _oh[1] = 'one'"
    )
    cells.run("A.size = 2; f.x = 2; a.append(2); b = a; n = 2; _oh[1] = 'two'")
    prepared = cells.prepare(before)
    held = dict(cells.namespace)

    def fail(self: Prepared, values: dict[str, Any]) -> None:
        real(self, values)
        raise MemoryError

    real = Prepared._set_names
    monkeypatch.setattr(Prepared, "_set_names", fail)
    with pytest.raises(MemoryError):
        prepared.swap()
    assert cells.namespace.keys() == held.keys()
    assert all(cells.namespace[name] is value for name, value in held.items())
    cells.check("A.size == 2 and f.x == 2 and a == [1, 2] and b is a and _oh[1] == 'two'")


def test_damage_costs_the_variables_it_touches(cells: Cells) -> None:
    """Where stored bytes are damaged, the report says so, and everything else comes back."""
    state = cells.run("a = ['x' * 3000, 'a']; b = ['y' * 3000, 'b']")
    cells.close()
    pods = (read_pod(cells.store, node) for node in read_state(cells.store, state.state).pods)
    (hurt,) = [pod for pod in pods if "v:a" in pod.keys]
    place = cells.store.place(hurt.stream[0])
    path = cells.store.layout.segments / place.segment
    data = bytearray(path.read_bytes())
    data[place.offset + 60] ^= 255
    path.write_bytes(data)
    new = Cells(cells.store.layout.folder.parent, run="next")
    new.namespace["other"] = 1
    prepared = new.prepare(state)
    told = {one.name: one for one in prepared.report}
    assert told["a"].fidelity is Fidelity.MISSING
    assert told["b"].fidelity is Fidelity.EXACT
    prepared.swap()
    new.check("b[1] == 'b'")
    assert isinstance(new.namespace["a"], Placeholder)
    new.close()


def test_a_full_disk_costs_states_but_no_later_one(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a state could not be stored, the next one is stored whole."""
    cells.run("a = [1]")

    def full(*_: object) -> int:
        raise Full("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(QuickFiles, "write_at", full)
        with pytest.raises(Full):
            cells.run("a.append(2); b = [1]")
    state = cells.run("c = [3]")
    cells.run("a = b = c = None")
    cells.go(state)
    cells.check("(a, b, c) == ([1, 2], [1], [3])")


def test_an_interrupt_in_a_capture_costs_that_state_alone(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who interrupts while a state is being kept loses no later state."""
    cells.run("a = [1]")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("jupyter_rewind.kernels.graph.write_pod", interrupt)
        with pytest.raises(KeyboardInterrupt):
            cells.run("a.append(2); n = 5")
    state = cells.run("pass")
    cells.run("a = n = None")
    cells.go(state)
    cells.check("a == [1, 2] and n == 5")


# --- whose it is -------------------------------------------------------------------------------


def foreign(tmp_path: Path, snapshot: Snapshot) -> Snapshot:
    """The same snapshot as a store with another key has it."""
    other = KernelStore.open(tmp_path / "b", key_folder=tmp_path / "bk", files=QuickFiles())
    mine = KernelStore.open(tmp_path / "store", key_folder=tmp_path / "keys", files=QuickFiles())
    mine.refresh()
    entry = mine.entry(EntryId(snapshot.id))
    return decode_snapshot(entry, other.layout)


def test_a_foreign_state_is_not_loaded_unless_it_is_trusted(cells: Cells, tmp_path: Path) -> None:
    """What another key made could run anything when loaded: it is refused, with words."""
    state = foreign(tmp_path, cells.run("a = [1]"))
    assert not state.trusted
    cells.run("a.append(2)")
    with pytest.raises(RestoreRefused, match="not made with the key"):
        cells.prepare(state)
    with pytest.raises(RestoreRefused):
        load_variable(cells.store, state, "a", cells.namespace)
    cells.prepare(state, trust=True).swap()
    cells.check("a == [1]")


def test_a_snapshot_cannot_be_pointed_at_another_state(cells: Cells) -> None:
    """The tag covers which state it is: an entry that names another one is not trusted."""
    first, second = cells.run("a = 1"), cells.run("a = 2")
    entry = cells.capturer.keeper.store.entry(EntryId(first.id))
    forged = replace(entry, roots=(second.state,))
    assert not decode_snapshot(forged, cells.store.layout).trusted


# --- cost --------------------------------------------------------------------------------------


def test_a_cell_that_only_reads_stores_no_content(cells: Cells) -> None:
    """Looking at data costs no room."""
    cells.run("import numpy as np; a = np.arange(50_000.); b = [[i] for i in range(1000)]")
    state = cells.run("a.sum(); len(b); sorted(map(len, b))")
    assert state.new_bytes == 0


@pytest.mark.parametrize(
    ("make", "change"),
    [
        ("x = np.random.default_rng(0).random(2_000_000)", "x[777] = -1"),
        ("x = [{'id': i, 'v': str(i)} for i in range(50_000)]", "x.append({'id': 0, 'v': 'n'})"),
        ("x = [{'id': i, 'v': str(i)} for i in range(50_000)]", "x[20_000]['v'] = 'changed'"),
        ("x = pd.DataFrame(np.random.default_rng(0).random((100_000, 8)))", "x.iloc[5, 3] = 0.5"),
        ("x = {i: str(i) for i in range(50_000)}", "x[-1] = 'new'"),
    ],
)
def test_a_small_change_of_large_data_stores_little(cells: Cells, make: str, change: str) -> None:
    """What a cell costs is what it changed, not what there is."""
    cells.run("import numpy as np, pandas as pd")
    first = cells.run(make)
    assert cells.run(change).new_bytes < min(4_000, first.new_bytes // 20)


def test_a_budget_that_is_used_up_merges_states(tmp_path: Path) -> None:
    """Past the budget a state is not kept, which is said, and the next one includes its changes."""
    options = CaptureOptions(budget_share=0.0, budget_floor_seconds=0.0)
    cells = Cells(tmp_path, options=options)
    cells.run("a = [1] * 1000")
    skipped = cells.try_run("a.append(2)")
    assert skipped.snapshot is None
    assert "budget" in skipped.skipped_because
    cells.capturer.options = CaptureOptions(budget_share=None)
    state = cells.run("b = 1")
    assert state.merged == (skipped.execution,)
    cells.run("a = None")
    cells.go(state)
    cells.check("a[-1] == 2")
    cells.close()


def test_excluded_variables_are_neither_kept_nor_touched(cells: Cells) -> None:
    """A variable that the user excluded stays what it is, whatever is restored."""
    cells.capturer.exclude("secret")
    before = cells.run("secret = [1]; a = [1]")
    cells.run("secret.append(2); a.append(2)")
    cells.go(before)
    cells.check("secret == [1, 2] and a == [1]")
    assert [one.name for one in report(cells.store, before)] == ["a"]


def test_a_variable_above_the_limit_is_told_as_missing(tmp_path: Path) -> None:
    """The size limit keeps one large variable out, and says so."""
    options = CaptureOptions(budget_share=None, max_variable_bytes=1 << 20)
    cells = Cells(tmp_path, options=options)
    captured = cells.try_run("import numpy as np; big = np.zeros(1_000_000); small = [1]")
    assert [(one.name, one.fidelity) for one in captured.losses] == [("big", Fidelity.MISSING)]
    assert "limit" in captured.losses[0].reason
    cells.close()


# --- what is told ------------------------------------------------------------------------------


def test_changes_between_two_states_are_told(cells: Cells) -> None:
    """Added, removed and changed variables are listed with what they were and are."""
    before = cells.run("a = 1; b = [1, 2]; c = 'gone'; same = [0]; nan = float('nan')")
    after = cells.run("a = 2; b.append(3); del c; d = {'x': 1}")
    told = {one.name: one for one in compare(cells.capturer.keeper.store, before, after)}
    assert {name: one.how for name, one in told.items()} == {
        "a": How.CHANGED, "b": How.CHANGED, "c": How.REMOVED, "d": How.ADDED,
    }  # fmt: skip
    assert (told["a"].before, told["a"].after) == ("1", "2")
    assert (told["b"].before, told["b"].after) == ("2 items", "3 items")
    assert told["c"].before == "'gone'"


def test_a_server_reads_reports_through_the_index(cells: Cells, tmp_path: Path) -> None:
    """What a kernel kept is listed and compared by others, who load no value of it."""
    before = cells.run("import math; a = [1]; n = 5\ndef f(): pass")
    after = cells.run("a.append(2)")
    repository = Repository.open(
        tmp_path / "store", key_folder=tmp_path / "keys", files=QuickFiles()
    )
    with repository:
        repository.refresh()
        entries = repository.entries(kind=SNAPSHOT, key="run:run")
        found = [decode_snapshot(entry, repository.layout) for entry in entries]
        assert [one.id for one in found] == [before.id, after.id]
        told = {one.name: one for one in report(repository, found[0])}
        assert told["math"].fidelity is Fidelity.REFERENCE
        assert told["n"].preview == "5"
        assert told["f"].fidelity is Fidelity.EXACT
        assert [one.name for one in compare(repository, *found)] == ["a"]


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
