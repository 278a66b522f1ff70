"""What keeps states from being stored, and when it is worth another try.

Telling a large state again after every cell, for a disk that is still full, would cost the user
its time over and over: each failure doubles the number of cells that are passed over, unless there
is room again, or what did not fit is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_rewind.errors import Full, RewindError
from jupyter_rewind.store.durable import free_bytes

_LONGEST_WAIT = 63


@dataclass(slots=True)
class Trouble:
    """The failures in a row up to now."""

    error: BaseException
    failures: int = 0
    _wait: int = 0
    _needed: int = 0
    _free: int = 0
    _values: dict[str, int] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """What it is, without a full stop."""
        return cause_of(self.error)

    def fail_again(
        self, error: BaseException, needed: int, folder: Path, names: Iterable[str],
        namespace: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Another state could not be stored: `needed` bytes, among them these variables'."""
        self.error = error
        self._wait = min(2**self.failures - 1, _LONGEST_WAIT)
        self.failures += 1
        self._needed, self._free = needed, free_bytes(folder) or 0
        self._values = {name: id(namespace.get(name)) for name in names}

    def is_worth_a_try(self, folder: Path, namespace: Mapping[str, Any]) -> bool:
        """Asked once a cell."""
        self._wait -= 1
        if self._wait < 0:
            return True
        if any(id(namespace.get(name)) != value for name, value in self._values.items()):
            return True
        if not isinstance(self.error, Full):
            return False
        return (free_bytes(folder) or 0) - self._free >= max(self._needed // 2, 1)


def cause_of(error: BaseException) -> str:
    """Why something could not be stored, for the middle of a sentence."""
    words = error.message if isinstance(error, RewindError) else f"{type(error).__name__}: {error}"
    if isinstance(error, Full):
        words = words.partition(": ")[2] or words
    words = words.strip().rstrip(".")
    return words[:1].lower() + words[1:] if isinstance(error, RewindError) else words
