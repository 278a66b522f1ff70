"""A put whose reply was lost is read back, not guessed at."""

from __future__ import annotations

import time

from jupyter_rewind.errors import Integrity, NotFound, Unavailable
from jupyter_rewind.store.replica.objects import Objects

_TRIES = 6
_PAUSE_SECONDS = 0.1


def create_surely(objects: Objects, key: str, data: bytes) -> bool:
    """True when `key` holds `data`, made now or before; False when it holds something else.

    For data that nobody else would write by chance: it has a nonce, or is named by its content.
    Raises Unavailable when the server could not be reached for all the tries; what then becomes
    of the last one is not known.
    """
    for attempt in range(_TRIES):
        try:
            if objects.create(key, data):
                return True
            return _found(objects, key) == data
        except Unavailable as error:
            if not error.retryable or attempt == _TRIES - 1:
                raise
        time.sleep(_PAUSE_SECONDS * 2**attempt)
    raise Integrity(f"{key} of the replica {objects.place} was neither made nor there.")


def _found(objects: Objects, key: str) -> bytes | None:
    try:
        return objects.get(key)
    except NotFound as error:
        raise Unavailable(
            f"{key} of the replica {objects.place} is there and cannot be read.", retryable=True
        ) from error
