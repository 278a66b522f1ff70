"""A store whose files are replaced, moved or removed while processes have it open."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, Full, Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.locks import Barrier, FileLock
from jupyter_rewind.store.plan import is_busy
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect, verify
from tests.support.stores import Filled, QuickFiles, noise


def put_back_a_copy(store: Path) -> None:
    """As from a backup: all the files are others now, and hold what they held."""
    store.rename(store.with_name("moved"))
    shutil.copytree(store.with_name("moved"), store)


def put_back_an_older_copy(store: Path) -> None:
    shutil.rmtree(store)
    shutil.copytree(store.with_name("backup"), store)


def remove_segments(store: Path) -> None:
    for each in (store / "segments").iterdir():
        each.unlink()


def remove_locks(store: Path) -> None:
    for each in (store / "locks").iterdir():
        each.unlink()


WAYS = [put_back_a_copy, put_back_an_older_copy, remove_segments, remove_locks]


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return Filled(tmp_path)


def require_all(filled: Filled) -> None:
    """Another process finds every entry with its content, and no damage."""
    with filled.open(index_path=filled.folder / "others.sqlite") as other:
        other.refresh()
        assert {entry.id for entry in other.entries()} == set(filled.roots)
        for name, root in filled.roots.items():
            body, links = filled.bodies[name], filled.links[name]
            node = other.get_node(root)
            assert (node.body, node.links) == (body, links)
            assert [other.get(link) for link in links] == filled.parts[name]
        assert verify(other, read_data=True).ok
    (filled.folder / "others.sqlite").unlink()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ends", ["while it is open", "when it is closed"])
def test_what_was_acknowledged_is_found_by_others(
    filled: Filled, way: Callable[[Path], None], ends: str
) -> None:
    """A process that has the store open loses nothing of its own, and what it keeps from then on
    counts for everybody."""
    repository = filled.open()
    for _ in range(5):
        filled.add(repository)
    shutil.copytree(filled.folder / "store", filled.folder / "backup")
    for _ in range(5):
        filled.add(repository)
    way(filled.folder / "store")
    if ends == "while it is open":
        for _ in range(3):
            filled.add(repository)
            require_all(filled)
        repository.refresh()
        assert {entry.id for entry in repository.entries()} == set(filled.roots)
        assert verify(repository, read_data=True).ok
    repository.close()
    require_all(filled)


def test_it_happens_again_and_again(filled: Filled) -> None:
    """Each time all of it moves on."""
    repository = filled.open()
    for way in (remove_segments, remove_segments, remove_locks, remove_segments, put_back_a_copy):
        filled.add(repository)
        way(filled.folder / "store")
        filled.add(repository)
        require_all(filled)
    repository.close()
    require_all(filled)


@pytest.mark.parametrize("way", WAYS)
def test_a_kernels_states_are_found_by_others(tmp_path: Path, way: Callable[[Path], None]) -> None:
    """The same for the store as a kernel writes it, which has no index."""
    store = KernelStore.open(tmp_path / "store", key_folder=tmp_path / "keys", files=QuickFiles())
    wanted: dict[str, bytes] = {}

    def keep(number: int) -> None:
        raw = noise(f"state {number}", 3000)
        with store.block() as block:
            name = block.put_chunk(raw)
            node = block.put_node(b"node %d" % number, [name])
            wanted[block.add("snapshot", keys=["run:r"], body={}, roots=[node]).id] = raw

    for number in range(3):
        keep(number)
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    for number in range(3, 6):
        keep(number)
    way(tmp_path / "store")
    for number in range(6, 8):
        keep(number)
    for reader in (store, KernelStore(store.layout, QuickFiles())):
        reader.refresh()
        assert {entry.id for entry in reader.entries()} == set(wanted)
    store.close()
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as other:
        other.refresh()
        for entry in other.entries():
            [link] = other.get_node(entry.roots[0]).links
            assert other.get(link) == wanted[entry.id]
        assert verify(other, read_data=True).ok


class Small(QuickFiles):
    """A disk that is full while `is_full`."""

    is_full = False

    def write_at(self, *args: object) -> None:
        if self.is_full:
            raise Full("no room")
        super().write_at(*args)  # type: ignore[arg-type]


def test_what_waits_for_room_is_not_forgotten(filled: Filled) -> None:
    """The disk is full as the segment goes: what was acknowledged is kept in memory of the open
    file, and stands again with the next commit that succeeds."""
    repository = filled.open()
    files = Small()
    repository.files = files
    repository.writer._files = files
    for _ in range(3):
        filled.add(repository)
    remove_segments(filled.folder / "store")
    files.is_full = True
    known = dict(filled.roots)
    for _ in range(2):
        with pytest.raises(Full):
            filled.add(repository)
    filled.roots = known
    files.is_full = False
    filled.add(repository)
    require_all(filled)
    repository.close()
    require_all(filled)


def test_another_store_in_its_place_is_not_written_to(filled: Filled, tmp_path: Path) -> None:
    """It has another key: what would be written there, nobody could read."""
    repository = filled.open()
    filled.add(repository)
    shutil.rmtree(filled.folder / "store")
    with filled.open():
        pass
    before = sorted((filled.folder / "store" / "segments").iterdir())
    for _ in range(2):
        with pytest.raises(Unavailable, match="replaced by another") as caught:
            filled.add(repository)
        assert caught.value.code == "replaced"
    with pytest.raises(Unavailable, match="replaced by another"):
        repository.refresh()
    repository.close()
    assert sorted((filled.folder / "store" / "segments").iterdir()) == before


def test_a_store_that_is_gone_is_told_as_gone(filled: Filled) -> None:
    """And nothing is made in its place."""
    repository = filled.open()
    filled.add(repository)
    shutil.rmtree(filled.folder / "store")
    with pytest.raises(Unavailable):
        filled.add(repository)
    repository.close()
    assert not (filled.folder / "store" / "segments").exists()


def test_collect_finds_a_writer_whose_lock_was_removed(filled: Filled) -> None:
    """The writer makes it anew with a commit that comes a second later or more."""
    hands = clock.FakeClock()
    repository, other = filled.open(), filled.open(index_path=filled.folder / "other.sqlite")
    with clock.use(hands):
        filled.add(repository)
        remove_locks(filled.folder / "store")
        hands.advance(2.0)
        filled.add(repository)
        assert is_busy(other, repository.writer.segment)
        collect(other, threshold=0.0)
    assert (repository.layout.segments / repository.writer.segment).exists()
    filled.add(repository)
    other.close()
    repository.close()
    require_all(filled)


@pytest.mark.parametrize("ends", ["while it is open", "when it is closed"])
def test_a_segment_collected_before_its_writer_made_the_lock_anew_costs_nothing(
    filled: Filled, ends: str
) -> None:
    """Within that second a collect takes the segment for one that nobody writes, and copies what
    is alive in it; the writer goes on in another."""
    repository, other = filled.open(), filled.open(index_path=filled.folder / "other.sqlite")
    with clock.use(clock.FakeClock()):
        filled.add(repository)
        expired = filled.add(repository)
        remove_locks(filled.folder / "store")
        for _ in range(3):
            filled.add(repository)
        with repository.transaction() as tx:
            tx.expire([expired])
        filled.forget(expired)
        segment = repository.writer.segment
        assert not is_busy(other, segment)
        collect(other, threshold=0.0)
        assert not (repository.layout.segments / segment).exists()
        require_all(filled)
        if ends == "while it is open":
            for _ in range(3):
                filled.add(repository)
                require_all(filled)
    other.close()
    repository.close()
    require_all(filled)


@pytest.mark.parametrize("adds", ["a checkpoint", "a mark of expiry"])
def test_a_segment_that_grows_while_it_is_collected_is_left(filled: Filled, adds: str) -> None:
    """Its lock file was removed: what was committed to it since it was read stays."""
    repository, other = filled.open(), filled.open(index_path=filled.folder / "other.sqlite")
    with clock.use(clock.FakeClock()):
        for _ in range(4):
            filled.add(repository)
        expired = [filled.add(repository) for _ in range(2)]
        remove_locks(filled.folder / "store")

        def expire(name: EntryId) -> None:
            with repository.transaction() as tx:
                tx.expire([name])
            filled.forget(name)

        expire(expired[0])
        grown: list[int] = []

        def while_it_copies(done: int, total: int) -> None:
            if not grown:
                grown.append(done)
                filled.add(repository) if adds == "a checkpoint" else expire(expired[1])

        with pytest.raises(Conflict, match="being written"):
            collect(other, threshold=0.0, progress=while_it_copies)
        assert grown
        require_all(filled)
    collect(other, threshold=0.0)
    require_all(filled)
    other.close()
    repository.close()
    require_all(filled)


def test_a_lock_whose_file_was_replaced_keeps_nobody_apart_from_the_new_one(
    tmp_path: Path,
) -> None:
    """Who takes a lock holds the file that others find."""
    path = tmp_path / "lock"
    first = FileLock(path)
    assert first.try_acquire(exclusive=True)
    first.unlock()
    path.unlink()
    second = FileLock(path)
    assert second.try_acquire(exclusive=True)
    assert not first.try_acquire(exclusive=True)
    second.release()
    assert first.try_acquire(exclusive=True)
    first.release()


def test_a_barrier_whose_files_were_removed_is_one_again(tmp_path: Path) -> None:
    """Whoever removes bytes is alone, though writers had the barrier's files open before."""
    folder = tmp_path / "locks"
    folder.mkdir()
    writer, remover = Barrier(folder / "collect"), Barrier(folder / "collect")
    with writer.held(exclusive=False):
        pass
    for each in folder.iterdir():
        each.unlink()
    with (
        remover.held(exclusive=True),
        pytest.raises(Unavailable),
        writer.held(exclusive=False, patience_seconds=0.05),
    ):
        raise AssertionError("two were in")
    writer.close()
    remover.close()
