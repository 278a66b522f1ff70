"""A pod: a piece of the object graph kept under its own name, as one stream and its buffers.

A root is what a pod is reached by: a variable (`v:name`), an entry of Out (`o:3`), a class or a
function (`h:uid`), a part of the environment (`e:random`), all the small values (`a:`), or what a
module of the user's own holds (`m:module:name`).
"""

from __future__ import annotations

import enum
import gc
import itertools
import operator
import pickle
import sys
import types
import weakref
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.kernels import attributes, texts
from jupyter_rewind.kernels.codec import Buffers, PodWriter, Session
from jupyter_rewind.kernels.deepwriter import DeepWriter
from jupyter_rewind.kernels.depth import within_the_stack
from jupyter_rewind.kernels.functions import Shell, states_of
from jupyter_rewind.kernels.hollow import Hollow, find_containers, has_changed_key, members_of
from jupyter_rewind.kernels.homecontents import ToldHome, find_homes, home_follows, is_imported
from jupyter_rewind.kernels.names import is_result_key
from jupyter_rewind.kernels.nans import may_hold_nan
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.preview import preview, type_name
from jupyter_rewind.kernels.records import RootRecord
from jupyter_rewind.kernels.refusals import is_refusal
from jupyter_rewind.kernels.sink import Sink, Stream
from jupyter_rewind.kernels.whereabouts import place_notes
from jupyter_rewind.model.snapshot import Fidelity

VARIABLE, OUTPUT, HUB, ENVIRONMENT, SMALL, MODULE = "v:", "o:", "h:", "e:", "a:", "m:"
_MOST_WITH_ARRAYS = 64 << 10
Arrays = tuple["weakref.ref[Any]", ...]
Root = tuple[str, Any]
Note = tuple[Fidelity, str]


@dataclass(slots=True)
class Written:
    """One pod as it was just told. Holds the memory of user objects until `release`."""

    keys: tuple[str, ...]
    stream: Stream
    buffers: Buffers
    refs: frozenset[str]
    notes: dict[str, tuple[Note, ...]]
    hollow: int = 0
    """How many containers stand empty at its head, and are filled by its end."""
    writer: Any = None
    """Keeps what was told alive, so that ids of two pods can be compared; until `release`."""
    shared: frozenset[int] = field(default_factory=frozenset)

    @property
    def size_bytes(self) -> int:
        return len(self.stream) + sum(view.nbytes for view in self.buffers.views)

    def release(self) -> None:
        """No user object is held any more."""
        self.buffers.release()
        if self.writer is not None:
            self.writer.clear_memo()
            self.writer = None


def place(key: str, value: Any) -> tuple[bool, int, str]:
    """Sorts the roots of a pod: classes first, each behind those that it derives from, and
    functions; last what cells were worth, which goes on to other names from cell to cell."""
    if not key.startswith(HUB):
        return True, is_result_key(key), key
    is_class = issubclass(type(value), type)
    return False, len(_mro_of(value)) if is_class else sys.maxsize, key


_mro_of = vars(type)["__mro__"].__get__


def write_pod(session: Session, roots: Sequence[Root], owners: Sequence[Any] = ()) -> Written:
    """The pod of these roots. One value that cannot be told costs itself alone. `owners` are
    objects whose attributes something in it holds besides.

    Raises what the user's own code raises only where even a placeholder for it fails.
    """
    was_enabled = gc.isenabled()
    # What is told makes many short-lived objects; looking for cycles among them takes longer.
    gc.disable()
    try:
        with within_the_stack():
            written = _write_somehow(session, roots, owners)
        _place_notes(written, session, roots)
        return written
    finally:
        if was_enabled:
            gc.enable()


def arrays_of(written: Written) -> Arrays:
    """The arrays of numpy in it, in order; empty where much else is told."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or len(written.stream) > _MOST_WITH_ARRAYS:
        return ()
    told = sorted(written.writer.memo.copy().values(), key=operator.itemgetter(0))
    return tuple(weakref.ref(value) for _, value in told if type(value) is numpy.ndarray)


def find_owners(written: Written, session: Session) -> list[Any]:
    """Objects in the pod whose attributes something in it holds besides."""
    if not attributes.may_hold_objects(written.stream):
        return []
    return attributes.find_owners(_met(written, session), session.deadline.check)


def _met(written: Written, session: Session) -> list[Any]:
    """All that was told, in order."""
    told = sorted(written.writer.memo.copy().values(), key=operator.itemgetter(0))
    return [value for _, value in told[len(session.known) :]]


def _write_somehow(session: Session, roots: Sequence[Root], owners: Sequence[Any]) -> Written:
    """Quickly, and where that fails once more, with a hand on each value: the one that failed
    becomes a placeholder."""
    careful, deep = False, False
    while True:
        try:
            maker = DeepWriter if deep else PodWriter
            return _write(maker, session, roots, owners, careful=careful)
        except RecursionError:
            if deep and careful:
                raise
            # Deep first: nothing may be wrong with any of the values.
            deep, careful = True, deep or careful
        except BaseException as error:
            if not is_refusal(error) or _is_at_work(error):
                raise
            if careful and isinstance(error, Exception):
                raise
            if careful:
                raise pickle.PicklingError(f"it refuses ({type(error).__name__})") from None
            careful = True


def _is_at_work(error: BaseException) -> bool:
    """True where a thread changed a container while it was told."""
    return type(error) is RuntimeError and "during iteration" in str(error)


def _write(
    maker: Any, session: Session, roots: Sequence[Root], owners: Sequence[Any], *, careful: bool
) -> Written:
    written = _write_once(maker, session, roots, careful, owners=owners)
    with_nan = may_hold_nan(written.stream)
    if (written.writer.meets_asked or with_nan) and not written.writer.meets_built:
        met = _met(written, session)
        containers = find_containers(met, frozenset(session.asked), with_nan)
        if containers:
            written.release()
            written = _write_once(maker, session, roots, careful, containers, owners)
    return written


def describe_root(key: str, value: Any, notes: Sequence[Note]) -> RootRecord:
    """What is told of a root: the worst of what was noted, with all reasons."""
    kind = type_name(value)
    if issubclass(type(value), Placeholder):
        kind, notes = value.type_name, [*notes, (Fidelity.MISSING, f"{value.what}; {value.how}")]
    worst = max((one for one, _ in notes), key=lambda one: one.loss, default=None)
    reasons = "; ".join(dict.fromkeys(reason for _, reason in notes))
    return RootRecord(key, kind, worst or Fidelity.EXACT, reasons, preview(value))


def whole_of_modules(written: Written) -> list[str]:
    """Variables of modules in it of which nothing is lost, as `module:name`."""
    return [
        key[len(MODULE) :]
        for key in written.keys
        if key.startswith(MODULE) and all(one in _WHOLE for one, _ in written.notes.get(key, ()))
    ]


def is_whole(root: RootRecord) -> bool:
    """True for a variable of a module that a restore sets: nothing of it is lost."""
    return root.key.startswith(MODULE) and root.fidelity in _WHOLE


_WHOLE = (Fidelity.EXACT, Fidelity.REFERENCE)


def note_held(written: Written, session: Session, roots: Sequence[Root]) -> None:
    """What variables of modules lead to as well is told as apart from them."""
    held = session.held()
    if not any(key.startswith(MODULE) for key, _ in roots):
        held = session.held_by_code() | held
    if not held or roots[0][0].startswith((SMALL, ENVIRONMENT)):
        return
    memo = written.writer.memo.copy()
    told = session.named.union(where for where, *_ in written.writer.noted)
    found = [where for where in held if where in memo and where not in told]
    for where in found:
        reason = f"{held[where]} leads to it as well: in a new kernel the two are apart"
        written.writer.noted.append((where, Fidelity.REBUILT, reason))
    if found:
        _place_notes(written, session, roots)


def _place_notes(written: Written, session: Session, roots: Sequence[Root]) -> None:
    noted = written.writer.noted
    if noted and not roots[0][0].startswith((SMALL, ENVIRONMENT)):
        written.notes = place_notes(roots, noted, written.notes, session.known, words_for_root)


def words_for_root(key: str) -> str:
    """The root as the user calls it."""
    if key.startswith(HUB):
        return key[len(HUB) :].partition(":")[0]
    if key.startswith(MODULE):
        return key[len(MODULE) :].replace(":", ".")
    return f"Out[{key[len(OUTPUT) :]}]" if key.startswith(OUTPUT) else key[len(VARIABLE) :]


def _write_once(
    maker: Any,
    session: Session,
    roots: Sequence[Root],
    careful: bool,
    containers: Sequence[Any] = (),
    owners: Sequence[Any] = (),
) -> Written:
    sink, buffers, large = Sink(session.deadline.check), Buffers(), texts.Texts()
    own = [key[len(HUB) :] for key, _ in roots if key.startswith(HUB)]
    writer = maker(sink, buffers, session, own, careful)
    if owners:
        writer.know_owners(owners)
    writer.memo = {id(value): (number, value) for number, value in enumerate(session.known)}
    notes: dict[str, tuple[Note, ...]] = {}
    try:
        homes = find_homes((value for key, value in roots if key.startswith(HUB)), writer)
        scopes = {id(home.scope): home.scope for home in homes.values()}
        containers = [each for each in containers if id(each) not in scopes]
        hollow = [*containers, *scopes.values()]
        if hollow:
            _dump_hollow(writer, hollow)
        for key, content in _dumps(roots, writer, homes):
            writer.dump(large.boxed(session.nans.boxed(content)))
            if writer.notes:
                notes[key] = (*notes.get(key, ()), *writer.notes)
                writer.notes.clear()
        if hollow:
            boxed = session.nans.boxed
            # The inner ones were met last: what the hash of a key tells may depend on them.
            writer.dump([(each, members_of(each, boxed)) for each in reversed(containers)])
            _note_late(writer, containers, [key for key, _ in roots], notes)
    except BaseException:
        buffers.release()
        writer.clear_memo()
        raise
    return Written(
        tuple(key for key, _ in roots), sink.taken(), buffers, frozenset(writer.refs), notes,
        len(hollow), writer,
    )  # fmt: skip


def _dump_hollow(writer: Any, containers: Sequence[Any]) -> None:
    """The containers stand in the stream, empty; whoever names one from now on means it."""
    stand = [Hollow(each) for each in containers]
    writer.dump(stand)
    memo = writer.memo.copy()
    for one in stand:
        # In its place, not beside it: the next number is how many there are.
        memo[id(one.container)] = (memo.pop(id(one))[0], one.container)
    writer.memo = memo


def _note_late(
    writer: Any, containers: Sequence[Any], keys: Sequence[str], notes: dict[str, tuple[Note, ...]]
) -> None:
    found = [*writer.notes]
    writer.notes.clear()
    try:
        changed = any(map(has_changed_key, containers))
    except BaseException as error:
        if not is_refusal(error):
            raise
        changed = True
    if changed:
        found.append((Fidelity.REBUILT, _CHANGED_KEY))
    for key in keys if found else ():
        notes[key] = (*notes.get(key, ()), *found)


_CHANGED_KEY = (
    "a key in it has changed since it was put in: it is not found now, and will be after a restore"
)


def _dumps(roots: Sequence[Root], writer: Any, homes: Mapping[int, ToldHome]) -> Iterator[Root]:
    """What the stream holds, in order: hubs as they are made, then their states, then what the
    functions run in, then the rest."""
    hubs = [(key, value) for key, value in roots if key.startswith(HUB)]
    for key, value in hubs:
        home = homes.get(id(value))
        yield key, value if home is None else home.first(value, writer.session.nans.boxed)
    if hubs:
        parts = [(key, value, _states(value, writer, homes)) for key, value in hubs]
        for turn in range(2):
            for key, value, states in parts:
                yield key, (*states[turn], value) if turn < len(states) else None
    told = [(key, homes[id(value)]) for key, value in hubs if id(value) in homes]
    yield from ((key, part) for key, home in told for part in home.parts())
    yield from ((key, value) for key, value in roots if not key.startswith(HUB))


def _states(hub: Any, writer: Any, homes: Mapping[int, ToldHome]) -> list[tuple[Any, Any]]:
    if isinstance(hub, Placeholder):
        return []
    mark = [(home_follows, None)] if id(hub) in homes else []
    return [*states_of(hub, writer), *mark]


_ATOMS = frozenset((
    str, bytes, int, float, complex, bool, type(None), tuple, frozenset, range, slice, type,
    types.EllipsisType, types.NotImplementedType, types.BuiltinFunctionType, types.CodeType,
    types.MethodDescriptorType, types.WrapperDescriptorType,
    types.MethodWrapperType, types.ClassMethodDescriptorType, types.GetSetDescriptorType,
    types.MemberDescriptorType,
))  # fmt: skip
_VALUES = {
    "datetime", "dateutil", "decimal", "fractions", "pathlib", "pytz", "re", "uuid", "zoneinfo",
}  # fmt: skip
"""Packages whose values never change."""


def shared_ids(
    written: Written, session: Session, others: Set[int] | None = None
) -> frozenset[int]:
    """Ids of what the pod tells and another pod may tell as well; valid until `release`. Where
    `others` has what all other pods may share, only what is among them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        if others is None:
            return frozenset(_shareable(written.writer, session))
        memo = written.writer.memo.copy()
        found = {name for name in others if name in memo}
        found |= attributes.untold_dicts(value for _, value in memo.values()) & others
        return frozenset(found | session.cells_told(memo))
    finally:
        if was_enabled:
            gc.enable()


def _shareable(writer: Any, session: Session) -> set[int]:
    memo = writer.memo.copy()
    values = [value for _, value in memo.values()]
    session.deadline.check()
    kinds = list(map(type, values))
    fit = {kind for kind in set(kinds) if _can_be_shared(kind)}
    found = set(itertools.compress(memo, map(fit.__contains__, kinds)))
    session.deadline.check()
    found |= attributes.untold_dicts(values)
    found -= {id(value) for value in session.known} | session.named
    for value in _of_kind(types.FunctionType, values, kinds):
        if session.hubs.uid_of(value) is not None:
            found.discard(id(value))
    for value in _of_kind(types.ModuleType, values, kinds):
        if is_imported(value):
            found.discard(id(value))
    for value in _of_kind(Shell, values, kinds):
        found.discard(id(value))
        found.add(id(value.cell))
    return found


def _of_kind(kind: type, values: list[Any], kinds: list[type]) -> Iterator[Any]:
    return itertools.compress(values, map(operator.is_, kinds, itertools.repeat(kind)))


def _can_be_shared(kind: type) -> bool:
    """False for what never changes, and for classes."""
    if kind in _ATOMS or issubclass(kind, type):
        return False
    dtype = getattr(sys.modules.get("numpy"), "dtype", None)
    if dtype is not None and issubclass(kind, dtype):
        return False
    return not _is_immutable(kind)


def _is_immutable(kind: type) -> bool:
    home = type.__getattribute__(kind, "__module__")
    if not isinstance(home, str):
        return False
    if home.partition(".")[0] in _VALUES or (home.startswith("pandas.") and "dtypes" in home):
        return True
    return issubclass(kind, enum.Enum)
