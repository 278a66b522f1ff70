"""Which checkpoint holds a state already, so that it is told once, whoever else found it.

A save, and whoever looks at the disk meanwhile, see the same state. What counts as the same is
never less than the cells; the bytes of a save are never given up for others. Whether a state was
kept before or after a file was written is told by clocks, never by the order of entries, which runs
ahead of them once a clock did; where clocks cannot tell, the state is kept anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity, Reason
from jupyter_rewind.model.ids import CheckpointId, Digest, HistoryId
from jupyter_rewind.notebooks.cutting import Cut
from jupyter_rewind.notebooks.entries import told_by_order
from jupyter_rewind.notebooks.marking import HistoryMarker, parts_of
from jupyter_rewind.notebooks.reading import Exists, Glance
from jupyter_rewind.store.partial import may_lack

SAVES = (Reason.SAVE, Reason.AUTOSAVE)
_FOUND = (Reason.EXTERNAL_CHANGE, Reason.BEFORE_RESTORE)
_KEPT_FIRST = (Reason.BEFORE_RESTORE, Reason.BEFORE_DELETE)
# Longer than a busy server leaves what was saved unstored.
_REST_NS = 15_000_000_000
_SECOND_NS = 1_000_000_000
# FAT tells the times of files in steps of this.
_COARSEST_NS = 2 * _SECOND_NS


@dataclass(frozen=True, slots=True)
class Wish:
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

    def is_at_rest(self, written_ns: int) -> bool:
        """True for what a scan finds that has stood in the file for some time: no save of another
        server that is stored late, but what the history must end with."""
        return self.since is not None and clock.now_ns() - written_ns > _REST_NS

    def is_before(self, checkpoint: Checkpoint) -> bool:
        """True when the file was written to first, and the checkpoint was made then."""
        if self.written_ns is None:
            return False
        is_coarse = self.written_ns % _SECOND_NS == 0
        written_ns = self.written_ns + (_COARSEST_NS if is_coarse else 0)
        # A checkpoint of the future was made by a clock that tells nothing about this file's times.
        if checkpoint.time_ns > clock.now_ns():
            return False
        return _kept_ns(checkpoint) >= written_ns

    def is_told_by(self, head: Checkpoint) -> bool:
        """True when the head's reason and labels say all that was asked for."""
        told = self.label is None or self.label in head.labels
        return told and not self.reason.says_more_than(head.reason)


def _kept_ns(checkpoint: Checkpoint) -> int:
    """When the checkpoint was made, by the clock of who made it."""
    order, told = checkpoint.order, checkpoint.time_ns
    return order if told_by_order(order) == told else told


def was_taken_for_a_change(head: Checkpoint, wish: Wish) -> bool:
    """True when the file of a restore or a save was found by a scan, or by another server, before
    it could say so."""
    if head.reason is not Reason.EXTERNAL_CHANGE:
        return False
    if wish.reason is Reason.RESTORE:
        return wish.since is not None and wish.since.is_before(head)
    return wish.reason in SAVES and wish.is_before(head)


class HistoryComparer(HistoryMarker):
    """The part of `Histories` that finds a state among its checkpoints."""

    def _find_same(
        self, history: HistoryId, head: Checkpoint | None, wish: Wish, state: Cut | None
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

    def _kept_since(self, history: HistoryId, wish: Wish, state: Cut | None) -> Checkpoint | None:
        """The checkpoint of a state that was found on the disk, made by somebody else who read it
        at the same time, as a restore does, and went on; or by the save that wrote it, of another
        server."""
        if wish.reason not in _FOUND or state is None:
            return None
        if wish.written_ns is not None and not wish.is_at_rest(wish.written_ns):
            for one in self.checkpoints_of(history)[::-1]:
                if one.raw == wish.digest and wish.is_before(one) and self._is_whole(one):
                    return one
        if wish.since is None or wish.since.history != history:
            return None
        for one in self.checkpoints_of(history)[::-1]:
            is_same = wish.since.sees(one) and self._says_the_same(one, state, wish)
            if is_same and self._is_whole(one):
                return one
        return None

    def _found_since(
        self, history: HistoryId, head: Checkpoint | None, wish: Wish, state: Cut | None
    ) -> Checkpoint | None:
        """The checkpoint that another server made of what this save wrote, or a restore or deletion
        that came before the save was stored, and the history went on."""
        if head is None or state is None or wish.reason not in SAVES or not wish.is_before(head):
            return None
        for one in self.checkpoints_of(history)[::-1]:
            is_same = one.content == state.identity and one.raw == wish.digest
            was_found = was_taken_for_a_change(one, wish) or (
                one.reason in _KEPT_FIRST and wish.is_before(one)
            )
            if is_same and was_found and self._is_whole(one):
                return one
        return None

    def _says_the_same(self, head: Checkpoint, state: Cut, wish: Wish) -> bool:
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
        """False when content of the head is known to be lost, lies in a replica alone, or where
        this user may not read it: keeping it anew brings it back, whatever becomes of those."""
        with self.repository.index() as index:
            lost = {digest for digest, *_ in index.evidence.chunks()}
        is_partial = may_lack(self.repository.layout) or bool(self.repository.shut())
        if not lost and not is_partial:
            return True
        try:
            manifest = self.manifest(head)
        except RewindError:
            return False
        parts = parts_of(head, manifest)
        return self.repository.holds(list(parts if is_partial else parts & lost))
