"""Large memory of a stored state, read where it is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from xxhash import xxh3_128_digest

from jupyter_rewind.kernels.buffers import PIECE, BufferState
from jupyter_rewind.kernels.records import Buffer
from jupyter_rewind.store.keep import ContentSource


class Source:
    """Memory that still lies in the store: read into where it is wanted, and checked."""

    def __init__(self, store: ContentSource, state: BufferState) -> None:
        self._store = store
        self._state = state

    def into(self, target: memoryview) -> None:
        """`target` holds it. Raises NotFound, Integrity."""
        read = getattr(self._store, "get_into", None)
        hashes = []
        for number, name in enumerate(self._state.names()):
            piece = target[number * PIECE : (number + 1) * PIECE]
            if read is not None:
                read(name, piece)
            else:
                piece[:] = self._store.get(name)
            hashes.append(xxh3_128_digest(piece))
        self._state.hashes = b"".join(hashes)


def memory_of(
    store: ContentSource, buffers: Iterable[Buffer], states: list[BufferState]
) -> Iterator[Any]:
    """The large memory of a pod, in order; `states` gets what the next look compares with. Raises
    NotFound, Integrity."""
    for one in buffers:
        state = BufferState(one.size, b"", list(one.pieces), direct=one.direct)
        states.append(state)
        source = Source(store, state)
        if one.direct:
            yield source
        else:
            memory = bytearray(one.size)
            source.into(memoryview(memory))
            yield memory
