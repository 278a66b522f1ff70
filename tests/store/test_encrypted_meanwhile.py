"""A store that is encrypted while others have it open, and the first questions to one that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.moving import REPLACED
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.rotation import rotate


def opened(folder: Path, *, encrypt: bool = False) -> Repository:
    return Repository.open(folder / "store", key_folder=folder / "keys", encrypt=encrypt)


def keep(repository: Repository, content: bytes) -> Digest:
    with repository.transaction() as tx:
        [name] = tx.put(content)
        tx.add("note", keys=["k"], body={}, roots=[name])
    return name


def encrypt(repository: Repository, folder: Path) -> None:
    repository.end_segment()
    rotate(repository.layout, folder / "keys", Files(), lambda entry, *_: entry, encrypt=True)


def test_who_had_the_store_open_in_the_clear_is_told_and_makes_no_index(tmp_path: Path) -> None:
    """A server or a kernel that was idle meanwhile: nothing is damaged or missing, and none of what
    it looks at or opens once more puts an index beside the encrypted segments."""
    with opened(tmp_path) as repository:
        read, name = keep(repository, b"read before"), keep(repository, b"not read yet" * 40)
        assert repository.get(read) == b"read before"
        kernel = KernelStore.open(tmp_path / "store", key_folder=tmp_path / "keys")
        encrypt(repository, tmp_path)
        for ask in (
            lambda: kernel.get(name),
            lambda: repository.get(name),
            lambda: repository.get_blob([read, name]),
            repository.companion,
        ):
            with pytest.raises(Unavailable, match="replaced by another") as told:
                ask()
            assert told.value.code == REPLACED
        kernel.close()
    assert not [*(tmp_path / "store").glob("index*")]
    with opened(tmp_path) as again:
        again.refresh()
        assert again.get(name) == b"not read yet" * 40


def test_an_index_in_the_clear_goes_when_the_encrypted_store_is_opened(tmp_path: Path) -> None:
    """An older version, which had the store open before, may have made one again."""
    with opened(tmp_path, encrypt=True) as repository:
        name = keep(repository, b"kept")
    left = [tmp_path / "store" / f"index-1.sqlite{end}" for end in ("", "-wal", "-shm")]
    for path in left:
        path.write_bytes(b"names of notebooks")
    with opened(tmp_path) as repository:
        assert not any(path.exists() for path in left)
        repository.refresh()
        assert repository.get(name) == b"kept"


def test_the_first_question_to_an_encrypted_store_finds_what_it_holds(tmp_path: Path) -> None:
    """Its index is in memory and empty at first, which nobody may take for an empty store."""
    with opened(tmp_path, encrypt=True) as repository:
        name = keep(repository, b"kept")
    for question in (
        lambda store: store.has(name),
        lambda store: name in store.known([name]),
        lambda store: store.holds([name]),
    ):
        with opened(tmp_path) as repository:
            assert question(repository)
