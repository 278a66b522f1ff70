"""Everything that Rewind raises on purpose, one class for each different reaction of the caller.

Imports nothing of ours. Codes are added, never renamed: they stand in REST answers and in scripts.
Values that cannot be kept are entries of a report, not errors.
"""

from __future__ import annotations

from typing import Any


class RewindError(Exception):
    """A failure in words: what failed, on what, what is still safe; `hint` says what to do next."""

    default_code = "error"
    is_done = False
    """What was asked for was done all the same; what failed comes after it."""

    def __init__(
        self, message: str, *, code: str = "", hint: str = "", retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.code, self.hint, self.retryable)


def _rebuild(
    kind: type[RewindError], message: str, code: str, hint: str, retryable: bool
) -> RewindError:
    return kind(message, code=code, hint=hint, retryable=retryable)


class NotFound(RewindError, LookupError):
    """What was asked for does not exist; never said of what exists and cannot be read."""

    default_code = "not_found"


class Conflict(RewindError):
    """Somebody else changed the same thing, or the request contradicts what exists."""

    default_code = "conflict"


class Integrity(RewindError):
    """Stored bytes are not what was written: damage, or a tag that does not fit the key."""

    default_code = "integrity"


class Format(RewindError):
    """Bytes that are not in a format this version reads."""

    default_code = "format"


class Newer(Format):
    """Written by a later version of Rewind; refused whole rather than half read."""

    default_code = "newer"


class Storage(RewindError, OSError):
    """The place where bytes lie did not do what it was asked to do."""

    default_code = "storage"


class Unavailable(Storage):
    """The place cannot be reached now; later it may."""

    default_code = "unavailable"


class Full(Storage):
    """No room: the disk, the quota or the bucket is full. What was acknowledged before is whole."""

    default_code = "full"


class Denied(Storage):
    """The place refuses: permissions, a read-only file system, wrong credentials."""

    default_code = "denied"


class RestoreRefused(RewindError):
    """Going on would lose something; nothing was changed."""

    default_code = "refused"


class InvalidInput(RewindError, ValueError):
    """The caller's words do not make sense here; nothing was changed."""

    default_code = "invalid_input"


class Internal(RewindError):
    """A fault of Rewind itself."""

    default_code = "internal"
