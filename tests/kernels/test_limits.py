"""What the user set limits to: told where it bites, and kept to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_rewind.faces.ipython.idle import IDLE_SECONDS, IdleWork
from tests.support.cells import FREELY, Cells
from tests.support.runs import QuickKernel


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[QuickKernel]:
    made = QuickKernel(tmp_path, {})
    yield made
    made.session.close("exit")


def test_a_variable_above_the_limit_is_told_once_and_stands_in_the_status(
    kernel: QuickKernel,
) -> None:
    """Whoever set a limit learns which of the variables it leaves out."""
    kernel.session.settings.kernels_max_variable_mb = 1
    kernel.run("small = [1]")
    assert kernel.told == [] and "limit" not in str(kernel.verbs.status())
    kernel.run("big = list(map(str, range(300_000)))")
    assert kernel.told == [
        "Not kept: big: it is larger than the limit of 1 MB a variable (`kernels.max_variable_mb`)."
    ]
    kernel.run("big.append(1); small.append(2)")
    assert len(kernel.told) == 1
    assert "Not kept: big: it is larger than the limit of 1 MB a variable." in str(
        kernel.verbs.status()
    )
    kernel.run("big = 5")
    assert "Not kept" not in str(kernel.verbs.status())


def test_a_state_that_is_too_young_waits_until_the_cooldown_is_over(tmp_path: Path) -> None:
    """It is kept in a pause, but no sooner than the user said."""
    cells = Cells(tmp_path, options=replace(FREELY, cooldown_seconds=600.0))
    assert cells.capturer.cooldown_left() <= 0
    cells.run("x = 1")
    passed = cells.try_run("x = 2")
    assert "less than 600 seconds old" in passed.skipped_because
    waits: list[float] = []
    session: Any = SimpleNamespace(
        is_behind=True, timeline=SimpleNamespace(capturer=cells.capturer)
    )
    loop = SimpleNamespace(call_later=lambda seconds, work: waits.append(seconds))
    IdleWork(SimpleNamespace(kernel=SimpleNamespace(io_loop=loop)), session).plan()
    assert 500 < waits[0] <= 600
    cells.capturer.capture_late(passed.execution, count=2, path="")
    assert cells.capturer.cooldown_left() > 500
    cells.capturer.options = FREELY
    IdleWork(SimpleNamespace(kernel=SimpleNamespace(io_loop=loop)), session).plan()
    assert waits[1] == IDLE_SECONDS
    cells.close()


def test_a_run_that_is_ended_is_told_to_be_before_its_states_are_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jupyter kills a kernel that takes longer to end; nobody takes that for a crash."""
    kernel = QuickKernel(tmp_path, {})
    kernel.run("x = 1")
    session = kernel.session
    close = session.timeline.close
    seen = []

    def look_and_close() -> None:
        archive = session.open_archive()
        archive.repository.refresh()
        seen.append(archive.runs.get(session.run.id).ended_ns is not None)
        archive.repository.close()
        close()

    monkeypatch.setattr(session.timeline, "close", look_and_close)
    session.close("exit")
    assert seen == [True]
