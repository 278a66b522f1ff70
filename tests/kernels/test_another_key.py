"""States of kernels in a store that gets another key."""

from __future__ import annotations

from pathlib import Path

from jupyter_rewind.kernels.records import decode_snapshot, retell_snapshot
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.rotation import rotate
from tests.support.cells import Cells
from tests.support.stores import QuickFiles


def change_key(folder: Path) -> None:
    with Repository.open(folder / "store", key_folder=folder / "keys") as repository:
        layout = repository.layout
    rotate(layout, folder / "keys", QuickFiles(), retell_snapshot)


def test_ones_own_states_are_loaded_under_another_key(tmp_path: Path) -> None:
    """They were trusted, and they are; a kernel takes them over as before."""
    before = Cells(tmp_path)
    name = before.run("a = [1, {'b': 2}]").id
    before.close()
    change_key(tmp_path)
    after = Cells(tmp_path, run="next")
    try:
        state = decode_snapshot(after.store.entry(EntryId(name)), after.store.layout)
        assert state.trusted
        after.go(state)
        after.check("a == [1, {'b': 2}]")
    finally:
        after.close()


def test_another_key_makes_no_foreign_state_ones_own(tmp_path: Path) -> None:
    """What was not trusted is not after it, either: a change of the key launders nothing."""
    cells = Cells(tmp_path)
    mine = cells.run("a = [1]").id
    cells.close()
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as repository:
        entry = repository.entry(EntryId(mine))
        with repository.transaction() as tx:
            body = {**entry.body, "tag": "0" * 32}
            other = tx.add(entry.kind, keys=entry.keys, body=body, roots=entry.roots).id
    change_key(tmp_path)
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as repository:
        layout = repository.layout
        assert decode_snapshot(repository.entry(EntryId(mine)), layout).trusted
        assert not decode_snapshot(repository.entry(other), layout).trusted
