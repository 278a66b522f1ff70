"""What is said of variables that lead to something that cannot be kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


def told_of(cells: Cells, source: str) -> dict[str, tuple[Fidelity, str]]:
    """The fidelity of each variable after a cell, and its reason."""
    snapshot = cells.run(source)
    cells.store.refresh()
    return {one.name: (one.fidelity, one.reason) for one in report(cells.store, snapshot)}


MODEL = """
import sqlite3, threading
class M:
    def __init__(self): self.cn = sqlite3.connect(':memory:'); self.w = [1]
m = M(); alias = m.cn; box = {'models': [m]}; free = [1]; own = m.w
"""


def test_every_variable_that_leads_to_a_placeholder_says_so(cells: Cells) -> None:
    """And by which way: an alias is no less lost than what it was taken from."""
    told = told_of(cells, MODEL)
    for name, way in (("m", "m.cn: "), ("alias", ""), ("box", "box['models'][0].cn: ")):
        fidelity, reason = told[name]
        assert fidelity is Fidelity.MISSING
        assert reason.startswith(f"{way}a connection to a database"), (name, reason)
    assert told["free"] == (Fidelity.EXACT, "") and told["own"] == (Fidelity.EXACT, "")


@pytest.mark.parametrize(
    ("source", "ways"),
    [
        (
            "g = (n for n in 'a'); a = [g]; b = (a, 1)",
            {"g": "", "a": "a[0]: ", "b": "b[0][0]: "},
        ),
        (
            "class S:\n    __slots__ = ('f',)\ns = S(); s.f = (n for n in 'a'); t = [s]",
            {"s": "s.f: ", "t": "t[0].f: "},
        ),
        (
            "class D(dict): pass\nd = D(k=(n for n in 'a')); e = d['k']",
            {"d": "d['k']: ", "e": ""},
        ),
        (
            "import functools\ng = (n for n in 'a')\np = functools.partial(print, g)",
            {"g": "", "p": "p.args[0]: "},
        ),
        (
            "from collections import deque\nq = deque([(n for n in 'a')]); r = q",
            {"q": "q, in it: ", "r": "r, in it: "},
        ),
    ],
)
def test_the_way_is_told_as_one_would_write_it(
    cells: Cells, source: str, ways: dict[str, str]
) -> None:
    """Through attributes, items, slots, subclasses, and things that hold others unseen."""
    told = told_of(cells, source)
    for name, way in ways.items():
        fidelity, reason = told[name]
        assert fidelity is Fidelity.MISSING
        assert reason.startswith(f"{way}a generator"), (name, reason)


def test_what_a_class_or_a_function_holds_is_told_of_those_who_use_it(cells: Cells) -> None:
    """An instance whose class holds a connection is not whole, nor is a function that closes over
    one; others are."""
    told = told_of(cells, (
        "import sqlite3\n"
        "class K:\n    cn = sqlite3.connect(':memory:')\nclass Free: pass\n"
        "def make():\n    cn = sqlite3.connect(':memory:')\n    return lambda: cn\n"
        "k = K(); f = make(); held = [f]; free = Free()"
    ))  # fmt: skip
    assert {name for name, (fidelity, _) in told.items() if fidelity is Fidelity.MISSING} == {
        "K", "k", "f", "held",
    }  # fmt: skip
    assert told["k"][1].startswith("K.cn: a connection to a database")


def test_the_counts_of_a_state_agree_with_its_report(cells: Cells) -> None:
    """What the history says in numbers is what the report says by name."""
    cells.run(MODEL)
    snapshot = cells.run("class K:\n    cn = alias\nk = K(); ok = 1")
    cells.store.refresh()
    told = [one.fidelity for one in report(cells.store, snapshot)]
    counts = snapshot.counts
    assert counts.missing == told.count(Fidelity.MISSING) == 5
    assert counts.exact == told.count(Fidelity.EXACT)
