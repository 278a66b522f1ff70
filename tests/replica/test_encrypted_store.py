"""A replica of an encrypted store: a new machine has it, lazily too, and nothing stands in the
clear there, though the replica itself is not encrypted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.replica import packing
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.support.stores import noise

SECRET = b"an unpublished result"
SIZE = 200_000


class Owner:
    """A folder with a store and its key, and the replica that all share."""

    def __init__(self, folder: Path, objects: FolderObjects, url: str) -> None:
        self.store, self.keys = folder / "store", folder / "keys"
        self.objects, self.url = objects, url

    def open(self) -> Repository:
        repository = Repository.open(self.store, key_folder=self.keys, encrypt=True)
        repository.refresh()
        return repository

    def keep_state(self, name: str) -> tuple[EntryId, Digest, bytes]:
        """A kernel's state, of which a large part is told as a difference: its entry, that part's
        name, and what it is."""
        keep = KernelStore.open(self.store, key_folder=self.keys, encrypt=True)
        before = noise(name, SIZE) + SECRET
        with keep.block() as block:
            base = block.put_chunk(before)
            block.add("snapshot", keys=["r"], body={}, roots=[block.put_node(b"0", [base])])
        changed = bytearray(before)
        changed[::150] = noise(f"{name} later", len(changed[::150]))
        with keep.block() as block:
            told = block.put_chunk(bytes(changed), base=base)
            node = block.put_node(name.encode(), [base, told])
            entry = block.add("snapshot", keys=["r"], body={}, roots=[node])
        assert keep.depth(told) == 1
        keep.close()
        return entry.id, told, bytes(changed)

    def push(self) -> None:
        with self.open() as repository:
            push(repository, self.objects, self.url)

    def pull(self, *, lazy: bool) -> int:
        found_store(self.store, self.keys, self.objects, Files())
        with self.open() as repository:
            return pull(repository, self.objects, self.url, lazy=lazy).absent_bytes


@pytest.fixture
def owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Owner, Owner]:
    """Two machines with one key; the second has nothing yet. However little there is, a lazy pull
    leaves it out."""
    monkeypatch.setattr(packing, "INLINE_BYTES", 0)
    place = tmp_path / "replica"
    place.mkdir()
    objects = FolderObjects(place)
    first = Owner(tmp_path / "first", objects, place.as_uri())
    second = Owner(tmp_path / "second", objects, place.as_uri())
    with first.open():
        pass
    shutil.copytree(first.keys, second.keys)
    return first, second


@pytest.mark.parametrize("lazy", [False, True])
def test_a_new_machine_has_an_encrypted_store_as_it_was(
    owners: tuple[Owner, Owner], lazy: bool
) -> None:
    first, second = owners
    _, told, content = first.keep_state("one")
    first.push()
    assert (second.pull(lazy=lazy) > SIZE) is lazy
    with second.open() as repository:
        assert repository.layout.is_encrypted
        assert repository.get(told) == content
        fill(repository.layout, repository.files, second.objects)
        assert verify(repository, read_data=True).ok
    replica = Path(second.url.removeprefix("file://"))
    files = [*replica.rglob("*"), *second.store.rglob("*")]
    assert not any(SECRET in path.read_bytes() for path in files if path.is_file())


def test_a_machine_that_collected_takes_what_is_told_as_a_difference(
    owners: tuple[Owner, Owner],
) -> None:
    """What the difference is told from is known though the rest of it was left out."""
    first, second = owners
    entry, _, _ = first.keep_state("one")
    first.push()
    second.pull(lazy=False)
    with second.open() as repository:
        with repository.transaction() as tx:
            tx.expire([each.id for each in repository.entries()])
        assert entry not in {each.id for each in repository.entries()}
        collect(repository)
    _, told, content = first.keep_state("two")
    first.push()
    assert second.pull(lazy=True) > SIZE / 2
    with second.open() as repository:
        assert repository.get(told) == content
