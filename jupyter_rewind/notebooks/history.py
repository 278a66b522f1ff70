"""The histories of notebooks: checkpoints made, listed, named, read; paths followed.

Everything is told by entries of the store (`entries.py`), so any number of processes may write:
each decision is made inside a transaction that sees what others committed before. It refuses to
touch a user's file: that is for `documents.py`.
"""

from __future__ import annotations

import json
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
    import_key,
    mark_key,
    read_checkpoint,
    told_by_order,
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
        head = self.head_of(history) if history else None
        same = head is not None and head.raw == digest
        if same and head and not _is_news(head, reason, label) and self._knows(head, identity):
            return Recorded(head, False)
        state = None if same else cut(raw)
        with self.repository.transaction() as tx:
            history = self.bindings.current(path)
            head = self.head_of(history) if history else None
            if head is None or head.raw != digest:
                state = state or cut(raw)
            if history is None:
                assert state is not None
                history = self._adopt(tx, path, state, identity, exists)
                head = self.head_of(history)
            self._note_identity(tx, history, identity)
            before = head
            if reason is Reason.IMPORTED and time_ns is not None:
                before, twin = self._neighbours(history, state, head, time_ns)
                if twin is not None:
                    return self._mark_stronger(tx, twin, reason, label)
            elif head is not None and (state is None or self._says_the_same(head, state, raw)):
                return self._mark_stronger(tx, head, reason, label)
            state = state or cut(raw)
            facts = Facts(
                time_ns=self._time_to_tell(time_ns),
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
            made = self._add(tx, path, history, before, state, facts)
            if label is not None:
                made = self._give_label(tx, made, label)
        return Recorded(made, True)

    def _add(
        self,
        tx: Transaction,
        path: str,
        history: HistoryId,
        before: Checkpoint | None,
        state: Cut,
        facts: Facts,
    ) -> Checkpoint:
        manifest = store_cut(tx, state, before.manifest if before is not None else None)
        counts = count_changes(self._manifest_or_none(before), state)
        body = checkpoint_body(replace(facts, counts=counts))
        keys = [history_key(history), content_key(state.identity)]
        if facts.reason is Reason.IMPORTED and facts.time_ns is not None:
            keys.append(import_key(history))
        entry = tx.add(CHECKPOINT, keys=keys, body=body, roots=[manifest])
        made = read_checkpoint(entry, path, None)
        return replace(made, parent=facts.parent or (before.id if before else None))

    def _time_to_tell(self, time_ns: int | None) -> int | None:
        """None where the entry's order will tell the time: no other clock runs ahead of ours."""
        if time_ns is not None:
            return time_ns
        now = clock.now_ns()
        return None if told_by_order(self.repository.next_order()) == told_by_order(now) else now

    def _says_the_same(self, head: Checkpoint, state: Cut, raw: bytes) -> bool:
        """True when `state` differs from the head in volatile metadata at most."""
        if head.content != state.identity:
            return False
        if head.raw == blake3(raw).digest():
            return True
        try:
            # Written anew in another formatting: other bytes, which must come back as they are.
            return bool(json.loads(self.read(head)) != json.loads(raw))
        except (RewindError, ValueError, RecursionError):
            return False

    def _neighbours(
        self, history: HistoryId, state: Cut | None, head: Checkpoint | None, time_ns: int
    ) -> tuple[Checkpoint | None, Checkpoint | None]:
        """For a state of `time_ns`: the checkpoint before it, and one beside it that equals it."""
        content = state.identity if state is not None else head.content if head else b""
        found = self.checkpoints_of(history)
        after = next((at for at, one in enumerate(found) if one.time_ns > time_ns), len(found))
        beside = [one for one in found[max(0, after - 1) : after + 1] if one.content == content]
        beside += [one for one in found if (one.time_ns, one.content) == (time_ns, content)]
        return (found[after - 1] if after else None), (beside[0] if beside else None)

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
        history = self.bindings.name_new(path)
        why = "copied" if kin.how is Kinship.COPIED else "created"
        self.bindings.bind(tx, path, history, why, came_from=kin.path)
        return history

    def _knows(self, head: Checkpoint, identity: FileIdentity | None) -> bool:
        return identity is None or self._identity(head.history) == identity

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
            return self._give_label(tx, self._present(checkpoint), label)

    def _give_label(self, tx: Transaction, checkpoint: Checkpoint, label: str) -> Checkpoint:
        for other in self.checkpoints_of(checkpoint.history):
            if label in other.labels and other.id != checkpoint.id:
                self._mark(tx, other, {"unlabel": label})
        if label in checkpoint.labels:
            return checkpoint
        labels = (*checkpoint.labels, label)
        return self._mark(tx, checkpoint, {"label": label}, checkpoint.pinned, labels)

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
            if now.pinned == pinned:
                return now
            return self._mark(tx, now, {"pin": pinned}, pinned, now.labels)

    def _mark_stronger(
        self, tx: Transaction, head: Checkpoint, reason: Reason, label: str | None
    ) -> Recorded:
        if reason.weight > head.reason.weight:
            self._mark(tx, head, {"reason": str(reason)})
            head = replace(head, reason=reason)
        if label is not None:
            head = self._give_label(tx, head, label)
        return Recorded(head, False)

    def _mark(
        self,
        tx: Transaction,
        checkpoint: Checkpoint,
        said: dict[str, Json],
        pinned: bool | None = None,
        labels: tuple[str, ...] | None = None,
    ) -> Checkpoint:
        keys = [history_key(checkpoint.history), mark_key(checkpoint.id)]
        tx.add(MARK, keys=keys, body={"c": checkpoint.id, **said})
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
            history = self.bindings.name_new(target)
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
            marks = self.repository.entries(kind=MARK, key=mark_key(now.id))
            tx.expire([EntryId(now.id), *(mark.id for mark in marks)])


def _is_news(head: Checkpoint, reason: Reason, label: str | None) -> bool:
    """True when this reason or label says more of the head than is known."""
    return reason.weight > head.reason.weight or (label is not None and label not in head.labels)
