"""A destroyed segment is named without an index: the store remembers what it held."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Newer
from jupyter_rewind.store import room
from jupyter_rewind.store.upkeep import Damage, collect, salvage, verify
from jupyter_rewind.store.witness import read_witness
from tests.support.stores import Filled, QuickFiles, entry_segments, fill, noise, segment_files

HOW = ["cut", "cut at a commit", "zeroed", "garbled", "emptied", "deleted"]


def destroy(path: Path, how: str, commit_end: int) -> None:
    size = path.stat().st_size
    match how:
        case "cut":
            os.truncate(path, size // 2)
        case "cut at a commit":
            os.truncate(path, commit_end)
        case "zeroed":
            path.write_bytes(bytes(size))
        case "garbled":
            path.write_bytes(noise("garbage", size))
        case "emptied":
            os.truncate(path, 0)
        case "deleted":
            path.unlink()


def forget(filled: Filled, *names: str) -> None:
    for name in names:
        for path in (filled.folder / "store").glob(f"{name}*"):
            path.unlink()


def first_commit_end(filled: Filled, name: str) -> int:
    with filled.open() as store, store.reader(name) as reader:
        return reader.scan(0).batches[0].end


def damages(filled: Filled) -> tuple[Damage, ...]:
    with filled.open() as store:
        return verify(store, read_data=True).damages


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("which", range(4))
def test_a_destroyed_segment_is_named_without_an_index(
    tmp_path: Path, how: str, which: int
) -> None:
    """Whichever segment it is, the newest too, and whatever was done to it."""
    filled = Filled(tmp_path)
    made = []
    for _ in range(4):
        with filled.open() as store:
            filled.add(store)
            filled.add(store)
            made.append(store.writer.segment)
    path = tmp_path / "store" / "segments" / made[which]
    end = path.stat().st_size
    destroy(path, how, first_commit_end(filled, path.name))
    forget(filled, "index")
    mine = [each for each in damages(filled) if each.segment == path.name]
    assert mine
    lost_to = max(each.offset + each.length for each in mine)
    assert end - 200 < lost_to <= end, "but for the seal, all that it lost is in the range"


@pytest.mark.parametrize("how", HOW)
def test_salvage_settles_it(tmp_path: Path, how: str) -> None:
    """What is left is whole, and a second salvage finds nothing to do."""
    filled = fill(tmp_path, segments=3, entries=1)
    path = segment_files(filled)[1]
    destroy(path, how, first_commit_end(filled, path.name) if how == "cut at a commit" else 0)
    forget(filled, "index")
    places = (tmp_path / "store", tmp_path / "keys")
    salvage(*places, files=QuickFiles())
    assert path.name not in {each.segment for each in damages(filled)}
    assert not salvage(*places, files=QuickFiles()).changed


def test_a_segment_whose_writer_was_killed_is_remembered(tmp_path: Path) -> None:
    """Its first commit was noted; no close was needed."""
    filled = Filled(tmp_path)
    store = filled.open()
    filled.add(store)
    name = store.writer.segment
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "store", copy / "store")
    shutil.copytree(tmp_path / "keys", copy / "keys")
    store.close()
    filled.folder = copy
    (copy / "store" / "locks" / name).unlink()
    (copy / "store" / "segments" / name).write_bytes(bytes(room.RESERVE))
    forget(filled, "index")
    assert name in {each.segment for each in damages(filled)}


def test_what_collect_takes_away_is_not_missed(tmp_path: Path) -> None:
    """Neither afterwards nor without the note of what was retired, for the witness forgets it."""
    filled = fill(tmp_path, segments=4, entries=3)
    with filled.open() as store:
        with store.transaction(exclusive=True) as tx:
            tx.expire(list(filled.bodies)[:7])
        collect(store, threshold=0.0)
        assert verify(store, read_data=True).ok
    forget(filled, "index", "retired")
    assert damages(filled) == ()


@pytest.mark.parametrize("how", ["cut", "zeroed", "garbled"])
def test_without_any_witness_a_segment_without_commits_is_named(tmp_path: Path, how: str) -> None:
    """A killed writer leaves room held ready behind it: a file without it was not left by one."""
    filled = fill(tmp_path, segments=3, entries=1)
    path = segment_files(filled)[1]
    destroy(path, how, 0)
    forget(filled, "index", "witness")
    assert path.name in {each.segment for each in damages(filled)}
    salvage(tmp_path / "store", tmp_path / "keys", files=QuickFiles())
    assert path.name not in {each.segment for each in damages(filled)}


@pytest.mark.parametrize(
    ("how", "is_noted"),
    [
        *((how, True) for how in ("cut", "cut at a commit", "zeroed", "garbled")),
        # Of what was cut without a witness nobody can tell that there was more.
        *((how, False) for how in ("zeroed", "garbled")),
    ],
)
def test_collect_takes_no_damaged_segment_away(tmp_path: Path, how: str, is_noted: bool) -> None:
    """It is left where it is, for a salvage or a repaired disk, though no index knows of it any
    more, and nothing in it is in use as far as can be seen."""
    filled = fill(tmp_path, segments=3, entries=2)
    path = segment_files(filled)[1]
    whole = path.read_bytes()
    destroy(path, how, first_commit_end(filled, path.name) if how == "cut at a commit" else 0)
    forget(filled, *(["index"] if is_noted else ["index", "witness"]))
    left = path.read_bytes()
    with filled.open() as store:
        # Nothing else is in use: what still reads of the segment would be garbage.
        seen = {entry.id for entry in store.entries()}
        with store.transaction(exclusive=True) as tx:
            tx.expire(list(seen))
        report = collect(store, threshold=0.0)
        assert path.read_bytes() == left
        [(name, why)] = report.skipped
        assert name == path.name and "damaged" in why
        assert path.name in {each.segment for each in verify(store, read_data=True).damages}
    path.write_bytes(whole)
    forget(filled, "index")
    with filled.open() as store:
        assert {entry.id for entry in store.entries()} == filled.bodies.keys() - seen


@pytest.mark.parametrize("size", [0, room.RESERVE])
def test_what_a_writer_leaves_that_was_killed_early_is_no_damage(tmp_path: Path, size: int) -> None:
    """An empty file, or one that holds nothing but room."""
    filled = fill(tmp_path, segments=1)
    (tmp_path / "store" / "segments" / clock.new_id()).write_bytes(bytes(size))
    assert damages(filled) == ()


def test_a_reboot_takes_no_evidence_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is built anew after it, and still knows which segments there were."""
    filled = fill(tmp_path)
    path = segment_files(filled)[0]
    end = path.stat().st_size
    forget(filled, "witness")
    monkeypatch.setattr(clock, "boot_id", lambda: "another boot")
    path.unlink()
    for _ in range(2):
        [mine] = [each for each in damages(filled) if each.segment == path.name]
        assert mine.offset == 0 and end - 200 < mine.length <= end


@pytest.mark.parametrize("data", [b"", b"\0" * 90, b'{"format":1,"ends":{},"check":"00"}\n', b"[]"])
def test_a_witness_that_does_not_read_is_damage(tmp_path: Path, data: bytes) -> None:
    """It is named, kept as it is, and made again by a salvage."""
    filled = fill(tmp_path)
    place = tmp_path / "store" / "witness"
    before = place.read_bytes()
    place.write_bytes(data)
    with filled.open() as store:
        filled.add(store)
        store.end_segment()
        assert ["witness" in each.what for each in verify(store).damages] == [True]
    assert place.read_bytes() == data
    salvage(tmp_path / "store", tmp_path / "keys", files=QuickFiles())
    assert damages(filled) == ()
    with filled.open() as store:
        assert len(read_witness(store.layout)) == 4
    assert place.read_bytes() != before


def test_a_later_witness_is_refused(tmp_path: Path) -> None:
    """It is never half read, and never written over."""
    filled = fill(tmp_path)
    place = tmp_path / "store" / "witness"
    place.write_bytes(b'{"format":2}')
    with filled.open() as store:
        filled.add(store)
        with pytest.raises(Newer):
            verify(store)
    assert place.read_bytes() == b'{"format":2}'


def test_two_writers_both_leave_their_word(tmp_path: Path) -> None:
    """Neither overwrites what the other has noted."""
    filled = Filled(tmp_path)
    with filled.open() as one, filled.open() as two:
        for _ in range(3):
            filled.add(one)
            filled.add(two)
            one.end_segment()
            two.end_segment()
    with filled.open() as store:
        assert read_witness(store.layout).keys() == {each.name for each in segment_files(filled)}


def test_reading_leaves_the_witness_alone(tmp_path: Path) -> None:
    """Who wrote nothing notes nothing."""
    filled = fill(tmp_path)
    forget(filled, "witness")
    with filled.open() as store:
        entry_segments(store)
        verify(store)
    assert not (tmp_path / "store" / "witness").exists()


def test_what_was_given_up_is_named_as_long_as_it_is_missed(tmp_path: Path) -> None:
    """After a salvage the checkpoint that lost content is no whole store; once dropped, it is."""
    filled = fill(tmp_path)
    hurt = list(filled.bodies)[3]
    with filled.open() as store:
        path = store.layout.segments / entry_segments(store)[hurt]
    data = path.read_bytes()
    at = data.index(filled.parts[hurt][0])
    path.write_bytes(data[:at] + b"\0" * 9 + data[at + 9 :])
    report = salvage(tmp_path / "store", tmp_path / "keys", files=QuickFiles())
    assert report.affected == (hurt,)
    for index in ("kept", "gone"):
        if index == "gone":
            forget(filled, "index")
        with filled.open() as store:
            found = verify(store)
        assert not found.ok
        assert found.known_losses == (hurt,)
        [damage] = found.damages
        assert damage.affected == (hurt,) and damage.chunks == (filled.links[hurt][0],)
        assert "salvage" in damage.what and "expire" in damage.what
    with filled.open() as store:
        with store.transaction(exclusive=True) as tx:
            tx.expire([hurt])
        assert verify(store, read_data=True).ok
