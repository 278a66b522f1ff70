"""Building a stored state aside: pod by pod, hubs when they are named, nothing live touched.

A pod that does not load costs its own variables, which become placeholders that say why. What
must change a living class or function is put off until the swap.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from xxhash import xxh3_128_digest

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.buffers import BufferState
from jupyter_rewind.kernels.copying import Copying
from jupyter_rewind.kernels.finalized import Finals
from jupyter_rewind.kernels.handmade import HandMade
from jupyter_rewind.kernels.hollow import fill_all
from jupyter_rewind.kernels.homecontents import HalfFilledError, fill_home, home_follows
from jupyter_rewind.kernels.homes import Homes
from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.lost import reason_of
from jupyter_rewind.kernels.nans import find_nan
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.pods import HUB
from jupyter_rewind.kernels.reading import Reader
from jupyter_rewind.kernels.records import PodRecord
from jupyter_rewind.kernels.refusals import is_refusal
from jupyter_rewind.kernels.roots import keys_of
from jupyter_rewind.kernels.sources import memory_of
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.keep import ContentSource


class Loader(Copying):
    """Loads pods of one state into new objects."""

    def __init__(
        self,
        store: ContentSource,
        records: Sequence[PodRecord],
        known: tuple[Any, ...],
        *,
        hubs: Hubs,
        unchanged: Mapping[str, object],
        in_place: bool,
    ) -> None:
        """`known` are the objects that both sides know, the namespace first; `unchanged` the keys
        whose living values are what the state holds. Without `in_place`, a living class that is
        not as it was is left alone, and one like it then is made beside it."""
        self.namespace: dict[str, Any] = known[0]
        self._there = keys_of(self.namespace) if in_place else set()
        self.handmade = HandMade(in_place, self.defer, hubs.lives.get)
        self.homes = Homes(self.namespace, self.handmade, hubs.homes, in_place=in_place)
        self.finals = Finals(hubs.lives, self._keys, in_place=in_place)
        self.values: dict[str, Any] = {}
        self.failures: dict[str, str] = {}
        self.made: dict[str, Any] = {}
        self.combined: dict[int, dict[Any, Any]] = {}
        self.cells: dict[str, types.CellType] = {}
        self.hashes: dict[Digest, tuple[bytes, list[BufferState]]] = {}
        """For each pod that was loaded: what the next capture compares with."""
        self.deferred: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.staging: Callable[[Callable[..., Any], tuple[Any, ...]], None] | None = None
        """Told of each change that is put off, while code that needs it already may run."""
        self._store = store
        self._by_key = {key: record for record in records for key in record.keys}
        self._known = known
        self._hubs = hubs
        self._unchanged = unchanged
        self._in_place = in_place
        self._live_cells: set[int] = set()
        self._readers: dict[Digest, Reader | None] = {}
        self._unread: dict[Digest, list[str]] = {}
        self._reading: set[Digest] = set()
        self._completed: set[Digest] = set()
        self._waiting: deque[PodRecord] = deque()
        self._depth = self._half_made = 0
        self._rests: list[tuple[PodRecord, Reader, int]] = []
        self._settling: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self._filling: list[tuple[PodRecord, Any, Sequence[Any]]] = []
        self._loaded: PodRecord | None = None
        self._nans: dict[str, float] = {}
        self._uids: dict[int, tuple[str, Any]] = {}
        self.sharing: set[int] = set()
        """Ids of what was made with a dict of attributes that others hold, too."""
        self.spared: set[str] = set()
        """Roots that do not load, and stay what they are."""
        self.living: set[str] = set()
        """Roots that hold things which cannot be kept, and are still alive."""
        self.dead: set[str] = set()
        """Roots that hold a placeholder for such a thing."""
        self.left: set[int] = set()
        """Ids of those things that are still alive."""
        self.lost: dict[Digest, list[Any]] = {}
        """Of pods, what stands for what could not be imported."""
        self.lost_entries: set[str] = set()
        """Roots of pods in which a container has fewer entries than it had."""

    def load(self, record: PodRecord) -> None:
        """The values of the pod's roots stand in `values`; why they do not, in `failures`."""
        with rebuild.active(self):
            self._open(record)
            self._drain()
            self._complete(record)
            self.finish()
            while self._settling:
                action, arguments = self._settling.pop()
                action(*arguments)

    def keep(self, record: PodRecord, living: object) -> None:
        """What the pod's root holds is alive, and is not loaded."""
        self.values[record.keys[0]] = living
        self._readers[record.node] = None
        self._completed.add(record.node)

    def is_unchanged(self, key: str) -> bool:
        """True where what lives is what the state holds."""
        return key in self._unchanged

    def load_names(self, record: PodRecord, show: Callable[[PodRecord], None]) -> None:
        """A pod of values under their names: `show` is called when they stand in `values`, before
        the classes and functions among them get their state."""
        with rebuild.active(self):
            self._depth += 1
            try:
                self._open(record)
                self._complete(record)
            finally:
                self._depth -= 1
            show(record)
        self.load(record)
        named: Any = self.values.get(record.keys[0])
        for key, value in list(named.items()) if self.failures and type(named) is dict else ():
            uid = self.uid_of(value) if id(value) in self._uids else None
            if uid is not None and HUB + uid in self.failures:
                named[key] = self.hub(uid)

    def let_go(self, *, is_used: bool = False) -> None:
        """Nothing of what was loaded is held any more, nor the namespace: they are the user's
        alone, and whoever else holds a namespace may change what is in it unseen."""
        self.finals.let_go(is_used=is_used)
        for held in (self.values, self.made, self.cells, self.lost, self._nans, self._uids):
            held.clear()
        self.deferred.clear()
        self.homes.let_go()
        self.namespace, self._known, self.combined = {}, (), {}

    def finish(self) -> None:
        """Containers whose keys tell their own hash are filled: everything has its state now."""
        filling, self._filling = self._filling, []
        fewer, failed = fill_all(filling)
        self.lost_entries.update(key for record in fewer for key in record.keys)
        for record, error in failed:
            self.failures.update(dict.fromkeys(record.keys, reason_of(error)))

    def _open(self, record: PodRecord, wanted: str = "") -> None:
        """The pod's classes and functions are made, without their state: that is all that a
        class which derives from one of them needs. Where one is `wanted`, those behind it are not
        yet: one of them may derive from what is being made."""
        if record.node not in self._readers:
            self._begin(record)
        reader, unread = self._readers[record.node], self._unread.get(record.node)
        if reader is None or not unread or record.node in self._reading:
            return
        self._depth += 1
        self._reading.add(record.node)
        try:
            while unread and wanted not in self.values:
                key = unread.pop()
                self.values[key] = reader.load()
        except BaseException as error:
            if not is_refusal(error):
                raise
            self._fail(record, error)
        finally:
            self._reading.discard(record.node)
            self._depth -= 1

    def _begin(self, record: PodRecord) -> None:
        states: list[BufferState] = []
        try:
            stream = b"".join(map(self._store.get, record.stream))
            reader = Reader(stream, self._known, memory_of(self._store, record.buffers, states))
            self._readers[record.node] = reader
            if record.hollow:
                reader.load()
            self._unread[record.node] = list(_hubs_of(record)[::-1])
            self.hashes[record.node] = (xxh3_128_digest(stream), states)
        except BaseException as error:
            if not is_refusal(error):
                raise
            self._fail(record, error)
        self._waiting.append(record)

    def _meet(self, record: PodRecord, wanted: str) -> None:
        """Its values may be made next, which its classes have a say in: they are whole, where that
        can be, and nothing else is begun before."""
        outer, self._waiting = self._waiting, deque()
        try:
            self._open(record, wanted)
            if not self._depth:
                self._complete(record)
                self._drain()
        finally:
            outer.extend(self._waiting)
            self._waiting = outer

    def _drain(self) -> None:
        while self._waiting:
            self._complete(self._waiting.popleft())

    def _complete(self, record: PodRecord) -> None:
        """The rest of the pod is loaded; of one that has homes, when no class is half made."""
        reader = self._readers.get(record.node)
        if reader is None or record.node in self._completed:
            return
        self._open(record)
        if self._readers[record.node] is None:
            return
        self._completed.add(record.node)
        hubs = _hubs_of(record)
        self._complete_bases(map(self.values.get, hubs))
        homes = 0
        with self._trying(record):
            self._half_made += 1
            try:
                for _ in range(2 * len(hubs)):
                    state = reader.load()
                    if state is not None:
                        setter, content, made = state
                        homes += setter is home_follows
                        setter(made, content)
            finally:
                self._half_made -= 1
            self._rests += [(record, reader, homes)] if homes else []
            self._load_rests()
            if not homes:
                self._load_rest(record, reader)
        self._load_rests()

    def _load_rests(self) -> None:
        while self._rests and not self._half_made:
            record, reader, homes = self._rests.pop()
            with self._trying(record):
                self._drain()
                for _ in range(homes):
                    fill_home(reader.load)
                self._load_rest(record, reader)

    def _load_rest(self, record: PodRecord, reader: Reader) -> None:
        for root in record.roots[len(_hubs_of(record)) :]:
            self.values[root.key] = reader.load()
        if record.is_stand_in:
            self.failures.update((root.key, root.reason) for root in record.roots)
        if record.hollow:
            self._filling += [(record, *each) for each in reader.load()]
        if reader.lost:
            self.lost[record.node] = reader.lost
        self._readers[record.node] = None

    @contextmanager
    def _trying(self, record: PodRecord) -> Iterator[None]:
        """What fails in the block costs the pod, and no other."""
        before, self._loaded = self._loaded, record
        reader = self._readers.get(record.node)
        try:
            yield
        except BaseException as error:
            if not is_refusal(error):
                raise
            # What runs in a dictionary that is new is whole without what it lacks.
            is_new = isinstance(error, HalfFilledError) and not self.homes.is_living(error.scope)
            self._fail(record, error, with_hubs=not is_new)
            lost = reader.lost if reader is not None else []
            if isinstance(error, HalfFilledError) and is_new:
                lost.append(error.stands)
            if lost:
                self.lost[record.node] = lost
        finally:
            self._loaded = before

    def _complete_bases(self, hubs: Iterable[Any]) -> None:
        classes = (one for one in hubs if issubclass(type(one), type))
        for base in (base for one in classes for base in _mro_of(one)[1:]):
            record = self._by_key.get(HUB + (self.uid_of(base) or ""))
            if record is not None:
                self._complete(record)

    def fill(self, container: Any, content: Sequence[Any]) -> None:
        """The container is filled when everything is loaded."""
        if self._loaded is not None:
            self._filling.append((self._loaded, container, content))

    def _fail(self, record: PodRecord, error: BaseException, *, with_hubs: bool = True) -> None:
        self._readers[record.node] = None
        if self._load_patiently(record):
            return
        # What its class lacks says more than what comes of that.
        lacking = (self.failures.get(HUB + uid) for uid in record.refs)
        own = error.stands.how if isinstance(error, HalfFilledError) else reason_of(error)
        reason = next(filter(None, lacking), None) or own
        for root in record.roots:
            if root.key not in self.values or (with_hubs and root.key.startswith(HUB)):
                self.failures[root.key] = reason
                # A class or function without its state is none: whoever names it is told so.
                self.made.pop(root.key.removeprefix(HUB), None)
            if root.key not in self.values:
                stands = Placeholder(root.type_name, f"a {root.type_name}", reason)
                self.values[root.key] = dict.fromkeys(record.names, stands) or stands

    # --- what `rebuild` asks ----------------------------------------------------------------

    def hub(self, uid: str) -> Any:
        """The class or function of this uid; a placeholder where it does not load."""
        key = HUB + uid
        live = self.live(uid)
        if live is not None and key in self._unchanged and uid not in self.made:
            return live
        record = self._by_key.get(key)
        if record is not None:
            self._meet(record, key)
        if uid in self.made:
            return self.made[uid]
        if live is not None:
            return live
        name = uid.partition(":")[0]
        reason = self.failures.get(key, "it was not kept with this state")
        return Placeholder("function or class", f"{name}, a function or class", reason)

    def live(self, uid: str) -> Any:
        """The living object of this uid, where it may be used."""
        if self._in_place or HUB + uid in self._unchanged:
            return self._hubs.get(uid)
        return None

    def alive(self, uid: str) -> Any:
        """The living thing of this uid, where it may be used."""
        live = self._hubs.lives.get(uid) if self._in_place else None
        (self.dead if live is None else self.living).update(self._keys())
        self.left.update(() if live is None else (id(live),))
        return live

    def uid_of(self, value: Any) -> str | None:
        """The uid of a class or function of the state; None of anything else."""
        return self._hubs.uid_of(value) or self._uids.get(id(value), (None,))[0]

    def nan(self, uid: str, bits: bytes) -> float:
        """The NaN of this uid."""
        live = self._hubs.lives.get(uid) if self._in_place else None
        found = find_nan(uid, bits, [self._nans.get(uid), live])
        self._nans[uid] = found
        return found

    def adopt(self, uid: str, value: Any) -> None:
        self.made[uid] = value
        self._uids[id(value)] = uid, value

    def cell(self, uid: str) -> types.CellType:
        """The cell of this uid: the living one, where it may be used, else one for all."""
        found = self.cells.get(uid)
        if found is None:
            live = self._hubs.get_cell(uid) if self._in_place else None
            found = self.cells[uid] = types.CellType() if live is None else live
            if live is not None:
                self._live_cells.add(id(live))
        return found

    def is_live_cell(self, cell: types.CellType) -> bool:
        return id(cell) in self._live_cells

    def defer(self, action: Any, *arguments: Any) -> None:
        self.deferred.append((action, arguments))
        if self.staging is not None:
            self.staging(action, arguments)

    def take_homes(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """What functions that loaded run in, as it was told, and the living one of each."""
        return self.homes.take({key[len(HUB) :] for key in self.failures if key.startswith(HUB)})

    def note_shared(self, owner: Any) -> None:
        self.sharing.add(id(owner))

    def _keys(self) -> tuple[str, ...]:
        """The roots of the pod that is being loaded."""
        return () if self._loaded is None else self._loaded.keys

    def settle(self, action: Any, *arguments: Any) -> None:
        self._settling.append((action, arguments))


_mro_of = vars(type)["__mro__"].__get__


def _hubs_of(record: PodRecord) -> tuple[str, ...]:
    return tuple(key for key in record.keys if key.startswith(HUB))
