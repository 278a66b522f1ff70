"""The disk becomes full at every step of an expire and a collect: nothing is lost by it, nothing
that had expired comes back, and nobody is told of damage that is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jupyter_rewind.errors import Full, Storage
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect, verify
from tests.support.stores import Filled, QuickFiles, fill

pytestmark = pytest.mark.crash


class FillingDisk(QuickFiles):
    """Takes no bytes from a step on; not even a new name where `names` are counted, too. Room is
    there again when a file was removed, if it `frees` any."""

    def __init__(self, steps: int, *, frees: bool, names: bool) -> None:
        self.left = steps
        self.steps = 0
        self._frees = frees
        self._names = names

    def _step(self) -> None:
        self.left -= 1
        self.steps += 1
        if self.left < 0:
            raise Full("no room")

    def create(self, path: Path, mode: int = 0o600) -> int:
        if self._names:
            self._step()
        return super().create(path, mode)

    def write_at(
        self, descriptor: int, parts: list[bytes | memoryview], offset: int, path: Path
    ) -> int:
        self._step()
        return super().write_at(descriptor, parts, offset, path)

    def reserve(self, descriptor: int, offset: int, size: int, path: Path) -> None:
        if self.left < 0:
            raise Full("no room")
        super().reserve(descriptor, offset, size, path)

    def remove(self, path: Path) -> None:
        is_large = path.exists() and path.stat().st_size > 0
        super().remove(path)
        if is_large and self._frees and self.left < 0:
            self.left = 1_000_000


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """Six segments, of which two thirds of the entries have not expired yet."""
    return fill(tmp_path_factory.mktemp("prepared"), segments=6, entries=6)


def open_again(filled: Filled, folder: Path, index: str, files: QuickFiles) -> Repository:
    return Repository.open(
        folder / "store",
        key_folder=filled.folder / "keys",
        index_path=folder / index,
        files=files,
    )


def upkeep(filled: Filled, folder: Path, files: QuickFiles) -> tuple[set[EntryId], bool]:
    """Which entries surely expired, and whether upkeep came to its end."""
    names = list(filled.bodies)
    # Whole segments of them, and some of each other one.
    gone = set(names[6:18]) | set(names[18::3])
    expired = False
    store = open_again(filled, folder, "mine.sqlite", files)
    try:
        store.refresh()
        with store.transaction(exclusive=True) as tx:
            tx.expire(sorted(gone))
        expired = True
        collect(store, threshold=0.1)
    except Storage:
        return gone if expired else set(), False
    finally:
        store.close()
    return gone, True


def require_sound(filled: Filled, folder: Path, index: str, gone: set[EntryId]) -> None:
    """Every entry that was not to expire reads; those that did stay gone; no damage is told."""
    with open_again(filled, folder, index, QuickFiles()) as store:
        store.refresh()
        listed = {entry.id for entry in store.entries()}
        every = set(filled.bodies)
        assert every - gone <= listed if gone else every >= listed
        assert not listed & gone
        assert all(filled.reads(store, name) for name in listed)
        report = verify(store, read_data=True)
        assert report.ok, report


def try_all(filled: Filled, tmp_path: Path, *, frees: bool, names: bool) -> int:
    """How many steps there were."""
    for steps in range(10_000):
        folder = tmp_path / f"{steps}"
        shutil.copytree(filled.folder / "store", folder / "store")
        # Another process has seen all there was before.
        with open_again(filled, folder, "others.sqlite", QuickFiles()) as other:
            other.refresh()
        files = FillingDisk(steps, frees=frees, names=names)
        gone, done = upkeep(filled, folder, files)
        for index in ("others.sqlite", "mine.sqlite", "fresh.sqlite"):
            require_sound(filled, folder, index, gone)
        # Somebody makes room, and the next collect does all that is left to do.
        gone, done_later = upkeep(filled, folder, QuickFiles())
        assert done_later
        for index in ("others.sqlite", "fresh.sqlite"):
            require_sound(filled, folder, index, gone)
        assert not list((folder / "store" / "segments").glob(".*"))
        shutil.rmtree(folder)
        if done and files.left >= 0 and files.steps <= steps:
            return steps
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("frees", [False, True], ids=["stays full", "room comes back"])
@pytest.mark.parametrize("names", [False, True], ids=["names are free", "not even a name"])
def test_a_full_disk_costs_a_collect_nothing(
    prepared: Filled, tmp_path: Path, frees: bool, names: bool
) -> None:
    """Whatever can still be done is done; all else is as it was, and works when there is room."""
    assert try_all(prepared, tmp_path, frees=frees, names=names) > 5


def test_a_collect_that_cannot_note_removes_nothing(
    prepared: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that the disk is full, and every segment is still there."""
    shutil.copytree(prepared.folder / "store", tmp_path / "store")

    class NoNames(FillingDisk):
        def create(self, path: Path, mode: int = 0o600) -> int:
            if "retired" in path.name:
                raise Full("no room")
            return super().create(path, mode)

    files = NoNames(1_000_000, frees=False, names=False)
    with open_again(prepared, tmp_path, "mine.sqlite", files) as store:
        store.refresh()
        with store.transaction(exclusive=True) as tx:
            tx.expire(list(prepared.bodies)[:18])
        store.end_segment()
        before = set((tmp_path / "store" / "segments").iterdir())
        with pytest.raises(Full):
            collect(store)
        assert before <= set((tmp_path / "store" / "segments").iterdir())
    require_sound(prepared, tmp_path, "fresh.sqlite", set(list(prepared.bodies)[:18]))
