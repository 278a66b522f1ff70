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

from jupyter_rewind.errors import Denied, Full, NotFound, RewindError, Unavailable
from jupyter_rewind.store.durable import free_bytes
from jupyter_rewind.store.moving import REPLACED

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


def advice_on(error: BaseException) -> str:
    """What is still safe, and what to do, as sentences."""
    is_other = isinstance(error, RewindError) and error.code == REPLACED
    if is_other or kind_of(error) == "gone":
        # Nothing is known of what was kept before.
        return f"Your code runs as always. {getattr(error, 'hint', '')}".rstrip()
    return "Your code runs as always, and what was kept before is whole."


def kind_of(error: BaseException) -> str:
    """What the user would call one cause, whatever file it befell."""
    if isinstance(error, Full):
        return "full"
    if isinstance(error, Denied | PermissionError):
        return "denied"
    if isinstance(error, NotFound | FileNotFoundError):
        return "gone"
    if isinstance(error, Unavailable) and not error.retryable:
        return "gone"
    return error.code if isinstance(error, RewindError) else type(error).__name__


def cause_of(error: BaseException) -> str:
    """Why something could not be stored, for the middle of a sentence."""
    words = error.message if isinstance(error, RewindError) else f"{type(error).__name__}: {error}"
    if isinstance(error, Unavailable) and not error.retryable:
        # What was looked for when it was found to be gone says nothing more.
        words = words.partition(": Could not ")[0]
    if kind_of(error) == "denied":
        # Which of its files it befell says nothing to the user.
        return f"the store cannot be written to ({_reason(error, words)})"
    if isinstance(error, Full):
        words = words.partition(": ")[2] or words
    words = words.strip().rstrip(".")
    return words[:1].lower() + words[1:] if isinstance(error, RewindError) else words


def _reason(error: BaseException, words: str) -> str:
    said = error.strerror if isinstance(error, OSError) else None
    return (said or words.rstrip(".").rpartition(": ")[2]).lower()
