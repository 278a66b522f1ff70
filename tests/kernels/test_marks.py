"""Bare objects as marks: those of libraries stay theirs, those of the notebook cost next to
nothing."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from jupyter_rewind.kernels.reducers import values
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows each time that all modules are looked through."""
    found: list[None] = []
    find = values._find_marks

    def counted() -> object:
        found.append(None)
        return find()

    monkeypatch.setattr(values, "_find_marks", counted)
    return found


def test_modules_are_looked_through_once_for_all_new_marks(
    cells: Cells, searches: list[None]
) -> None:
    """However many there are; for those told again, not at all."""
    before = cells.run("marks = [object() for _ in range(50)]; same = marks[7]")
    assert len(searches) == 1
    cells.run("marks.append(1)")
    assert len(searches) == 1
    cells.run("marks.append(object())")
    assert len(searches) == 2
    cells.run("marks.pop(); marks.pop()")
    cells.run("marks.clear()")
    cells.go(before)
    cells.check("len(marks) == 50 and same is marks[7] and len(set(marks)) == 50")


def test_a_mark_that_a_new_module_holds_is_that_module_s(cells: Cells, tmp_path: Path) -> None:
    """Also where it was told as one of the notebook before."""
    cells.run("mark = [object()]")
    module = types.ModuleType("rewind_marks_library")
    module.MARK = cells.namespace["mark"][0]  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        before = cells.run("mark.append(1)")
        after = Cells(tmp_path, run="next")
        after.go(before)
        assert after.namespace["mark"][0] is module.MARK  # type: ignore[attr-defined]
        after.close()
    finally:
        del sys.modules[module.__name__]
