"""Functions and classes that live: a restore in place makes them all that they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cells import Cells


@pytest.mark.parametrize(
    ("make", "change", "check", "changed"),
    [
        (
            "def f(): pass",
            "f.__name__ = 'g'; f.__qualname__ = 'q'",
            "(f.__name__, f.__qualname__) == ('f', 'f')",
            "(f.__name__, f.__qualname__) == ('g', 'q')",
        ),
        (
            "class F: pass",
            "F.__name__ = 'G'; F.__qualname__ = 'Q'",
            "(F.__name__, F.__qualname__) == ('F', 'F')",
            "(F.__name__, F.__qualname__) == ('G', 'Q')",
        ),
        (
            "class A: v = 1\nclass B: v = 2\nclass F(A): pass\nf = F()",
            "F.__bases__ = (B,)",
            "f.v == 1 and F.__mro__[1] is A",
            "f.v == 2 and F.__mro__[1] is B",
        ),
        (
            "import abc\nclass A(abc.ABC): pass\nclass B(A): pass\nA.register(str)",
            "A.register(int); B.register(float); isinstance(1, A)",
            "not isinstance(1, A) and isinstance('', A) and not isinstance(1., B)",
            "isinstance(1, A) and isinstance('', A) and isinstance(1., B)",
        ),
        (
            "import enum\nclass E(enum.Enum):\n R = 1\n B = 2\nE.B.own = 3",
            "E.R.note = 'x'; E.B.own = 4",
            "not hasattr(E.R, 'note') and E.B.own == 3 and E(1) is E.R",
            "E.R.note == 'x' and E.B.own == 4",
        ),
    ],
)
def test_a_living_class_or_function_is_what_it_was(
    cells: Cells, tmp_path: Path, make: str, change: str, check: str, changed: str
) -> None:
    """Names, bases, what is registered and what members hold: back and forth, and in a new
    kernel."""
    state = cells.run(make)
    later = cells.run(change)
    cells.check(changed)
    cells.go(state)
    cells.check(check)
    cells.go(later)
    cells.check(changed)
    again = Cells(tmp_path, run="again")
    again.go(later)
    again.check(changed)
    again.go(state)
    again.check(check)
    again.close()


def test_a_class_keeps_the_order_of_what_it_holds(cells: Cells, tmp_path: Path) -> None:
    """What a dataclass holds stands in its order in a new kernel."""
    state = cells.run(
        "import dataclasses\n@dataclasses.dataclass\nclass D:\n b: int = 1\n a: str = ''\n"
        " def f(self): pass\n x = [1]\nown = [n for n in vars(D) if n not in "
        "('__dict__', '__weakref__', '__doc__')]"
    )
    again = Cells(tmp_path, run="again")
    again.go(state)
    again.check("[n for n in vars(D) if n in own] == own and D(2) == D(2) and D().x == [1]")
    again.close()
