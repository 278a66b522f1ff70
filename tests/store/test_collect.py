"""Collect frees what nothing reaches and loses nothing, whoever writes, reads or dies meanwhile."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jupyter_rewind.errors import Conflict, Integrity, NotFound, Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store import locks
from jupyter_rewind.store.collect import upkeep_lock
from jupyter_rewind.store.framing import HEAD_SIZE
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect, estimate_freed, verify
from tests.support.stores import (
    Filled,
    Stopped,
    StoppingFiles,
    entry_segments,
    fill,
    noise,
    records,
    segment_files,
)


def expire(store: Repository, names: list[EntryId]) -> None:
    with store.transaction(exclusive=True) as tx:
        tx.expire(names)


def on_disk(filled: Filled) -> int:
    return sum(path.stat().st_size for path in segment_files(filled))


def every_third(filled: Filled) -> tuple[list[EntryId], list[EntryId]]:
    """Kept and expired ids."""
    names = list(filled.bodies)
    return names[::3], [name for at, name in enumerate(names) if at % 3]


@pytest.mark.parametrize("one_segment", [False, True])
def test_collect_frees_what_expire_promised(tmp_path: Path, one_segment: bool) -> None:
    """The estimate is right within a tenth, and what stays reads byte for byte."""
    filled = fill(tmp_path, segments=1 if one_segment else 6, entries=60 if one_segment else 10)
    with filled.open() as store:
        collect(store)
        kept, gone = every_third(filled)
        promised = estimate_freed(store, gone)
        expire(store, gone)
        store.end_segment()
        before = on_disk(filled)
        report = collect(store)
        assert report.freed_bytes == before - on_disk(filled)
        assert report.freed_bytes == pytest.approx(promised, rel=0.1)
        assert report.freed_bytes > before * 0.4
        assert all(filled.reads(store, name) for name in kept)
        for name in gone:
            with pytest.raises(NotFound):
                store.entry(name)
        assert verify(store, read_data=True).ok


def test_content_of_expired_entries_is_gone(tmp_path: Path) -> None:
    """Chunks that only expired entries named are not on the disk any more."""
    filled = fill(tmp_path)
    with filled.open() as store:
        kept, gone = every_third(filled)
        shared = {link for name in kept for link in filled.links[name]}
        expire(store, gone)
        collect(store)
        for name in gone:
            for link in filled.links[name]:
                assert store.has(link) == (link in shared)


def test_collect_does_not_work_twice(tmp_path: Path) -> None:
    """A second collect finds nothing to do, and a third neither."""
    filled = fill(tmp_path)
    with filled.open() as store:
        expire(store, every_third(filled)[1])
        collect(store)
        collect(store)
        names = segment_files(filled)
        report = collect(store)
        assert (report.freed_bytes, report.segments_removed) == (0, 0)
        assert segment_files(filled) == names


def test_a_dry_run_says_what_collect_does(tmp_path: Path) -> None:
    """Its estimate is right within a tenth, and no content moved."""
    filled = fill(tmp_path)
    with filled.open() as store:
        expire(store, every_third(filled)[1])
        store.end_segment()
        names = segment_files(filled)
        told = collect(store, dry_run=True)
        assert segment_files(filled) == names
        done = collect(store)
        assert told.dry_run and not done.dry_run
        assert told.freed_bytes == pytest.approx(done.freed_bytes, rel=0.1)


def test_many_small_segments_become_one(tmp_path: Path) -> None:
    """Each run of the command line leaves a segment; collect keeps their number down."""
    filled = fill(tmp_path, segments=20, entries=1)
    with filled.open() as store:
        report = collect(store)
        assert report.segments_removed == 20
        assert len(segment_files(filled)) == 1
        assert all(filled.reads(store, name) for name in filled.bodies)


def test_expired_entries_stay_expired_without_the_index(tmp_path: Path) -> None:
    """Marks live as long as any segment holds the entry, so nothing comes back from the dead."""
    filled = fill(tmp_path, segments=4)
    kept, gone = every_third(filled)
    for _ in range(3):
        with filled.open() as store:
            expire(store, gone[: len(gone) // 2])
            collect(store, threshold=0.5)
            gone = gone[len(gone) // 2 :] or gone
        for path in (tmp_path / "store").glob("index*"):
            path.unlink()
        with filled.open() as store:
            store.refresh()
            expected = {entry.id for entry in store.entries()}
            assert set(kept) <= expected
            still = set(filled.bodies) - set(kept) - set(gone)
            assert not still & expected


def test_what_a_difference_stands_on_stays(tmp_path: Path) -> None:
    """The entry of a node expires, and a later node elsewhere is told as a difference from it."""
    filled = Filled(tmp_path)
    with filled.open() as store:
        gone = filled.add(store)
        with store.transaction() as tx:
            waste = tx.add("waste", keys=[], body={}, roots=tx.put(noise("waste", 90_000)))
        store.end_segment()
        filled._count = 2
        kept = filled.add(store)
        assert store.delta_base(filled.roots[kept]) == filled.roots[gone]
        with store.transaction() as tx:
            tx.add("much", keys=[], body={}, roots=tx.put(noise("much", 90_000)))
        store.end_segment()
        stays = entry_segments(store)[kept]
        expire(store, [gone, waste.id])
        report = collect(store)
        assert report.freed_bytes > 80_000
        assert entry_segments(store)[kept] == stays
        store.forget_read()
        assert filled.reads(store, kept)
        assert verify(store, read_data=True).ok


def test_a_mark_outlives_the_segment_it_stood_in(tmp_path: Path) -> None:
    """The expired entry's own segment stays: the mark must, too, or a new index shows it again."""
    filled = Filled(tmp_path)
    with filled.open() as store:
        gone = filled.add(store)
        with store.transaction() as tx:
            tx.add("much", keys=[], body={}, roots=tx.put(noise("much", 90_000)))
        store.end_segment()
        stays = entry_segments(store)[gone]
        with store.transaction() as tx:
            waste = tx.add("waste", keys=[], body={}, roots=tx.put(noise("waste", 90_000)))
        expire(store, [gone])
        store.end_segment()
        expire(store, [waste.id])
        store.end_segment()
        assert collect(store).freed_bytes > 80_000
        assert stays in {path.name for path in segment_files(filled)}
    for path in (tmp_path / "store").glob("index*"):
        path.unlink()
    with filled.open() as store:
        store.refresh()
        assert {entry.kind for entry in store.entries()} == {"much"}


def test_a_reader_with_the_old_segments_goes_on(tmp_path: Path) -> None:
    """A kernel that had everything indexed and open before the collect reads as before."""
    filled = fill(tmp_path, segments=4)
    with filled.open(index_path=tmp_path / "elsewhere.sqlite") as reader:
        reader.refresh()
        kept, gone = every_third(filled)
        assert all(filled.reads(reader, name) for name in kept)
        with filled.open() as store:
            expire(store, gone)
            assert collect(store).segments_removed == 4
        reader.forget_read()
        assert all(filled.reads(reader, name) for name in kept)
        assert verify(reader, read_data=True).ok
        reader.refresh()
        links = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
        mine = [link for link in links if link.startswith(str(filled.folder))]
        assert not [link for link in mine if "(deleted)" in link]


def test_content_saved_again_in_the_middle_is_kept(tmp_path: Path) -> None:
    """Between mark and removal another writer names garbage that it found stored: it stays."""
    filled = fill(tmp_path, segments=4)
    kept, gone = every_third(filled)
    with filled.open() as store, filled.open() as other:
        expire(store, gone)
        late: list[EntryId] = []

        def meanwhile(done: int, total: int) -> None:
            if not late:
                late.append(filled.add(other, parts=filled.parts[gone[0]]))
                with other.transaction() as tx:
                    node = filled.roots[gone[5]]
                    late.append(tx.add("checkpoint", keys=[], body={}, roots=[node]).id)
                filled.bodies[late[1]] = filled.bodies[gone[5]]
                filled.links[late[1]] = filled.links[gone[5]]
                filled.parts[late[1]] = filled.parts[gone[5]]
                filled._base = filled.roots[gone[-1]]
                late.append(filled.add(other))

        report = collect(store, progress=meanwhile)
        assert report.segments_removed >= 4
        assert len(late) == 3
        other.forget_read()
        for place in (store, other):
            assert all(filled.reads(place, name) for name in [*kept, *late])
        assert verify(store, read_data=True).ok


def test_segments_being_written_are_left_alone(tmp_path: Path) -> None:
    """What a living writer holds is not touched, and the report says how much waits there."""
    filled = fill(tmp_path, segments=1)
    with filled.open() as writer, filled.open() as store:
        late = [filled.add(writer) for _ in range(20)]
        expire(store, late)
        report = collect(store)
        assert report.waiting_bytes > 20_000
        assert writer.writer.segment in {path.name for path in segment_files(filled)}
        assert filled.reads(writer, next(iter(filled.bodies)))


def test_one_collect_at_a_time(tmp_path: Path) -> None:
    """The second is told so and changes nothing."""
    filled = fill(tmp_path)
    with (
        filled.open() as store,
        upkeep_lock(store.layout, "salvage"),
        pytest.raises(Conflict, match="another collect or salvage"),
    ):
        collect(store)


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has no locks nobody knows who writes: refused, with words."""
    filled = fill(tmp_path)
    names = segment_files(filled)

    def no_lock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with filled.open() as store:
        expire(store, every_third(filled)[1])
        monkeypatch.setattr(locks, "_calls", lambda: locks._system_calls(no_lock, (1, 2), 8))
        with pytest.raises(Unavailable, match="no working locks"):
            collect(store)
        assert set(names) <= set(segment_files(filled))


def test_a_writer_that_only_adds_builds_on_nothing_that_was_removed(tmp_path: Path) -> None:
    """It knew the content before a collect took it, and never looks at the store again by
    itself: what it names is there all the same."""
    filled = fill(tmp_path)
    with filled.open() as store, filled.open() as adder:
        _, gone = every_third(filled)
        with adder.transaction() as tx:
            tx.add("note", keys=[], body={})
        raws = {name: adder.get(filled.roots[name]) for name in gone}
        expire(store, gone)
        assert collect(store).segments_removed
        for raw in raws.values():
            with adder.transaction() as tx:
                tx.add("note", keys=[], body={}, roots=tx.put(raw))
        adder.end_segment()
        store.refresh()
        assert verify(store, read_data=True).ok


def test_collect_refuses_a_damaged_store(tmp_path: Path) -> None:
    """What an unreadable node names must not be taken for garbage."""
    filled = fill(tmp_path)
    with filled.open() as store:
        expire(store, every_third(filled)[1])
        hurt = every_third(filled)[0][0]
        segment = entry_segments(store)[hurt]
        record = next(r for r in records(store, segment) if r.id == filled.roots[hurt])
        with open(store.layout.segments / segment, "r+b") as file:
            file.seek(record.offset + HEAD_SIZE)
            file.write(bytes(20))
        before = segment_files(filled)
        store.forget_read()
        with pytest.raises(Integrity, match="damaged"):
            collect(store)
        assert set(before) <= set(segment_files(filled))


@pytest.mark.crash
def test_stopped_at_any_step_nothing_is_lost(tmp_path: Path) -> None:
    """Before every single step of a collect the process may end; all that is alive still reads,
    and the next collect comes to the same end."""
    step = 0
    while True:
        filled = fill(tmp_path / str(step), segments=3, entries=6)
        kept, gone = every_third(filled)
        with filled.open() as store:
            expire(store, gone)
        stopped = False
        store = Repository.open(
            filled.folder / "store", key_folder=filled.folder / "keys", files=StoppingFiles(step)
        )
        try:
            collect(store)
        except Stopped:
            stopped = True
        with filled.open() as after:
            assert {entry.id for entry in _seen(after)} == set(kept)
            assert all(filled.reads(after, name) for name in kept)
            assert verify(after, read_data=True).ok
            if not stopped:
                break
            filled.add(after)
            del store
            collect(after)
            assert all(filled.reads(after, name) for name in kept)
        step += 1
    assert step > 8


def _seen(store: Repository) -> list[object]:
    store.refresh()
    return list(store.entries())  # type: ignore[return-value]
