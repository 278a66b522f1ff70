"""A segment that this user may not read, and what is no segment at all, cost themselves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_rewind.errors import Denied
from jupyter_rewind.store import chunks
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.shut import say_shut
from jupyter_rewind.store.upkeep import collect, salvage, verify
from jupyter_rewind.store.verify import known_losses
from tests.support.stores import Filled, QuickFiles, entry_segments, fill, noise, segment_files


class ShutFiles(QuickFiles):
    """As for a user who may not read one of the segments."""

    shut = ""

    def open(self, path: Path) -> int:
        if path.name == self.shut:
            raise Denied(f"Could not open {path}: permission denied.")
        return super().open(path)


class CountingFiles(QuickFiles):
    """Remembers which segments were opened."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def open(self, path: Path) -> int:
        if path.parent.name == "segments":
            self.seen.append(path.name)
        return super().open(path)


def shut(filled: Filled, which: int = 1) -> tuple[ShutFiles, set[str]]:
    """What opens the store without one of its segments, and what is in that; no index knows it."""
    files = ShutFiles()
    files.shut = segment_files(filled)[which].name
    with filled.open() as store:
        mine = {name for name, segment in entry_segments(store).items() if segment == files.shut}
    for path in (filled.folder / "store").glob("index*"):
        path.unlink()
    return files, mine


def opened(filled: Filled, files: QuickFiles) -> Repository:
    return Repository.open(filled.folder / "store", key_folder=filled.folder / "keys", files=files)


def test_a_segment_that_may_not_be_read_costs_itself_alone(tmp_path: Path) -> None:
    """What stands elsewhere is listed, own commits go on, and damage is told; as soon as it may be
    read, all of it is there."""
    filled = fill(tmp_path)
    files, mine = shut(filled)
    with opened(filled, files) as store:
        added = filled.add(store)
        assert {entry.id for entry in store.entries()} == filled.bodies.keys() - mine
        assert files.shut in dict(store.gaps())
        files.shut = ""
        store.refresh()
        assert {entry.id for entry in store.entries()} == filled.bodies.keys()
        assert store.gaps() == []
        assert filled.reads(store, added)
    with filled.open() as store:
        assert verify(store, read_data=True).ok


def test_what_is_told_from_content_in_it_is_stored_whole(tmp_path: Path) -> None:
    """Also where the index knows the segment: who made it with sudo told the index as well."""
    filled = fill(tmp_path)
    with filled.open() as store, store.transaction() as tx:
        base = tx.put_node(noise("base", 3000), [])
        tx.add("note", keys=["k"], body={}, roots=[base])
    files = ShutFiles()
    files.shut = max(segment_files(filled), key=lambda path: path.stat().st_mtime_ns).name
    with opened(filled, files) as store:
        with store.transaction() as tx:
            told = tx.put_node(noise("base", 3000) + b"more", [], base=base)
            tx.add("note", keys=["k"], body={}, roots=[told])
        assert store.get(told).endswith(b"more")


def shut_late(filled: Filled) -> ShutFiles:
    """What opens the store when the index knows a segment that may not be read: whoever wrote it,
    with sudo, say, told the index, too."""
    files = ShutFiles()
    path = max(segment_files(filled), key=lambda path: path.stat().st_mtime_ns)
    files.shut = path.name
    path.chmod(0)
    return files


def test_content_in_it_counts_as_not_stored(tmp_path: Path) -> None:
    """What is kept from now on is whole, whatever becomes of what this user may not read."""
    filled = fill(tmp_path, segments=2, entries=2)
    part = noise("part of both", 5000)
    with filled.open() as store:
        filled.add(store, parts=[part])
        [name] = [chunks.digest(part)]
        assert store.has(name)
    files = shut_late(filled)
    with opened(filled, files) as store:
        assert list(store.shut()) == [files.shut]
        assert not store.has(name) and store.known([name]) == {}
        added = filled.add(store, parts=[part])
        assert filled.reads(store, added) and store.has(name)
        with store.index() as index:
            assert len(index.places(name)) == 2


def test_nothing_can_be_named_that_stands_in_it_alone(tmp_path: Path) -> None:
    """Whoever tries hears why."""
    filled = fill(tmp_path, segments=1, entries=1)
    files = shut_late(filled)
    [name] = [one for links in filled.links.values() for one in links[:1]]
    with opened(filled, files) as store, pytest.raises(Denied), store.transaction() as tx:
        tx.add("note", keys=["k"], body={}, roots=[name])


def test_what_may_be_read_again_counts_as_stored_again(tmp_path: Path) -> None:
    """Also where not a byte of it has changed."""
    filled = fill(tmp_path, segments=2, entries=2)
    files = shut_late(filled)
    with opened(filled, files) as store:
        [name, *_] = [
            each for links in filled.links.values() for each in links if not store.has(each)
        ]
        (tmp_path / "store" / "segments" / files.shut).chmod(0o600)
        files.shut = ""
        store.refresh()
        assert store.shut() == {} and store.has(name)


def test_what_others_wrote_and_all_may_read_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of several users costs no look at each segment with each commit."""
    filled = fill(tmp_path, segments=3, entries=1)
    files = CountingFiles()
    for path in segment_files(filled):
        os.utime(path, (1, 1))  # nobody writes to them any more
    mine = os.getuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with opened(filled, files) as store:
        for _ in range(3):
            store.refresh()
    assert sorted(files.seen) == [path.name for path in segment_files(filled)]


def test_verify_names_it_and_how_to_open_it(tmp_path: Path) -> None:
    """It is no whole store, and nothing of it is given up."""
    filled = fill(tmp_path)
    files, _ = shut(filled)
    with opened(filled, files) as store:
        told = [each.what for each in verify(store).damages if each.segment == files.shut]
    assert len(told) == 1 and "sudo chown $USER" in told[0] and files.shut in told[0]
    with filled.open() as store:
        assert verify(store, read_data=True).ok


def test_nothing_is_taken_away_that_it_may_need(tmp_path: Path) -> None:
    """What it names is not known, so nothing counts as garbage."""
    filled = fill(tmp_path)
    files, mine = shut(filled)
    with opened(filled, files) as store:
        with store.transaction(exclusive=True) as tx:
            tx.expire(list(filled.bodies.keys() - mine))
        with pytest.raises(Denied, match=files.shut):
            collect(store, threshold=0.0)
    with filled.open() as store:
        assert all(filled.reads(store, name) for name in mine)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_salvage_leaves_it_and_says_so(tmp_path: Path, elsewhere: bool) -> None:
    """Of the others all is kept."""
    filled = fill(tmp_path)
    files, mine = shut(filled)
    into = tmp_path / "other" if elsewhere else None
    places = (tmp_path / "store", tmp_path / "keys")
    report = salvage(*places, files=files, into=into)
    assert [name for name, _ in report.skipped] == [files.shut]
    assert not report.set_aside
    with Repository.open(into or places[0], key_folder=places[1], files=QuickFiles()) as store:
        kept = {entry.id for entry in store.entries(kind="checkpoint")}
    assert kept == (filled.bodies.keys() - mine if elsewhere else filled.bodies.keys())


def test_a_kernel_goes_on_without_it(tmp_path: Path) -> None:
    """It reads what it may, and commits."""
    filled = fill(tmp_path)
    files, mine = shut(filled)
    kernel = KernelStore.open(tmp_path / "store", key_folder=tmp_path / "keys", files=files)
    kernel.refresh()
    assert {entry.id for entry in kernel.entries()} == filled.bodies.keys() - mine
    kernel.close()


def test_a_folder_among_the_segments_is_none(tmp_path: Path) -> None:
    """A file server puts one of its own into each folder; people put copies."""
    filled = fill(tmp_path)
    (tmp_path / "store" / "segments" / "@eaDir").mkdir()
    for path in (tmp_path / "store").glob("index*"):
        path.unlink()
    with filled.open() as store:
        filled.add(store)
        assert all(filled.reads(store, name) for name in filled.bodies)
        collect(store, threshold=0.0)
        assert verify(store, read_data=True).ok
    salvage(tmp_path / "store", tmp_path / "keys", files=QuickFiles())
    kernel = KernelStore.open(tmp_path / "store", key_folder=tmp_path / "keys")
    kernel.refresh()
    assert {entry.id for entry in kernel.entries(kind="checkpoint")} == filled.bodies.keys()
    kernel.close()


def test_salvage_gives_nothing_up_that_may_stand_where_nobody_may_read(tmp_path: Path) -> None:
    """Others name what is in it: as soon as it may be read, all of it is there."""
    filled = fill(tmp_path)
    with filled.open() as store, store.transaction() as tx:
        tx.add("note", keys=["k"], body={}, roots=filled.roots.values())
    files, _ = shut(filled, 0)
    report = salvage(tmp_path / "store", tmp_path / "keys", files=files)
    assert report.lost == ()
    with filled.open() as store:
        assert all(filled.reads(store, name) for name in filled.bodies)
        assert known_losses(store) == set()
        assert verify(store, read_data=True).ok


def test_a_segment_whose_own_mode_is_in_the_way_is_opened_by_its_owner(tmp_path: Path) -> None:
    """Where the owner may not read it, another owner would not help."""
    path = tmp_path / "a segment"
    path.write_bytes(b"")
    error = Denied("no")
    path.chmod(0)
    assert f"`chmod u+rw '{path}'` gives it back" in say_shut(path, error)
    path.chmod(0o600)
    assert "sudo chown $USER" in say_shut(path, error)
