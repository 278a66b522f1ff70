"""Long histories remembered, so that a page of one costs what is new in it and not all of it.

What is remembered is compared with the store each time: how many checkpoints, marks and bindings
there are and which is the last of each. Where more has come, only that is read; where anything
else has changed, all is read anew. So it is for any change of a history with imported states, which
stand where their time puts them. Other short ones are not remembered.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.notebooks.entries import (
    BINDINGS,
    CHECKPOINT,
    MARK,
    apply_marks,
    history_key,
    import_key,
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
class _Known:
    checkpoints: _Rows
    marks: _Rows
    bindings: _Rows
    found: tuple[Checkpoint, ...]


class ListMemory:
    """The checkpoints of a few long histories, as they were last read. Thread-safe."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: OrderedDict[HistoryId, _Known] = OrderedDict()
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
        marks, bindings = self._rows(key, [MARK]), self._rows(key, BINDINGS)
        now = _Known(rows, marks, bindings, ())
        found = None
        if known is not None and now == replace(known, found=()):
            found = list(known.found)
        elif known is not None and not imported:
            found = self._continue(key, known, now)
        if found is None:
            found = self._read_all(key)
        self._remember(history, now, found)
        return found

    def _read_all(self, key: str) -> list[Checkpoint]:
        entries = self._repository.entries(kind=CHECKPOINT, key=key)
        marks = self._repository.entries(kind=MARK, key=key)
        bindings = self._repository.entries(key=key, kinds=BINDINGS)
        return read_checkpoints(entries, bindings, marks)

    def _continue(self, key: str, known: _Known, now: _Known) -> list[Checkpoint] | None:
        """What is known, with what has come since; None where that does not tell all."""
        if known.bindings != now.bindings:
            return None
        entries = self._since(key, CHECKPOINT, known.checkpoints, now.checkpoints)
        marks = self._since(key, MARK, known.marks, now.marks)
        if entries is None or marks is None:
            return None
        found = list(known.found)
        if entries:
            bindings = self._repository.entries(key=key, kinds=BINDINGS)
            found += read_checkpoints(entries, bindings, (), found[-1].id)
        return apply_marks(found, marks) if marks else found

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

    def _remember(self, history: HistoryId, now: _Known, found: Sequence[Checkpoint]) -> None:
        # Another process may have gone on between the questions, and a row that does not read
        # would be missing each time: neither is remembered.
        rows = now.checkpoints
        is_sure = len(found) == rows.count and any(str(one.id) == rows.name for one in found[::-1])
        with self._lock:
            self._known.pop(history, None)
            if is_sure:
                self._known[history] = _Known(rows, now.marks, now.bindings, tuple(found))
            while len(self._known) > _HISTORIES:
                self._known.popitem(last=False)
