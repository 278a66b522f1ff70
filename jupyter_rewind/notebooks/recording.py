"""How a state becomes a checkpoint, or is found to be one already."""

from __future__ import annotations

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
from jupyter_rewind.notebooks.marking import Labelled
from jupyter_rewind.notebooks.reading import Exists, Glance
from jupyter_rewind.notebooks.sameness import HistoryComparer, Wish, was_taken_for_a_change
from jupyter_rewind.notebooks.takeover import Takeover, find_takeover
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.transaction import Transaction
from jupyter_rewind.store.turn import queue_for

PATIENCE_SECONDS = 5.0
_REMEMBERED = 512
# What may keep another notebook than the history is of; what a restore writes is of it.
_OF_OTHERS = (
    Reason.SAVE,
    Reason.AUTOSAVE,
    Reason.MANUAL,
    Reason.EXTERNAL_CHANGE,
    Reason.BEFORE_DELETE,
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The checkpoint that holds a state, and whether it was made for it. `moved_from` had the
    label before that it was given. `marked` is true where more is said of an older one now."""

    checkpoint: Checkpoint
    created: bool
    moved_from: Checkpoint | None = None
    marked: bool = False

    def news(self) -> list[tuple[Checkpoint, str]]:
        """What there is to tell of it: checkpoints, each with what became of it."""
        told = "created" if self.created else "marked" if self.marked else ""
        found = [(self.checkpoint, told)] if told else []
        return found + ([(self.moved_from, "marked")] if self.moved_from is not None else [])


class _Overtaken(Exception):
    """Another process has kept the same state since the transaction began."""


class HistoryRecorder(HistoryComparer):
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
        wish = Wish(
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
            and not was_taken_for_a_change(head, wish)
        ):
            return Recorded(head, False)
        state = None if is_same else cut(raw)
        recorded = self._keep(wish, state)
        self._remember(recorded.checkpoint.history, identity)
        return recorded

    def ends_with(self, path: str, raw: bytes, identity: FileIdentity | None = None) -> bool:
        """Whether `raw`, the state of this very file, is what the history of `path` ends with, so
        that there is nothing to keep."""
        head = self.head(path)
        if head is None or head.raw != Digest(blake3(raw).digest()):
            return False
        return self._is_whole(head) and self._knows(head, identity)

    def _keep(self, wish: Wish, state: Cut | None) -> Recorded:
        # Two that look before either has stored would both find nothing, and keep one state twice.
        layout = self.repository.layout
        with queue_for(layout, wish.path, patience_seconds=PATIENCE_SECONDS):
            while True:
                try:
                    with self.repository.transaction() as tx:
                        return self._decide(tx, wish, state)
                except _Overtaken:
                    continue

    def _decide(self, tx: Transaction, wish: Wish, state: Cut | None) -> Recorded:
        history = self.bindings.current(wish.path)
        head = self.head_of(history) if history else None
        if state is None and (head is None or head.raw != wish.digest):
            state = cut(wish.raw)
        taken = None
        if history is not None and head is not None and state is not None:
            taken = self._find_takeover(history, head, wish, state)
        if history is None or taken is not None:
            appeared = state or cut(wish.raw)
            if history is None or taken is None:
                history = self._adopt(tx, wish, appeared)
            else:
                history = self._hand_over(tx, wish, appeared, history, taken)
            head = self.head_of(history)
        self._note_identity(tx, history, wish.identity)
        same = self._find_same(history, head, wish, state)
        if same is not None and was_taken_for_a_change(same, wish):
            return Recorded(self._tell_origin(tx, same, wish), False, marked=True)
        if same is not None:
            told = self._strengthen(tx, same, wish.reason, wish.label)
            now = told.checkpoint
            return Recorded(now, False, told.moved_from, marked=now != same)
        found = self._found_since(history, head, wish, state)
        if found is not None and was_taken_for_a_change(found, wish):
            return Recorded(self._tell_origin(tx, found, wish), False, marked=True)
        if found is not None:
            return Recorded(found, False)
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

    def _tell_origin(self, tx: Transaction, head: Checkpoint, wish: Wish) -> Checkpoint:
        """The checkpoint, of which who made its state says so: somebody else found it first."""
        return self._correct(tx, head, wish.reason, wish.author, wish.parent)

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
        wish: Wish,
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

    def _adopt(self, tx: Transaction, wish: Wish, state: Cut) -> HistoryId:
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

    def _find_takeover(
        self, history: HistoryId, head: Checkpoint, wish: Wish, state: Cut
    ) -> Takeover | None:
        """Whose notebook it is that is to be kept, where another one has the history's name."""
        if wish.reason not in _OF_OTHERS or wish.identity is None:
            return None
        known = self._identity(history)
        if known is None or known.can_be(wish.identity):
            return None
        return find_takeover(self, history, head, wish.path, state, wish.identity)

    def _hand_over(
        self, tx: Transaction, wish: Wish, state: Cut, history: HistoryId, taken: Takeover
    ) -> HistoryId:
        """The history that the path gets in place of `history`, which goes with its own file."""
        path, comes, source = wish.path, taken.comes, ""
        if comes is None:
            kin = find_kin(self, path, state, wish.identity, wish.exists)
            if kin.how in {Kinship.MOVED, Kinship.BACK}:
                comes = kin.history
            elif kin.how is Kinship.COPIED:
                source = kin.path if kin.path != path else taken.moved_to or ""
        places = {path: comes or self.bindings.name_new(path)}
        if taken.moved_to is not None:
            places[taken.moved_to] = history
        self.bindings.rearrange(tx, places, {path: source})
        return places[path]

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
