"""One variable out of the past, beside all others, which stay what they are."""

from __future__ import annotations

import pytest

from jupyter_rewind.kernels.onevariable import load_variable
from tests.support.cells import Cells

MAKE = """
a = []
b = (lambda v: lambda: v)(a)
class T: shared = a
t = T()
t.held = a
c = [a, b]
def d(x=a): return x
"""


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("a", "got == [] and got is not a"),
        ("b", "got() == [] and got() is not a"),
        ("c", "got[1]() is got[0] and got[1] is not b"),
        ("t", "type(got) is T and got.held == [] and got.held is not a"),
        ("d", "got() == [] and got() is not a"),
    ],
)
def test_what_functions_and_classes_hold_stays_theirs(cells: Cells, name: str, check: str) -> None:
    """A closure that shares a list with the variable goes on holding the living list."""
    state = cells.run(MAKE)
    cells.run("z = 1")
    got = load_variable(cells.store, state, name, cells.namespace, cells.capturer)
    cells.check("b() is a and T.shared is a and t.held is a and c == [a, b] and d() is a")
    cells.namespace["got"] = got
    cells.check(check)


def test_a_class_that_changed_unseen_is_not_taken_for_that_of_then(cells: Cells) -> None:
    """With `%rewind off`, or earlier in the same cell: no state tells of the change."""
    state = cells.run("class T: extra = []")
    exec("T.extra.append(1)", cells.namespace)
    got = load_variable(cells.store, state, "T", cells.namespace, cells.capturer)
    assert isinstance(got, type) and got.extra == []  # type: ignore[attr-defined]
    cells.check("T.extra == [1]")


@pytest.mark.parametrize(("name", "check"), [("b", "got"), ("c", "got[0]")])
def test_a_second_name_of_out_gives_what_it_held_then(cells: Cells, name: str, check: str) -> None:
    """And what stands in it is shared with the rest of the variable; `Out` itself is untouched."""
    outputs = cells.namespace.setdefault("_oh", {})
    outputs.update({1: [1], 2: 5})
    state = cells.run("b = _oh; c = [b, b[1]]")
    cells.run("b[1].append(2); b[3] = [3]")
    got = load_variable(cells.store, state, name, cells.namespace, cells.capturer)
    assert eval(check) == {1: [1], 2: 5}
    assert outputs == {1: [1, 2], 2: 5, 3: [3]}
    assert name == "b" or got[1] is got[0][1]
