"""Another key for a store: all that was kept is there, and what the old key makes is nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_rewind.errors import Conflict, Full, Integrity, RewindError
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.store.framing import Seal
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.rotation import Rotated, rotate
from jupyter_rewind.store.segments import SegmentReader
from jupyter_rewind.store.verify import verify
from tests.support.stores import (
    Filled,
    QuickFiles,
    Stopped,
    StoppingFiles,
    fill,
    noise,
    segment_files,
)


def same(entry: Entry, old: Layout, new: Layout) -> Entry:
    return entry


def change(filled: Filled, files: QuickFiles | None = None) -> Rotated:
    with filled.open() as repository:
        layout = repository.layout
    return rotate(layout, filled.folder / "keys", files or QuickFiles(), same)


def is_whole(filled: Filled) -> bool:
    with filled.open() as repository:
        report = verify(repository, read_data=True)
        assert report.ok, report.damages
        assert {entry.id for entry in repository.entries()} == filled.bodies.keys()
        return all(filled.reads(repository, name) for name in filled.bodies)


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return fill(tmp_path)


def test_everything_is_there_under_another_key(filled: Filled) -> None:
    """The same entries, contents and order; deltas, too; and work goes on."""
    with filled.open() as repository:
        before = [(entry.id, entry.order) for entry in repository.entries()]
        old = repository.layout
    told = change(filled)
    assert is_whole(filled)
    with filled.open() as repository:
        assert [(entry.id, entry.order) for entry in repository.entries()] == before
        assert repository.layout.key != old.key and repository.store_id == told.after
        filled.add(repository)
    assert is_whole(filled)
    assert told.old_key.read_bytes() == old.key and told.before == old.store_id
    assert told.new_key.stat().st_mode & 0o777 == 0o600
    assert not [p for p in (filled.folder / "store" / "segments").iterdir() if p.name[0] == "."]


def test_nothing_there_fits_the_old_key(filled: Filled) -> None:
    """No record of any segment; and what the old key would make is not believed."""
    with filled.open() as repository:
        old = repository.layout
    kept = {path.name: path.read_bytes() for path in segment_files(filled)}
    change(filled)
    for path in segment_files(filled):
        with path.open("rb") as file:
            seal = Seal(old.key, old.store_id, path.name)
            assert not list(SegmentReader(file.fileno(), seal, path.stat().st_size).intact())
    name, data = kept.popitem()
    (filled.folder / "store" / "segments" / name).write_bytes(data)
    with filled.open() as repository:
        assert not verify(repository, read_data=True).ok


def test_whoever_has_the_old_store_open_is_told(filled: Filled) -> None:
    """A server that was idle meanwhile: nothing of its next save goes where nobody can read it,
    and the words say what helps."""
    with filled.open(index_path=filled.folder / "other" / "index") as idle:
        idle.refresh()
        change(filled)
        with pytest.raises(RewindError, match="replaced by another") as caught:
            Filled(filled.folder).add(idle)
        assert "anew" in caught.value.hint
    assert is_whole(filled)


def test_nobody_may_be_writing(filled: Filled) -> None:
    """A running server or kernel: it is refused, and nothing has changed."""
    with filled.open(index_path=filled.folder / "other" / "index") as writer:
        filled.add(writer)
        with pytest.raises(Conflict, match="running servers or kernels"):
            change(filled)
        filled.add(writer)
    assert is_whole(filled)
    assert len(list((filled.folder / "keys").iterdir())) == 1


def test_damage_gets_no_new_tag(filled: Filled) -> None:
    """It would be hidden for good: refused, and told."""
    path = segment_files(filled)[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    before = {each: each.read_bytes() for each in segment_files(filled)}
    with pytest.raises(Integrity, match="damaged"):
        change(filled)
    assert {each: each.read_bytes() for each in segment_files(filled)} == before
    assert len(list((filled.folder / "keys").iterdir())) == 1


class SmallDisk(QuickFiles):
    """A disk that is full after so many bytes."""

    left = 30_000

    def write_at(
        self, descriptor: int, parts: list[bytes | memoryview], offset: int, path: Path
    ) -> None:
        self.left -= sum(map(len, parts))
        if self.left < 0:
            raise Full("no room")
        super().write_at(descriptor, parts, offset, path)


def test_a_full_disk_changes_nothing(filled: Filled) -> None:
    """And what was begun is taken away again."""
    before = {each: each.read_bytes() for each in segment_files(filled)}
    with pytest.raises(Full):
        change(filled, SmallDisk())
    assert {each: each.read_bytes() for each in segment_files(filled)} == before
    assert is_whole(filled)


def test_stopped_anywhere_it_is_the_one_or_the_other(tmp_path: Path) -> None:
    """Killed before each of its steps: the store opens, whole, with the old key or the new one,
    and the key can be changed again."""
    step, stopped = 0, True
    while stopped:
        filled = fill(tmp_path / f"at-{step}", segments=2, entries=2)
        files = StoppingFiles(step)
        try:
            change(filled, files)
            stopped = False
        except Stopped:
            pass
        assert is_whole(filled), step
        change(filled)
        assert is_whole(filled), step
        step += 1
    assert step > 12


def test_large_contents_and_many_commits_survive(tmp_path: Path) -> None:
    """More than is written at once, and commits that pack differently than before."""
    filled = Filled(tmp_path)
    with filled.open() as repository:
        for number in range(60):
            size = 9 << 20 if number == 20 else 300
            filled.add(repository, parts=[noise(f"part {number}", size)])
    change(filled)
    assert is_whole(filled)


def test_a_key_that_vanished_in_between_is_asked_for(filled: Filled) -> None:
    """Decided and killed, and the new key gone: nothing is taken for damage, and the words say
    which file is missing."""
    with filled.open() as repository:
        layout = repository.layout
    files = _StopAfterDeciding()
    with pytest.raises(Stopped):
        rotate(layout, filled.folder / "keys", files, same)
    [new] = [p for p in (filled.folder / "keys").iterdir() if layout.store_id not in p.name]
    aside = new.rename(new.with_suffix(".aside"))
    with pytest.raises(RewindError, match="just getting") as caught:
        Repository.open(layout.folder, key_folder=filled.folder / "keys")
    assert caught.value.code == "no_key"
    aside.rename(new)
    assert is_whole(filled)


class _StopAfterDeciding(QuickFiles):
    _decided = False

    def replace_file(self, path: Path, data: bytes, *args: object, **options: object) -> object:
        result = super().replace_file(path, data, *args, **options)  # type: ignore[arg-type]
        self._decided |= path.name == "rotating"
        return result

    def rename(self, source: Path, target: Path) -> None:
        if self._decided and source.name.startswith(".rekeyed-"):
            raise Stopped
        super().rename(source, target)


@pytest.mark.parametrize("told", [b"", b"{", b"[]", b'{"format":1}', b"\xff"])
def test_a_change_of_the_key_that_does_not_read_is_told(tmp_path: Path, told: bytes) -> None:
    """The store stays as it is, and the words name the file."""
    filled = fill(tmp_path, segments=1)
    marker = tmp_path / "store" / "rotating"
    marker.write_bytes(told)
    with pytest.raises(Integrity, match="rotating does not read"), filled.open():
        pass
    marker.unlink()
    with filled.open() as store:
        assert all(filled.reads(store, name) for name in filled.bodies)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_that_leads_nowhere_stops_no_change_of_the_key(filled: Filled) -> None:
    """Editors lock by such; it is no segment."""
    (filled.folder / "store" / "segments" / ".#notes").symlink_to("me@here.1:2")
    change(filled)
    assert is_whole(filled)
