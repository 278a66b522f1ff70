"""Classes and functions that are told apart by uid: whoever refers to one names its uid.

Holds them weakly: a class that the user let go is forgotten.
"""

from __future__ import annotations

import weakref
from typing import Any

from jupyter_rewind import clock


class Hubs:
    """Uids of living classes and functions of one kernel."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._by_uid: dict[str, weakref.ref[Any]] = {}

    def uid_of(self, value: Any) -> str | None:
        """The uid of `value`, if it has one."""
        found = self._by_id.get(id(value))
        if found is None or found[0]() is not value:
            return None
        return found[1]

    def name(self, value: Any) -> str:
        """The uid of `value`, which has one from now on."""
        uid = self.uid_of(value)
        if uid is None:
            uid = f"{value.__qualname__}:{clock.token(6).hex()}"
            self.adopt(uid, value)
        return uid

    def adopt(self, uid: str, value: Any) -> None:
        """`value` is known under `uid`, as it was when it was captured."""
        reference = weakref.ref(value)
        self._by_id[id(value)] = (reference, uid)
        self._by_uid[uid] = reference
        if len(self._by_id) > 2 * len(self._by_uid) + 64:
            self._forget_dead()

    def get(self, uid: str) -> Any:
        """The living object of this uid; None where there is none any more."""
        reference = self._by_uid.get(uid)
        return reference() if reference is not None else None

    def living(self) -> list[tuple[str, Any]]:
        pairs = ((uid, reference()) for uid, reference in list(self._by_uid.items()))
        return [(uid, value) for uid, value in pairs if value is not None]

    def _forget_dead(self) -> None:
        self._by_id = {key: held for key, held in self._by_id.items() if held[0]() is not None}
        self._by_uid = {key: held for key, held in self._by_uid.items() if held() is not None}
