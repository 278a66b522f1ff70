"""The histories of notebooks: checkpoints made, listed, named, read; paths followed.

Everything is told by entries of the store (`entries.py`), so any number of processes may write:
each decision is made inside a transaction that sees what others committed before. It refuses to
touch a user's file: that is for `documents.py`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from blake3 import blake3

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, NotFound, RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, Counts, FileIdentity, Reason
from jupyter_rewind.model.entry import Json
from jupyter_rewind.model.ids import CheckpointId, Digest, EntryId, HistoryId
from jupyter_rewind.model.reference import check_label
from jupyter_rewind.notebooks.contents import Manifest, count_changes, cut, store_cut
from jupyter_rewind.notebooks.cutting import Cut
from jupyter_rewind.notebooks.entries import (
    CHECKPOINT,
    FILE,
    MARK,
    Facts,
    checkpoint_body,
    content_key,
    history_key,
)
from jupyter_rewind.notebooks.kinship import Kinship, find_kin, read_identity
from jupyter_rewind.notebooks.reading import Exists, HistoryReader
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.transaction import Transaction

_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class Recorded:
    """The checkpoint that holds a state, and whether it was made for it."""

    checkpoint: Checkpoint
    created: bool


class Histories(HistoryReader):
    """All histories of one store. Thread-safe, as the store is."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self._identities: OrderedDict[HistoryId, FileIdentity] = OrderedDict()
        self._lock = threading.Lock()

    # --- making checkpoints -------------------------------------------------------------

    def record(
        self,
        path: str,
        raw: bytes,
        *,
        reason: Reason,
        author: str | None = None,
        label: str | None = None,
        time_ns: int | None = None,
        identity: FileIdentity | None = None,
        exists: Exists | None = None,
        parent: CheckpointId | None = None,
        note: str = "",
    ) -> Recorded:
        """`raw`, the state of `path`, is kept; durable when this returns.

        Content equal to the head's (volatile metadata aside) makes no second checkpoint: a
        stronger reason or the label is marked on the head. A path without a history gets the one
        it had under another name, if it was moved outside Jupyter; a new one otherwise, which
        says where a copy came from. `exists` tells whether a file is there (None: all are).
        """
        label = check_label(label) if label is not None else None
        digest = Digest(blake3(raw).digest())
        self.repository.refresh()
        history = self.bindings.current(path)
        head = self._head(history) if history else None
        if head is not None and head.raw == digest and self._is_known(head.history, identity):
            return self._stronger(head, reason, label)
        state = cut(raw)
        with self.repository.transaction() as tx:
            history = self.bindings.current(path)
            if history is None:
                history = self._adopt(tx, path, state, identity, exists)
            head = self._head(history)
            self._note_identity(tx, history, identity)
            if head is not None and head.content == state.identity:
                return self._mark_stronger(tx, head, reason, label)
            facts = Facts(
                time_ns=clock.now_ns() if time_ns is None else time_ns,
                reason=reason,
                author=author or clock.user(),
                host=clock.host(),
                counts=Counts(),
                size_bytes=len(raw),
                kind=state.kind,
                raw=digest,
                nbformat=state.nbformat,
                parent=parent,
                note=note,
            )
            made = self._add(tx, path, history, head, state, facts)
            if label is not None:
                made = self._mark(tx, made, {"label": label}, made.pinned, (label,))
        return Recorded(made, True)

    def _add(
        self,
        tx: Transaction,
        path: str,
        history: HistoryId,
        head: Checkpoint | None,
        state: Cut,
        facts: Facts,
    ) -> Checkpoint:
        base = head.manifest if head is not None else None
        manifest = store_cut(tx, state, base)
        counts = count_changes(self._manifest_or_none(head), state)
        body = checkpoint_body(replace(facts, counts=counts))
        keys = [history_key(history), content_key(state.identity)]
        entry = tx.add(CHECKPOINT, keys=keys, body=body, roots=[manifest])
        return Checkpoint(
            id=CheckpointId(entry.id),
            history=history,
            path=path,
            time_ns=facts.time_ns,
            order=entry.order,
            reason=facts.reason,
            author=facts.author,
            host=facts.host,
            counts=counts,
            size_bytes=facts.size_bytes,
            kind=facts.kind,
            content=state.identity,
            raw=facts.raw,
            manifest=manifest,
            nbformat=facts.nbformat,
            parent=facts.parent or (head.id if head else None),
            note=facts.note,
        )

    def _manifest_or_none(self, checkpoint: Checkpoint | None) -> Manifest | None:
        try:
            return None if checkpoint is None else self.manifest(checkpoint)
        except RewindError:
            # The new state is worth more than the count of what changed since a damaged one.
            return None

    def _adopt(
        self,
        tx: Transaction,
        path: str,
        state: Cut,
        identity: FileIdentity | None,
        exists: Exists | None,
    ) -> HistoryId:
        """The history that `path`, which has none, gets."""
        kin = find_kin(self, path, state, identity, exists or (lambda _: True))
        if kin.how in {Kinship.MOVED, Kinship.BACK} and kin.history is not None:
            if kin.how is Kinship.MOVED:
                self.bindings.move(tx, kin.path, path, kin.history)
            else:
                self.bindings.bind(tx, path, kin.history, "undeleted")
            return kin.history
        history = HistoryId(clock.new_id())
        why = "copied" if kin.how is Kinship.COPIED else "created"
        self.bindings.bind(tx, path, history, why, came_from=kin.path)
        return history

    def _is_known(self, history: HistoryId, identity: FileIdentity | None) -> bool:
        return identity is None or self._identity(history) == identity

    def _identity(self, history: HistoryId) -> FileIdentity | None:
        with self._lock:
            known = self._identities.get(history)
        if known is None:
            last = self.repository.latest(kinds=[FILE], key=history_key(history))
            if last is not None:
                known = read_identity(last.keys)
        return known

    def _note_identity(
        self, tx: Transaction, history: HistoryId, identity: FileIdentity | None
    ) -> None:
        if identity is None or self._identity(history) == identity:
            return
        tx.add(FILE, keys=[identity.key, history_key(history)], body={})
        with self._lock:
            self._identities[history] = identity
            while len(self._identities) > _REMEMBERED:
                self._identities.popitem(last=False)

    # --- marks --------------------------------------------------------------------------

    def label(self, checkpoint: Checkpoint, text: str) -> Checkpoint:
        """The checkpoint has this name as well, and never expires while it has one.

        A label names one checkpoint of a history: another that had it loses it.
        Raises InvalidInput, NotFound (expired meanwhile).
        """
        label = check_label(text)
        with self.repository.transaction() as tx:
            now = self._present(checkpoint)
            for other in self._all(now.history):
                if label in other.labels and other.id != now.id:
                    self._mark(tx, other, {"unlabel": label})
            labels = (*(one for one in now.labels if one != label), label)
            return self._mark(tx, now, {"label": label}, now.pinned, labels)

    def unlabel(self, checkpoint: Checkpoint, text: str) -> Checkpoint:
        """The checkpoint has this name no more. Raises NotFound."""
        with self.repository.transaction() as tx:
            now = self._present(checkpoint)
            if text not in now.labels:
                raise NotFound(f'Checkpoint {now.id} of {now.path} has no label "{text}".')
            rest = tuple(one for one in now.labels if one != text)
            return self._mark(tx, now, {"unlabel": text}, now.pinned, rest)

    def pin(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint never expires."""
        return self._set_pin(checkpoint, True)

    def unpin(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint expires as others do."""
        return self._set_pin(checkpoint, False)

    def _set_pin(self, checkpoint: Checkpoint, pinned: bool) -> Checkpoint:
        with self.repository.transaction() as tx:
            now = self._present(checkpoint)
            return self._mark(tx, now, {"pin": pinned}, pinned, now.labels)

    def _stronger(self, head: Checkpoint, reason: Reason, label: str | None) -> Recorded:
        if reason.weight <= head.reason.weight and (label is None or label in head.labels):
            return Recorded(head, False)
        with self.repository.transaction() as tx:
            return self._mark_stronger(tx, self._present(head), reason, label)

    def _mark_stronger(
        self, tx: Transaction, head: Checkpoint, reason: Reason, label: str | None
    ) -> Recorded:
        if reason.weight > head.reason.weight:
            self._mark(tx, head, {"reason": str(reason)})
            head = replace(head, reason=reason)
        if label is not None and label not in head.labels:
            for other in self._all(head.history):
                if label in other.labels:
                    self._mark(tx, other, {"unlabel": label})
            head = self._mark(tx, head, {"label": label}, head.pinned, (*head.labels, label))
        return Recorded(head, False)

    def _mark(
        self,
        tx: Transaction,
        checkpoint: Checkpoint,
        said: dict[str, Json],
        pinned: bool | None = None,
        labels: tuple[str, ...] | None = None,
    ) -> Checkpoint:
        tx.add(MARK, keys=[history_key(checkpoint.history)], body={"c": checkpoint.id, **said})
        return replace(
            checkpoint,
            pinned=checkpoint.pinned if pinned is None else pinned,
            labels=checkpoint.labels if labels is None else labels,
        )

    # --- following files ----------------------------------------------------------------

    def rename(self, old: str, new: str) -> None:
        """The history of `old` is that of `new`; nothing when `old` has none."""
        with self.repository.transaction() as tx:
            history = self.bindings.current(old)
            if history is not None and old != new:
                self.bindings.move(tx, old, new, history)

    def rename_folder(self, old: str, new: str) -> int:
        """The histories below folder `old` are those below `new`; returns how many."""
        count = 0
        with self.repository.transaction() as tx:
            for path, history in self.bindings.inside(old):
                target = new.rstrip("/") + path[len(old.rstrip("/")) :]
                self.bindings.move(tx, path, target, history)
                count += 1
        return count

    def copy(self, source: str, target: str) -> None:
        """`target`, a new copy, has a history that says it came from `source`."""
        with self.repository.transaction() as tx:
            if self.bindings.current(source) is None or self.bindings.current(target) is not None:
                return
            history = HistoryId(clock.new_id())
            self.bindings.bind(tx, target, history, "copied", came_from=source)

    def delete(self, path: str) -> HistoryId | None:
        """The notebook of `path` is gone; its history stays and can be brought back."""
        with self.repository.transaction() as tx:
            history = self.bindings.current(path)
            if history is not None:
                self.bindings.unbind(tx, path, history, "deleted")
            return history

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

    def delete_checkpoint(self, checkpoint: Checkpoint, *, force: bool = False) -> None:
        """The checkpoint is gone. Raises Conflict for a labelled or pinned one without `force`."""
        with self.repository.transaction(exclusive=True) as tx:
            now = self._present(checkpoint)
            if now.is_kept_by_hand and not force:
                raise Conflict(
                    f"Checkpoint {now.id} of {now.path} has a label or a pin.",
                    hint="Nothing was changed. Take them away first.",
                )
            tx.expire([EntryId(now.id)])
