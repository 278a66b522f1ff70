"""How a state becomes a checkpoint, or is found to be one already."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from blake3 import blake3

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity, Reason
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import CheckpointId, Digest, HistoryId
from jupyter_rewind.model.reference import check_label
from jupyter_rewind.notebooks.contents import Manifest, count_changes, cut, store_cut
from jupyter_rewind.notebooks.cutting import Cut
from jupyter_rewind.notebooks.entries import (
    CHECKPOINT,
    FILE,
    Facts,
    checkpoint_body,
    content_key,
    file_body,
    history_key,
    import_key,
    read_checkpoint,
    read_identity,
    sound_time,
    told_by_order,
)
from jupyter_rewind.notebooks.kinship import Kinship, find_kin
from jupyter_rewind.notebooks.marking import HistoryMarker, Labelled
from jupyter_rewind.notebooks.reading import Exists, Glance
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.transaction import Transaction

SAVES = (Reason.SAVE, Reason.AUTOSAVE)
_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class Recorded:
    """The checkpoint that holds a state, and whether it was made for it. `moved_from` had the
    label before that it was given."""

    checkpoint: Checkpoint
    created: bool
    moved_from: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class _Wish:
    """What `record` was asked to keep."""

    path: str
    raw: bytes
    digest: Digest
    reason: Reason
    author: str
    label: str | None
    time_ns: int | None
    identity: FileIdentity | None
    exists: Exists
    parent: CheckpointId | None
    note: str
    since: Glance | None
    written_ns: int | None

    @property
    def import_ns(self) -> int | None:
        """Where among the others an imported state belongs."""
        return self.time_ns if self.reason is Reason.IMPORTED else None

    def is_told_by(self, head: Checkpoint) -> bool:
        """True when the head's reason and labels say all that was asked for."""
        told = self.label is None or self.label in head.labels
        return told and not self.reason.says_more_than(head.reason)


class _Overtaken(Exception):
    """Another process has kept the same state since the transaction began."""


def _was_taken_for_a_change(head: Checkpoint, wish: _Wish) -> bool:
    """True when the file of a restore or a save was found by a scan, or by another server, before
    it could say so."""
    if head.reason is not Reason.EXTERNAL_CHANGE:
        return False
    if wish.reason is Reason.RESTORE:
        return wish.since is not None and wish.since.is_before(head)
    return wish.reason in SAVES and wish.written_ns is not None and head.order >= wish.written_ns


class HistoryRecorder(HistoryMarker):
    """The part of `Histories` that makes checkpoints."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self._identities: OrderedDict[HistoryId, FileIdentity] = OrderedDict()
        self._lock = threading.Lock()

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
        since: Glance | None = None,
        written_ns: int | None = None,
    ) -> Recorded:
        """`raw`, the state of `path`, is kept; durable when this returns.

        Content equal to the head's (volatile metadata aside) makes no second checkpoint: a
        stronger reason or the label is marked on the head. A path without a history gets the one
        it had under another name, if it was moved outside Jupyter; a new one otherwise, which
        says where a copy came from. `exists` tells whether a file is there (None: all are).
        `since` was taken before the state was read (or written, by a restore): what somebody else
        kept of it from then on is this state, and not another one. `written_ns` is when a save
        wrote the file: what somebody else found there from then on, the save made; of a change
        from outside, when the file was last written to: what somebody kept since is that change.
        """
        wish = _Wish(
            path,
            raw,
            Digest(blake3(raw).digest()),
            reason,
            author or clock.user(),
            check_label(label) if label is not None else None,
            sound_time(time_ns) if time_ns is not None else None,
            identity,
            exists or (lambda _: True),
            parent,
            note,
            since,
            written_ns,
        )
        head = self.head(path)
        is_same = head is not None and head.raw == wish.digest and self._is_whole(head)
        if (
            is_same
            and head
            and wish.is_told_by(head)
            and self._knows(head, identity)
            and not _was_taken_for_a_change(head, wish)
        ):
            return Recorded(head, False)
        state = None if is_same else cut(raw)
        while True:
            try:
                with self.repository.transaction() as tx:
                    recorded = self._decide(tx, wish, state)
            except _Overtaken:
                continue
            self._remember(recorded.checkpoint.history, identity)
            return recorded

    def _decide(self, tx: Transaction, wish: _Wish, state: Cut | None) -> Recorded:
        history = self.bindings.current(wish.path)
        head = self.head_of(history) if history else None
        if state is None and (head is None or head.raw != wish.digest):
            state = cut(wish.raw)
        if history is None:
            history = self._adopt(tx, wish, state or cut(wish.raw))
            head = self.head_of(history)
        self._note_identity(tx, history, wish.identity)
        same = self._find_same(history, head, wish, state)
        if same is not None and _was_taken_for_a_change(same, wish):
            return Recorded(self._tell_origin(tx, same, wish), False)
        if same is not None:
            told = self._strengthen(tx, same, wish.reason, wish.label)
            return Recorded(told.checkpoint, False, told.moved_from)
        found = self._found_since(history, head, wish, state)
        if found is not None:
            return Recorded(self._tell_origin(tx, found, wish), False)
        kept = self._kept_since(history, wish, state)
        if kept is not None:
            return Recorded(kept, False)
        before = head
        if wish.import_ns is not None:
            earlier = self.checkpoints_of(history)
            before = next((one for one in earlier[::-1] if one.time_ns <= wish.import_ns), None)
        last = self._last(history)
        made = self._add(tx, wish, history, before, state or cut(wish.raw))
        self._check_overtaken(made, last)
        named = Labelled(made) if wish.label is None else self._give_label(tx, made, wish.label)
        return Recorded(named.checkpoint, True, named.moved_from)

    def _find_same(
        self, history: HistoryId, head: Checkpoint | None, wish: _Wish, state: Cut | None
    ) -> Checkpoint | None:
        """The checkpoint that makes another one superfluous."""
        if head is None:
            return None
        moment = wish.import_ns
        if moment is None:
            is_same = state is None or self._says_the_same(head, state, wish)
            return head if is_same and self._is_whole(head) else None
        content = head.content if state is None else state.identity
        found = self.checkpoints_of(history)
        after = next((at for at, one in enumerate(found) if one.time_ns > moment), len(found))
        beside = found[max(0, after - 1) : after + 1]
        beside += [one for one in found if one.time_ns == moment]
        return next((one for one in beside if one.content == content), None)

    def _tell_origin(self, tx: Transaction, head: Checkpoint, wish: _Wish) -> Checkpoint:
        """The checkpoint, of which who made its state says so: somebody else found it first."""
        return self._correct(tx, head, wish.reason, wish.author, wish.parent)

    def _kept_since(self, history: HistoryId, wish: _Wish, state: Cut | None) -> Checkpoint | None:
        """The checkpoint of a state that was found on the disk, made by somebody else who read it
        at the same time, as a restore does, and went on; or by the save that wrote it, of another
        server."""
        if wish.reason is not Reason.EXTERNAL_CHANGE or state is None:
            return None
        if wish.written_ns is not None:
            for one in self.checkpoints_of(history)[::-1]:
                if one.order < wish.written_ns:
                    break
                if one.raw == wish.digest and self._is_whole(one):
                    return one
        if wish.since is None or wish.since.history != history:
            return None
        for one in self.checkpoints_of(history)[::-1]:
            if wish.since.sees(one) and one.content == state.identity and self._is_whole(one):
                return one
        return None

    def _found_since(
        self, history: HistoryId, head: Checkpoint | None, wish: _Wish, state: Cut | None
    ) -> Checkpoint | None:
        """The checkpoint that another server made of what this save wrote, before it was
        overwritten and the history went on."""
        if head is None or state is None or wish.written_ns is None:
            return None
        if wish.reason not in SAVES or head.order < wish.written_ns:
            return None
        for one in self.checkpoints_of(history)[::-1]:
            is_same = one.content == state.identity and one.raw == wish.digest
            if is_same and _was_taken_for_a_change(one, wish) and self._is_whole(one):
                return one
        return None

    def _says_the_same(self, head: Checkpoint, state: Cut, wish: _Wish) -> bool:
        """True when `state` differs from the head in volatile metadata at most."""
        if head.content != state.identity:
            return False
        if head.raw == wish.digest:
            return True
        try:
            # Written anew in another formatting: other bytes, which must come back as they are.
            return bool(json.loads(self.read(head)) != json.loads(wish.raw))
        except (RewindError, ValueError, RecursionError):
            return False

    def _is_whole(self, head: Checkpoint) -> bool:
        """False when content of the head is known to be lost: keeping it anew brings it back."""
        with self.repository.index() as index:
            lost = {digest for digest, *_ in index.evidence.chunks()}
        if not lost:
            return True
        try:
            manifest = self.manifest(head)
        except RewindError:
            return False
        parts = {head.manifest, *manifest.first, *manifest.last}
        for cell in manifest.cells:
            parts.update(cell.template, *(names for _, names in cell.payloads))
        missing = list(parts & lost)
        return len(self.repository.known(missing)) == len(missing)

    def _check_overtaken(self, made: Checkpoint, last: Entry | None) -> None:
        """Raises when a process that keeps the same state was quicker, as a watcher may be."""
        self.repository.refresh()
        now = self._last(made.history)
        if now is not None and now != last and content_key(made.content) in now.keys:
            raise _Overtaken

    def _last(self, history: HistoryId) -> Entry | None:
        return self.repository.latest(kinds=[CHECKPOINT], key=history_key(history))

    def _add(
        self,
        tx: Transaction,
        wish: _Wish,
        history: HistoryId,
        before: Checkpoint | None,
        state: Cut,
    ) -> Checkpoint:
        manifest = store_cut(tx, state, before.manifest if before is not None else None)
        facts = Facts(
            time_ns=self._time_to_tell(wish.time_ns),
            reason=wish.reason,
            author=wish.author,
            host=clock.host(),
            counts=count_changes(self._manifest_or_none(before), state),
            size_bytes=len(wish.raw),
            kind=state.kind,
            raw=wish.digest,
            nbformat=state.nbformat,
            parent=wish.parent,
            note=wish.note,
        )
        keys = [history_key(history), content_key(state.identity)]
        if wish.import_ns is not None:
            keys.append(import_key(history))
        entry = tx.add(CHECKPOINT, keys=keys, body=checkpoint_body(facts), roots=[manifest])
        made = read_checkpoint(entry, wish.path, None)
        return replace(made, parent=wish.parent or (before.id if before else None))

    def _time_to_tell(self, time_ns: int | None) -> int | None:
        """None where the entry's order will tell the time: no other clock runs ahead of ours."""
        if time_ns is not None:
            return time_ns
        now = clock.now_ns()
        return None if told_by_order(self.repository.next_order()) == told_by_order(now) else now

    def _manifest_or_none(self, checkpoint: Checkpoint | None) -> Manifest | None:
        try:
            return None if checkpoint is None else self.manifest(checkpoint)
        except RewindError:
            # The new state is worth more than the count of what changed since a damaged one.
            return None

    def _adopt(self, tx: Transaction, wish: _Wish, state: Cut) -> HistoryId:
        """The history that the path, which has none, gets."""
        path = wish.path
        kin = find_kin(self, path, state, wish.identity, wish.exists)
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

    # --- file identities ----------------------------------------------------------------

    def _knows(self, head: Checkpoint, identity: FileIdentity | None) -> bool:
        return identity is None or not identity.tells_more_than(self._identity(head.history))

    def _identity(self, history: HistoryId) -> FileIdentity | None:
        with self._lock:
            known = self._identities.get(history)
        if known is None:
            last = self.repository.latest(kinds=[FILE], key=history_key(history))
            if last is not None:
                known = read_identity(last)
        return known

    def _note_identity(
        self, tx: Transaction, history: HistoryId, identity: FileIdentity | None
    ) -> None:
        if identity is not None and identity.tells_more_than(self._identity(history)):
            tx.add(FILE, keys=[identity.key, history_key(history)], body=file_body(identity))

    def _remember(self, history: HistoryId, identity: FileIdentity | None) -> None:
        if identity is None:
            return
        with self._lock:
            if not identity.tells_more_than(self._identities.get(history)):
                return
            self._identities[history] = identity
            self._identities.move_to_end(history)
            while len(self._identities) > _REMEMBERED:
                self._identities.popitem(last=False)
