"""Push: what the store has and the replica has not, in one ref.

The state of one moment (`cut`) is compared with what the replica holds. The bytes go first, in
packs, then the ref that names them is made under the next number of this store's branch, only if
nobody made that. Where somebody did (a copy of this store, or a push that was killed before it
could note its success), what stands there is read and the rest is tried again. Small pushes are
the ref alone. Nothing in the replica is ever changed, so a push that is killed leaves at most
packs that nothing names, which the next one finds and uses.

Collecting (`collecting`) makes a ref on each branch, too. A push that finds one in its way reads
what is condemned, and pushes that again where it stands in this store.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, NotFound, RewindError, Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.replica.cut import Tail, read_tail, take_cut
from jupyter_rewind.store.replica.gathering import Again, gather, gathers
from jupyter_rewind.store.replica.holding import held_back, held_with
from jupyter_rewind.store.replica.ledger import Ledger, go_so_far, newest_refs, news
from jupyter_rewind.store.replica.mounts import keeping_mounted
from jupyter_rewind.store.replica.notes import Notes, note, notes_path, read_notes
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import make_replica, unseal
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.packing import Block, Progress, Sender, lay_out
from jupyter_rewind.store.replica.refs import LOG, TAG_SIZE, Piece, Ref, encode_ref, ref_key
from jupyter_rewind.store.replica.settling import make_ref
from jupyter_rewind.store.replica.turns import PUSHING, taking_turns
from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)
_TRIES = 10


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push added to the replica."""

    bytes: int = 0
    segments: int = 0
    entries: int = 0
    objects: int = 0
    """PUTs that made an object; those that were tried again do not count twice."""


def push(
    repository: Repository,
    objects: Objects,
    url: str,
    *,
    sealed: bool = False,
    pace: Pace | None = None,
    progress: Progress | None = None,
) -> PushReport:
    """Everything that was committed to the store when this began is in the replica, durably; with
    `sealed` it is encrypted there, or not there.

    Raises Conflict (another store's replica; another push is at work), Integrity (damage here or
    there; nothing was pushed), Unavailable, Denied, Full: then the replica holds what it held.
    Where contents cannot be had that were in a replica alone, the error says what was held back
    for want of them; all else is there then.
    """
    with sole_pusher(repository.layout, url):
        return push_in_turn(repository, objects, url, sealed=sealed, pace=pace, progress=progress)


def push_in_turn(
    repository: Repository,
    objects: Objects,
    url: str,
    *,
    sealed: bool = False,
    pace: Pace | None = None,
    progress: Progress | None = None,
) -> PushReport:
    """As `push`, for who is the sole pusher already."""
    return _Pusher(repository, objects, url, pace or Pace(), progress).run(sealed)


@contextmanager
def sole_pusher(layout: Layout, url: str) -> Iterator[None]:
    """No other process of this machine pushes this store to `url` meanwhile. Raises Conflict."""
    # Without locks two pushes may be at work: the condition on each ref keeps them apart.
    name = f"replica-{notes_path(layout, url).stem}"
    store = f"the store at {layout.folder}"
    with (
        taking_turns(layout, name, f"Another push of {store} to this replica"),
        # What was checked is what is sent: nobody seals it anew in between.
        taking_turns(layout, PUSHING, f"A change of the key of {store}", exclusive=False),
    ):
        yield


def read_known(
    layout: Layout,
    objects: Objects,
    url: str,
    replica: str,
    pace: Pace | None = None,
    *,
    surely: bool = False,
) -> tuple[Ledger, Notes]:
    """What was noted of the replica; all of it is read where that is nothing, or not true.

    Our newest ref is looked for; with `surely` those of the others, too, and all is read where
    there are more.
    """
    notes = read_notes(layout, url)
    if notes.replica != replica:
        notes = Notes(replica=replica)
    last = notes.numbers.get(notes.branch, 0)
    if surely:
        is_true = bool(notes.numbers) and notes.numbers == newest_refs(objects)
    elif last:
        is_true = objects.size(ref_key(notes.branch, last)) is not None
    else:
        is_true = bool(notes.numbers) and go_so_far(notes.numbers, objects)
    if is_true:
        ledger = Ledger(layout, replica, dict(notes.numbers), dict(notes.ends))
        return ledger, notes
    ledger = read_afresh(layout, objects, replica, notes, pace)
    return ledger, still_true(notes, ledger)


def still_true(notes: Notes, ledger: Ledger) -> Notes:
    """The notes, where the replica, which was read afresh, has all that they knew of. Else it was
    put back from a copy: what it holds now counts, under another branch."""
    if all(ledger.numbers.get(branch, 0) >= last for branch, last in notes.numbers.items()):
        return notes
    notes = Notes(replica=notes.replica)
    know_branch(ledger, notes)
    return notes


def read_afresh(
    layout: Layout, objects: Objects, replica: str, notes: Notes, pace: Pace | None = None
) -> Ledger:
    """All that the replica holds; the notes know what it says of our branch."""
    ledger = Ledger(layout, replica)
    ledger.read(objects, pace)
    know_branch(ledger, notes)
    return ledger


def know_branch(ledger: Ledger, notes: Notes) -> None:
    """The notes say what the ledger, which was read afresh, says of our branch."""
    # Its log was read before all else, so what was condemned by these barriers is known.
    notes.epoch = max(ledger.epochs.get(name, 0) for name in (notes.branch, LOG))
    notes.opened = notes.branch in ledger.opened
    notes.generations = dict(ledger.generations)
    notes.base = ledger.bases.get(notes.branch, 0)
    notes.reads = max(ledger.reads - len(ledger.numbers), 0)


class _Pusher:
    """One push."""

    def __init__(
        self,
        repository: Repository,
        objects: Objects,
        url: str,
        pace: Pace,
        progress: Progress | None,
    ) -> None:
        self._repository = repository
        self._layout = repository.layout
        self._outer = self._objects = objects
        self._url = url
        self._pace = pace
        self._progress = progress
        self._made = 0
        self._lacking: dict[str, RewindError] = {}
        """Segments that are held back, and why."""
        self._cut_ns = 0
        self._entries: frozenset[EntryId] = frozenset()

    def run(self, sealed: bool) -> PushReport:
        with keeping_mounted(self._repository, self._url, self._outer):
            ledger, notes, tails = self._bring(sealed)
        self._note(ledger, notes)
        self._require_all()
        return self._report(tails)

    def _bring(self, sealed: bool) -> tuple[Ledger, Notes, list[Tail]]:
        """The replica has all of `tails`, and the ledger knows it."""
        identity = make_replica(self._outer, self._layout, sealed=sealed)
        self._objects = unseal(self._outer, identity, self._layout)
        ledger, notes = read_known(
            self._layout, self._objects, self._url, identity.replica, self._pace
        )
        error: RewindError | None = None
        tails: list[Tail] = []
        for _ in range(_TRIES):
            try:
                tails = self._new_tails(ledger.sure)
                if not tails or self._send(tails, ledger, notes):
                    break
            except NotFound as gone:
                # Collected between the look and the reading: it stands elsewhere now.
                error = gone
                continue
            # Somebody else made the ref of this number.
            ledger = read_afresh(self._layout, self._objects, ledger.replica, notes, self._pace)
            notes = still_true(notes, ledger)
        else:
            raise Unavailable(
                f"Could not push the store at {self._layout.folder} to {self._objects.place}:"
                f" others changed it {_TRIES} times meanwhile.",
                hint="Nothing is lost, here or there. Push again.",
                retryable=True,
            ) from error
        return ledger, notes, tails

    def _new_tails(self, have: Mapping[str, int]) -> list[Tail]:
        self._cut_ns = clock.now_ns()
        wanted = self._wanted(have)
        for name, gap in self._repository.gaps():
            if name in wanted and gap.offset >= have.get(name, 0):
                raise Integrity(
                    f"Nothing was pushed of the store at {self._layout.folder}: segment {name} is"
                    f" damaged at byte {gap.offset} ({gap.what}).",
                    hint="What the replica has already is whole. Run `jupyter rewind salvage`, then"
                    " push again.",
                )
        return [
            Tail(name, have.get(name, 0), end, frozenset()) for name, end in sorted(wanted.items())
        ]

    def _send_checked(
        self, tails: list[Tail], packs: list[list[Block]], sender: Sender
    ) -> list[Piece]:
        """The pieces of all packs, which are there now; all of `tails` was compared with its tags
        meanwhile, and is on the disk here. Packs that no ref names do nobody any harm."""
        if not packs or self._pace.hands == 1:
            # Threads would outlive a process that wants to end.
            self._check(tails, self._pace)
            return sender.send(packs)
        ended = threading.Event()

        def go_on() -> None:
            if ended.is_set():
                raise CancelledError
            self._pace.check()

        with ThreadPoolExecutor(1) as checker:
            checked = checker.submit(self._check, tails, Pace(hands=1, check=go_on))
            try:
                pieces = sender.send(packs)
                checked.result()
            except BaseException:
                ended.set()
                raise
        return pieces

    def _check(self, tails: list[Tail], pace: Pace) -> None:
        """Raises as `read_tail` does."""
        found = [
            read_tail(self._repository, each.segment, each.start, each.end, pace) for each in tails
        ]
        self._entries = frozenset().union(*(each.entries for each in found))

    def _wanted(self, have: Mapping[str, int]) -> dict[str, int]:
        """How far the segments go that the replica is to get."""
        while True:
            cut = take_cut(self._repository)
            wanted = {name: end for name, end in cut.items() if end > have.get(name, 0)}
            self._lacking = {}
            if not wanted.keys() & read_partial(self._layout).keys():
                return wanted
            from jupyter_rewind.store.replica.wholeness import seek_whole

            found = seek_whole(self._repository, wanted, self._outer, self._url, self._pace)
            if found.changed:
                continue
            if not found.lacking:
                return wanted
            return self._hold_back(found.lacking, cut, have)

    def _hold_back(
        self, lacking: Mapping[str, RewindError], cut: dict[str, int], have: Mapping[str, int]
    ) -> dict[str, int]:
        """As `_wanted`, without those that lack contents and what stands on them."""
        why = next(iter(lacking.values()))
        for _ in range(_TRIES):
            wanted = {name: end for name, end in cut.items() if end > have.get(name, 0)}
            self._lacking = dict.fromkeys(held_with(self._repository, lacking, wanted), why)
            before, cut = cut, take_cut(self._repository)
            # What was committed meanwhile may be what something seems to stand on.
            if cut == before:
                return {name: end for name, end in wanted.items() if name not in self._lacking}
        self._lacking = dict.fromkeys(wanted, why)
        return {}

    def _require_all(self) -> None:
        """Raises what kept segments back, where some were."""
        for why in self._lacking.values():
            raise held_back(self._repository, self._objects.place, self._lacking, why)

    def _send(self, tails: list[Tail], ledger: Ledger, notes: Notes) -> bool:
        """True when the ref of these tails stands in the replica, and `ledger` knows it."""
        number = ledger.numbers.get(notes.branch, 0) + 1
        inline, packs = lay_out(tails)
        if not self._is_known(ledger, notes, bool(packs) or gathers(number)):
            return False
        needs = news(ledger.numbers, notes.told)
        needs.pop(notes.branch, None)
        # Nobody could read a replica any more that is said to need what was taken out of it.
        if needs and not ledger.reads and not go_so_far(needs, self._objects):
            return False
        sender = Sender(
            self._layout, self._repository.files, self._objects, self._pace, self._progress,
            sum(tail.size for tail in tails), notes.epoch,
        )  # fmt: skip
        pieces = self._send_checked(tails, packs, sender)
        body = sender.read(inline)
        at = 0
        for block in inline:
            pieces.append(Piece(block.segment, block.start, block.end, "", at))
            at += block.size
        again = self._gather(sender, ledger, notes.branch, number)
        claims = {tail.segment for tail in tails} & ledger.condemned.keys()
        ref = Ref(
            notes.branch, number, clock.token(16).hex(), (*pieces, *again.pieces),
            {**again.needs, **needs}, clock.now_ns(), again.first, notes.epoch,
            claims=tuple(sorted(again.claims | claims)),
        )  # fmt: skip
        data = encode_ref(ref, body, self._layout, ledger.replica)
        self._pace.wait(len(data))
        self._made += sender.objects_made
        generation = notes.generations.get(notes.branch, 0)
        if not make_ref(self._objects, notes.branch, ref.key, data, generation):
            log.info("%s was made by somebody else, or collected", ref.key)
            return False
        self._made += 1
        sender.count(len(body))
        ledger.add(ref, len(data) - TAG_SIZE - len(body))
        for tail in tails:
            ledger.sure[tail.segment] = tail.end
        notes.told.update(needs)
        notes.pushed_ns = ref.time_ns
        return True

    def _is_known(self, ledger: Ledger, notes: Notes, has_packs: bool) -> bool:
        """True when whoever collects from now on knows of our branch; or there is nothing yet on
        it, or in what it relies on, that could be collected."""
        relies = has_packs or bool(ledger.numbers.keys() - {notes.branch})
        if notes.opened or not relies:
            return True
        number = ledger.numbers.get(LOG, 0) + 1
        ref = Ref(LOG, number, clock.token(16).hex(), (), opens=(notes.branch,))
        data = encode_ref(ref, b"", self._layout, ledger.replica)
        if not make_ref(self._objects, LOG, ref.key, data, notes.generations.get(LOG, 0)):
            return False
        self._made += 1
        ledger.add(ref, 0)
        # What was condemned up to there is known: the log was read first.
        notes.epoch = max(notes.epoch, ledger.epochs.get(LOG, 0))
        notes.opened = True
        return True

    def _gather(self, sender: Sender, ledger: Ledger, branch: str, number: int) -> Again:
        if not gathers(number):
            return Again()
        return gather(self._objects, self._layout, ledger.replica, branch, number, sender.put_pack)

    def _note(self, ledger: Ledger, notes: Notes) -> None:
        """Never fails: a push that stands is not undone for want of a note."""
        notes.numbers, notes.ends = dict(ledger.numbers), dict(ledger.sure)
        notes.cut_ns = notes.cut_ns if self._lacking else self._cut_ns
        note(self._layout, self._url, notes, self._repository.files)

    def _report(self, tails: list[Tail]) -> PushReport:
        return PushReport(
            sum(tail.size for tail in tails),
            len(tails),
            len(self._entries) if tails else 0,
            self._made,
        )
