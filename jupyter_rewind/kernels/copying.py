"""Roots of a state read once more, beside what is loaded for good, for code that writes to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.finalized import Finals
from jupyter_rewind.kernels.hollow import fill
from jupyter_rewind.kernels.reading import Reader
from jupyter_rewind.kernels.records import PodRecord
from jupyter_rewind.kernels.refusals import is_refusal
from jupyter_rewind.kernels.sources import memory_of
from jupyter_rewind.store.keep import ContentSource


class Copying:
    """The part of a loader that makes copies."""

    finals: Finals
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
