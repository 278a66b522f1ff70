"""Roots of a state read once more: beside what is loaded for good, for code that writes to them, or
with patience, where one of the values does not load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.finalized import Finals
from jupyter_rewind.kernels.hollow import fill
from jupyter_rewind.kernels.patience import MOST_BYTES, PatientReader
from jupyter_rewind.kernels.pods import HUB, MODULE
from jupyter_rewind.kernels.reading import Reader
from jupyter_rewind.kernels.records import PodRecord
from jupyter_rewind.kernels.refusals import is_refusal
from jupyter_rewind.kernels.sources import memory_of
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.keep import ContentSource


class Copying:
    """The part of a loader that reads once more."""

    finals: Finals
    values: dict[str, Any]
    failures: dict[str, str]
    lost: dict[Digest, list[Any]]
    _there: set[str]
    _store: ContentSource
    _known: tuple[Any, ...]
    _loaded: PodRecord | None
    _filling: list[tuple[PodRecord, Any, Sequence[Any]]]
    _settling: list[tuple[Callable[..., Any], tuple[Any, ...]]]

    def load_copy(self, record: PodRecord) -> dict[str, Any]:
        """The roots once more, beside what is loaded for good; empty where they do not load."""
        filling, self._filling = self._filling, []
        before, self._loaded = self._loaded, record
        settling, self._settling = self._settling, []
        self.finals.is_copying = True
        try:
            with rebuild.active(cast(Any, self)):
                return self._read_copy(record)
        except BaseException as error:
            if not is_refusal(error):
                raise
            return {}
        finally:
            self.finals.is_copying = False
            self._filling, self._loaded, self._settling = filling, before, settling

    def _load_patiently(self, record: PodRecord) -> bool:
        """The roots of a pod that failed to load, but for the values that do; False where even that
        cannot be, or something lives that may stay what it is."""
        is_there = not self._there.isdisjoint((*record.keys, *record.names))
        is_other = any(key.startswith((HUB, MODULE)) for key in record.keys)
        if is_there or is_other or record.is_stand_in or record.stream_size > MOST_BYTES:
            return False
        # Not what the first try has begun.
        self._filling = [one for one in self._filling if one[0] is not record]
        try:
            stream = b"".join(map(self._store.get, record.stream))
            reader = PatientReader(stream, self._known, memory_of(self._store, record.buffers, []))
            if record.hollow:
                reader.load()
            found = {root.key: reader.load() for root in record.roots}
            content = [(record, *each) for each in reader.load()] if record.hollow else []
        except BaseException as error:
            if not is_refusal(error):
                raise
            return False
        stands = {key: one.how for key, one in found.items() if id(one) in reader.stands}
        self.failures.update(stands)
        self.values.update(found)
        self._filling += content
        self.lost[record.node] = reader.lost
        return True

    def _read_copy(self, record: PodRecord) -> dict[str, Any]:
        stream = b"".join(map(self._store.get, record.stream))
        reader = Reader(stream, self._known, memory_of(self._store, record.buffers, []))
        if record.hollow:
            reader.load()
        found = {root.key: reader.load() for root in record.roots}
        content = reader.load() if record.hollow else ()
        for container, held in (*content, *(each[1:] for each in self._filling)):
            fill(container, held)
        for action, arguments in self._settling:
            action(*arguments)
        return found
