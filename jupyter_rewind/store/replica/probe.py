"""Whether a server keeps its word on "only if there is none yet".

Several that speak S3 take the condition and overwrite all the same: two machines would then lose
each other's commits in silence. Asked once for each replica, before anything is entrusted to it.
"""

from __future__ import annotations

from contextlib import suppress

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound, RewindError, Unavailable
from jupyter_rewind.store.replica.objects import Objects

UNCONDITIONAL = "unconditional"
"""The code of the error for a server that ignores conditions."""


def require_conditions(objects: Objects) -> None:
    """Nothing, where an object that is there cannot be made a second time, and reads as it was
    written. Raises Unavailable with the code `unconditional` for any other server."""
    key = f"probe/{clock.new_id()}"
    first, second = b"first " + clock.token(16), b"second " + clock.token(16)
    try:
        if not objects.create(key, first) and _read(objects, key) != first:
            raise _refused(objects, "says that a new object was there already")
        if objects.create(key, second):
            raise _refused(objects, "overwrites objects that it was told not to overwrite")
        if _read(objects, key) != first:
            raise _refused(objects, "gives back other bytes than were written")
        if objects.get_range(key, 2, 5) != first[2:5]:
            raise _refused(objects, "gives back other bytes than were asked for")
    finally:
        with suppress(RewindError):
            objects.delete(key)


def _read(objects: Objects, key: str) -> bytes:
    try:
        return objects.get(key)
    except NotFound:
        return b""


def _refused(objects: Objects, what: str) -> Unavailable:
    return Unavailable(
        f"The server of {objects.place} cannot hold a replica: it {what}.",
        code=UNCONDITIONAL,
        hint="Nothing was pushed. Use a server that knows conditional writes (If-None-Match), such"
        " as Amazon S3, Ceph or SeaweedFS, or a folder.",
    )
