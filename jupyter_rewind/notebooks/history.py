"""The histories of notebooks: checkpoints made, listed, named, read; paths followed.

Everything is told by entries of the store (`entries.py`), so any number of processes may write:
each decision is made inside a transaction that sees what others committed before. It refuses to
touch a user's file: that is for `documents.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jupyter_rewind.errors import Conflict
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import EntryId, HistoryId
from jupyter_rewind.notebooks.bindings import Stay
from jupyter_rewind.notebooks.entries import CHECKPOINT, MARK, mark_key
from jupyter_rewind.notebooks.files import identify
from jupyter_rewind.notebooks.recording import HistoryRecorder, Recorded
from jupyter_rewind.notebooks.takeover import find_new_name

__all__ = ["Histories", "Recorded", "name_entries"]

# No file's place: paths of files are absolute.
_NOWHERE = "unknown place"


class Histories(HistoryRecorder):
    """All histories of one store. Thread-safe, as the store is."""

    def earlier_places(self, path: str) -> list[Stay]:
        """Where the notebook of `path` was before, and when; empty where it has no history."""
        history = self.bindings.current(path)
        return [] if history is None else self.bindings.stays(history)

    def rename(self, old: str, new: str) -> None:
        """The history of `old` is that of `new`; nothing when `old` has none."""
        with self.repository.transaction() as tx:
            history = self.bindings.current(old)
            if history is not None and old != new:
                self.bindings.move(tx, old, new, history)

    def rename_folder(self, old: str, new: str) -> int:
        """The histories below folder `old` are those below `new`; returns how many.

        Those of deleted notebooks go with it (uncounted), except to where another notebook is."""

        def target(path: str) -> str:
            return new.rstrip("/") + path[len(old.rstrip("/")) :]

        with self.repository.transaction() as tx:
            for path, history in self.bindings.deleted_inside(old):
                if self.bindings.current(target(path)) is None:
                    self.bindings.move_deleted(tx, path, target(path), history)
            inside = self.bindings.inside(old)
            for path, history in inside:
                self.bindings.move(tx, path, target(path), history)
            return len(inside)

    def copy(self, source: str, target: str) -> None:
        """`target`, a new copy, has a history that says it came from `source`, kept or not."""
        with self.repository.transaction() as tx:
            if self.bindings.current(target) is not None:
                return
            history = self.bindings.name_new(target)
            self.bindings.bind(tx, target, history, "copied", came_from=source)

    def delete(self, path: str) -> HistoryId | None:
        """The notebook of `path` is gone; its history stays and can be brought back."""
        with self.repository.transaction() as tx:
            history = self.bindings.current(path)
            if history is not None:
                self.bindings.unbind(tx, path, history, "deleted")
            return history

    def vacate(self, path: str) -> None:
        """`path` has no history: a new file was made there, where no file was. A history that is
        bound there is of one that was moved in its folder, and goes with it, or has gone."""
        with self.repository.transaction() as tx:
            history = self.bindings.current(path)
            if history is None:
                return
            moved_to = find_new_name(self, history, path, identify(Path(path)))
            if moved_to is not None:
                self.bindings.move(tx, path, moved_to, history)
            else:
                self.bindings.unbind(tx, path, history, "deleted")

    def delete_folder(self, folder: str) -> int:
        """All notebooks below `folder` are gone; returns how many had a history."""
        with self.repository.transaction() as tx:
            inside = self.bindings.inside(folder)
            for path, history in inside:
                self.bindings.unbind(tx, path, history, "deleted")
            return len(inside)

    def undelete(self, history: HistoryId, path: str) -> None:
        """`path` has `history` again. Raises Conflict when it has another one."""
        with self.repository.transaction() as tx:
            other = self.bindings.current(path)
            if other == history:
                return
            if other is not None:
                raise Conflict(
                    f"{path} is another notebook now.",
                    hint="Nothing was changed. Name another place with --output.",
                )
            self.bindings.bind(tx, path, history, "undeleted")

    def check_takes(self) -> None:
        """Raises Storage where nothing can be stored now, as far as locks and permissions tell: to
        be asked before a file is written whose history must tell of it. Room is not asked for."""
        with self.repository.transaction():
            pass

    def find_homeless(self) -> list[HistoryId]:
        """Histories with checkpoints of which no record tells the place: damage took it."""
        self.repository.refresh()
        placed = set(self.bindings.histories())
        entries = self.repository.entries(kind=CHECKPOINT)
        found = (HistoryId(key[2:]) for one in entries for key in one.keys if key[:2] == "h:")
        return [history for history in dict.fromkeys(found) if history not in placed]

    def shelter_homeless(self) -> list[HistoryId]:
        """Those that `find_homeless` found stand among the deleted ones, each under its own id."""
        with self.repository.transaction() as tx:
            found = self.find_homeless()
            for history in found:
                path = f"{_NOWHERE}/{history}"
                self.bindings.bind(tx, path, history, "created")
                self.bindings.unbind(tx, path, history, "deleted")
        return found

    def delete_checkpoint(self, checkpoint: Checkpoint, *, force: bool = False) -> None:
        """The checkpoint is gone. Raises Conflict for a labelled or pinned one without `force`."""
        with self.repository.transaction(exclusive=True) as tx:
            now = self._present(checkpoint)
            if now.is_kept_by_hand and not force:
                raise Conflict(
                    f"Checkpoint {now.id} of {now.path} has a label or a pin.",
                    hint="Nothing was changed. Take them away first.",
                )
            marks = self.repository.entries(kind=MARK, key=mark_key(now.id))
            tx.expire([EntryId(now.id), *(mark.id for mark in marks)])


def name_entries(histories: Histories, ids: Iterable[str]) -> dict[str, str]:
    """Words for entries that damage touches: the checkpoint and its notebook."""
    names = {}
    for info in histories.all():
        for checkpoint in histories.checkpoints(info.id):
            names[str(checkpoint.id)] = f"checkpoint {checkpoint.id} of {checkpoint.path}"
    return {name: names.get(name, f"record {name}") for name in ids}
