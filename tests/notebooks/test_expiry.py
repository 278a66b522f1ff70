"""Old checkpoints go by policy: planned first, never those a person named, never the head."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Denied
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.retention import Policy
from jupyter_rewind.notebooks import documents, expiry
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.upkeep import collect
from tests.notebooks.support import make_notebook
from tests.support.stores import refuse_to_open

PATH = "/home/a/a.ipynb"
FEW = Policy(keep_last=2, hourly=0, daily=0, weekly=0, deleted_days=10)


@pytest.fixture
def ids(histories: Histories, fake_clock: clock.FakeClock) -> list[str]:
    """Six checkpoints, an hour apart."""
    made = []
    for number in range(6):
        raw = make_notebook(str(number))
        made.append(str(histories.record(PATH, raw, reason=Reason.SAVE).checkpoint.id))
        fake_clock.advance(3600)
    return made


def left(histories: Histories) -> list[str]:
    return [str(one.id) for one in histories.checkpoints(PATH)]


def test_a_plan_changes_nothing_and_estimates_what_it_frees(
    histories: Histories, ids: list[str]
) -> None:
    plan = expiry.plan_expiry(histories, FEW, lambda going: 1000 * len(going))
    [mine] = plan.histories
    assert (mine.path, list(mine.expire), list(mine.keep)) == (PATH, ids[:4], ids[4:][::-1])
    assert (plan.count, plan.freed_bytes) == (4, 4000)
    assert left(histories) == ids


def test_what_is_expired_is_gone_for_every_process(
    histories: Histories, others: Histories, ids: list[str]
) -> None:
    gone = expiry.expire(histories, FEW)
    assert [str(one.id) for one in gone] == ids[:4]
    assert left(histories) == left(others) == ids[4:]
    assert histories.checkpoints(PATH)[0].parent is None


def test_nothing_expires_while_a_label_may_stand_where_nobody_may_read(
    histories: Histories, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_another_user = histories.repository.layout.segments / ("0" * 16)
    of_another_user.write_bytes(b"labels, say")
    refuse_to_open(of_another_user, monkeypatch)
    with pytest.raises(Denied, match="sudo chown"):
        expiry.expire(histories, FEW)
    assert left(histories) == ids


def test_labels_and_pins_always_stay(histories: Histories, ids: list[str]) -> None:
    histories.label(histories.get(PATH, ids[0]), "thesis")
    histories.pin(histories.get(PATH, ids[2]))
    expiry.expire(histories, FEW)
    assert left(histories) == [ids[0], ids[2], ids[4], ids[5]]
    assert [one.labels for one in histories.checkpoints(PATH)] == [("thesis",), (), (), ()]


def test_the_head_stays_whatever_the_policy(histories: Histories, ids: list[str]) -> None:
    expiry.expire(histories, Policy(keep_last=0, hourly=0, daily=0, weekly=0))
    assert left(histories) == ids[5:]


def test_expiring_again_changes_nothing(histories: Histories, ids: list[str]) -> None:
    expiry.expire(histories, FEW)
    assert expiry.expire(histories, FEW) == []
    assert left(histories) == ids[4:]


def test_a_label_given_after_the_plan_counts(
    histories: Histories, others: Histories, ids: list[str]
) -> None:
    plan = expiry.plan_expiry(histories, FEW, lambda _: 0)
    others.label(others.get(PATH, ids[1]), "mine")
    expiry.expire(histories, plan.policy)
    assert ids[1] in left(histories)


def test_a_deleted_notebook_goes_in_the_end_but_not_what_is_named(
    histories: Histories, ids: list[str], fake_clock: clock.FakeClock
) -> None:
    histories.label(histories.get(PATH, ids[1]), "thesis")
    histories.delete(PATH)
    fake_clock.advance(9 * 86400)
    expiry.expire(histories, FEW)
    assert left(histories) == [ids[1], *ids[4:]]
    fake_clock.advance(2 * 86400)
    expiry.expire(histories, FEW)
    assert left(histories) == [ids[1]]


def test_a_deleted_notebook_whose_folder_is_renamed_lost_no_days(
    histories: Histories, ids: list[str], fake_clock: clock.FakeClock
) -> None:
    """It is deleted since it was, however often its folder has another name."""
    histories.delete(PATH)
    fake_clock.advance(6 * 86_400)
    histories.rename_folder("/home/a", "/home/b")
    histories.rename_folder("/home/b", "/home/c")
    fake_clock.advance(5 * 86_400)
    assert len(expiry.expire(histories, FEW)) == len(ids)


def test_of_a_history_that_expired_whole_nothing_is_left(
    histories: Histories, ids: list[str], fake_clock: clock.FakeClock
) -> None:
    histories.delete(PATH)
    fake_clock.advance(11 * 86400)
    assert len(expiry.expire(histories, FEW)) == len(ids)
    assert histories.all() == histories.deleted() == []
    again = histories.record(PATH, make_notebook("anew"), reason=Reason.SAVE).checkpoint
    assert left(histories) == [again.id]


def test_what_stays_is_readable_after_the_room_was_given_back(
    histories: Histories, ids: list[str]
) -> None:
    expiry.expire(histories, FEW)
    collect(histories.repository)
    states = [histories.read(one) for one in histories.checkpoints(PATH)]
    assert states == [make_notebook("4"), make_notebook("5")]


def remember(histories: Histories, path: Path, source: str) -> str:
    path.write_bytes(make_notebook(source))
    made = documents.checkpoint_document(histories, path, reason=Reason.SAVE)
    return str(made.checkpoint.id)


def states(histories: Histories, path: Path) -> list[str]:
    return [str(one.id) for one in histories.checkpoints(str(path))]


def test_a_notebook_removed_outside_jupyter_goes_in_the_end_but_not_what_is_named(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock
) -> None:
    """Its days begin when it is first found missing."""
    path = folder / "a.ipynb"
    named, _ = remember(histories, path, "1"), remember(histories, path, "2")
    histories.label(histories.get(str(path), named), "thesis")
    path.unlink()
    fake_clock.advance(20 * 86400)
    assert expiry.expire(histories, FEW) == []
    fake_clock.advance(9 * 86400)
    assert expiry.expire(histories, FEW) == []
    fake_clock.advance(2 * 86400)
    assert expiry.plan_expiry(histories, FEW, lambda _: 0).count == 1
    assert len(expiry.expire(histories, FEW)) == 1
    assert states(histories, path) == [named]


def test_a_look_at_what_would_expire_counts_no_days(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock
) -> None:
    path = folder / "a.ipynb"
    remember(histories, path, "1")
    path.unlink()
    expiry.plan_expiry(histories, FEW, lambda _: 0)
    fake_clock.advance(11 * 86400)
    assert expiry.plan_expiry(histories, FEW, lambda _: 0).count == 0


@pytest.mark.parametrize("how", ["found", "kept"])
def test_a_notebook_that_came_back_lost_no_days(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock, how: str
) -> None:
    """Another branch was checked out for a while: later the days begin anew."""
    path = folder / "a.ipynb"
    remember(histories, path, "1")
    before = path.read_bytes()
    path.unlink()
    expiry.expire(histories, FEW)
    fake_clock.advance(9 * 86400)
    if how == "kept":
        remember(histories, path, "2")
    else:
        path.write_bytes(before)
        expiry.expire(histories, FEW)
    made = states(histories, path)
    path.unlink()
    expiry.expire(histories, FEW)
    fake_clock.advance(9 * 86400)
    expiry.expire(histories, FEW)
    assert states(histories, path) == made
    fake_clock.advance(2 * 86400)
    expiry.expire(histories, FEW)
    assert histories.all() == []


def test_a_disk_that_is_not_there_costs_no_history(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock
) -> None:
    """Neither where its folder is gone, nor where an empty mount point is left of it."""
    away, mount = folder / "away" / "a.ipynb", folder / "mount" / "a.ipynb"
    for path in (away, mount):
        path.parent.mkdir()
    first = remember(histories, away, "1")
    mount.write_bytes(make_notebook("2"))
    known = documents.identify(mount)
    assert known is not None
    other = replace(known, device=known.device + 1)
    second = histories.record(str(mount), mount.read_bytes(), reason=Reason.SAVE, identity=other)
    shutil.rmtree(away.parent)
    mount.unlink()
    for _ in range(3):
        fake_clock.advance(11 * 86400)
        assert expiry.expire(histories, FEW) == []
    assert states(histories, away) == [first]
    assert states(histories, mount) == [str(second.checkpoint.id)]


def test_a_notebook_moved_while_it_was_missed_keeps_its_history(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock
) -> None:
    """The move is seen after the file was found missing."""
    path, other = folder / "a.ipynb", folder / "b.ipynb"
    first = remember(histories, path, "1")
    path.rename(other)
    expiry.expire(histories, FEW)
    fake_clock.advance(9 * 86400)
    assert remember(histories, other, "1") == first
    second = remember(histories, other, "2")
    fake_clock.advance(9 * 86400)
    expiry.expire(histories, FEW)
    assert states(histories, other) == [first, second]


@pytest.mark.parametrize("disk", ["fdeadbeef", ""], ids=["another", "nameless"])
def test_another_disk_with_the_same_number_costs_no_history(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock, disk: str
) -> None:
    """It is in the place of the one that the file lay on; or nobody can tell the two apart."""
    path = folder / "a.ipynb"
    path.write_bytes(make_notebook("1"))
    known = documents.identify(path)
    assert known is not None
    made = histories.record(
        str(path), path.read_bytes(), reason=Reason.SAVE, identity=replace(known, disk=disk)
    )
    path.unlink()
    for _ in range(3):
        fake_clock.advance(11 * 86400)
        assert expiry.expire(histories, FEW) == []
    assert states(histories, path) == [made.checkpoint.id]


@contextmanager
def mounted(place: Path) -> Iterator[int]:
    """A new, empty disk is there; its device number."""
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield place.stat().st_dev
    finally:
        subprocess.run(["umount", str(place)], check=False)


def test_a_swapped_disk_costs_no_history(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock
) -> None:
    """A real disk is taken away and another one is mounted in its place, under its number."""
    path = folder / "a.ipynb"
    with mounted(folder) as number:
        made = remember(histories, path, "1")
    numbers = []
    for _ in range(3):
        with mounted(folder) as another:
            numbers.append(another)
            fake_clock.advance(11 * 86400)
            assert expiry.expire(histories, FEW) == []
    assert states(histories, path) == [made]
    if numbers != [number] * 3:
        pytest.skip("other disks came and went meanwhile, so each had a number of its own")


def test_a_history_kept_before_disks_had_names_learns_its_disk(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock
) -> None:
    """From the next save on, its file can be found missing."""
    path = folder / "a.ipynb"
    path.write_bytes(make_notebook("1"))
    known = documents.identify(path)
    assert known is not None
    nameless = replace(known, disk="")
    histories.record(str(path), path.read_bytes(), reason=Reason.SAVE, identity=nameless)
    remember(histories, path, "1")
    path.unlink()
    expiry.expire(histories, FEW)
    fake_clock.advance(11 * 86400)
    assert len(expiry.expire(histories, FEW)) == 1
