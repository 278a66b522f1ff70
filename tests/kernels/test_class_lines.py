"""Classes that derive from one another and share what they hold, each kept in its own place."""

from __future__ import annotations

import pytest

from tests.support.cells import Cells

pytestmark = pytest.mark.matrix

_DATA = """import dataclasses
@dataclasses.dataclass
class Zoo:
    x: int = 0"""
_APE = """@dataclasses.dataclass
class Ape(Mid):
    y: int = 1"""


@pytest.mark.parametrize(
    ("sources", "check"),
    [
        (["class Z: shared = []", "class M(Z): pass", "class A(M): extra = Z.shared"],
         "A.extra is M.shared and A.mro()[:3] == [A, M, Z]"),
        (["class A: shared = []", "class M(A): pass", "class Z(M): extra = A.shared"],
         "Z.extra is M.shared and Z.mro()[:3] == [Z, M, A]"),
        (["class Z: shared = []", "class M(Z): pass", "class A(M): extra = Z.shared\ndel Z"],
         "A.extra is M.shared and A.mro()[1] is M"),
        (["class Z: shared = []", "class M(Z): pass", "class A(M): extra = Z.shared",
          "a = M(); a.x = [1]; b = A()"],
         "type(a) is M and a.x == [1] and type(b) is A and b.extra is b.shared is Z.shared"),
        (["class T: shared = []", "class T(T): pass", "class T(T): extra = T.shared"],
         "T.extra is T.mro()[2].shared and len(T.mro()) == 4"),
        ([_DATA, "class Mid(Zoo): pass", _APE, "a = Ape()"],
         "(a.x, a.y) == (0, 1) and isinstance(a, Zoo) and Ape(2, 3) == Ape(2, 3)"),
        (["class Z:\n    def m(self): return 1\n    m.held = []", "class M(Z): pass",
          "class A(M): held = Z.m.held"],
         "A.held is Z.m.held and A().m() == 1"),
        (["class K(type): seen = []", "class Z(metaclass=K): kept = K.seen",
          "class A(Z): more = [K.seen]"],
         "A.more[0] is Z.kept is K.seen and type(A) is K"),
    ],
)  # fmt: skip
def test_classes_that_share_over_two_steps_come_back(
    cells: Cells, next_cells: Cells, sources: list[str], check: str
) -> None:
    """Whatever their names sort like, in a new kernel and where the variables are gone."""
    *_, state = [cells.run(source) for source in sources]
    next_cells.go(state)
    next_cells.check(check)
    cells.run("A = Z = M = T = Zoo = Mid = Ape = K = a = b = None")
    cells.go(state)
    cells.check(check)
