"""What a test did to a store and was told, and whether a store is true to it.

The ledger is a plain dict that is never refreshed from the store: an oracle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from jupyter_rewind.errors import Format, Integrity, NotFound
from jupyter_rewind.model.entry import Json
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import SALVAGE_KIND, verify
from tests.support.recording import RecordingFiles


class Broken(AssertionError):
    """A promise that was not kept, and which: acknowledged data is `lost`; it reads as `other
    bytes`; `unclean`: damage is found where nobody did any; `stuck`: there is no next write."""

    def __init__(self, promise: str, words: str) -> None:
        super().__init__(f"{promise}: {words}")
        self.promise = promise


def hold(promise: str, is_kept: object, words: str) -> None:
    """Raises Broken unless `is_kept`."""
    if not is_kept:
        raise Broken(promise, words)


@dataclass(frozen=True, slots=True)
class Fact:
    """What an entry said when it was made."""

    kind: str
    body: Mapping[str, Json]
    contents: tuple[tuple[tuple[Digest, ...], bytes], ...]


@dataclass
class Ledger:
    """Everything that was tried, and what of it was acknowledged."""

    tried: dict[EntryId, Fact] = field(default_factory=dict)
    acked: set[EntryId] = field(default_factory=set)
    expiring: set[EntryId] = field(default_factory=set)
    expired: set[EntryId] = field(default_factory=set)
    lost: set[EntryId] = field(default_factory=set)
    """Damaged by the scenario itself."""


@dataclass
class Run:
    """A scenario under way, under the folder `root`."""

    root: Path
    files: Files
    ledger: Ledger = field(default_factory=Ledger)
    durability: str = "power"
    count: int = 0
    in_groups: bool = False
    """Saves count as told only with the next `told_group`."""
    _group: list[tuple[str, EntryId]] = field(default_factory=list)

    def open(self, *, index: str = "index.sqlite") -> Repository:
        return Repository.open(
            self.root / "store",
            key_folder=self.root / "keys",
            index_path=self.root.parent / index,
            files=self.files,
            durability=self.durability,
        )

    def save(self, repository: Repository, *contents: bytes) -> EntryId:
        """One commit; told to the ledger once it is acknowledged."""
        self.count += 1
        with repository.transaction() as tx:
            names = [tx.put(content) for content in contents]
            entry = tx.add(
                "note",
                keys=[f"n:{self.count}"],
                body={"n": self.count, "text": "w" * (self.count % 7)},
                roots=[name for group in names for name in group],
            )
            pairs = tuple(zip(names, contents, strict=True))
            self.ledger.tried[entry.id] = Fact(entry.kind, entry.body, pairs)
        self.told(("saved", entry.id))
        return entry.id

    def expire(self, repository: Repository, *names: EntryId) -> None:
        with repository.transaction(exclusive=True) as tx:
            tx.expire(names)
            self.ledger.expiring |= set(names)
        for name in names:
            self.told(("expired", name))

    def told_group(self) -> None:
        """All saves of the group are on the disk."""
        self.in_groups = False
        for what in self._group:
            self.told(what)
        self._group, self.in_groups = [], True

    def told(self, what: tuple[str, EntryId]) -> None:
        if self.in_groups:
            self._group.append(what)
            return
        (self.ledger.acked if what[0] == "saved" else self.ledger.expired).add(what[1])
        if isinstance(self.files, RecordingFiles):
            self.files.mark(what)


def true_to(
    repository: Repository,
    ledger: Ledger,
    acked: set[EntryId] | None = None,
    expired: set[EntryId] | None = None,
) -> None:
    """Raises AssertionError where the store has lost, changed or invented something."""
    acked = ledger.acked if acked is None else acked
    expired = ledger.expired if expired is None else expired
    repository.refresh()
    present = {entry.id: entry for entry in repository.entries()}
    missing = acked - present.keys() - ledger.expiring
    hold("lost", not missing, f"acknowledged entries are gone: {missing}")
    hold("back again", not expired & present.keys(), "what had expired is there again")
    for name, entry in present.items():
        if entry.kind == SALVAGE_KIND:
            continue
        fact = ledger.tried.get(name)
        if fact is None:
            raise Broken("invented", f"an entry that nobody made: {entry}")
        hold("other bytes", (entry.kind, entry.body) == (fact.kind, fact.body), str(entry))
        for digests, content in fact.contents if name not in ledger.lost else ():
            hold("other bytes", _reads_as(repository, digests, content), f"under {name}")
    gaps = repository.gaps()
    hold("unclean", not gaps, f"an unfinished end was taken for damage: {gaps}")


def _reads_as(repository: Repository, digests: Sequence[Digest], content: bytes) -> bool:
    try:
        return repository.get_blob(digests) == content
    except (Integrity, NotFound):
        return False


def recovers(
    folder: Path, ledger: Ledger, acked: set[EntryId], expired: set[EntryId], *, thorough: bool
) -> None:
    """The store at `folder`, as a crash left it, is true to the ledger and can be written to."""
    store, keys = folder / "store", folder / "keys"
    index = folder / "no such folder" / "index"
    try:
        there = Repository.open(store, key_folder=keys, index_path=index, create=False)
    except NotFound:
        hold("lost", not acked, "the whole store is gone")
        there = Repository.open(store, key_folder=keys, index_path=index)
    except (Integrity, Format) as error:
        raise Broken("lost" if acked else "stuck", f"the store does not open: {error}") from error
    with there as repository:
        true_to(repository, ledger, acked, expired)
        if thorough:
            report = verify(repository, read_data=True)
            hold("unclean", report.ok or ledger.lost, str(report.damages))
        run = Run(folder, Files())
        run.count = 1_000
        later = replace(ledger, tried={**ledger.tried}, acked=set(acked), expired=set(expired))
        run.ledger = later
        run.save(repository, b"after the crash" * 100)
        true_to(repository, later)
    if thorough:
        with Repository.open(store, key_folder=keys, index_path=index) as repository:
            true_to(repository, later)
