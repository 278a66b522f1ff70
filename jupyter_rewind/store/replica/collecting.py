"""Collecting: a replica gives back the room of what no machine needs, while others push to it.

No clock is asked, and nobody is waited for. What this store has collected is condemned: first on
the log, then by a barrier on every branch, made under its next number as a push is. Who pushes
after that finds the barrier in the way, and pushes again what it builds on of the condemned. What
was pushed before it is read, and what that needs is kept. Only then every branch gets a base,
which says again what is left; and what no base and no later ref names is deleted. Packs that are
made behind a barrier have other names than those before it, so nobody counts on a pack that is
about to go. Killed anywhere, it has taken nothing away that is reachable, and the next one does
the rest; of two at work, the later one does.

What another machine has claimed back stays until that machine collects it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, Denied, Integrity, NotFound, RewindError, Unavailable
from jupyter_rewind.store.layout import read_retired_ends
from jupyter_rewind.store.replica.condensing import Plan, copy, merged, plan, superseded
from jupyter_rewind.store.replica.fetching import Source
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.ledger import Ledger
from jupyter_rewind.store.replica.mounts import require_mounted
from jupyter_rewind.store.replica.notes import Notes, note, read_notes
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import require_store, unseal
from jupyter_rewind.store.replica.outline import pack_key
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.packing import Sender
from jupyter_rewind.store.replica.pull import pull
from jupyter_rewind.store.replica.push import know_branch, push_in_turn, sole_pusher
from jupyter_rewind.store.replica.refs import (
    LOG,
    Ref,
    base_key,
    branch_prefix,
    closed_key,
    encode_ref,
)
from jupyter_rewind.store.replica.settling import create_surely, delete_surely, make_ref
from jupyter_rewind.store.replica.turns import BUSY
from jupyter_rewind.store.repository import Repository

Progress = Callable[[int, int], None]
_TRIES = 50
_MANY_REFS = 5_000
_MANY_READS = 500
"""Each home that did not last has left a branch that nobody says again as one."""
_LEAST_BYTES = 1 << 20
_PUSH_SECONDS = 5.0
"""So often what is new is pushed while very much is deleted."""
_ROOM = ("packs/", "outlines/", "refs/")


@dataclass(frozen=True, slots=True)
class CollectedReport:
    """What collecting a replica has freed there, or would free."""

    freed_bytes: int = 0
    kept_bytes: int = 0
    copied_bytes: int = 0
    segments: int = 0
    """Segments of which nothing is left there."""
    objects: int = 0
    """Objects that were deleted."""
    dry_run: bool = False


def collect_replica(
    repository: Repository,
    objects: Objects,
    url: str,
    *,
    sealed: bool = False,
    dry_run: bool = False,
    pace: Pace | None = None,
    progress: Progress | None = None,
) -> CollectedReport:
    """What this store has collected is gone from the replica, but for what other machines build
    on; the store and the replica hold each other's commits then.

    Raises Conflict (another store's replica; another push, pull or collecting is at work),
    NotFound (no replica), Integrity (damage), Storage: then all that was reachable still is.
    """
    require_mounted(objects, repository.layout, url)
    if dry_run:
        return _Collecting(repository, objects, url, sealed, pace or Pace(), progress).look()
    with sole_pusher(repository.layout, url):
        return _Collecting(repository, objects, url, sealed, pace or Pace(), progress).run()


def is_worth_collecting(repository: Repository, url: str) -> bool:
    """Whether much of what was pushed is gone here, or very many small pushes wait to be said as
    one, or many had to be read by who came anew, or the last one was stopped; by what was noted,
    the replica is not asked."""
    notes = read_notes(repository.layout, url)
    if notes.is_collecting or notes.reads >= _MANY_READS:
        return True
    if notes.numbers.get(notes.branch, 0) - notes.base >= _MANY_REFS:
        return True
    present = {path.name for path in repository.layout.segments.iterdir()}
    size = sum(end for name, end in notes.ends.items() if name not in present)
    return size >= max(_LEAST_BYTES, sum(notes.ends.values()) // 4)


class _Collecting:
    """One collecting."""

    def __init__(
        self,
        repository: Repository,
        objects: Objects,
        url: str,
        sealed: bool,
        pace: Pace,
        progress: Progress | None,
    ) -> None:
        self._repository = repository
        self._layout = repository.layout
        self._outer = objects
        self._identity = require_store(objects, self._layout)
        self._objects = unseal(objects, self._identity, self._layout)
        self._url = url
        self._sealed = sealed
        self._pace = pace
        self._progress = progress
        self._epoch = 0
        self._written = 0

    def look(self) -> CollectedReport:
        """What `run` would free, as far as is known without pushing and pulling."""
        ledger = self._read()
        drop = self._unwanted(ledger)
        packs, rest = self._sizes("packs/"), self._sizes("refs/")
        found = plan(ledger, drop, max(ledger.epochs.values(), default=0) + 1, packs)
        outlines = {pack_key(key): size for key, size in self._sizes("outlines/").items()}
        whole = sum(packs.values()) + sum(rest.values()) + sum(outlines.values())
        kept = sum(packs[key] + outlines.get(key, 0) for key in found.kept_packs)
        kept += found.copied_bytes
        goes = len(packs) - len(found.kept_packs) + len(rest)
        goes += len(outlines.keys() - found.kept_packs)
        return CollectedReport(
            max(whole - kept, 0), kept, found.copied_bytes, len(drop), goes, dry_run=True
        )

    def run(self) -> CollectedReport:
        """See `collect_replica`."""
        try:
            return self._run()
        except (Integrity, NotFound):
            # What is missed may have been taken away by another machine's collecting.
            if self._epoch:
                self._require_alone(self._read())
            raise

    def _run(self) -> CollectedReport:
        self._meet()
        ledger = self._read()
        if self._is_done(ledger):
            self._note(ledger)
            self._note_end()
            return CollectedReport(kept_bytes=self._kept_bytes())
        # What is condemned is noted by nobody any more, and would be missed by no later one.
        self._note_begin()
        ledger, drop = self._begin()
        ledger, branches = self._bar(ledger, drop)
        self._meet()
        present = self._present()
        drop = {name for name in drop if name not in present}
        copied = self._rebase(branches, drop)
        ledger = self._read()
        self._require_alone(ledger)
        self._note(ledger)
        try:
            count, size = self._delete(ledger)
        except Denied:
            # Who may not delete there would condemn the same again and again.
            self._note_end()
            raise
        self._note_end()
        freed = size - self._written
        return CollectedReport(freed, self._kept_bytes(), copied, len(drop), count)

    def _is_done(self, ledger: Ledger) -> bool:
        """Whether there are bases alone and what they name, nothing of that is unwanted, and
        nobody was killed before all else was gone."""
        live = {place.key for places in ledger.places.values() for place in places}
        return (
            ledger.numbers == ledger.bases
            and all(len(self._sizes(branch_prefix(each))) == 1 for each in ledger.bases)
            and len(self._sizes("bases/")) == len(ledger.bases)
            and not self._unwanted(ledger)
            and self._sizes("packs/").keys() <= live
            and {*map(pack_key, self._sizes("outlines/"))} <= live
        )

    def _kept_bytes(self) -> int:
        return sum(sum(self._sizes(prefix).values()) for prefix in _ROOM)

    def _meet(self) -> None:
        """The replica has what stands here, and what it holds is known here."""
        pull(self._repository, self._outer, self._url, pace=self._pace)
        self._push()

    def _push(self) -> None:
        push_in_turn(self._repository, self._outer, self._url, sealed=self._sealed, pace=self._pace)

    def _begin(self) -> tuple[Ledger, set[str]]:
        """Collecting stands in the log, and what it condemns. From then on, a branch that is new
        knows of it."""
        for _ in range(_TRIES):
            ledger = self._read()
            drop = self._unwanted(ledger)
            number = ledger.numbers.get(LOG, 0) + 1
            self._epoch = number
            if self._make(
                ledger, Ref(LOG, number, _nonce(), (), barrier=number, condemned=_row(drop))
            ):
                return self._read(), drop
        raise _too_busy(self._outer.place)

    def _bar(self, ledger: Ledger, drop: set[str]) -> tuple[Ledger, list[str]]:
        """Every branch that may build on what is condemned has the barrier."""
        branches = sorted(
            (ledger.opened | ledger.numbers.keys() | {*self._objects.folders("refs/")}) - {LOG}
        )
        for branch in branches:
            for _ in range(_TRIES):
                self._require_alone(ledger)
                if ledger.barred.get(branch, 0) == self._epoch:
                    break
                number = ledger.numbers.get(branch, 0) + 1
                if self._make(
                    ledger,
                    Ref(branch, number, _nonce(), (), barrier=self._epoch, condemned=_row(drop)),
                ):
                    break
                ledger = self._read()
            else:
                raise _too_busy(self._outer.place)
        return ledger, branches

    def _rebase(self, branches: list[str], drop: set[str]) -> int:
        """Every branch has a base that says again what is left of it. Bytes that were copied."""
        ledger, copied = self._read(), 0
        found = self._plan(ledger, drop)
        for branch in (*branches, LOG):
            for _ in range(_TRIES):
                self._require_alone(ledger)
                ref, body = self._base(ledger, found, branch, branches, drop)
                if self._make(ledger, ref, body):
                    break
                ledger = self._read()
                found = self._plan(ledger, drop)
            else:
                raise _too_busy(self._outer.place)
            copied += sum(place.end - place.start for _, place in found.moved.get(branch, ()))
            self._close(ledger, ref)
        return copied

    def _close(self, ledger: Ledger, base: Ref) -> None:
        """Whoever reads begins with the base, and whoever makes a ref before it hears of it; only
        then may anybody miss what stands there."""
        # One that was killed may have left its base without these.
        for generation in range(ledger.closed.get(base.branch, 0) + 1, base.generation + 1):
            create_surely(self._objects, closed_key(base.branch, generation), b"")
        create_surely(self._objects, base_key(base.branch, base.number), b"")

    def _plan(self, ledger: Ledger, drop: set[str]) -> Plan:
        return plan(ledger, drop, self._epoch, self._sizes("packs/"))

    def _base(
        self, ledger: Ledger, found: Plan, branch: str, branches: list[str], drop: set[str]
    ) -> tuple[Ref, bytes]:
        sender = Sender(
            self._layout, self._repository.files, self._objects, self._pace, None, 0, self._epoch
        )
        source = Source(self._objects, self._pace, ledger.bodies)

        def put_pack(data: bytes) -> str:
            self._written += len(data)
            return sender.put_pack(data)

        copies, body = copy(found.moved.get(branch, ()), source.read, put_pack)
        claims = ledger.claims.get(branch, set())
        if branch == read_notes(self._layout, self._url).branch:
            claims = claims & self._present()
        ref = Ref(
            branch, ledger.numbers.get(branch, 0) + 1, _nonce(),
            (*merged(found.kept.get(branch, ())), *copies), ledger.needs.get(branch, {}),
            clock.now_ns(), base=self._epoch,
            generation=ledger.generations.get(branch, 0) + 1, dropped=_row(drop),
            claims=_row(claims),
            opens=_row(ledger.opened.union(branches)) if branch == LOG else (),
        )  # fmt: skip
        return ref, body

    def _delete(self, ledger: Ledger) -> tuple[int, int]:
        """What no base and no later ref names is gone."""
        goes = superseded(ledger, self._epoch, self._sizes)
        pushed_at = clock.monotonic()
        for at, key in enumerate(goes):
            self._pace.check()
            delete_surely(self._objects, key)
            # There may be thousands, and nothing that is saved waits for the last of them.
            if clock.monotonic() - pushed_at > _PUSH_SECONDS:
                with suppress(RewindError):
                    self._push()
                pushed_at = clock.monotonic()
            if self._progress is not None:
                self._progress(at + 1, len(goes))
        left = self._outer.sweep() if isinstance(self._outer, FolderObjects) else 0
        return len(goes), sum(goes.values()) + left

    def _unwanted(self, ledger: Ledger) -> set[str]:
        """Segments that were collected here, as far as the replica has them, and that no other
        machine has claimed; and what somebody's collecting has left of such, when it was killed."""
        ours = read_notes(self._layout, self._url).branch
        claimed = {name for b, names in ledger.claims.items() if b != ours for name in names}
        retired, present = read_retired_ends(self._layout), self._present()
        return {
            name
            for name in ledger.places.keys() - present - claimed
            if name not in ledger.ends or ledger.ends[name] <= retired.get(name, -1)
        }

    def _present(self) -> set[str]:
        return {path.name for path in self._layout.segments.iterdir()}

    def _require_alone(self, ledger: Ledger) -> None:
        """Raises Conflict where another machine began later: it does all that is to be done."""
        if max(ledger.epochs.values(), default=0) > self._epoch:
            raise Conflict(
                f"Another machine collects the replica {self._outer.place}.",
                code=BUSY,
                hint="Nothing that is in use was taken away. Try again when it has ended.",
                retryable=True,
            )

    def _read(self) -> Ledger:
        ledger = Ledger(self._layout, self._identity.replica)
        ledger.read(self._objects, self._pace)
        return ledger

    def _make(self, ledger: Ledger, ref: Ref, body: bytes = b"") -> bool:
        data = encode_ref(ref, body, self._layout, self._identity.replica)
        self._pace.wait(len(data))
        known = ledger.generations.get(ref.branch, 0)
        made = make_ref(self._objects, ref.branch, ref.key, data, known)
        self._written += len(data) if made else 0
        return made

    def _sizes(self, prefix: str) -> dict[str, int]:
        return {each.key: each.size for each in self._objects.find(prefix)}

    def _note(self, ledger: Ledger) -> None:
        """The next push need not read all that again. Never fails: what was done is done."""
        notes = read_notes(self._layout, self._url)
        if notes.replica != self._identity.replica:
            notes = Notes(replica=self._identity.replica)
        notes.numbers, notes.ends = dict(ledger.numbers), dict(ledger.sure)
        know_branch(ledger, notes)
        note(self._layout, self._url, notes, self._repository.files)

    def _note_begin(self) -> None:
        """Whoever collects after this one was stopped has something to do. Never fails."""
        notes = read_notes(self._layout, self._url)
        notes.is_collecting = True
        note(self._layout, self._url, notes, self._repository.files)

    def _note_end(self) -> None:
        """Nothing of it is left to be done. Never fails."""
        notes = read_notes(self._layout, self._url)
        notes.collected_ns, notes.is_collecting = clock.now_ns(), False
        note(self._layout, self._url, notes, self._repository.files)


def _nonce() -> str:
    return clock.token(16).hex()


def _row(names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _too_busy(place: str) -> Unavailable:
    return Unavailable(
        f"Could not collect the replica {place}: others pushed {_TRIES} times meanwhile.",
        hint="Nothing that is in use was taken away. Try again in a while.",
        retryable=True,
    )
