"""Pull: what the replica has and the store has not, byte for byte, shown all at once.

Segments come as they were written, so every tag and every name in them holds here as it did
there. A segment that this store has collected comes back only where something that comes is
built on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import Denied, Integrity, NotFound, Unavailable
from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.store.apart import require_apart
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.encryption import require_library
from jupyter_rewind.store.layout import (
    ROTATED,
    Layout,
    key_check,
    key_path,
    make_config,
    making,
    mend_config,
    read_retired_ends,
    read_store_id,
    refuse_orphans,
)
from jupyter_rewind.store.locks import Barrier, FileLock
from jupyter_rewind.store.partial import note_partial
from jupyter_rewind.store.replica.arrival import (
    finish_arrival,
    forget_waiting,
    is_busy,
    show_arrived,
)
from jupyter_rewind.store.replica.fetching import Fetcher, Progress
from jupyter_rewind.store.replica.hollows import note_hollows, readdress
from jupyter_rewind.store.replica.ledger import Ledger
from jupyter_rewind.store.replica.mounts import note_mount, require_disk, require_mounted
from jupyter_rewind.store.replica.needs import Needs
from jupyter_rewind.store.replica.notes import Notes, read_notes, write_notes
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import (
    Identity,
    is_unused,
    read_identity,
    require_store,
    unseal,
)
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.push import know_branch, still_true
from jupyter_rewind.store.replica.sparse import SparseFetcher
from jupyter_rewind.store.replica.turns import has_turns, taking_turns
from jupyter_rewind.store.repository import Repository

AWAITED = "awaited"
"""A file in a store that was begun for what a replica holds, until that has come."""
_PATIENCE_SECONDS = 300.0
_TRIES = 5


@dataclass(frozen=True, slots=True)
class PullReport:
    """What a pull brought."""

    bytes: int = 0
    segments: int = 0
    entries: int = 0
    absent_bytes: int = 0
    """Of these, payloads that are in the replica alone: they come as they are read."""
    filled_bytes: int = 0
    """Payloads that lay in a replica alone before, and came."""


def found_store(
    folder: Path, key_folder: Path, objects: Objects, files: Files, url: str = ""
) -> bool:
    """True when an empty store was made at `folder` for the replica to be pulled into; False
    where there was a store already. One that nothing was ever kept in gives way.

    Raises Denied where the key of the replica's store is not in `key_folder`, Integrity where it
    is another one's, NotFound where there is no replica, InvalidInput where the key would lie in
    the store, Format where a store has lost its config, Unavailable where its disk, by what is
    known of `url`, is away.
    """
    is_there = (folder / "config").exists()
    if is_there and not is_unused(folder):
        return False
    require_apart(key_folder, folder)
    require_disk(objects, folder, url)
    note_mount(folder, url, objects, files)
    identity = read_identity(objects)
    if is_there and read_store_id(folder) == identity.store_id:
        return False
    path = key_path(key_folder, identity.store_id)
    try:
        key = path.read_bytes()
    except FileNotFoundError as error:
        raise Denied(
            f"The key of the store in the replica {objects.place} is not on this machine.",
            code="no_key",
            hint=f"Copy it from the other machine, or from a backup of it, to {path} (only you may"
            " read it: chmod 600). Nothing was changed.",
        ) from error
    except OSError as error:
        raise Denied(f"The key {path} cannot be read: {error.strerror}.", code="no_key") from error
    encrypted = key_check(key, identity.store_id, True) == identity.key_check
    if not encrypted and key_check(key, identity.store_id) != identity.key_check:
        raise Integrity(
            f"{path} is not the key of the store in the replica {objects.place}.",
            hint="Nothing was changed. Put the right key there.",
        )
    begin = give_way if is_there else begin_store
    return begin(folder, key_folder, identity.store_id, key, files, encrypted=encrypted)


def may_give_way(layout: Layout, key_folder: Path, identity: Identity) -> bool:
    """Whether a replica of this identity is another store's whose key is here, and nothing was ever
    kept in the store at `layout`."""
    if layout.store_id == identity.store_id or not is_unused(layout.folder):
        return False
    return key_path(key_folder, identity.store_id).exists()


def give_way(
    folder: Path, key_folder: Path, store_id: StoreId, key: bytes, files: Files, *, encrypted: bool
) -> bool:
    """True when the unused store at `folder` has this id and key now; False where something was
    kept in it meanwhile. Who has it open opens it anew with the next save. Raises Denied (what is
    encrypted cannot be kept here), Unavailable (no locks)."""
    if encrypted:
        require_library()
    barrier = Barrier(folder / "locks" / "collect")
    try:
        # Whoever saves passes here, and looks at the config behind it.
        with barrier.held(exclusive=True), making(folder):
            before = read_store_id(folder)
            if not is_unused(folder):
                return False
            files.replace_file(folder / AWAITED, b"")
            files.replace_file(folder / "config", make_config(store_id, key, encrypted))
            # Its key opens nothing: it does not say whose store this is any more.
            files.replace_file(key_folder / f"{before}{ROTATED}", f"{store_id}\n".encode())
            return True
    finally:
        barrier.close()


def begin_store(
    folder: Path, key_folder: Path, store_id: StoreId, key: bytes, files: Files, *, encrypted: bool
) -> bool:
    """True when an empty store of this id and key was made at `folder`; False where there was a
    store already. Raises Denied (what is encrypted cannot be kept here), InvalidInput, Format
    (records without a config are there)."""
    require_apart(key_folder, folder)
    refuse_orphans(folder)
    files.make_folder(folder)
    files.make_folder(folder / "segments")
    files.make_folder(folder / "locks")
    with making(folder):
        # Somebody's first save may have made another one meanwhile.
        if (folder / "config").exists():
            return False
        if encrypted:
            require_library()
        files.replace_file(folder / AWAITED, b"")
        mend_config(folder, store_id, key, files, encrypted=encrypted)
        files.sync_folder(folder)
    return True


def pull(
    repository: Repository,
    objects: Objects,
    url: str,
    *,
    lazy: bool = False,
    pace: Pace | None = None,
    progress: Progress | None = None,
) -> PullReport:
    """Everything that the replica held when this began is in the store, durably; with `lazy` all
    but the payloads of larger chunks, which come as they are read.

    Raises Conflict, NotFound (no replica), Integrity (damage there), Unavailable, Denied, Full:
    then the store is as it was, and what was fetched whole is kept for the next try.
    """
    layout = repository.layout
    with taking_turns(layout, "pull", f"Another pull into the store at {layout.folder}"):
        # Without turns, what two processes note of missing payloads could be lost.
        lazy = lazy and has_turns(layout)
        return _pull(repository, objects, url, lazy, pace or Pace(), progress)


def _pull(
    repository: Repository,
    objects: Objects,
    url: str,
    lazy: bool,
    pace: Pace,
    progress: Progress | None,
) -> PullReport:
    layout, files = repository.layout, repository.files
    kind = SparseFetcher if lazy else Fetcher
    require_mounted(objects, layout, url)
    identity = require_store(objects, layout)
    note_mount(layout.folder, url, objects, files)
    objects = unseal(objects, identity, layout)
    left = _TRIES
    while True:
        left -= 1
        ledger = Ledger(layout, identity.replica)
        ledger.read(objects, pace)
        finish_arrival(layout, files)
        note_hollows(repository, ledger, url, pace)
        readdress(layout, files, identity.replica, url)
        try:
            return _bring(repository, url, ledger, kind(
                layout, files, objects, ledger, pace, progress
            ))  # fmt: skip
        except (Integrity, NotFound):
            # Collected there while it was fetched: what arrived whole is not fetched again.
            if not (left and ledger.is_overtaken(objects)):
                raise


def _bring(repository: Repository, url: str, ledger: Ledger, fetcher: Fetcher) -> PullReport:
    layout, files = repository.layout, repository.files
    wanted = missing_here(repository, ledger.ends)
    before = _count_entries(repository)
    absent = 0
    if wanted:
        fetcher.fetch(wanted)
        with _nothing_removed(layout):
            wanted |= dict.fromkeys(_bring_back(repository, fetcher, ledger, wanted), 0)
            absent = _note_absent(layout, files, fetcher, wanted, url)
            show_arrived(layout, files, wanted)
        forget_waiting(layout, files)
        repository.refresh()
    _note(repository, url, ledger)
    size = sum(ledger.ends[name] - have for name, have in wanted.items())
    return PullReport(size, len(wanted), max(_count_entries(repository) - before, 0), absent)


def _note_absent(
    layout: Layout, files: Files, fetcher: Fetcher, names: Iterable[str], url: str
) -> int:
    """Before they are shown, the store knows which segments lack payloads. How many bytes."""
    if not isinstance(fetcher, SparseFetcher):
        return 0
    lacking = {name: size for name in names if (size := fetcher.left_out.get(name, 0))}
    if lacking:
        note_partial(layout, files, dict.fromkeys(lacking, url))
    return sum(lacking.values())


def missing_here(repository: Repository, ends: Mapping[str, int]) -> dict[str, int]:
    """Segments of which a replica that has each so far has more, and how much of each is here."""
    repository.refresh()
    with repository.index() as index:
        here = {name: end for name, (_, end) in index.segments().items()}
    present = {path.name for path in repository.layout.segments.iterdir()}
    have = {name: here.get(name, 0) if name in present else 0 for name in ends}
    # What has grown since it was taken away here holds commits that never were here.
    retired = read_retired_ends(repository.layout)
    return {
        name: have[name]
        for name, end in ends.items()
        if end > have[name]
        and not (name not in present and end <= retired.get(name, 0))
        and not is_busy(repository.layout, name)
    }


@contextmanager
def _nothing_removed(layout: Layout) -> Iterator[None]:
    """No collect takes away in the block what is about to be built on."""
    lock = FileLock(layout.locks / "removal")
    try:
        lock.acquire(exclusive=True, timeout_seconds=_PATIENCE_SECONDS, doing="pull")
    except Unavailable as error:
        # Where there are no locks nothing is ever collected.
        if error.code != "no_locks":
            raise
    try:
        yield
    finally:
        lock.release()


def _bring_back(
    repository: Repository, fetcher: Fetcher, ledger: Ledger, wanted: Iterable[str]
) -> set[str]:
    """Segments that this store has collected, and on which something that comes is built; they
    wait, too."""
    repository.refresh()
    present = {path.name for path in repository.layout.segments.iterdir()}
    collected = ledger.ends.keys() - present - set(wanted)
    back: set[str] = set()
    if not collected:
        return back
    with Needs(repository) as needs:
        needs.add(wanted)
        missing = needs.missing()
        if missing:
            fetcher.fetch(dict.fromkeys(collected, 0))
        while missing:
            more = needs.holding(missing, collected - back)
            if not more:
                break  # lost before it was pushed, and known to be
            needs.add(more)
            back |= more
            missing = needs.missing()
    return back


def _count_entries(repository: Repository) -> int:
    with repository.index() as index:
        return index.counts()[2]


def _note(repository: Repository, url: str, ledger: Ledger) -> None:
    """The next push knows what was seen."""
    notes = read_notes(repository.layout, url)
    if notes.replica != ledger.replica:
        notes = Notes(replica=ledger.replica)
    notes = still_true(notes, ledger)
    notes.numbers, notes.ends = dict(ledger.numbers), dict(ledger.sure)
    know_branch(ledger, notes)
    write_notes(repository.layout, url, notes, repository.files)
    repository.files.remove(repository.layout.folder / AWAITED)
