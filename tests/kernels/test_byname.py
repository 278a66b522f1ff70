"""What a library holds under a name comes back by it. What cells changed in it is not taken back:
that is said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.origins import library_folders
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

LIBRARY = """
class Settings:
    def __init__(self): self.level = 0
class Slotted:
    __slots__ = ('level',)
    def __init__(self): self.level = 0
class Mark: pass
settings, slotted, mark = Settings(), Slotted(), Mark()
"""


@pytest.fixture
def cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Cells]:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "rewind_holds.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(folder))
    library_folders.cache_clear()
    request.addfinalizer(library_folders.cache_clear)
    request.addfinalizer(lambda: sys.modules.pop("rewind_holds", None))
    made = Cells(tmp_path)
    yield made
    made.close()


def test_what_a_library_holds_is_told_to_come_back_by_its_name(cells: Cells) -> None:
    """Its settings are its own: the report does not say that they are what they were."""
    state = cells.run("from rewind_holds import settings, slotted, mark; settings.level = 1")
    cells.run("settings.level = slotted.level = 2")
    told = {one.name: (one.fidelity, one.reason) for one in report(cells.store, state)}
    for name in ("settings", "slotted"):
        assert told[name][0] is Fidelity.REFERENCE, told
        assert "rewind_holds" in told[name][1] and "is not kept" in told[name][1]
    assert told["mark"] == (Fidelity.EXACT, "")
    cells.go(state)
    cells.check("__import__('rewind_holds').settings is settings and settings.level == 2")


def test_settings_that_are_set_with_the_variables_are_exact(cells: Cells) -> None:
    """Those of matplotlib, and the generators of chance: they come back with the surroundings."""
    state = cells.run("import matplotlib, random; a = matplotlib.rcParams; b = random._inst")
    told = {one.name: one.fidelity for one in report(cells.store, state)}
    assert told["a"] is told["b"] is Fidelity.EXACT
