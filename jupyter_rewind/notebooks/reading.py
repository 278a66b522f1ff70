"""What is told of histories: listed, found by ref, read. Changes nothing.

Damage of one checkpoint costs that one: reading it raises Integrity with its notebook's name, and
the list of the others stands. Where records are known to be lost, "not found" says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from blake3 import blake3

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, Denied, Integrity, NotFound, Unavailable
from jupyter_rewind.model.checkpoint import Checkpoint, HistoryInfo
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import EntryId, HistoryId
from jupyter_rewind.model.reference import resolve_ref
from jupyter_rewind.notebooks.away import is_disk_away
from jupyter_rewind.notebooks.bindings import Bindings, Place
from jupyter_rewind.notebooks.contents import Manifest, load_manifest, read_bytes, read_notebook
from jupyter_rewind.notebooks.entries import (
    BINDINGS,
    CHECKPOINT,
    FILE,
    MARK,
    history_key,
    history_of,
    import_key,
    is_imported,
    mark_key,
    place_of,
    read_checkpoint,
    read_checkpoints,
    read_identity,
)
from jupyter_rewind.notebooks.links import Links
from jupyter_rewind.notebooks.listmemory import WORTH, ListMemory
from jupyter_rewind.notebooks.losses import (
    Listing,
    is_unharmed,
    mark_losses,
    tell_incomplete,
    tell_losses,
)
from jupyter_rewind.store.repository import Repository

Exists = Callable[[str], bool]
# So many imported states are looked at one by one, before the list is asked for.
_FEW = 8


@dataclass(frozen=True, slots=True)
class Glance:
    """How far a history went at one moment. Taken before a file is read, it tells later whether
    somebody else kept the same state meanwhile."""

    history: HistoryId | None
    order: int

    def is_before(self, checkpoint: Checkpoint) -> bool:
        """True when the checkpoint was made since."""
        return checkpoint.history == self.history and checkpoint.order > self.order

    def sees(self, checkpoint: Checkpoint) -> bool:
        """True when the checkpoint was the head then, or was made since."""
        return checkpoint.history == self.history and checkpoint.order >= self.order


class HistoryReader:
    """The looking half of `Histories`."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.bindings = Bindings(repository)
        self.links = Links(self.bindings)
        self._lists = ListMemory(repository)

    def find(self, path: str) -> HistoryId | None:
        """The history that `path` has now, if any."""
        self.repository.refresh()
        return self.bindings.current(path)

    def glance(self, path: str) -> Glance:
        """How far the history of `path` goes now."""
        history = self.find(path)
        return Glance(None, 0) if history is None else self.glance_at(history)

    def glance_at(self, history: HistoryId) -> Glance:
        """How far this history goes now."""
        self.repository.refresh()
        last = self.repository.latest(kinds=[CHECKPOINT], key=history_key(history))
        return Glance(history, last.order if last is not None else 0)

    def history(self, path: str, *, deleted: bool = True) -> HistoryId:
        """The history of a path (or of a history's own id); with `deleted`, also of one gone.

        Raises NotFound, with words on where a moved notebook went.
        """
        self.repository.refresh()
        found = self.bindings.current(path)
        if found is not None:
            return found
        if self.bindings.exists(path):
            return HistoryId(path)
        last = self.bindings.last_of_path(path)
        if last is None:
            raise NotFound(
                f"{path} has no history.",
                hint=self._doubt() or "It gets one with its first save or checkpoint.",
            )
        history, binding = last
        place = self.bindings.place(history)
        is_gone = binding.body.get("why") == "moved" or (place is not None and place.bound)
        if is_gone and place is not None and place.path != path:
            # Whoever asks for what was here must not take it away from where it lives.
            raise NotFound(f"{path} has no history any more: it moved to {place.path}.")
        if not deleted:
            raise NotFound(f"{path} was deleted.", hint="`jupyter rewind undelete` brings it back.")
        return history

    def overview(self, path: str) -> HistoryInfo:
        """What there is of a path's history (or of a history by its id). Raises NotFound."""
        history = self.history(path)
        return self._info(history)

    def name_deleted(self, path: str) -> str:
        """What to ask for where `path` has no history: that of the notebook that was deleted there,
        by its id, though another one had the name since and moved on."""
        self.repository.refresh()
        if self.bindings.current(path) is not None or self.bindings.exists(path):
            return path
        return next(iter(self.bindings.deleted_at(path)[::-1]), path)

    def checkpoints(self, path: str, *, newest_first: bool = False) -> list[Checkpoint]:
        """All checkpoints of a path (or of a history by its id). Raises NotFound, Integrity."""
        found = self.checkpoints_of(self.history(path))
        doubt = "" if found else self._doubt()
        if doubt:
            raise Integrity(f"No checkpoint of {path} can be read.", hint=doubt)
        return found[::-1] if newest_first else found

    def listing(self, path: str, *, newest_first: bool = False) -> Listing:
        """All checkpoints of a path as they are told: those too count as lost that went with a
        file of the store. Raises NotFound, Integrity, Storage."""
        return tell_losses(self.repository, self.checkpoints(path, newest_first=newest_first))

    def newest(self, path: str, limit: int) -> Listing:
        """The newest checkpoints of a path, the newest first, as `listing` tells them; more where
        these do not tell which are lost. Raises NotFound, Integrity, Storage."""
        key = history_key(history := self.history(path))
        imported = self.repository.entries(kind=CHECKPOINT, key=import_key(history), limit=1)
        if limit < WORTH and not imported and is_unharmed(self.repository):
            some = limit + 1  # the last of them follows one more
            last = self.repository.entries(kind=CHECKPOINT, key=key, newest_first=True, limit=some)
            keys = [mark_key(one.id) for one in last]
            marks = [mark for one in keys for mark in self.repository.entries(kind=MARK, key=one)]
            bindings = self.repository.entries(key=key, kinds=BINDINGS)
            with suppress(Integrity):
                found = read_checkpoints(last[::-1], bindings, marks)[::-1]
                if found and len(found) == len(last):
                    return Listing(tuple(found[:limit]), frozenset())
        return self.listing(path, newest_first=True)

    def told(self, checkpoint: Checkpoint) -> Checkpoint:
        """One checkpoint as `listing` tells it. Raises Storage."""
        return tell_losses(self.repository, [checkpoint]).checkpoints[0]

    def head(self, path: str) -> Checkpoint | None:
        """The newest checkpoint of `path`, or None where it has none."""
        history = self.find(path)
        return self.head_of(history) if history else None

    def get(self, path: str | None, checkpoint_id: str) -> Checkpoint:
        """The checkpoint with this id; it must be of `path` when one is given. Raises NotFound."""
        self.repository.refresh()
        try:
            entry = self.repository.entry(EntryId(checkpoint_id))
        except NotFound:
            entry = None
        if entry is None or entry.kind != CHECKPOINT:
            raise NotFound(f"There is no checkpoint {checkpoint_id}.", hint=self._doubt())
        history = history_of(entry)
        if path is not None and history != self.history(path):
            raise NotFound(f"{path} has no checkpoint {checkpoint_id}.")
        found = next((one for one in self.checkpoints_of(history) if one.id == checkpoint_id), None)
        return found or read_checkpoint(entry, path or "", None)

    def resolve(self, path: str, ref: str) -> Checkpoint:
        """The checkpoint of `path` that `ref` names (`model/reference.py`).

        Raises NotFound; Conflict when the start of an id fits several.
        """
        found = self.checkpoints(path)
        try:
            return resolve_ref(ref, found, clock.now_ns())
        except (NotFound, Conflict) as error:
            doubt = "" if found else self._doubt()
            error.message = f"{path}: {error.message}"
            error.hint = doubt or error.hint
            raise

    def read(self, checkpoint: Checkpoint) -> bytes:
        """The very bytes that were saved, compared with their digest. Raises Integrity."""
        with naming(checkpoint):
            raw = read_bytes(self.repository, checkpoint.manifest)
            if blake3(raw).digest() != checkpoint.raw:
                raise Integrity("The bytes differ from those that were saved.")
            return raw

    def notebook(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """The notebook as a JSON object. Raises Integrity; Format for what is no notebook."""
        with naming(checkpoint):
            return read_notebook(self.repository, checkpoint.manifest)

    def manifest(self, checkpoint: Checkpoint) -> Manifest:
        """The cells of the checkpoint, without their content. Raises Integrity."""
        with naming(checkpoint):
            return load_manifest(self.repository, checkpoint.manifest)

    def file_mode(self, history: HistoryId) -> int | None:
        """The permission bits that the history's file had when it was last seen, where known."""
        key = history_key(history)
        files = self.repository.entries(kind=FILE, key=key, newest_first=True)
        modes = (known.mode for one in files if (known := read_identity(one)) is not None)
        return next((mode for mode in modes if mode is not None), None)

    def all(self) -> list[HistoryInfo]:
        """Every history with checkpoints, those of deleted notebooks too."""
        self.repository.refresh()
        found = (self._info(history) for history in self.bindings.histories())
        return [info for info in found if info.checkpoints]

    def deleted(self, exists: Exists | None = None) -> list[HistoryInfo]:
        """Histories whose notebook is gone: deleted, replaced, or (says `exists`) missing."""
        self.repository.refresh()
        places = ((each, self.bindings.place(each)) for each in self.bindings.histories())
        found = (
            self._info(history, place)
            for history, place in places
            if place is not None
            and (not place.bound or (exists is not None and not exists(place.path)))
        )
        return [self._with_disk(info) for info in found if info.checkpoints]

    def incomplete(self) -> tuple[str, ...]:
        """Why any list of checkpoints or histories may be shorter than what was kept, in sentences;
        nothing where all could be read. Raises Storage."""
        return tell_incomplete(self.repository)

    # --- inside -------------------------------------------------------------------------

    def _with_disk(self, info: HistoryInfo) -> HistoryInfo:
        host = info.head.host if info.head is not None else ""
        away = is_disk_away(self.repository, info.id, info.path, host)
        return replace(info, disk_is_away=away)

    def checkpoints_of(self, history: HistoryId) -> list[Checkpoint]:
        """All checkpoints of a history, as far as was seen at the last refresh."""
        return mark_losses(self.repository, self._lists.read(history))

    def head_of(self, history: HistoryId) -> Checkpoint | None:
        """The newest checkpoint of a history, as far as was seen at the last refresh."""
        key = history_key(history)
        last = self.repository.entries(kind=CHECKPOINT, key=key, newest_first=True, limit=2)
        if not last:
            return None
        if any(map(is_imported, last)) or self._is_behind(last[0], import_key(history)):
            return next(iter(self.checkpoints_of(history)[::-1]), None)
        marks = self.repository.entries(kind=MARK, key=mark_key(last[0].id))
        bindings = self.repository.entries(key=key, kinds=BINDINGS)
        return read_checkpoints(last[::-1], bindings, marks)[-1]

    def _is_behind(self, last: Entry, imports: str) -> bool:
        """Whether an imported state may stand behind the one that was made last."""
        if self.repository.count(kind=CHECKPOINT, key=imports) > _FEW:
            return True
        entries = self.repository.entries(kind=CHECKPOINT, key=imports)
        return any(place_of(one) > place_of(last) for one in entries)

    def _present(self, checkpoint: Checkpoint) -> Checkpoint:
        for one in self.checkpoints_of(checkpoint.history):
            if one.id == checkpoint.id:
                return one
        raise NotFound(f"Checkpoint {checkpoint.id} of {checkpoint.path} has expired.")

    def _info(self, history: HistoryId, place: Place | None = None) -> HistoryInfo:
        place = place or self.bindings.place(history) or Place("", False, 0)
        return self._at_a_glance(history, place) or self._in_full(history, place)

    def _at_a_glance(self, history: HistoryId, place: Place) -> HistoryInfo | None:
        """Told by the first and the last checkpoint; None where these do not tell the others."""
        key = history_key(history)
        first = self.repository.entries(kind=CHECKPOINT, key=key, limit=1)
        if self.repository.entries(kind=CHECKPOINT, key=import_key(history), limit=1):
            return None
        try:
            oldest = read_checkpoint(first[0], "", None) if first else None
            head = self.head_of(history)
        except Integrity:
            return None
        return HistoryInfo(
            id=history,
            path=place.path,
            deleted=not place.bound,
            came_from=place.came_from,
            checkpoints=self.repository.count(kind=CHECKPOINT, key=key),
            first_ns=oldest.time_ns if oldest else 0,
            last_ns=head.time_ns if head else 0,
            head=mark_losses(self.repository, [head])[0] if head else None,
        )

    def _in_full(self, history: HistoryId, place: Place) -> HistoryInfo:
        found = self.checkpoints_of(history)
        return HistoryInfo(
            id=history,
            path=place.path,
            deleted=not place.bound,
            came_from=place.came_from,
            checkpoints=len(found),
            first_ns=min((one.time_ns for one in found), default=0),
            last_ns=max((one.time_ns for one in found), default=0),
            head=found[-1] if found else None,
        )

    def _doubt(self) -> str:
        """Words for when something is not found in a store that is known to be damaged."""
        gaps = self.repository.gaps()
        if not gaps:
            return ""
        return (
            f"The store is damaged in {len(gaps)} places, so it may have been there:"
            " see `jupyter rewind verify`."
        )


@contextmanager
def naming(checkpoint: Checkpoint) -> Iterator[None]:
    """Damage met in the block is told with the checkpoint and the notebook it costs."""
    try:
        yield
    except (Integrity, NotFound) as error:
        raise Integrity(
            f"Checkpoint {checkpoint.id} of {checkpoint.path} cannot be read: {error.message}",
            hint="Other checkpoints are affected only as far as they share what is damaged;"
            " `jupyter rewind verify` names them.",
        ) from error
    except Denied as error:
        raise Denied(
            f"Checkpoint {checkpoint.id} of {checkpoint.path} cannot be read: {error.message}",
            code=error.code,
            hint=error.hint,
        ) from error
    except Unavailable as error:
        raise Unavailable(
            f"Checkpoint {checkpoint.id} of {checkpoint.path} cannot be read now: {error.message}",
            code=error.code,
            hint=error.hint,
            retryable=error.retryable,
        ) from error
