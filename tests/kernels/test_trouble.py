"""States that cannot be stored: tried again when it is worth it, and none of it in silence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import Full, NotFound, RewindError, Unavailable
from jupyter_rewind.kernels import trouble as troubles
from jupyter_rewind.store.moving import REPLACED
from tests.support.cells import Cells
from tests.support.stores import QuickFiles


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A disk on which nothing larger than 100 KB finds room, and whose free room never changes."""
    real = QuickFiles.write_at

    def write_at(
        self: QuickFiles, descriptor: int, parts: list[bytes | memoryview], offset: int, path: Path
    ) -> int:
        if sum(len(part) for part in parts) > 100_000:
            raise Full(f"Could not write to {path}: the disk or the quota is full.")
        return real(self, descriptor, parts, offset, path)

    with monkeypatch.context() as patch:
        patch.setattr(QuickFiles, "write_at", write_at)
        patch.setattr(troubles, "free_bytes", lambda _: 50_000)
        yield patch


def test_what_does_not_fit_is_not_told_again_after_each_cell(
    cells: Cells, small_disk: pytest.MonkeyPatch
) -> None:
    """The tries become rarer and rarer, so that a full disk does not slow the user down."""
    cells.run("import os; a = [1]")
    skipped = []
    for _ in range(40):
        captured = cells.try_run("big = globals().get('big') or os.urandom(300_000)")
        skipped.append(bool(captured.skipped_because))
    tries = [number for number, was_skipped in enumerate(skipped) if not was_skipped]
    assert tries == [0, 1, 3, 7, 15, 31]
    assert "the disk or the quota is full; it is tried again" in captured.skipped_because


def test_states_are_kept_again_as_soon_as_what_did_not_fit_is_gone(
    cells: Cells, small_disk: pytest.MonkeyPatch
) -> None:
    """The next state is whole, and says which cells went into it."""
    cells.run("import os; a = [1]")
    for _ in range(5):
        cells.try_run("big = globals().get('big') or os.urandom(300_000); a.append(2)")
    state = cells.run("del big")
    assert len(state.merged) == 5
    cells.run("a = None")
    cells.go(state)
    cells.check("a == [1, 2, 2, 2, 2, 2]")


def test_states_are_kept_again_as_soon_as_there_is_room(
    cells: Cells, small_disk: pytest.MonkeyPatch
) -> None:
    """Nobody has to say that the disk has room again."""
    cells.run("import os; a = [1]")
    for _ in range(5):
        cells.try_run("big = globals().get('big') or os.urandom(300_000)")
    assert cells.try_run("a.append(2)").skipped_because
    small_disk.undo()
    assert (troubles.free_bytes(cells.store.layout.folder) or 0) > 200_000
    state = cells.run("a.append(3)")
    cells.run("a = big = None")
    cells.go(state)
    cells.check("a == [1, 2, 3] and len(big) == 300_000")


def test_only_what_was_not_stored_is_stored_anew(
    cells: Cells, small_disk: pytest.MonkeyPatch
) -> None:
    """After a state that did not fit, the next one is no more work than it would have been."""
    cells.run(f"import os; one = {os.urandom(60_000)!r}; a = [1]")
    cells.try_run("big = os.urandom(300_000); a.append(2)")
    captured = cells.try_run("del big")
    assert captured.job is not None
    assert captured.job.fresh_bytes < 20_000
    state = captured.snapshot
    assert state is not None
    cells.run("a = one = None")
    cells.go(state)
    cells.check("a == [1, 2] and len(one) == 60_000")


@pytest.mark.parametrize(
    "error",
    [
        NotFound("The store has no content 12ab."),
        Unavailable("It was taken away.", code="gone", hint="Put it back."),
        Unavailable("It is another one.", code=REPLACED, hint="Put it back.", retryable=True),
    ],
)
def test_nobody_is_told_that_a_store_is_whole_that_is_gone(error: RewindError) -> None:
    """It is not known where it went; what is full or busy has all that it had."""
    assert troubles.advice_on(error) == f"Your code runs as always. {error.hint}".rstrip()
    assert "was kept before is whole" in troubles.advice_on(Full("The disk is full."))
    assert "was kept before is whole" in troubles.advice_on(Unavailable("Busy.", retryable=True))
