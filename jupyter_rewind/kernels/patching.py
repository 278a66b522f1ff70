"""Changing large memory in place: where two states differ in nothing but what arrays hold.

Then no object is made anew, nothing is allocated, and only the pieces that differ are read; and
whoever holds an array from outside sees the state that was restored. Only for arrays of numpy and
the blocks of frames that hold them: other values may remember things about their memory (the hash
table of an index, say) that would be wrong afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from xxhash import xxh3_128_digest

from jupyter_rewind.errors import RestoreRefused
from jupyter_rewind.kernels.buffers import HASH, PIECE, BufferState
from jupyter_rewind.kernels.codec import Session
from jupyter_rewind.kernels.pods import Root, Written, write_pod
from jupyter_rewind.kernels.records import PodRecord
from jupyter_rewind.kernels.reducers.views import address_of
from jupyter_rewind.kernels.state import Pod
from jupyter_rewind.store.keep import ContentSource

_MOST_OBJECTS = 20_000
_PLAIN = frozenset(
    ("str", "bytes", "tuple", "list", "dict", "slice", "function", "builtin_function_or_method")
)
_FRAMES = frozenset((
    "DataFrame", "Series", "BlockManager", "SingleBlockManager", "NumpyBlock", "NumericBlock",
    "BlockPlacement", "BlockValuesRefs", "RangeIndex", "Flags",
))  # fmt: skip

Piece = tuple[int, int, bytes]
"""A buffer's number, the piece's number in it, and what it is to hold."""


@dataclass(slots=True)
class Patch:
    """What makes the living values of one pod those of another state."""

    pod: Pod
    record: PodRecord
    _session: Session
    _roots: list[Root]
    _pieces: list[Piece]

    def apply(self) -> Callable[[], Any]:
        """The memory is changed; what is returned changes it back. Raises RestoreRefused where
        the values are not what they were when this was prepared."""
        before: list[Piece] = []
        written = _tell(self._session, self._roots, self.pod)
        if written is None:
            raise RestoreRefused(
                f"{self._roots[0][0][2:]} has changed while it was being restored.",
                hint="Nothing was changed. Try again.",
            )
        try:
            views = written.buffers.views
            for number, piece, content in self._pieces:
                target = views[number][piece * PIECE : (piece + 1) * PIECE]
                before.append((number, piece, bytes(target)))
                target[:] = content
        except BaseException:
            for number, piece, content in before:
                written.buffers.views[number][piece * PIECE : (piece + 1) * PIECE] = content
            raise
        finally:
            written.release()
        back = Patch(self.pod, self.record, self._session, self._roots, before)
        return back.apply

    def patched_pod(self) -> Pod:
        """What the next capture compares with."""
        pod, record = self.pod, self.record
        hashes = [bytearray(state.hashes) for state in pod.buffers]
        for number, piece, content in self._pieces:
            hashes[number][piece * HASH : (piece + 1) * HASH] = xxh3_128_digest(content)
        states = [
            BufferState(one.size, bytes(told), list(one.pieces), direct=one.direct)
            for one, told in zip(record.buffers, hashes, strict=True)
        ]
        return Pod(
            record.roots, pod.ids, pod.stream_hash, pod.stream_size, states, pod.refs, pod.names,
            pod.closed, chunks=record.stream, node=record.node, hollow=record.hollow,
            arrays=pod.arrays,
        )  # fmt: skip


def find_patch(
    store: ContentSource, record: PodRecord, pod: Pod | None, session: Session, roots: list[Root]
) -> Patch | None:
    """How the living roots of `pod` become those of `record` by their memory alone; None where
    that cannot be. Raises NotFound, Integrity."""
    if pod is None or not _differ_in_memory_alone(record, pod):
        return None
    places = [
        (number, piece)
        for number, (one, state) in enumerate(zip(record.buffers, pod.buffers, strict=True))
        for piece, name in enumerate(one.pieces)
        if state.digests[piece] != name
    ]
    written = _tell(session, roots, pod)
    if written is None:
        return None
    try:
        if not _may_change(written, {number for number, _ in places}):
            return None
    finally:
        written.release()
    pieces = [
        (number, piece, store.get(record.buffers[number].pieces[piece])) for number, piece in places
    ]
    return Patch(pod, record, session, roots, pieces)


def _differ_in_memory_alone(record: PodRecord, pod: Pod) -> bool:
    return (
        bool(record.buffers)
        and record.stream == pod.chunks
        and frozenset(record.refs) == pod.refs
        and [(one.size, one.direct) for one in record.buffers]
        == [(state.size, state.direct) for state in pod.buffers]
    )


def _tell(session: Session, roots: Sequence[Root], pod: Pod) -> Written | None:
    """The living pod, if it still is what was captured, its memory aside."""
    written = write_pod(session, roots)
    sizes = [view.nbytes for view in written.buffers.views]
    if written.stream.digest() == pod.stream_hash and sizes == [
        state.size for state in pod.buffers
    ]:
        return written
    written.release()
    return None


def _may_change(written: Written, numbers: Iterable[int]) -> bool:
    memo = written.writer.memo.copy() if len(written.stream) < 1 << 20 else {}
    if not memo or len(memo) > _MOST_OBJECTS:
        return False
    remembered: list[tuple[int, int]] = []
    for _, value in memo.values():
        if not _is_fit(value, remembered):
            return False
    for number in numbers:
        view = written.buffers.views[number]
        if view.readonly or not written.buffers.direct[number]:
            return False
        start = address_of(view)
        if any(start < end and begin < start + view.nbytes for begin, end in remembered):
            return False
    return True


def _is_fit(value: Any, remembered: list[tuple[int, int]]) -> bool:
    """False for what may remember things about memory; indexes' own memory is noted instead."""
    kind = type(value)
    numpy: Any = sys.modules.get("numpy")
    if kind.__name__ in _PLAIN and kind.__module__ == "builtins":
        return True
    if isinstance(value, type):
        return True
    if kind is numpy.ndarray or isinstance(value, numpy.dtype):
        return True
    if kind.__module__.partition(".")[0] != "pandas":
        return False
    if kind.__name__ in _FRAMES:
        return True
    if kind.__name__ == "Index":
        held = value._values
        if type(held) is not numpy.ndarray:
            return True  # its memory is not that of an array of numpy
        start = address_of(held) if held.nbytes else 0
        remembered.append((start, start + held.nbytes))
        return True
    return False
