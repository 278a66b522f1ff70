"""Objects that do something when they go away: the living one takes its state of then.

A connection that `__del__` closes, or a folder that it deletes, belongs to one object. Were a
second one made of the state, the first of the two to go would end what the other still uses. So a
restore gives the living object what it had, and makes no other; where that one cannot be filled, it
stays what it is, and the report says so. Only where none lives is one made; what was made and is
not handed on goes away in silence. Classes whose author wrote how they are pickled are left to
that.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any

from jupyter_rewind.errors import Internal
from jupyter_rewind.kernels import quiet, rebuild
from jupyter_rewind.kernels.attributes import attributes_of, has_attributes
from jupyter_rewind.kernels.lives import Lives
from jupyter_rewind.kernels.placeholders import FilePlaceholder, Placeholder
from jupyter_rewind.kernels.silence import hush, is_closing, make_still

STAYS = (
    "it stays what it is now: its class says what is done when it goes away, and cannot be filled"
)
_HEAP = 1 << 9
_mro_of = vars(type)["__mro__"].__get__
_dict_of = vars(type)["__dict__"].__get__
_flags_of = vars(type)["__flags__"].__get__
_AS_THEY_ARE = (rebuild.find_global, Placeholder, FilePlaceholder)
_FILLING = (None, rebuild.set_state, quiet.set_dict)
Reduce = Callable[[Any, Any], Any]


def is_finalized(kind: type) -> bool:
    """True where something is done when values of this class go away: by its own code, or by what
    `weakref.finalize` was given for one of them."""
    if not _flags_of(kind) & _HEAP or issubclass(kind, type) or quiet.has_own_way(kind):
        return False
    if is_closing(kind):
        return True
    registry: dict[Any, Any] = vars(weakref.finalize).get("_registry", {})
    return any(type(one.weakref()) is kind for one in list(registry.values()))


def make_reducer(reduce: Reduce) -> Reduce:
    """What tells values of such a class, which `reduce` tells otherwise."""

    def reduce_finalized(value: Any, context: Any) -> Any:
        found = reduce(value, context)
        if type(found) is not tuple or found[0] in _AS_THEY_ARE:
            return found
        make, arguments, state, items, pairs, setter = (*found, None, None, None, None)[:6]
        made = (
            make_finalized,
            (context.session.hubs.lives.name(value), type(value), make, *arguments),
        )
        if items is None and pairs is None and setter in _FILLING:
            return (*made, (state, setter is quiet.set_dict), None, None, fill_finalized)
        content = [list(one) if one is not None else None for one in (items, pairs)]
        return (*made, (state, setter, *content), None, None, set_finalized)

    return reduce_finalized


class Finals:
    """What a loader knows of such objects."""

    def __init__(
        self, lives: Lives, keys: Callable[[], tuple[str, ...]], *, in_place: bool
    ) -> None:
        """`keys` tells the roots of the pod that is being loaded. Without `in_place`, each object
        is made anew, and nothing is done when that one goes away."""
        self.keys = keys
        self.is_copying = False
        """What is made is for the time of loading only."""
        self.stayed: set[str] = set()
        """Roots with one that lives, and cannot be filled."""
        self._lives = lives
        self._in_place = in_place
        self._living: dict[int, Any] = {}
        self._made: list[weakref.ref[Any]] = []
        self._copies: list[Any] = []

    def find(self, uid: str, kind: type) -> Any:
        """The living object of this uid and class, where it may be used."""
        if not self._in_place or self.is_copying:
            return None
        live = self._lives.get(uid)
        if live is None or type(live) is not kind:
            return None
        self._living[id(live)] = live
        return live

    def is_living(self, value: Any) -> bool:
        return id(value) in self._living

    def note(self, uid: str, made: Any) -> None:
        """No such object lives, and this one was made."""
        if self.is_copying:
            self._copies.append(made)
        elif not self._in_place:
            make_still(made)
        else:
            self._lives.adopt(uid, made)
            with suppress(TypeError):
                self._made.append(weakref.ref(made))

    def give_up(self, failures: Collection[str], deferred: list[tuple[Any, Any]]) -> None:
        """What belongs to a pod that did not load stays what it is."""
        for one in [one for one in deferred if isinstance(one[1][0], Living)]:
            living: Living = one[1][0]
            if not living.keys.isdisjoint(failures):
                self.stayed |= living.keys
                deferred.remove(one)

    def drop_copies(self) -> None:
        """The time of loading is over."""
        for one in self._copies:
            hush(one)
        self._copies.clear()

    def let_go(self, *, is_used: bool) -> None:
        """Nothing is held; unless it `is_used`, what was made goes away in silence."""
        if not is_used:
            for one in [one for one in (held() for held in self._made) if one is not None]:
                hush(one)
        self._made.clear()
        self._living.clear()
        self.drop_copies()


class Living:
    """An object that lives, and is to be what it was; `keys` are the roots of its pod."""

    __slots__ = ("keys", "value")

    def __init__(self, value: Any, keys: Iterable[str]) -> None:
        self.value = value
        self.keys = frozenset(keys)

    def as_it_was(self) -> Callable[[], Any]:
        """What gives it back what it has now."""
        value = self.value
        own = attributes_of(value) if has_attributes(type(value)) else None
        held = dict(own or {})
        slots = {}
        for name, member in _members(type(value)):
            with suppress(AttributeError):
                slots[name] = member.__get__(value)

        def put_back() -> None:
            if own is not None and attributes_of(value) is not own:
                object.__setattr__(value, "__dict__", own)
            _give(value, held, slots)

        return put_back


def _members(kind: type) -> Iterable[tuple[str, Any]]:
    for base in _mro_of(kind)[:-1]:
        for name, member in _dict_of(base).items():
            if type(member) is types.MemberDescriptorType and _flags_of(base) & _HEAP:
                yield name, member


def _give(value: Any, own: dict[str, Any], slots: dict[str, Any]) -> None:
    if has_attributes(type(value)):
        held = attributes_of(value)
        held.clear()
        held.update(own)
    for name, member in _members(type(value)):
        if name in slots:
            member.__set__(value, slots[name])
        else:
            with suppress(AttributeError):
                member.__delete__(value)


# --- back: part of the format of stored snapshots ------------------------------------------


def _loading() -> rebuild.Loading:
    loading = rebuild.current()
    if loading is None:
        raise Internal("A pod was loaded outside a restore.")
    return loading


def make_finalized(uid: str, kind: type, make: Callable[..., Any], *arguments: Any) -> Any:
    """The living object of this uid; one that is made, where none lives."""
    finals: Finals = _loading().finals
    live = finals.find(uid, kind)
    if live is not None:
        return live
    made = make(*arguments)
    finals.note(uid, made)
    return made


def fill_finalized(made: Any, held: tuple[Any, bool]) -> None:
    """It has this state, as the very dict where that is said; a living one not before the swap."""
    state, is_very = held
    loading = _loading()
    if loading.finals.is_living(made):
        loading.defer(_fill_living, Living(made, loading.finals.keys()), state, is_very)
    elif state is not None:
        (quiet.set_dict if is_very else rebuild.set_state)(made, state)


def _fill_living(living: Living, state: Any, is_very: bool) -> None:
    own, slots = state if type(state) is tuple and len(state) == 2 else (state, None)
    if is_very and own is not None:
        object.__setattr__(living.value, "__dict__", own)
    _give(living.value, dict(own or {}), slots or {})


def set_finalized(made: Any, content: tuple[Any, Any, Any, Any]) -> None:
    """It has what pickle would give it; a living one stays what it is."""
    finals: Finals = _loading().finals
    if finals.is_living(made):
        finals.stayed.update(finals.keys())
        return
    state, setter, items, pairs = content
    for one in items or ():
        made.append(one)
    for key, one in pairs or ():
        made[key] = one
    if setter is not None:
        setter(made, state)
    elif state is not None:
        rebuild.set_state(made, state)
