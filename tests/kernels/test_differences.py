"""What `%rewind diff` tells right after a move, and after one and a change."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from jupyter_rewind.errors import Integrity
from jupyter_rewind.kernels.comparison import compare
from jupyter_rewind.kernels.environment import Environment
from jupyter_rewind.kernels.restore import read_records
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.model.snapshot import Snapshot
from tests.support.cells import Cells

START = """
class A: pass
def f(text='l', *, more=b'l' * 9): return text, 'more'
L = [1]; a = A(); a.l = L; M = {'l': L, 'm': b'ab' * 9}; N = {'m': M['m']}
"""


def told(cells: Cells, before: Snapshot, after: Snapshot) -> set[str]:
    cells.store.refresh()
    return {one.name for one in compare(cells.store, before, after)}


@pytest.fixture
def moved(cells: Cells) -> tuple[Snapshot, Snapshot]:
    """A state, and what is there after it was gone back to."""
    cells.run(START)
    before = cells.run("L.append(2); A.l = 'l'; f.l = 'more'")
    cells.run("L.append('x'); A.l = 'm'; f.l = 'l'; M['l'] = 3")
    cells.go(before)
    return before, cells.run("pass")


def test_nothing_differs_right_after_a_move(cells: Cells, moved: tuple[Snapshot, Snapshot]) -> None:
    """A text that was one object before it was stored, and is two since, is no change."""
    before, after = moved
    assert before.state != after.state
    assert told(cells, before, after) == set()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ("a.m = a.__dict__.pop('l')", {"L", "M", "a"}),
        ("M['l'] = list(L)", {"L", "M", "a"}),
        ("N['m'] = b'ba' * 9", {"N", "M", "L", "a"}),
        ("f.l = 'l'", {"f"}),
        ("A.l = 'm'", {"A"}),
    ],
)
def test_what_was_changed_after_a_move_is_told(
    cells: Cells, moved: tuple[Snapshot, Snapshot], change: str, names: set[str]
) -> None:
    before, _ = moved
    found = told(cells, before, cells.run(change))
    assert found
    assert found <= names


def test_the_sign_of_a_zero_is_a_difference(cells: Cells) -> None:
    before = cells.run("x = [0.0] * 3; y = 0.0")
    assert told(cells, before, cells.run("x = [-0.0] * 3")) == {"x"}


def test_what_does_not_read_counts_as_another(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One damaged piece does not take the whole difference away."""
    before = cells.run("x = [list(range(1000)), 5.5]; y = [1, [2]]")
    after = cells.run("x[1] = 6.5; y.append(3)")
    pods = read_records(cells.store, before)
    damaged = {piece for pod in pods if "v:x" in pod.keys for piece in pod.stream}
    get = cells.store.get

    def read(digest: Digest) -> bytes:
        if digest in damaged:
            raise Integrity("It is damaged.")
        return get(digest)

    monkeypatch.setattr(cells.store, "get", read)
    assert damaged
    assert told(cells, before, after) == {"x", "y"}


@pytest.mark.parametrize(
    "make",
    [
        "a = [1, 'x']; b = {'k': a}",
        "class P: pass\na = P(); a.x = [1]; b = [a]",
        "import numpy as np; a = np.arange(9000.); b = a[5:]",
    ],
)
def test_what_was_only_shown_is_no_change(cells: Cells, make: str) -> None:
    """`Out` and `_` hold it, later others do: it is what it was, and so is what shares with it."""
    states = [
        cells.run(source)
        for source in (make, "_oh[2] = _2 = _ = a", "_oh[3] = _3 = _ = [0]; __ = a", "__ = [0]")
    ]
    for before, after in itertools.pairwise(states):
        assert told(cells, before, after) == set()
    assert told(cells, states[0], states[-1]) == set()
    assert told(cells, states[-1], cells.run("a[:1] = [7]" if "P" not in make else "a.x = 7")) == {
        "a",
        "b",
    }


def test_what_was_only_shown_is_no_change_beside_a_large_one_that_is(cells: Cells) -> None:
    """A large value takes nothing of the time in which small ones are compared."""
    before = cells.run("first = [f'row {n}' for n in range(90_000)]; keep = [1, 2]")
    after = cells.run("first[7] = 'another'; _oh[2] = _2 = _ = keep")
    assert told(cells, before, after) == {"first"}


def test_a_module_is_no_change_where_only_the_surroundings_are(tmp_path: Path) -> None:
    """A random number was drawn, and an environment variable set: what I imported is what it was,
    and my function is told only once I change it."""
    cells = Cells(tmp_path, environment=Environment())
    states = [
        cells.run(source)
        for source in (
            "import os, random\nfrom collections import OrderedDict\ndef f(): return 1",
            "random.random(); x = 1",
            "os.environ['REWIND_TEST_DRAWN'] = 'yes'",
            "def f(): return 2",
        )
    ]
    os.environ.pop("REWIND_TEST_DRAWN")
    first, drawn, set_, changed = states
    assert len({one.state for one in states}) == 4
    assert told(cells, first, drawn) == {"x"}
    assert told(cells, drawn, set_) == set()
    assert told(cells, set_, changed) == {"f"}
    cells.close()
