"""A kernel that goes on where another one ended, and ends in turn before it has done anything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.errors import NotFound
from jupyter_rewind.faces.ipython.offer import Offer
from jupyter_rewind.kernels.archive import Archive
from jupyter_rewind.notebooks.history import Histories
from tests.support.kernels import PATIENCE
from tests.support.runs import QuickKernel

Start = Callable[..., QuickKernel]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a kernel of the notebook; what it has before its first cell can be told."""
    started: list[QuickKernel] = []

    def start(notebook: str = "analysis.ipynb", **variables: Any) -> QuickKernel:
        started.append(QuickKernel(tmp_path, variables, notebook=notebook))
        return started[-1]

    yield start
    for each in started:
        each.session.close("exit")


def test_a_chain_of_kernels_that_end_at_once_hands_the_state_on(start: Start) -> None:
    """Three kernels take the state over, and none lives to run a cell: the fourth has it, and
    its lists are shared as they were."""
    first = start()
    first.run("x = [1]")
    first.run("y = {'a': x}")
    for _ in range(3):
        start().verbs.resume()
    last = start()
    back = last.verbs.resume()
    assert last.namespace["x"] == [1]
    assert last.namespace["y"]["a"] is last.namespace["x"]
    assert "2 variables" in str(back)


def test_a_kernel_that_has_variables_from_its_start_hands_the_state_on(start: Start) -> None:
    """What a start-up file made is not what a resume brings, where the kernel went on from another
    one's state."""
    start().run("x = [1]")
    start(tool=5).verbs.resume()
    last = start(tool=5)
    last.verbs.resume()
    assert last.namespace["x"] == [1]


def test_a_state_that_was_taken_over_takes_no_room_and_stands_in_the_history(start: Start) -> None:
    """It is told by reference, as a state of the new run, which the next one stands on."""
    start().run("x = list(range(10_000))")
    second = start()
    taken = second.verbs.resume().snapshot
    kept, moved = second.session.snapshots()
    assert (moved.state, moved.new_bytes, moved.place) == (taken.state, 0, "after a move")
    assert (moved.path, moved.trusted) == (second.session.run.path, True)
    assert moved.parent == taken.id
    assert kept.place == "before a move"
    second.run("x.append(1)")
    assert second.session.snapshots()[-1].parent == moved.id
    second.verbs.to(moved.id)
    assert len(second.namespace["x"]) == 10_000


def test_a_takeover_can_be_undone_and_made_again(start: Start) -> None:
    """Neither leaves a state without variables to the next kernel."""
    start().run("x = [1]")
    second = start(tool=5)
    second.verbs.resume()
    taken = second.namespace["x"]
    second.verbs.undo()
    assert "x" not in second.namespace
    second.verbs.redo()
    assert second.namespace["x"] == [1] == taken
    last = start()
    last.verbs.resume()
    assert last.namespace["x"] == [1]


def test_a_crash_while_a_state_is_taken_over_leaves_it_to_the_next_kernel(start: Start) -> None:
    """A state that ends the kernel as it is loaded is not lost behind what that kernel had."""
    start().run("x = [1]")
    start(tool=5).session.timeline.present()
    last = start()
    last.verbs.resume()
    assert last.namespace["x"] == [1]


def test_what_cells_left_before_a_move_is_the_last_state(start: Start) -> None:
    """Cells whose states were not kept by themselves: what was kept before a move holds their
    work, and counts."""
    start().run("x = [1]")
    second = start()
    capturer = second.session.timeline.capturer
    capturer.enabled = False
    second.run("z = [2]")
    capturer.enabled = True
    second.session.timeline.present()
    last = start()
    last.verbs.resume()
    assert last.namespace["z"] == [2]


def test_what_a_cell_deleted_does_not_come_back_by_itself(start: Start) -> None:
    """A namespace that a cell of the user's left empty is his last state, and is resumed."""
    first = start()
    first.run("x = [1]")
    first.run("del x")
    first.session.timeline.present()
    last = start()
    last.verbs.resume()
    assert "x" not in last.namespace


def test_of_two_kernels_the_newest_state_goes_on(start: Start) -> None:
    """Both were killed: what counts is which one worked last, not which one was started last."""
    first, second = start(), start()
    second.run("x = 'second'")
    first.run("x = 'first'")
    first.die()
    second.die()
    last = start()
    last.verbs.resume()
    assert last.namespace["x"] == "first"


def rename_and_die(first: QuickKernel, folder: Path) -> None:
    """Its notebook gets another name, and the kernel is gone."""
    old, new = str(folder / "analysis.ipynb"), str(folder / "renamed.ipynb")
    repository = first.session.archive.repository
    histories = Histories(repository)
    with repository.transaction() as tx:
        histories.bindings.bind(tx, old, histories.bindings.name_new(old), "created")
    histories.rename(old, new)
    first.die()


def test_a_state_follows_a_notebook_that_is_renamed_between_two_kernels(
    start: Start, tmp_path: Path
) -> None:
    """No kernel of it ran when it was renamed: the next one has the state, by itself and by name,
    and is offered it."""
    first = start()
    first.run("x = [1]")
    first.session.timeline.label(first.session.snapshots()[-1], "good")
    rename_and_die(first, tmp_path)
    second = start("renamed.ipynb")
    second.verbs.predecessor.look()
    legacy = second.verbs.predecessor.cut_short(wait_seconds=PATIENCE)
    assert legacy is not None
    second.verbs.resume()
    assert second.namespace["x"] == [1]
    assert second.verbs.to("good").snapshot.id == legacy.snapshot.id


def test_a_new_notebook_under_the_old_name_of_a_renamed_one_is_offered_nothing_of_it(
    start: Start, tmp_path: Path
) -> None:
    """The states went with the notebook that they are of; what the new one left is offered."""
    first = start()
    first.run("x = [1]")
    rename_and_die(first, tmp_path)
    second = start()
    with pytest.raises(NotFound):
        second.verbs.resume()
    second.run("y = 2")
    second.die()
    third = start()
    third.verbs.resume()
    assert (third.namespace.get("x"), third.namespace["y"]) == (None, 2)


def test_where_no_kernel_left_anything_there_is_nothing_to_resume(start: Start) -> None:
    """A namespace that nobody has touched is no state to go on from."""
    start().session.timeline.present()
    with pytest.raises(NotFound):
        start().verbs.resume()


@pytest.mark.parametrize("resume", ["ask", "always"])
def test_a_state_that_was_taken_over_is_offered_to_the_next_kernel(
    tmp_path: Path, start: Start, resume: str
) -> None:
    """The kernel that died had run no cell, and none is named; where the user wants the state
    always, the first cell finds it."""
    start().run("x = [1]")
    second = start(tool=5)
    second.verbs.resume()
    second.die()
    last = QuickKernel(tmp_path, {}, resume)
    last.verbs.predecessor.look()
    assert last.verbs.predecessor.is_over(wait_seconds=PATIENCE)
    offer = Offer(last.verbs)
    offer.before_cell("1")
    offer.after_cell("1")
    last.session.close("exit")
    assert ("x" in last.namespace) is (resume == "always")
    words = "goes on here" if resume == "always" else "What it had at the end ("
    assert [words in each for each in last.told] == [True]


def test_what_is_found_late_is_offered_after_a_later_cell(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a slow disk is looked through, no more than one cell waits, and only for a moment."""
    monkeypatch.setattr("jupyter_rewind.faces.ipython.offer._MOMENT_SECONDS", 0.01)
    first = start()
    first.run("x = [1]")
    first.die()
    second, go_on = start(), threading.Event()
    open_archive = second.session.open_archive

    def open_late() -> Archive:
        assert go_on.wait(PATIENCE)
        return open_archive()

    monkeypatch.setattr(second.session, "open_archive", open_late)
    predecessor, offer = second.verbs.predecessor, Offer(second.verbs)
    predecessor.look()
    offer.after_cell("1")
    offer.after_cell("2")
    assert second.told == []
    go_on.set()
    assert predecessor.is_over(wait_seconds=PATIENCE)
    offer.after_cell("3")
    offer.after_cell("4")
    [told] = second.told
    assert "What it had after In[1] (" in told


def test_what_was_taken_over_before_the_first_cell_is_not_offered_after_it(start: Start) -> None:
    """A browser's Restore has brought the state back: no cell says that it waits."""
    first = start()
    first.run("x = [1]")
    first.die()
    second = start()
    second.verbs.predecessor.look()
    assert second.verbs.predecessor.is_over(wait_seconds=PATIENCE)
    second.verbs.resume()
    offer = Offer(second.verbs)
    offer.before_cell("x")
    offer.after_cell("x")
    assert second.told == []
