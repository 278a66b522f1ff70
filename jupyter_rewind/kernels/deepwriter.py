"""The patient writer of pods, for values nested deeper than the C stack reaches.

On the way down only calls of Python by Python are under way, which take nothing of that stack:
measured on 3.11, 3.12 and 3.13, in a thread with 256 KB of it. Pickle's own writer in Python calls
`save_reduce` through C, level by level, and takes ten times as long as the one in C.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

from jupyter_rewind.kernels.codec import PROTOCOL, Buffers, Session, Telling, native
from jupyter_rewind.kernels.depth import Room
from jupyter_rewind.kernels.sink import Sink

_OWN: Any = pickle._Pickler
_PLAIN = frozenset((
    int, float, str, bytes, bool, type(None), list, dict, tuple, set, frozenset, bytearray,
    pickle.PickleBuffer,
))  # fmt: skip
_IN_TURNS = (list, dict)
"""These take a call more for each batch of what they hold."""
_NOTHING = (None, None, None, None)


class DeepWriter(Telling, pickle._Pickler):
    """The patient writer, for values nested deeper than the C stack reaches: on the way down, only
    calls of Python by Python are under way, which take nothing of that stack.

    Raises RecursionError for what is deeper than `depth.MOST`.
    """

    framer: Any
    memo: Any
    write: Any
    get: Any

    def __init__(
        self, sink: Sink, buffers: Buffers, session: Session, own: Iterable[str], careful: bool
    ) -> None:
        pickle._Pickler.__init__(self, sink, PROTOCOL, buffer_callback=buffers.take)
        self._begin(session, buffers, own, careful)
        self._depth = 0

    def dump(self, value: Any) -> None:
        with Room() as self._room:
            super().dump(value)

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        """As pickle's own, which calls `save_reduce` through C."""
        self.framer.commit_frame()
        told = self.memo.get(id(value))
        if told is not None:
            self.write(self.get(told[0]))
            return
        kind, before = type(value), self._depth
        # Just as many calls as are under way: room for more would be room for endless ones.
        self._depth = before + 3 if kind in _IN_TURNS else before + 2
        self._room.go(self._depth)
        # Unlike the fast one, this one meets plain values too.
        found = NotImplemented if kind in _PLAIN else self.reducer_override(value)
        tell = _OWN.dispatch.get(kind)
        if found is NotImplemented and tell is None and not issubclass(kind, type):
            found = native(value, None)
        if found is NotImplemented:
            if tell is not None:
                tell(self, value)
            else:
                _OWN.save_global(self, value)
        elif isinstance(found, str):
            _OWN.save_global(self, value, found)
        elif isinstance(found, tuple) and 2 <= len(found) <= 6:
            make, given, state, items, pairs, setter = (*found, *_NOTHING)[:6]
            if items is not None or pairs is not None:
                self._depth = before + 3
            _OWN.save_reduce(self, make, given, state, items, pairs, setter, obj=value)
        else:
            raise pickle.PicklingError("it does not say how it is made again")
        self._depth = before
