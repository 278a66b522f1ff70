"""A put whose reply was lost is read back, not guessed at."""

from __future__ import annotations

import time

from jupyter_rewind.errors import Integrity, NotFound, Unavailable
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.refs import closed_key

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


def delete_surely(objects: Objects, key: str) -> None:
    """`key` is gone. Raises Unavailable when the server could not be reached for all the tries.

    Clients do not ask again by themselves where a reply to a deletion was lost: to them it is a
    request that may be made once only.
    """
    for attempt in range(_TRIES):
        try:
            objects.delete(key)
            return
        except Unavailable as error:
            if not error.retryable or attempt == _TRIES - 1:
                raise
        time.sleep(_PAUSE_SECONDS * 2**attempt)


def make_ref(objects: Objects, branch: str, key: str, data: bytes, generation: int) -> bool:
    """True when the ref is one of its branch now, made by somebody who knew of so many bases.

    Under a number that collecting has freed it would be none: nobody reads what stands before a
    base. Raises as `create_surely` does.
    """
    if not create_surely(objects, key, data):
        return False
    return objects.size(closed_key(branch, generation + 1)) is None


def _found(objects: Objects, key: str) -> bytes | None:
    try:
        return objects.get(key)
    except NotFound as error:
        raise Unavailable(
            f"{key} of the replica {objects.place} is there and cannot be read.", retryable=True
        ) from error
