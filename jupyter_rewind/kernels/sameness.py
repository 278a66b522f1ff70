"""Whether two stored pods tell the same, though the one repeats a text that the other names again,
or holds what a cell was worth besides.

Python makes one object of equal names in code, and two of them when they are loaded; which texts
are one object is no part of a state, but of how it is written. Nor is it a change of a variable
that `Out` and `_` hold it as well. Reads opcodes only, loads nothing.
"""

from __future__ import annotations

import io
import itertools
import pickletools
import struct
from collections.abc import Iterator
from typing import Any

from jupyter_rewind.errors import RewindError
from jupyter_rewind.kernels.names import is_result_key
from jupyter_rewind.kernels.pods import HUB
from jupyter_rewind.kernels.records import PodRecord, read_pod
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.keep import ContentSource

_MOST_BYTES = 1 << 20
"""Streams of more than that, taken together, would take a second."""
_WORDS = {
    **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), "text"),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"), "bytes"),
}
_GETS = frozenset(("BINGET", "LONG_BINGET"))
_UNTOLD = frozenset(("PROTO", "FRAME"))
_PRIMED = 4
"""How many objects both sides know before anything is told."""


class Sameness:
    """Compares pods of one store."""

    def __init__(self, store: ContentSource) -> None:
        self._store = store
        self._left = _MOST_BYTES
        self._known: dict[tuple[Digest, Digest], bool] = {}

    def holds(self, one: Digest, other: Digest) -> bool:
        """True where they tell the same; False also where there is too much to be read, or what
        they tell does not read: it may be another."""
        if one == other:
            return True
        if (one, other) not in self._known:
            try:
                found = self._compare(read_pod(self._store, one), read_pod(self._store, other))
            except RewindError:
                found = False
            self._known[one, other] = found
        return self._known[one, other]

    def _compare(self, one: PodRecord, other: PodRecord) -> bool:
        count = None
        if _around(one) != _around(other):
            count = _count_alike(one, other)
            if not count:
                return False
        size = one.stream_size + other.stream_size
        if size > self._left:
            return False  # and others may be small
        self._left -= size
        told = itertools.zip_longest(self._told(one, count), self._told(other, count))
        try:
            return all(mine == theirs for mine, theirs in told)
        except (ValueError, IndexError):
            return False  # written in a way that is not known here: it may be another

    def _told(self, record: PodRecord, count: int | None) -> Iterator[tuple[str, Any]]:
        """What the stream says, one after the other: a text always by itself; of the first `count`
        roots, where that is given."""
        stream = io.BytesIO(b"".join(map(self._store.get, record.stream)))
        end = stream.getbuffer().nbytes
        memo: list[tuple[str, Any]] = [("object", number) for number in range(_PRIMED)]
        numbers = itertools.count(_PRIMED)
        buffers = iter(record.buffers)
        for _ in itertools.count() if count is None else range(count):
            if stream.tell() >= end:
                return
            last = None
            given: Any
            for code, given, _ in pickletools.genops(stream):
                if code.name in _UNTOLD:
                    continue
                word = _WORDS.get(code.name)
                if code.name == "MEMOIZE":
                    memo.append(last or ("object", next(numbers)))
                elif code.name in _GETS:
                    yield memo[given]
                elif code.name == "NEXT_BUFFER":
                    yield code.name, next(buffers, None)
                elif code.name == "BINFLOAT":
                    yield code.name, struct.pack(">d", given)  # 0.0 is another one than -0.0
                else:
                    yield word or code.name, given
                last = (word, given) if word is not None else None


def _count_alike(one: PodRecord, other: PodRecord) -> int:
    """How many variables both hold, and nothing but the results of cells behind them; 0 where that
    is not so."""
    own = [root for root in one.roots if not is_result_key(root.key)]
    count = len(own)
    is_plain = not any(root.key.startswith(HUB) for root in own)
    for each in (one, other):
        rest = each.roots[count:]
        is_first = list(each.roots[:count]) == own and all(is_result_key(one.key) for one in rest)
        is_plain = is_plain and is_first and not (each.hollow or each.is_stand_in or each.names)
    return count if is_plain else 0


def _around(record: PodRecord) -> tuple[object, ...]:
    """Everything of the pod but its stream."""
    told = record.roots, record.buffers, record.refs, record.names
    return *told, record.hollow, record.is_stand_in
