"""A pod as a pickle stream, and back: the C pickler, large memory out of band.

Three departures from plain pickle. The memo is primed with objects that both sides know: the
namespace itself and IPython's own containers. Functions and classes are told by `functions`,
values of libraries by their reducers; what none can tell becomes a placeholder that says so.
Frame headers are left out (see `sink`), since they would move with every insertion.
"""

from __future__ import annotations

import copyreg
import pickle
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from jupyter_rewind.kernels import finalized, functions, quiet, rebuild, subclasses
from jupyter_rewind.kernels.attributes import attributes_of, has_attributes, with_its_dict
from jupyter_rewind.kernels.budget import NEVER
from jupyter_rewind.kernels.filling import can_be_filled
from jupyter_rewind.kernels.holdings import find_held, find_held_by_code
from jupyter_rewind.kernels.hollow import Hollow, is_asked, is_built
from jupyter_rewind.kernels.homecontents import FirstThere
from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.nans import Nan, Nans
from jupyter_rewind.kernels.origins import is_own
from jupyter_rewind.kernels.ourselves import is_our_machinery, reduce_our_machinery
from jupyter_rewind.kernels.placeholders import FilePlaceholder, Placeholder
from jupyter_rewind.kernels.reducers import lookup
from jupyter_rewind.kernels.reducers.contract import name_of, stand_in
from jupyter_rewind.kernels.reducers.modules import clear_attributes, rebuild_module
from jupyter_rewind.kernels.refusals import is_refusal
from jupyter_rewind.kernels.sink import Sink
from jupyter_rewind.model.snapshot import Fidelity

PROTOCOL = 5
SMALL_BUFFER = 1 << 10

_DIRECT = frozenset(
    f"jupyter_rewind.kernels.reducers.{name}" for name in ("numpy", "torch", "views")
)
_STANDING = (Placeholder, FilePlaceholder)
_MISS = object()
Handler = Callable[[Any, Any], Any]
T = TypeVar("T")


class Buffers:
    """Collects the large memory that a pickler meets, in order."""

    def __init__(self) -> None:
        self.views: list[memoryview] = []
        self.direct: list[bool] = []
        """Which of them are read straight into the memory of what is rebuilt."""
        self._own: set[int] = set()

    def expect(self, reduction: Any) -> None:
        """Our own reducers rebuild through `views.into`, which reads where the memory is wanted."""
        if reduction[0].__module__ in _DIRECT:
            self._own.update(id(one) for one in reduction[1] if type(one) is pickle.PickleBuffer)

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """True keeps the buffer in the stream."""
        view = buffer.raw()
        if view.nbytes < SMALL_BUFFER:
            view.release()
            return True
        self.views.append(view)
        self.direct.append(id(buffer) in self._own and not view.readonly)
        self._own.discard(id(buffer))
        return False

    def release(self) -> None:
        for view in self.views:
            view.release()
        self.views.clear()


class Session:
    """What the writers of one capture share. Holds user objects only as long as it lives."""

    def __init__(self, namespace: dict[str, Any], hubs: Hubs, known: Sequence[Any] = ()) -> None:
        self.namespace = namespace
        self.hubs = hubs
        self.known = (namespace, *known)
        self.named: set[int] = set()
        """Ids of what was told by the name under which a module holds it."""
        self.asked: set[type] = set()
        """Classes of which code of the notebook tells the hash."""
        self.built: set[type] = set()
        """Classes of which code of the notebook makes the values again."""
        self.nans = Nans(hubs.lives)
        self.deadline = NEVER
        """When what is being told must be told."""
        self.modules: frozenset[str] = frozenset()
        """Modules of the user's own whose variables are kept."""
        self.kept_of_modules: set[str] = set()
        """Their variables that come back as they are, as `module:name`."""
        self._held: dict[int, str] | None = None
        self._held_by_code: dict[int, str] | None = None
        self._shells: dict[int, functions.Shell] = {}
        self._handlers: dict[type, Handler | None] = {}
        self._found: dict[Callable[[], Any], Any] = {}
        self.plain: set[type] = set()
        """Classes of which pickle tells the values, and nothing else is to be known."""

    def once(self, find: Callable[[], T]) -> T:
        """What this finds, looked for once."""
        if find not in self._found:
            self._found[find] = find()
        return cast(T, self._found[find])

    @contextmanager
    def in_any_case(self, is_wanted: bool) -> Iterator[None]:
        """Where that `is_wanted`, no deadline counts for the while."""
        before = self.deadline
        self.deadline = NEVER if is_wanted else before
        try:
            yield
        finally:
            self.deadline = before

    def held(self) -> dict[int, str]:
        """What variables of modules lead to, which are not kept."""
        if self._held is None:
            self._held = find_held(self.known, self.kept_of_modules)
        return self._held

    def held_by_code(self) -> dict[int, str]:
        """What classes and functions of modules of the user's own lead to."""
        if self._held_by_code is None:
            self._held_by_code = find_held_by_code(self.known)
        return self._held_by_code

    def shell(self, cell: types.CellType) -> functions.Shell:
        found = self._shells.get(id(cell))
        if found is None:
            found = self._shells[id(cell)] = functions.Shell(cell, self.hubs.cell_uid(cell))
        return found

    def cells_told(self, memo: Mapping[int, object]) -> set[int]:
        """Ids of the cells that are told by what is in `memo`."""
        return {name for name, shell in self._shells.items() if id(shell) in memo}

    def handler(self, kind: type) -> Handler | None:
        found = self._handlers.get(kind, _MISS)
        if found is _MISS:
            quiet.name_slots(kind)
            found = self._handlers[kind] = _decide(kind, self.modules)
            if is_asked(kind):
                self.asked.add(kind)
            if is_built(kind):
                self.built.add(kind)
            if found is None and kind not in self.asked and kind not in self.built:
                self.plain.add(kind)
        return found  # type: ignore[return-value]


class Telling:
    """How a writer meets objects that plain pickle does not keep, or keeps wrongly."""

    session: Session
    careful: bool
    own: frozenset[str]
    plain: Set[type]
    owners: frozenset[int] = frozenset()
    """Ids of objects whose attributes something holds besides."""

    def _begin(self, session: Session, buffers: Buffers, own: Iterable[str], careful: bool) -> None:
        self.session = session
        self.buffers = buffers
        self.namespace = session.namespace
        self.own = frozenset(own)
        self.careful = careful
        self.refs: set[str] = set()
        self.notes: list[tuple[Fidelity, str]] = []
        self.noted: list[tuple[int, Fidelity, str]] = []
        """What was noted of which value, by its id."""
        self._at = 0
        # Looked at for each object: nothing else is to be known of most.
        self.plain = frozenset[type]() if careful else session.plain
        self.meets_asked = self.meets_built = False

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind in self.plain:
            return NotImplemented
        self._at = id(value)
        handler = self.session.handler(kind)
        if kind in self.session.asked:
            self.meets_asked = True
        if kind in self.session.built:
            self.meets_built = True
        if self.careful:
            found = self._careful(handler or native, value)
        elif handler is not None:
            self.session.deadline.check()
            found = handler(value, self)
        elif self.owners and id(value) in self.owners:
            found = native(value, self)
        else:
            return NotImplemented
        if found is NotImplemented or type(found) is str or found[0] is rebuild.find_global:
            self.session.named.add(id(value))
        elif found[0] in _STANDING and kind not in _STANDING:
            uid = self.session.hubs.lives.name(value)
            found = (rebuild.stand_for, (uid, found[0], *found[1]), *found[2:])
        elif found[0] is rebuild_module and found[1][-1] is None:
            found = (*found[:1], (*found[1], self.session.hubs.lives.name(value)), *found[2:])
        elif self.owners and id(value) in self.owners:
            found = self._with_its_dict(value, found)
        elif handler is not None:
            self.buffers.expect(found)
        return found

    def know_owners(self, owners: Iterable[Any]) -> None:
        """Something else holds the attributes of these: each is asked about."""
        self.owners = frozenset(map(id, owners))
        self.plain = frozenset()

    def _with_its_dict(self, value: Any, reduction: Any) -> Any:
        found = with_its_dict(reduction, value)
        if found is not None:
            return found
        what = f"the attributes of an object of {name_of(type(value)).removeprefix('__main__.')}"
        reason = f"{what}, held apart from it: they come back as a dict of their own"
        self.noted.append((id(attributes_of(value)), Fidelity.REBUILT, reason))
        return reduction

    def _careful(self, handler: Handler, value: Any) -> Any:
        """One value that fails costs itself alone."""
        try:
            found = handler(value, self)
            if found is NotImplemented:
                if issubclass(type(value), type | types.FunctionType):
                    if not functions.is_importable(value, value.__module__, value.__qualname__):
                        raise pickle.PicklingError("it is not found under its name")
                    return found
                found = native(value, self)
            if isinstance(found, str) and pickle.whichmodule(value, found) == "__main__":  # type: ignore[attr-defined]
                raise pickle.PicklingError(f"it is not found as {found}")
            return found
        except BaseException as error:
            if not is_refusal(error):
                raise
            what = f"a {name_of(type(value)).removeprefix('__main__.')}"
            how = f"it refuses ({type(error).__name__}: {_first_line(error)}); make it again"
            return stand_in(value, self, what, how)

    def note(self, fidelity: Fidelity, reason: str) -> None:
        self.noted.append((self._at, fidelity, reason))
        if (fidelity, reason) not in self.notes:
            self.notes.append((fidelity, reason))

    def keeps_variables_of(self, module: str) -> bool:
        return module in self.session.modules

    def once(self, find: Callable[[], T]) -> T:
        return self.session.once(find)

    def placeholder(self, value: object, what: str, how: str) -> Placeholder:
        self.note(Fidelity.MISSING, f"{what}; {how}")
        return Placeholder(name_of(type(value)), what, how)

    def shell(self, cell: types.CellType) -> functions.Shell:
        return self.session.shell(cell)

    def uid_of(self, value: Any) -> str | None:
        return self.session.hubs.uid_of(value)

    def is_root(self, uid: str) -> bool:
        return uid in self.own

    def name_hub(self, value: Any) -> str:
        return self.session.hubs.name(value)

    def name_home(self, function: types.FunctionType) -> str:
        return self.session.hubs.homes.name(function)

    def refer(self, uid: str) -> tuple[Any, ...]:
        self.refs.add(uid)
        return rebuild.resolve_hub, (uid,)


class PodWriter(Telling, pickle.Pickler):
    """The fast writer; fails with RecursionError on deeply nested values."""

    def __init__(
        self, sink: Sink, buffers: Buffers, session: Session, own: Iterable[str], careful: bool
    ) -> None:
        pickle.Pickler.__init__(self, sink, PROTOCOL, buffer_callback=buffers.take)
        self._begin(session, buffers, own, careful)


def _decide(kind: type, whole: Collection[str]) -> Handler | None:
    special = _SPECIAL.get(kind, _MISS)
    if special is not _MISS:
        return special  # type: ignore[return-value]
    if issubclass(kind, type):
        return functions.reduce_class
    reducer = lookup(kind)
    if reducer is not None:
        return reducer
    found = _of_instances(kind, whole)
    return finalized.make_reducer(found or native) if finalized.is_finalized(kind) else found


def _of_instances(kind: type, whole: Collection[str]) -> Handler | None:
    base = subclasses.find_base(kind)
    if base is not None:
        return subclasses.make_reducer(base)
    if is_our_machinery(kind):
        return reduce_our_machinery
    return _sentinels(kind, whole) or quiet.find_reducer(kind)


_SPECIAL: dict[type, Handler | None] = {
    types.FunctionType: functions.reduce_function,
    types.CellType: functions.reduce_cell,
    types.CodeType: functions.reduce_code,
    functions.Shell: None,
    FirstThere: None,
    Hollow: None,
    Nan: None,
    Placeholder: None,
}


def _sentinels(kind: type, whole: Collection[str]) -> Handler | None:
    """Values that a module of a library holds under a name stay the very ones: code asks for them
    with `is`. So do those of a module of the user's own that hold nothing; where its variables are
    kept (it is `whole`), the ones that can be filled are told as they are."""
    home = type.__getattribute__(kind, "__module__")
    module = sys.modules.get(home) if isinstance(home, str) else None
    if module is None or home in ("__main__", "builtins"):
        return None
    if home in whole and can_be_filled(kind):
        return None
    named = {id(held): name for name, held in list(vars(module).items()) if type(held) is kind}
    if not named:
        return None

    def reduce_sentinel(value: Any, _: Any) -> Any:
        name = named.get(id(value))
        if name is None or getattr(module, name, None) is not value:
            return native(value, None)
        found = rebuild.find_global, (home, name)
        if not is_own(module):
            return found
        try:
            made = native(value, None)
        except Exception:
            return found
        # Its class, and nothing of its own: no state, no items.
        if type(made) is tuple and any(made[2:]):
            return made
        return (*found, {}, None, None, clear_attributes) if has_attributes(kind) else found

    return reduce_sentinel


def native(value: Any, _: Any) -> Any:
    reduce = copyreg.dispatch_table.get(type(value))
    return reduce(value) if reduce is not None else value.__reduce_ex__(PROTOCOL)


def _first_line(error: BaseException) -> str:
    try:
        return str(error).partition("\n")[0]
    except Exception:
        return "an error that does not print"
