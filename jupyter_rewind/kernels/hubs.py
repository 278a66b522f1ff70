"""Classes and functions that are told apart by uid: whoever refers to one names its uid.

The cells of a function's closure have uids too, for two functions may share one. Everything is
held weakly (a cell through the functions that own it): what the user let go is forgotten.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Mapping
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.kernels.homes import KnownHomes
from jupyter_rewind.kernels.lives import Lives

Reference = weakref.ref[Any]


class Hubs:
    """Uids of living classes, functions and cells of one kernel."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[Reference, str]] = {}
        self._by_uid: dict[str, Reference] = {}
        self._cells: dict[int, str] = {}
        self._owners: dict[str, list[tuple[Reference, int]]] = {}
        self.homes = KnownHomes()
        self.lives = Lives()
        """Things that cannot be kept, and need not be while they live."""

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

    def adopt(self, uid: str, value: Any, cells: Mapping[int, str] | None = None) -> None:
        """`value` is known under `uid`, as it was when it was captured; `cells` gives the uids of
        its cells by their id."""
        reference = weakref.ref(value)
        self._by_id[id(value)] = (reference, uid)
        self._by_uid[uid] = reference
        if isinstance(value, types.FunctionType):
            for number, cell in enumerate(value.__closure__ or ()):
                known = (cells or {}).get(id(cell)) or self.cell_uid(cell) or clock.new_id()
                self._cells[id(cell)] = known
                self._owners.setdefault(known, []).append((reference, number))
        if len(self._by_id) > 2 * len(self._by_uid) + 64:
            self._forget_dead()

    def get(self, uid: str) -> Any:
        """The living object of this uid; None where there is none any more."""
        reference = self._by_uid.get(uid)
        return reference() if reference is not None else None

    def cell_uid(self, cell: types.CellType) -> str | None:
        """The uid of the cell, if it has one."""
        uid = self._cells.get(id(cell))
        return uid if uid is not None and self.get_cell(uid) is cell else None

    def get_cell(self, uid: str) -> types.CellType | None:
        """The living cell of this uid; None where no function that owns it lives."""
        for reference, number in self._owners.get(uid, ()):
            function = reference()
            if function is not None:
                found: types.CellType = function.__closure__[number]
                return found
        return None

    def living(self) -> list[tuple[str, Any]]:
        pairs = ((uid, reference()) for uid, reference in list(self._by_uid.items()))
        return [(uid, value) for uid, value in pairs if value is not None]

    def _forget_dead(self) -> None:
        self._by_id = {key: held for key, held in self._by_id.items() if held[0]() is not None}
        self._by_uid = {key: held for key, held in self._by_uid.items() if held() is not None}
        self._owners = {
            uid: alive
            for uid, owners in self._owners.items()
            if (alive := [one for one in owners if one[0]() is not None])
        }
        self._cells = {key: uid for key, uid in self._cells.items() if uid in self._owners}
