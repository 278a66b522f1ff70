"""Histories follow their notebooks: renames, folders, copies, moves outside Jupyter, deletion."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, NotFound
from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity, Reason
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository
from tests.notebooks.support import make_cell, make_notebook

A, B = "/home/a/a.ipynb", "/home/a/b.ipynb"


def keep(
    histories: Histories,
    path: str,
    *cells: str,
    inode: int | None = None,
    present: frozenset[str] | set[str] | None = None,
) -> Checkpoint:
    """One save of `path`; `present` are the files that there are."""
    return histories.record(
        path,
        make_notebook(*cells),
        reason=Reason.SAVE,
        identity=None if inode is None else FileIdentity(1, inode),
        exists=None if present is None else present.__contains__,
    ).checkpoint


def test_a_history_follows_a_rename(histories: Histories) -> None:
    first = keep(histories, A, "1")
    histories.rename(A, B)
    second = keep(histories, B, "2")
    found = histories.checkpoints(B)
    assert [one.id for one in found] == [first.id, second.id]
    assert [one.path for one in found] == [A, B]
    with pytest.raises(NotFound, match=f"moved to {B}"):
        histories.checkpoints(A)


def test_a_rename_there_and_back_changes_nothing(histories: Histories) -> None:
    first = keep(histories, A, "1")
    histories.rename(A, B)
    histories.rename(B, A)
    assert [one.id for one in histories.checkpoints(A)] == [first.id]
    assert histories.find(B) is None


def test_a_rename_over_a_notebook_keeps_the_history_of_both(histories: Histories) -> None:
    mine, theirs = keep(histories, A, "1"), keep(histories, B, "2")
    histories.rename(A, B)
    assert [one.id for one in histories.checkpoints(B)] == [mine.id]
    [lost] = histories.deleted()
    assert (lost.id, lost.path) == (theirs.history, B)
    assert histories.read(histories.checkpoints(lost.id)[0]) == make_notebook("2")


def test_renaming_what_has_no_history_is_no_error(histories: Histories) -> None:
    histories.rename(A, B)
    assert histories.all() == []


def test_a_new_notebook_in_a_vacated_place_has_a_history_of_its_own(
    histories: Histories,
) -> None:
    old = keep(histories, A, "1")
    histories.rename(A, B)
    new = keep(histories, A, "something else")
    assert new.history != old.history
    assert [one.id for one in histories.checkpoints(A)] == [new.id]
    assert [one.id for one in histories.checkpoints(B)] == [old.id]


def test_histories_follow_the_rename_of_a_whole_folder(histories: Histories) -> None:
    inside = keep(histories, "/p/old/a.ipynb", "1")
    deep = keep(histories, "/p/old/x/y/b.ipynb", "2")
    beside = keep(histories, "/p/older/c.ipynb", "3")
    assert histories.rename_folder("/p/old", "/p/new") == 2
    assert histories.find("/p/new/a.ipynb") == inside.history
    assert histories.find("/p/new/x/y/b.ipynb") == deep.history
    assert histories.find("/p/older/c.ipynb") == beside.history
    assert histories.find("/p/old/a.ipynb") is None


def test_deleted_notebooks_follow_the_rename_of_their_folder(histories: Histories) -> None:
    """Undelete finds them by the folder's new name, the one deleted last before an earlier one."""
    first = keep(histories, "/p/old/a.ipynb", "1")
    histories.delete("/p/old/a.ipynb")
    second = keep(histories, "/p/old/a.ipynb", "2")
    histories.delete("/p/old/a.ipynb")
    beside = keep(histories, "/p/old/b.ipynb", "3")
    assert histories.rename_folder("/p/old", "/p/new") == 1
    assert histories.history("/p/new/a.ipynb") == second.history
    assert {one.id: one.path for one in histories.deleted()} == {
        first.history: "/p/new/a.ipynb",
        second.history: "/p/new/a.ipynb",
    }
    assert histories.find("/p/new/b.ipynb") == beside.history
    with pytest.raises(NotFound, match=r"moved to /p/new/a\.ipynb"):
        histories.history("/p/old/a.ipynb")
    histories.undelete(first.history, "/p/new/a.ipynb")
    assert [one.id for one in histories.checkpoints("/p/new/a.ipynb")] == [first.id]


def test_a_deleted_notebook_follows_its_folder_and_takes_no_place(histories: Histories) -> None:
    """What has a history under the new name, or had the old one since, keeps it."""
    gone = keep(histories, "/p/old/a.ipynb", "1")
    histories.delete("/p/old/a.ipynb")
    there = keep(histories, "/p/new/a.ipynb", "2")
    replaced = keep(histories, "/p/old/b.ipynb", "3")
    histories.delete("/p/old/b.ipynb")
    living = keep(histories, "/p/old/b.ipynb", "4")
    assert histories.rename_folder("/p/old", "/p/new") == 1
    assert histories.find("/p/new/a.ipynb") == there.history
    assert histories.find("/p/new/b.ipynb") == living.history
    assert {one.id: one.path for one in histories.deleted()} == {
        gone.history: "/p/old/a.ipynb",
        replaced.history: "/p/new/b.ipynb",
    }


@pytest.mark.parametrize("name", ["100%_done", "ünï", "a'b\"c", "*?[x]"])
def test_folders_with_odd_names_are_followed(histories: Histories, name: str) -> None:
    kept = keep(histories, f"/p/{name}/a.ipynb", "1")
    keep(histories, "/p/100 x done/a.ipynb", "2")
    assert histories.rename_folder(f"/p/{name}", "/p/plain") == 1
    assert histories.find("/p/plain/a.ipynb") == kept.history


def test_a_copy_says_where_it_came_from_and_goes_its_own_way(histories: Histories) -> None:
    keep(histories, A, "1")
    histories.copy(A, B)
    kept = keep(histories, B, "1")
    keep(histories, A, "2")
    info = histories.overview(B)
    assert (info.came_from, info.checkpoints) == (A, 1)
    assert histories.read(kept) == make_notebook("1")
    assert histories.overview(A).came_from == ""


def test_a_copy_made_outside_jupyter_is_recognised_by_its_content(histories: Histories) -> None:
    original = keep(histories, A, "x = 1", inode=1)
    copied = keep(histories, B, "x = 1", inode=2, present={A, B})
    assert copied.history != original.history
    assert histories.overview(B).came_from == A


def test_a_move_outside_jupyter_is_recognised_by_its_content(histories: Histories) -> None:
    """Another branch checked out: another inode, the same page of work, the old file gone."""
    work = [
        f"step_{number} = prepare(step_{number - 1}, rate={number / 7})" for number in range(12)
    ]
    original = keep(histories, A, *work, inode=1)
    moved = keep(histories, B, *work, inode=2, present={B})
    assert moved.id == original.id
    assert histories.find(A) is None
    assert histories.find(B) == original.history


def test_a_move_outside_jupyter_is_recognised_by_file_identity(histories: Histories) -> None:
    """`mv`, and then an edit before we look: the content differs, the inode tells."""
    original = keep(histories, A, "x = 1", "y = 2", "z = 3", inode=1)
    moved = keep(histories, B, "x = 1", "y = 2", "z = 4", inode=1, present={B})
    assert moved.history == original.history
    assert [one.id for one in histories.checkpoints(B)] == [original.id, moved.id]


def test_a_reused_inode_alone_is_no_kinship(histories: Histories) -> None:
    """File systems give freed inodes to new files at once."""
    original = keep(histories, A, "x = 1", inode=1)
    other = histories.record(
        B,
        make_notebook(make_cell("other", "import os"), make_cell("more", "print()")),
        reason=Reason.SAVE,
        identity=FileIdentity(1, 1),
        exists={B}.__contains__,
    ).checkpoint
    assert other.history != original.history
    assert [one.path for one in histories.deleted({B}.__contains__)] == [A]


def test_new_empty_notebooks_are_no_kin_of_one_another(histories: Histories) -> None:
    """Every new notebook looks like every other."""
    first = keep(histories, A, "", inode=1)
    second = keep(histories, B, "", inode=2, present={B})
    assert second.history != first.history
    assert histories.overview(B).came_from == ""


def test_deleting_leaves_a_tombstone_and_everything_readable(histories: Histories) -> None:
    first, second = keep(histories, A, "1"), keep(histories, A, "2")
    assert histories.delete(A) == first.history
    assert histories.find(A) is None
    info = histories.overview(A)
    assert (info.deleted, info.path, info.checkpoints) == (True, A, 2)
    assert [one.id for one in histories.deleted()] == [first.history]
    assert histories.read(histories.resolve(A, "head")) == make_notebook("2")
    assert histories.resolve(A, "head~1").id == first.id
    assert histories.head(A) is None
    assert second.history == first.history


def test_a_deleted_history_is_asked_for_by_its_own_id_too(histories: Histories) -> None:
    first = keep(histories, A, "1")
    histories.delete(A)
    keep(histories, A, "another")
    assert [one.id for one in histories.checkpoints(first.history)] == [first.id]


def test_deleting_twice_or_what_is_unknown_is_no_error(histories: Histories) -> None:
    keep(histories, A, "1")
    histories.delete(A)
    assert histories.delete(A) is None
    assert histories.delete(B) is None


def test_deleting_a_folder_deletes_all_below(histories: Histories) -> None:
    keep(histories, "/p/x/a.ipynb", "1")
    keep(histories, "/p/x/y/b.ipynb", "2")
    keep(histories, "/p/xy/c.ipynb", "3")
    assert histories.delete_folder("/p/x") == 2
    assert [one.path for one in histories.deleted()] == ["/p/x/a.ipynb", "/p/x/y/b.ipynb"]


def test_undelete_gives_the_path_its_history_again(histories: Histories) -> None:
    first = keep(histories, A, "1")
    histories.delete(A)
    histories.undelete(first.history, A)
    second = keep(histories, A, "2")
    assert [one.id for one in histories.checkpoints(A)] == [first.id, second.id]
    assert histories.deleted() == []


def test_undelete_never_takes_the_place_of_another_notebook(histories: Histories) -> None:
    first = keep(histories, A, "1")
    histories.delete(A)
    second = keep(histories, A, "something else")
    with pytest.raises(Conflict, match="another notebook"):
        histories.undelete(first.history, A)
    assert histories.find(A) == second.history


def test_a_deleted_notebook_that_comes_back_the_same_continues_its_history(
    histories: Histories,
) -> None:
    """Taken out of the trash, or checked out again."""
    first = keep(histories, A, "x = 1")
    histories.delete(A)
    again = keep(histories, A, "x = 1", present={A})
    assert (again.id, again.history) == (first.id, first.history)


def test_a_notebook_deleted_outside_jupyter_is_told_by_who_can_look(
    histories: Histories,
) -> None:
    keep(histories, A, "1")
    assert histories.deleted() == []
    assert [one.path for one in histories.deleted(lambda path: False)] == [A]


def test_a_path_bound_by_two_processes_at_once_loses_neither_history(
    histories: Histories, others: Histories
) -> None:
    """Each decided before it saw the other: the later binding has the path, all states remain."""
    with histories.repository.transaction() as mine, others.repository.transaction() as theirs:
        histories.bindings.bind(mine, A, "1111111111111111", "created")
        others.bindings.bind(theirs, A, "2222222222222222", "created")
    for seen in (histories, others):
        seen.repository.refresh()
        winner = seen.find(A)
        assert winner in {"1111111111111111", "2222222222222222"}
        places = {one: seen.bindings.place(one) for one in seen.bindings.histories()}
        assert len(places) == 2
        assert [one for one, place in places.items() if place and place.bound] == [winner]
    assert histories.find(A) == others.find(A)


def test_time_that_runs_backwards_keeps_the_order(
    histories: Histories, others: Histories, fake_clock: clock.FakeClock
) -> None:
    """A clock that is set back, or lags on another machine, reorders nothing."""
    first = keep(histories, A, "1")
    fake_clock.advance(-3600)
    second = keep(others, A, "2")
    histories.rename(A, B)
    third = keep(others, B, "3")
    assert [one.id for one in histories.checkpoints(B)] == [first.id, second.id, third.id]
    assert histories.head(B) == third


def test_the_lists_of_histories_read_no_more_of_a_long_one(
    histories: Histories, fake_clock: clock.FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is deleted, and all there is, is told as quickly after 300 saves as after three."""
    read: list[int] = []
    entries = Repository.entries

    def counted(self: Repository, **wanted: Any) -> list[Entry]:
        found = entries(self, **wanted)
        read.append(len(found))
        return found

    monkeypatch.setattr(Repository, "entries", counted)
    costs = []
    for saves in (3, 297):
        if costs:
            histories.undelete(histories.history(A), A)
        for number in range(saves):
            fake_clock.advance(1)
            keep(histories, A, f"x = {saves} * {number}")
        histories.delete(A)
        read.clear()
        [gone], [one] = histories.deleted(), histories.all()
        costs.append(sum(read))
        found = histories.checkpoints(A)
        assert gone == one
        assert (one.checkpoints, one.head) == (len(found), found[-1])
        assert (one.first_ns, one.last_ns) == (found[0].time_ns, found[-1].time_ns)
    assert costs[1] <= costs[0] + 10
