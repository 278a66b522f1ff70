"""What one commit of a kernel will hold: content put aside, and the entries that name it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from jupyter_rewind.errors import Internal
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store import chunks
from jupyter_rewind.store.framing import OVERHEAD, Kind
from jupyter_rewind.store.gathering import Gathering, Grounds
from jupyter_rewind.store.writer import SegmentWriter


class Kept(Grounds, Protocol):
    """What a block asks of the store it belongs to."""

    def knows(self, digest: Digest) -> bool: ...
    def require(self, digests: Collection[Digest]) -> None: ...
    def is_here(self, digest: Digest) -> bool: ...


def _pack_if_worth(data: bytes | memoryview) -> tuple[chunks.Codec, bytes | memoryview]:
    """Large content stays as it is where compressing saves little: it is read in place then."""
    if len(data) >= _LARGE:
        middle = len(data) // 2
        sample = bytes(data[:_SAMPLE]) + bytes(data[middle : middle + _SAMPLE])
        if len(chunks.pack(sample)[1]) > _WORTH_IT * len(sample):
            return chunks.Codec.RAW, data
    return chunks.pack(data)


_REMEMBERED = 1 << 17
_LARGE = 1 << 16
_SAMPLE = 1 << 12
_WORTH_IT = 0.9


@dataclass(frozen=True, slots=True)
class Staged:
    """Content that was put, and what it may be told as a difference from."""

    kind: Kind
    name: Digest
    base: Digest | None


class Block(Gathering):
    """Collects one commit of a `KernelStore`."""

    def __init__(self, store: Kept, writer: SegmentWriter, *, plain: bool = False) -> None:
        """With `plain`, nothing is compressed or told as a difference: fast, and large."""
        super().__init__(store, writer)
        self._store = store
        self.is_plain = plain
        self.staged: list[Staged] = []
        """All the content that was put."""
        self._written = 0
        self.recent: list[tuple[Digest, bytes]] = []
        """Small new content: the next of its kind will be told from it."""

    @property
    def written_bytes(self) -> int:
        """Bytes that the content of this block takes in the segment so far."""
        return self._written

    def put(self, data: bytes | memoryview) -> tuple[Digest, ...]:
        """The names of `data`'s chunks: one, or several where it is large."""
        return tuple(self.put_chunk(piece) for piece in chunks.cut(data))

    def put_chunk(
        self, data: bytes | memoryview, *, name: Digest | None = None, base: Digest | None = None
    ) -> Digest:
        """The name of `data`, stored whole or as a difference from `base` where that is smaller."""
        name = name or chunks.digest(data)
        if name not in self._new and not self._store.knows(name):
            self._put(Kind.CHUNK, name, data, base)
        return name

    def put_again(self, one: Staged, raw: bytes, *, with_base: bool = True) -> None:
        """Content that stands elsewhere in the store stands here too."""
        if one.name not in self._new:
            self._put(one.kind, one.name, raw, one.base if with_base else None)

    def _put(self, kind: Kind, name: Digest, raw: bytes | memoryview, base: Digest | None) -> None:
        codec: chunks.Codec
        payload: bytes | memoryview
        if self.is_plain:
            codec, payload = chunks.Codec.RAW, raw
        else:
            codec, payload = self._pack(raw, base)
        self.staged.append(Staged(kind, name, base))
        self._remember(name, raw)
        self._stage(kind, codec, len(raw), name, payload)

    def _remember(self, name: Digest, raw: bytes | memoryview) -> None:
        if len(raw) <= _REMEMBERED:
            self.recent.append((name, bytes(raw)))

    def _require(self, names: Sequence[Digest]) -> None:
        self._store.require([name for name in names if name not in self._new])

    def _has_node(self, name: Digest) -> bool:
        return self._store.knows(name)

    def _pack(
        self, data: bytes | memoryview, base: Digest | None
    ) -> tuple[chunks.Codec, bytes | memoryview]:
        # Nothing is fetched from a replica to be a ground to stand on.
        told = self._delta(data, base if base is None or self._store.is_here(base) else None)
        return _pack_if_worth(data) if told is None else told[:2]

    def _stage(
        self, kind: Kind, codec: int, raw_size: int, name: Digest, payload: bytes | memoryview
    ) -> None:
        if name in self._new:
            raise Internal("A chunk was to be stored twice in one commit.")
        super()._stage(kind, codec, raw_size, name, payload)
        self._written += OVERHEAD + len(payload)
