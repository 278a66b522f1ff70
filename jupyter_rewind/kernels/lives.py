"""Which living thing a placeholder stands for: a restore in the same kernel leaves it alive.

A connection, a generator or a lock cannot be kept, but while the kernel lives it need not be: where
a state that held it comes back, it is still there. Everything is held weakly; what cannot be held
so is looked up among what the present holds, and only while a restore lasts.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from jupyter_rewind import clock


class Lives:
    """Uids of living things that cannot be kept."""

    def __init__(self) -> None:
        self._uids: dict[int, tuple[type, weakref.ref[Any] | None, str]] = {}
        self._weak: dict[str, weakref.ref[Any]] = {}
        self._held: dict[str, Any] | None = None
        self._limit = 2 * _MANY

    def name(self, value: Any) -> str:
        """The uid of `value`, the same each time."""
        kind, reference, uid = self._uids.get(id(value), (None, None, ""))
        if kind is not type(value) or (reference is not None and reference() is not value):
            uid = self._adopt(value)
        if self._held is not None:
            self._held[uid] = value
        return uid

    def get(self, uid: str) -> Any:
        """The living thing of this uid; None where it is gone, or cannot be known."""
        if self._held is not None and uid in self._held:
            return self._held[uid]
        reference = self._weak.get(uid)
        return reference() if reference is not None else None

    @contextmanager
    def held(self) -> Iterator[None]:
        """In the block, what is named is found again, also where it cannot be held weakly."""
        self._held = {}
        try:
            yield
        finally:
            self._held = None

    def _adopt(self, value: Any) -> str:
        uid = clock.token(8).hex()
        self.adopt(uid, value)
        return uid

    def adopt(self, uid: str, value: Any) -> None:
        """The value is known under this uid from now on."""
        reference = None
        with suppress(TypeError):
            reference = self._weak[uid] = weakref.ref(value)
        self._uids[id(value)] = (type(value), reference, uid)
        if len(self._uids) > self._limit:
            self._forget_dead()

    def _forget_dead(self) -> None:
        self._weak = {uid: one for uid, one in self._weak.items() if one() is not None}
        recent = set(list(self._uids)[-_MANY:])
        self._uids = {
            key: known
            for key, known in self._uids.items()
            if (key in recent if known[1] is None else known[1]() is not None)
        }
        self._limit = 2 * max(_MANY, len(self._uids))


_MANY = 1_000
