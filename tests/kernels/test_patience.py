"""A value that does not load costs itself alone: what shares something with it comes back."""

from __future__ import annotations

import pytest

from jupyter_rewind.errors import RestoreRefused
from jupyter_rewind.kernels.onevariable import load_variable
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

BAD = {
    "its state": "class Bad:\n def __init__(self): self.v = 1\n"
    " def __setstate__(self, state): refuse()",
    "how it is made": "class Bad:\n def __reduce__(self): return Bad.make, (3,)\n"
    " @staticmethod\n def make(value): refuse()",
    "what it is made with": "class Bad:\n def __getnewargs__(self): return (3,)\n"
    " def __new__(cls, *given):\n  refuse() if given else None\n  return object.__new__(cls)",
    "what it holds": "class Bad(list):\n def __reduce__(self): return Bad, (), None, iter([1])\n"
    " def append(self, value): refuse()\n extend = append",
    "its keys": "class Bad(dict):\n"
    " def __reduce__(self): return Bad, (), None, None, iter([(1, 2)])\n"
    " def __setitem__(self, key, value): refuse()",
    "its setter": "def put(made, state): refuse()\nclass Bad:\n def __reduce__(self):\n"
    "  return object.__new__, (Bad,), 3, None, None, put",
}  # fmt: skip
MAKE = """
def refuse(): raise TypeError('not today')
{}
shared = [1]
bad = Bad()
first = [shared, bad, {{'k': bad}}]
second = {{'x': shared, 5: (1, [shared])}}
third = (bad, bad, 'end')
"""


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_in_a_new_kernel_all_else_is_there(cells: Cells, next_cells: Cells, make: str) -> None:
    """A placeholder stands for it wherever it stood, and whoever leads to it says so."""
    state = cells.run(MAKE.format(make))
    move = next_cells.prepare(state)
    move.swap()
    told = {one.name: (one.fidelity, one.reason) for one in move.report}
    next_cells.check("first[0] is second['x'] is second[5][1][0] is shared == [1]")
    next_cells.check("first[1] is first[2]['k'] is third[0] is third[1] and third[2] == 'end'")
    assert isinstance(next_cells.namespace["first"][1], Placeholder)
    for name in ("bad", "first", "third"):
        assert told[name][0] is Fidelity.MISSING and "not today" in told[name][1]
    assert told["shared"][0] is told["second"][0] is Fidelity.EXACT


def test_it_can_be_got_without_what_does_not_load(cells: Cells) -> None:
    """The list is there; the value itself is refused, with the reason."""
    state = cells.run(MAKE.format(BAD["its state"]))
    cells.run("first = second = third = bad = shared = 0")
    got = load_variable(cells.store, state, "second", cells.namespace, cells.capturer)
    assert got == {"x": [1], 5: (1, [[1]])}
    with pytest.raises(RestoreRefused, match="not today"):
        load_variable(cells.store, state, "bad", cells.namespace, cells.capturer)


def test_who_holds_it_half_made_does_not_come_back(cells: Cells, next_cells: Cells) -> None:
    """No object that lacks its state is handed on."""
    state = cells.run(f"{MAKE.format(BAD['its state'])}\nbad.me = [bad]")
    move = next_cells.prepare(state)
    move.swap()
    assert isinstance(next_cells.namespace["first"], Placeholder)
