"""Which path has which history, now: the last word in order decides.

A history has a path only when its own last binding names that path and the path's last binding
names that history. So two processes that bind one path at the same moment lose nothing: the later
binding has the path, and the other history stands among the deleted ones, whole. Two that begin
the history of one path at the same moment begin the same one, for they name it alike.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from blake3 import blake3

from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import EntryId, HistoryId
from jupyter_rewind.notebooks.entries import (
    BIND,
    BINDINGS,
    UNBIND,
    history_key,
    history_of,
    path_key,
    path_of_key,
)
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.transaction import Transaction

_ID = re.compile("[0-9a-f]{16}")
# So many bindings are looked through for new ones before all paths are read again.
_FEW = 32


@dataclass(frozen=True, slots=True)
class Place:
    """Where a history is, or was last: `path`, and whether it still has it."""

    path: str
    bound: bool
    order: int
    came_from: str = ""


@dataclass(frozen=True, slots=True)
class Stay:
    """A time during which a history had `path`, in nanoseconds of the order of entries."""

    path: str
    since: int
    until: int


class Bindings:
    """Reads and writes bindings. Callers have refreshed the repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._names: dict[str, dict[str, None]] = {}
        self._newest: EntryId | None = None
        self._lock = threading.Lock()

    def current(self, path: str) -> HistoryId | None:
        """The history of `path` now."""
        last = self._repository.latest(kinds=BINDINGS, key=path_key(path))
        if last is None or last.kind != BIND:
            return None
        history = history_of(last)
        own = self._last(history)
        return history if own is not None and own.id == last.id else None

    def last_of_path(self, path: str) -> tuple[HistoryId, Entry] | None:
        """The history that `path` had last, and the binding that says so; it may be gone."""
        last = self._repository.latest(kinds=BINDINGS, key=path_key(path))
        return None if last is None else (history_of(last), last)

    def place(self, history: HistoryId) -> Place | None:
        """Where `history` is, or was last; None when there is no such history."""
        last = self._last(history)
        if last is None:
            return None
        path = str(last.body.get("path", ""))
        bound = last.kind == BIND and self.current(path) == history
        since = last.body.get("since")
        order = since if type(since) is int and not bound else last.order
        return Place(path, bound, order, self._came_from(history))

    def exists(self, history: str) -> bool:
        """Whether there is a history with this id. Whatever is no id, such as a path, is none."""
        return bool(_ID.fullmatch(history)) and self._last(HistoryId(history)) is not None

    def inside(self, folder: str) -> list[tuple[str, HistoryId]]:
        """The paths below `folder` that have a history now."""
        prefix = path_key(folder.rstrip("/") + "/")
        found = []
        for key in self._repository.keys(prefix):
            path = path_of_key(key)
            history = self.current(path)
            if history is not None:
                found.append((path, history))
        return found

    def named(self, name: str) -> list[str]:
        """The paths that had a history at some time and whose last part is `name`. One that another
        process took just now may be missing."""
        latest = self._repository.entries(kind=BIND, newest_first=True, limit=_FEW)
        with self._lock:
            ids = [entry.id for entry in latest]
            if self._newest in ids:
                fresh = latest[: ids.index(self._newest)]
                paths = [str(entry.body.get("path", "")) for entry in fresh]
            else:
                self._names.clear()
                paths = [path_of_key(key) for key in self._repository.keys(path_key(""))]
            for path in paths:
                self._names.setdefault(os.path.basename(path), {})[path] = None
            self._newest = ids[0] if ids else None
            return list(self._names.get(name, ()))

    def deleted_inside(self, folder: str) -> list[tuple[str, HistoryId]]:
        """The histories that had a path below `folder` last and have none now, and those paths;
        of several with one path, the one that had it last comes last."""
        found = []
        for key in self._repository.keys(path_key(folder.rstrip("/") + "/")):
            path = path_of_key(key)
            found += [(path, history) for history in self.deleted_at(path)]
        return found

    def deleted_at(self, path: str) -> list[HistoryId]:
        """The histories that had `path` last and have none now; the one that had it last comes
        last."""
        entries = self._repository.entries(kinds=BINDINGS, key=path_key(path), newest_first=True)
        had = dict.fromkeys(history_of(entry) for entry in entries)
        places = ((history, self.place(history)) for history in reversed(had))
        return [
            history
            for history, place in places
            if place is not None and not place.bound and place.path == path
        ]

    def histories(self) -> list[HistoryId]:
        """All histories, bound or not, in the order of their first binding."""
        seen: dict[HistoryId, None] = {}
        for entry in self._repository.entries(kind=BIND):
            seen.setdefault(history_of(entry))
        return list(seen)

    def name_new(self, path: str) -> HistoryId:
        """What a history that begins at `path` now is called, by whoever begins it."""
        last = self._repository.latest(kinds=BINDINGS, key=path_key(path))
        words = [self._repository.store_id, path_key(path), last.id if last else ""]
        name = HistoryId(blake3("\n".join(words).encode()).digest(8).hex())
        while (place := self.place(name)) is not None and place.bound and place.path != path:
            # Its place was lost with a damaged segment, and it was brought back at another one.
            words.append(name)
            name = HistoryId(blake3("\n".join(words).encode()).digest(8).hex())
        return name

    def bind(
        self, tx: Transaction, path: str, history: HistoryId, why: str, came_from: str = ""
    ) -> None:
        """From this commit on, `path` has `history`; another that had it counts as replaced."""
        other = self.current(path)
        if other is not None and other != history:
            self.unbind(tx, path, other, "deleted")
        body = {"path": path, "why": why}
        if came_from:
            body["from"] = came_from
        tx.add(BIND, keys=[path_key(path), history_key(history)], body=body)

    def unbind(
        self, tx: Transaction, path: str, history: HistoryId, why: str, since: int | None = None
    ) -> None:
        """From this commit on, `path` has no history; it had none, in truth, `since` then."""
        body: dict[str, str | int] = {"path": path, "why": why}
        if since is not None:
            body["since"] = since
        tx.add(UNBIND, keys=[path_key(path), history_key(history)], body=body)

    def move(self, tx: Transaction, old: str, new: str, history: HistoryId) -> None:
        """From this commit on, `new` has the history that `old` had."""
        self.unbind(tx, old, history, "moved")
        self.bind(tx, new, history, "moved")

    def rearrange(
        self, tx: Transaction, places: Mapping[str, HistoryId], came_from: Mapping[str, str]
    ) -> None:
        """From this commit on each path has that history, wherever it was before. Others that had
        one of the paths count as replaced; what begins came from where `came_from` says."""
        for path, history in places.items():
            other, place = self.current(path), self.place(history)
            if other is not None and other != history:
                why = "moved" if other in places.values() else "deleted"
                self.unbind(tx, path, other, why)
            if place is not None and place.bound and place.path not in places:
                self.unbind(tx, place.path, history, "moved")
        for path, history in places.items():
            source = came_from.get(path, "")
            begins = "copied" if source else "created"
            body = {"path": path, "why": begins if self._last(history) is None else "moved"}
            if source:
                body["from"] = source
            tx.add(BIND, keys=[path_key(path), history_key(history)], body=body)

    def move_deleted(self, tx: Transaction, old: str, new: str, history: HistoryId) -> None:
        """From this commit on, `new` is where the deleted notebook was that has `history`. It is
        deleted since it was, and expires in its time."""
        place = self.place(history)
        self.unbind(tx, old, history, "moved")
        self.unbind(tx, new, history, "deleted", since=place.order if place is not None else None)

    def stays(self, history: HistoryId) -> list[Stay]:
        """Where the history was before it came to where it is now, oldest first. What was there
        before its first checkpoint counts as its own."""
        found: list[Stay] = []
        path, since = "", 0
        for entry in self._repository.entries(kinds=BINDINGS, key=history_key(history)):
            if path:
                found.append(Stay(path, since, entry.order))
            path = str(entry.body.get("path", "")) if entry.kind == BIND else ""
            since = entry.order if found else 0
        return found

    def stays_of_others(self, path: str) -> list[Stay]:
        """The times during which `path` was that of a notebook that has another place now."""
        entries = self._repository.entries(kinds=BINDINGS, key=path_key(path))
        found: list[Stay] = []
        for history in dict.fromkeys(map(history_of, entries)):
            place = self.place(history)
            if place is not None and place.bound and place.path != path:
                found += [stay for stay in self.stays(history) if stay.path == path]
        return found

    def place_now(self, path: str, order: int) -> str:
        """Where the notebook lies now that lay at `path` then; `path` where it does still, or where
        no more is known."""
        entries = self._repository.entries(kinds=BINDINGS, key=path_key(path))
        for history in dict.fromkeys(map(history_of, entries)):
            place = self.place(history)
            if place is None or not place.bound or place.path == path:
                continue
            stays = (stay for stay in self.stays(history) if stay.path == path)
            if any(stay.since <= order < stay.until for stay in stays):
                return place.path
        return path

    def _last(self, history: HistoryId) -> Entry | None:
        return self._repository.latest(kinds=BINDINGS, key=history_key(history))

    def _came_from(self, history: HistoryId) -> str:
        for entry in self._repository.entries(kind=BIND, key=history_key(history)):
            if "from" in entry.body:
                return str(entry.body["from"])
        return ""
