"""Sets and dicts whose keys tell their own hash, and objects that hold themselves in such."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cells import Cells

TREE = """
class T:
    def __init__(s, name, parent=None):
        s.name, s.kids, s.parent = name, set(), parent
        if parent: parent.kids.add(s)
    def __hash__(s): return hash(s.name)
root = T('r'); kid = T('k', root)
"""
TREE_HOLDS = "kid in root.kids and kid.parent is root and len(root.kids) == 1 and type(root) is T"
KEYED = """
class N:
    key = 0
    def __init__(s, k=0): s.key = k
    def __hash__(s): return hash(s.key)
    def __eq__(s, o): return s.key == o.key
"""


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


def keep(cells: Cells, folder: Path, make: str, change: str, check: str) -> None:
    """What was made holds, in place and in a new kernel."""
    state = cells.run(make)
    cells.check(check)
    cells.run(change)
    cells.go(state)
    cells.check(check)
    cells.run("other = 5")
    cells.check(check)
    again = Cells(folder, run="again")
    again.go(state)
    again.check(check)
    again.close()


@pytest.mark.parametrize(
    ("make", "change", "check"),
    [
        (TREE + "z = 1", "z = T('z', kid)", TREE_HOLDS),
        (
            KEYED + "n = N(); n.key = 5; n.s = {n}; n.d = {n: [n]}; n.t = {(n, 1): 2}",
            "n.s.clear(); n.key = 7",
            "n in n.s and n.d[n][0] is n and n.t[n, 1] == 2 and n.key == 5",
        ),
        (
            KEYED + "import collections as c; n = N(3); n.o = c.OrderedDict({N(i): i for i in "
            "(4, 3)}); n.o.move_to_end(N(4)); n.c = c.Counter({n: 2}); n.w = c.defaultdict(list, "
            "{n: [n.o]})",
            "n.o.clear(); n.c[n] += 1",
            "[k.key for k in n.o] == [3, 4] and n.c[N(3)] == 2 and n.w[N(3)][0] is n.o and "
            "n.w[N(9)] == [] and type(n.c).__name__ == 'Counter' and not n.w.pop(N(9))",
        ),
        (
            "class G:\n def __init__(s, *k): s.kids = set(k)\n"
            " def __hash__(s): return hash(frozenset(s.kids))\n"
            " def __eq__(s, o): return s.kids == o.kids\n"
            "x = {G(G(1), G(2)): 'v'}; y = [*x][0]; y.home = x",
            "x.clear()",
            "x[G(G(2), G(1))] == 'v' and y.home is x",
        ),
        (
            "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass P:\n a: int\n"
            " b: tuple = ()\nx = {P(1): [P(2)], P(3, (P(4),)): 0}; s = set(x)",
            "x.clear(); s.clear()",
            "x[P(1)] == [P(2)] and P(3, (P(4),)) in s and {id(k) for k in x} == {id(k) for k in s}",
        ),
    ],
)
def test_what_is_hashed_by_the_users_code_comes_back(
    cells: Cells, tmp_path: Path, make: str, change: str, check: str
) -> None:
    """A key is asked for its hash when it has its attributes, not before."""
    keep(cells, tmp_path, make, change, check)


def test_keys_that_changed_since_are_told(cells: Cells) -> None:
    """A key that changed after it was put in is found again after a restore; I'm told that this
    differs."""
    state = cells.run(KEYED + "a = N(1); d = {a: 'a'}; a.key = 2\nassert a not in d")
    cells.run("d['x'] = 1")
    report = cells.prepare(state).report
    assert "has changed since" in next(one.reason for one in report if one.name == "d")


def test_keys_that_have_become_equal_stay_two(cells: Cells) -> None:
    """Two keys that became equal are two entries still, in their order."""
    state = cells.run(KEYED + "a, b = N(1), N(2); d = {a: 'a', b: 'b'}; s = {a, b}; b.key = 1")
    cells.run("d.clear(); s.clear()")
    cells.go(state)
    cells.check("list(d.values()) == ['a', 'b'] and [*d][1] is b and len(s) == 2 and a in d")
