"""Long histories remembered, so that a page of one costs what is new in it and not all of it.

What is remembered is compared with the store each time: how many checkpoints, marks and bindings
there are and which is the last of each. Where more has come, only that is read and put in its
place; where anything else has changed, all is read anew. Short ones are not remembered, but those
with imported states, which stand where their time puts them, are.
"""

from __future__ import annotations

import threading
from bisect import bisect
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jupyter_rewind.errors import Integrity
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import CheckpointId, EntryId, HistoryId
from jupyter_rewind.notebooks.entries import (
    BINDINGS,
    CHECKPOINT,
    MARK,
    apply_marks,
    history_key,
    import_key,
    place_of,
    read_checkpoints,
)
from jupyter_rewind.store.repository import Repository

WORTH = 500
_HISTORIES = 4


@dataclass(frozen=True, slots=True)
class _Rows:
    """How many rows of one kind there are, and which is the last."""

    count: int
    order: int
    name: str

    def has_grown_to(self, other: _Rows) -> bool:
        """True when rows may have been added behind, and none was lost."""
        return other == self or (
            other.count > self.count and (other.order, other.name) > (self.order, self.name)
        )


@dataclass(frozen=True, slots=True)
class _Counted:
    checkpoints: _Rows
    marks: _Rows
    bindings: _Rows


@dataclass(frozen=True, slots=True)
class _List:
    """The checkpoints in their order. Of a history with imported states also the place of each, and
    which of them say themselves whom they follow."""

    found: tuple[Checkpoint, ...]
    places: tuple[tuple[int, int, str], ...] = ()
    told: frozenset[CheckpointId] = frozenset()


class ListMemory:
    """The checkpoints of a few long histories, as they were last read. Thread-safe."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: OrderedDict[HistoryId, tuple[_Counted, _List]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, history: HistoryId) -> list[Checkpoint]:
        """All checkpoints of the history in their order, with what was said of them later.

        Raises Integrity when none of them reads.
        """
        key = history_key(history)
        rows = self._rows(key, [CHECKPOINT])
        imported = self._repository.entries(kind=CHECKPOINT, key=import_key(history), limit=1)
        if rows.count < WORTH and not imported:
            return self._read_all(key)
        with self._lock:
            known = self._known.get(history)
        now = _Counted(rows, self._rows(key, [MARK]), self._rows(key, BINDINGS))
        listed = None
        if known is not None and known[0] == now:
            listed = known[1]
        elif known is not None and bool(known[1].places) == bool(imported):
            listed = self._continue(key, *known, now)
        if listed is None:
            listed = self._read_whole(key) if imported else _List(tuple(self._read_all(key)))
        self._remember(history, now, listed)
        return list(listed.found)

    def _read_all(self, key: str) -> list[Checkpoint]:
        entries = self._repository.entries(kind=CHECKPOINT, key=key)
        return self._read(key, entries, self._repository.entries(kind=MARK, key=key))

    def _read(
        self,
        key: str,
        entries: Sequence[Entry],
        marks: Iterable[Entry],
        before: CheckpointId | None = None,
    ) -> list[Checkpoint]:
        bindings = self._repository.entries(key=key, kinds=BINDINGS)
        return read_checkpoints(entries, bindings, marks, before)

    def _read_whole(self, key: str) -> _List:
        """A history with imported states."""
        entries = self._repository.entries(kind=CHECKPOINT, key=key)
        marks = self._repository.entries(kind=MARK, key=key)
        found = self._read(key, entries, marks)
        by_id = {entry.id: entry for entry in entries}
        places = tuple(place_of(by_id[EntryId(one.id)]) for one in found)
        return _List(tuple(found), places, frozenset(_tell_followers(entries, marks)))

    def _continue(self, key: str, known: _Counted, listed: _List, now: _Counted) -> _List | None:
        """What is known, with what has come since; None where that does not tell all."""
        if known.bindings != now.bindings:
            return None
        entries = self._since(key, CHECKPOINT, known.checkpoints, now.checkpoints)
        marks = self._since(key, MARK, known.marks, now.marks)
        if entries is None or marks is None:
            return None
        try:
            if listed.places:
                listed = self._insert(key, listed, entries, marks)
            elif entries:
                fresh = self._read(key, entries, (), listed.found[-1].id)
                listed = _List((*listed.found, *fresh))
        except Integrity:
            return None  # what does not read costs itself alone where others do
        if not marks:
            return listed
        return replace(listed, found=tuple(apply_marks(listed.found, marks)))

    def _insert(
        self, key: str, listed: _List, entries: Sequence[Entry], marks: Sequence[Entry]
    ) -> _List:
        """New ones stand where they belong, and those behind them follow them."""
        found, places = [*listed.found], [*listed.places]
        told = listed.told | _tell_followers(entries, marks)
        for entry in entries:
            [one] = self._read(key, [entry], ())
            place = place_of(entry)
            at = bisect(places, place)
            if one.id not in told:
                one = replace(one, parent=found[at - 1].id if at else None)
            if at < len(found) and found[at].id not in told:
                found[at] = replace(found[at], parent=one.id)
            found.insert(at, one)
            places.insert(at, place)
        return _List(tuple(found), tuple(places), told)

    def _since(self, key: str, kind: str, known: _Rows, now: _Rows) -> Sequence[Entry] | None:
        """The rows behind the known ones; None unless these are all that is new."""
        more = now.count - known.count
        if known == now:
            return ()
        if not known.has_grown_to(now):
            return None
        last = self._repository.entries(kind=kind, key=key, newest_first=True, limit=more + 1)
        if known.count and (len(last) <= more or last[-1].id != known.name):
            return None
        return last[:more][::-1]

    def _rows(self, key: str, kinds: Sequence[str]) -> _Rows:
        count = sum(self._repository.count(kind=kind, key=key) for kind in kinds)
        last = self._repository.latest(kinds=kinds, key=key)
        return _Rows(count, last.order, str(last.id)) if last is not None else _Rows(count, 0, "")

    def _remember(self, history: HistoryId, now: _Counted, listed: _List) -> None:
        # Another process may have gone on between the questions, and a row that does not read
        # would be missing each time: neither is remembered.
        rows, found = now.checkpoints, listed.found
        is_sure = len(found) == rows.count and any(str(one.id) == rows.name for one in found[::-1])
        with self._lock:
            self._known.pop(history, None)
            if is_sure:
                self._known[history] = now, listed
            while len(self._known) > _HISTORIES:
                self._known.popitem(last=False)


def _tell_followers(entries: Iterable[Entry], marks: Iterable[Entry]) -> set[CheckpointId]:
    """The checkpoints of which a record says whom they follow."""
    told = {CheckpointId(entry.id) for entry in entries if "b" in entry.body}
    return told | {CheckpointId(str(mark.body.get("c"))) for mark in marks if "b" in mark.body}
