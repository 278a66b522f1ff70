"""A replica as an open thing: which store it holds, and the notes of this store about it.

`rewind-replica`, at its top, says which store it is of, and is made once, after the probe.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import (
    Conflict,
    Format,
    Integrity,
    Newer,
    NotFound,
    Unavailable,
)
from jupyter_rewind.model.encoding import check_format, parse_json, to_json
from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.store.layout import Layout, key_check
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.probe import require_conditions
from jupyter_rewind.store.replica.sealing import METHOD, SealedObjects, require_library

PLAIN_FORMAT, SEALED_FORMAT = 1, 2
CONFIG = "rewind-replica"
UNUSED = "unused"
"""The code of the error where a replica of another store meets one that would give way to it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What `rewind-replica` says: the replica's own id, the store's, and a check of its key."""

    replica: str
    store_id: StoreId
    key_check: str
    sealed: bool = False
    """Whether what it holds is encrypted."""


def read_identity(objects: Objects) -> Identity:
    """Which store's replica this is. Raises NotFound where there is none, Integrity where it has
    lost this word of itself, Newer, Format, Storage."""
    try:
        data = objects.get(CONFIG)
    except NotFound:
        if objects.folders("refs/"):
            raise Integrity(
                f"The replica {objects.place} has lost {CONFIG}, which says whose it is.",
                hint="Nothing was changed; what was pushed is still there.",
            ) from None
        raise NotFound(
            f"There is no replica at {objects.place} yet.",
            hint=f"`jupyter rewind replica push` makes it.{_below(objects)}",
        ) from None
    try:
        facts = parse_json(data)
        number = int(facts["format"])
        check_format(number, SEALED_FORMAT, f"The replica {objects.place}")
        is_sealed = number == SEALED_FORMAT
        if is_sealed and facts["encryption"] != METHOD:
            raise Newer(f"{objects.place} is encrypted in a way that this version does not know.")
        found = Identity(
            str(facts["replica"]), StoreId(str(facts["store"])), str(facts["key_check"]),
            is_sealed,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise Format(f"{CONFIG} at {objects.place} is not that of a replica.") from error
    return found


def _below(objects: Objects) -> str:
    """What may be wrong with a folder that seems to be empty."""
    if not isinstance(objects, FolderObjects) or objects.is_mount:
        return ""
    return " Nothing is mounted at that folder: if a disk or a share belongs there, mount it first."


def is_unused(folder: Path) -> bool:
    """Whether nothing was ever kept in the store that is at `folder`, here or in a replica: a
    server was started, or a command was tried."""
    try:
        names = os.listdir(folder / "segments")
    except OSError:
        return False
    told = ("witness", "retired", "retired-ends", "partial", "rotating", "damaged")
    return not (
        names
        or any((folder / each).exists() for each in told)
        or any((folder / "replicas").glob("*.json"))
    )


def require_store(objects: Objects, layout: Layout) -> Identity:
    """The replica's identity, where it is one of this store. Raises Conflict and as
    `read_identity` does."""
    found = read_identity(objects)
    if found.store_id != layout.store_id:
        other = (
            f"The replica {objects.place} holds another store ({found.store_id[:8]}…) than the one"
            f" at {layout.folder} ({layout.store_id[:8]}…)"
        )
        if is_unused(layout.folder):
            raise Conflict(
                f"{other}, and nothing was kept in it yet.",
                code=UNUSED,
                hint="Nothing was changed. Where its key is on this machine (`jupyter rewind key"
                " import FILE`), `jupyter rewind pull` puts it in the place of the one here. To"
                " keep that, give it a prefix of its own.",
            )
        raise Conflict(
            f"{other}.",
            hint="Nothing was changed. Give each store a prefix of its own. To go on here with the"
            " store in the replica, name a new folder for it, `jupyter rewind config set store.path"
            " FOLDER`, and pull; what the present one holds stays, and is read with --store.",
        )
    if found.key_check != key_check(layout.key, layout.store_id, layout.is_encrypted):
        raise Integrity(
            f"The replica {objects.place} was written with another key than this store's.",
            hint="Nothing was changed.",
        )
    return found


def unseal(objects: Objects, identity: Identity, layout: Layout) -> Objects:
    """The replica's objects in the clear, whatever they are there."""
    return SealedObjects(objects, layout, identity.replica) if identity.sealed else objects


def require_sealed(identity: Identity, place: str) -> None:
    """Raises Conflict where what goes to the replica could be read there."""
    if not identity.sealed:
        raise Conflict(
            f"The replica {place} is not encrypted, and its address says that it is to be.",
            hint="Nothing was pushed. Encryption begins with the first push: take another prefix.",
        )


def make_replica(objects: Objects, layout: Layout, *, sealed: bool = False) -> Identity:
    """There is a replica of this store, encrypted where `sealed` asks for it. Raises Unavailable
    where the server is none that can hold one, Conflict where another store's lies there, or one
    that is not encrypted."""
    try:
        found = require_store(objects, layout)
    except NotFound:
        found = _make_replica(objects, layout, sealed)
    if sealed:
        require_sealed(found, objects.place)
    return found


def _make_replica(objects: Objects, layout: Layout, sealed: bool) -> Identity:
    if sealed:
        require_library()
    require_conditions(objects)
    data = to_json(
        {
            "format": SEALED_FORMAT if sealed else PLAIN_FORMAT,
            "replica": clock.new_id(),
            "store": layout.store_id,
            "created": clock.now_ns(),
            "key_check": key_check(layout.key, layout.store_id, layout.is_encrypted),
            **({"encryption": METHOD} if sealed else {}),
        }
    )
    try:
        objects.create(CONFIG, data)
    except Unavailable:
        # The reply was lost, perhaps; what stands there tells.
        if objects.size(CONFIG) is None:
            raise
    return require_store(objects, layout)
