"""What stored pods call while they are loaded: modules, cells, functions, classes, hubs.

These functions are part of the format of stored snapshots: their names and what their arguments
mean stay for ever. They build new objects only; what changes a live one is put off to the swap.
"""

from __future__ import annotations

import abc
import collections
import enum
import importlib
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol, cast

from jupyter_rewind.errors import Format, Internal
from jupyter_rewind.kernels import enumerations, living
from jupyter_rewind.kernels.classbodies import (
    changed_attributes,
    remove_attribute,
    set_attribute,
)
from jupyter_rewind.kernels.handmade import HandMade
from jupyter_rewind.kernels.homes import Home, Homes, interned


class Loading(Protocol):
    """What rebuilding asks of whoever loads: the live namespace, and objects named by uid."""

    namespace: dict[str, Any]
    handmade: HandMade
    homes: Homes
    finals: Any
    staging: Any
    made: dict[str, Any]
    combined: dict[int, dict[Any, Any]]

    def hub(self, uid: str) -> Any: ...
    def live(self, uid: str) -> Any: ...
    def cell(self, uid: str) -> types.CellType: ...
    def is_live_cell(self, cell: types.CellType) -> bool: ...
    def adopt(self, uid: str, value: Any) -> None: ...
    def defer(self, action: Any, *arguments: Any) -> None: ...
    def settle(self, action: Any, *arguments: Any) -> None: ...
    def alive(self, uid: str) -> Any: ...
    def nan(self, uid: str, bits: bytes) -> float: ...
    def fill(self, container: Any, content: Any) -> None: ...
    def note_shared(self, owner: Any) -> None: ...


_active = threading.local()


@contextmanager
def active(loading: Loading) -> Iterator[None]:
    """What is rebuilt in the block belongs to `loading`."""
    before = getattr(_active, "loading", None)
    _active.loading = loading
    try:
        yield
    finally:
        _active.loading = before


def current() -> Loading | None:
    return getattr(_active, "loading", None)


def _loading() -> Loading:
    loading = current()
    if loading is None:
        raise Internal("A pod was loaded outside a restore.")
    return loading


def resolve_hub(uid: str) -> Any:
    """The class or function that is kept under this uid in a pod of its own."""
    return _loading().hub(uid)


def stand_for(uid: str, kind: Any, *words: Any) -> Any:
    """The living thing of this uid, where it may be used; else a placeholder for it."""
    live = _loading().alive(uid)
    return kind(*words) if live is None else live


def make_nan(uid: str, bits: bytes) -> float:
    """The NaN of this uid: a constant of a module, a living one, or one for all that name it."""
    return _loading().nan(uid, bits)


def same(value: Any) -> Any:
    return value


def find_module(name: str) -> Any:
    return importlib.import_module(name)


def scope_of(module: types.ModuleType) -> dict[str, Any]:
    """The variables of a module."""
    return vars(module)


def find_global(module: str, name: str) -> Any:
    """What stands under this name in a module: a sentinel that must stay the only one."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def make_cell(uid: str | None) -> types.CellType:
    """The living cell of this uid, where a living function owns it; else a new one."""
    return _loading().cell(uid) if uid is not None else types.CellType()


def set_cell(cell: types.CellType, contents: tuple[Any, ...]) -> None:
    """`contents` is empty for a cell whose variable is not bound."""
    loading = _loading()
    if loading.is_live_cell(cell):
        loading.defer(put_cell, cell, contents)
    elif contents:
        cell.cell_contents = contents[0]


def put_cell(cell: types.CellType, contents: tuple[Any, ...]) -> None:
    if contents:
        cell.cell_contents = contents[0]
    else:
        with suppress(ValueError):
            del cell.cell_contents


def set_state(made: Any, state: Any) -> None:
    """What pickle does with a state, without asking the class's own `__getattr__` for a way, or
    its `__setattr__` to set it."""
    slots: Mapping[str, Any] = {}
    if type(state) is tuple and len(state) == 2:
        state, slots = state
    if state is made:
        # A dict whose attributes are its entries.
        object.__setattr__(made, "__dict__", made)
    elif state:
        object.__getattribute__(made, "__dict__").update(state)
    for name, value in (slots or {}).items():
        object.__setattr__(made, name, value)


def fill_dict(made: dict[Any, Any], content: Any) -> None:
    """Keys and values in turn, as `dict` itself puts them; put off until all is loaded."""
    _loading().fill(made, content)


def fill_set(made: set[Any], content: Any) -> None:
    """As `set` itself puts them; put off until all is loaded."""
    _loading().fill(made, content)


def fill_list(made: list[Any], content: Any) -> None:
    list.extend(made, content)


def make_iterator(make: Any, source: Any, place: Any) -> Any:
    made, loading = make(source), current()
    if loading is None:  # all of it stands
        made.__setstate__(place)
    else:
        loading.settle(made.__setstate__, place)
    return made


# --- functions --------------------------------------------------------------------------


def make_code(version: tuple[int, int], *fields: Any) -> types.CodeType:
    """Raises Format where another version of Python wrote the code."""
    if version != sys.version_info[:2]:
        wrote = ".".join(map(str, version))
        raise Format(f"the compiled code is that of Python {wrote}; run its cell again")
    # Its names are the very texts that variables have.
    return types.CodeType(*fields[:11], *map(interned, fields[11:13]), *fields[13:])


def make_function(
    uid: str,
    code: types.CodeType,
    name: str,
    home: Home,
    cells: tuple[types.CellType, ...] | None,
) -> Any:
    """A function that runs in `home`; without its state yet."""
    loading = _loading()
    live = loading.live(uid)
    if live is not None and _fits(live, cells) and loading.homes.can_meet(home, live):
        loading.homes.meet(home, uid, live)
        return live
    function = loading.made.get(uid)  # which telling its home may have come to first
    if function is None:
        function = types.FunctionType(code, loading.homes.find(home, uid), name, None, cells)
    loading.adopt(uid, function)
    return function


def _fits(live: Any, cells: tuple[types.CellType, ...] | None) -> bool:
    held = live.__closure__ or ()
    return isinstance(live, types.FunctionType) and len(held) == len(cells or ())


def set_function(function: Any, state: Mapping[str, Any]) -> None:
    """Everything of a function that its making does not give."""
    loading = _loading()
    if loading.live(state["uid"]) is function:
        loading.defer(_set_live_function, function, state)
    else:
        _set_function(function, state)
    for cell, contents in zip(function.__closure__ or (), state["contents"], strict=True):
        set_cell(cell, contents)


def _set_function(function: Any, state: Mapping[str, Any]) -> None:
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__annotations__ = state["annotations"]
    function.__doc__ = state["doc"]
    function.__module__ = state["module"]
    function.__name__ = interned(state.get("name", function.__name__))
    function.__qualname__ = interned(state["qualname"])
    if state.get("parameters"):
        function.__type_params__ = state["parameters"]
    function.__dict__.clear()
    function.__dict__.update(state["dict"])


def _set_live_function(function: Any, state: Mapping[str, Any]) -> None:
    function.__code__ = state["code"]
    _set_function(function, state)


# --- classes ----------------------------------------------------------------------------


def make_class(
    uid: str, kind: type, name: str, bases: tuple[type, ...], head: dict[str, Any]
) -> Any:
    """A class without its attributes yet; the live one where it is alive."""
    loading = _loading()
    live = loading.live(uid)
    if live is not None:
        return live
    with quiet_bases(bases):
        made = _maker(kind)(kind, name, bases, dict(head))
    loading.adopt(uid, made)
    return made


def _maker(kind: type) -> Any:
    """`__new__` of the first metaclass that is not of the notebook: the others' are the user's
    code, which ran when the class was first made."""
    if kind.__module__ == "typing" and kind.__name__ == "_TypedDictMeta":
        return type.__new__  # its own takes the bases apart, and was there already
    for base in kind.__mro__:
        if base.__module__ != "__main__" and "__new__" in vars(base) and issubclass(base, type):
            return base.__new__
    return type.__new__


@contextmanager
def quiet_bases(bases: tuple[type, ...]) -> Iterator[None]:
    """The notebook's own `__init_subclass__` is not called again while the block lasts."""
    hooks = []
    for base in dict.fromkeys(one for each in bases for one in each.__mro__):
        home = sys.modules.get(base.__module__)
        is_made_here = home is None or getattr(home, base.__qualname__, None) is not base
        hook = vars(base).get("__init_subclass__")
        if hook is not None and (is_made_here or base.__module__ == "__main__"):
            hooks.append((base, hook))
    try:
        for base, _ in hooks:
            type.__setattr__(base, "__init_subclass__", classmethod(lambda cls, **_: None))
        yield
    finally:
        for base, hook in hooks:
            type.__setattr__(base, "__init_subclass__", hook)


def make_namedtuple(
    uid: str, name: str, fields: tuple[str, ...], defaults: tuple[Any, ...], module: str
) -> Any:
    loading = _loading()
    live = loading.live(uid)
    if live is not None:
        return live
    made = collections.namedtuple(name, fields, defaults=defaults, module=module)  # type: ignore[misc]
    loading.adopt(uid, made)
    return made


def make_enum(
    uid: str,
    kind: Any,
    name: str,
    bases: tuple[type, ...],
    module: str,
    members: dict[str, Any],
    *boundary: Any,
) -> Any:
    """An enumeration with its members; their own attributes come with the class's state."""
    loading = _loading()
    live = loading.live(uid)
    if live is not None:
        loading.combined.setdefault(id(live), {})
        return live
    body = kind.__prepare__(name, bases)
    body["__module__"] = module
    for member, value in members.items():
        # Said to be one: a function would be taken for a method.
        body[member] = enum.member(value)
    made = kind.__new__(kind, name, bases, body, **dict(zip(("boundary",), boundary, strict=False)))
    loading.adopt(uid, made)
    return made


def set_methods(made: Any, state: Mapping[str, Any]) -> None:
    """What may be called while the rest of the class is loaded; every name in its place."""
    if _loading().live(state["uid"]) is made:
        return
    methods = state["attributes"]
    for name in state["order"]:
        if name in methods:
            set_attribute(made, name, methods[name])
        elif name not in vars(made) and name != "__qualname__":
            set_attribute(made, name, None)


def set_class(made: Any, state: Mapping[str, Any]) -> None:
    """Every attribute of a class that its making does not give."""
    loading = _loading()
    if loading.live(state["uid"]) is made:
        loading.defer(_set_live_class, made, state, loading.combined.get(id(made), {}))
    else:
        _set_class(made, state, {})


def _set_class(made: Any, state: Mapping[str, Any], found: dict[Any, Any]) -> None:
    for name, value in state["attributes"].items():
        set_attribute(made, name, value)
        if name == "__annotations__" and state.get("annotates_new"):
            made.__new__.__annotations__ = value
    enumerations.set_members(made, state, found)
    if isinstance(made, abc.ABCMeta):
        abc.update_abstractmethods(cast(Any, made))
        for other in state.get("registered", ()):
            abc.ABCMeta.register(made, other)


def _set_live_class(made: Any, state: Mapping[str, Any], found: dict[Any, Any]) -> None:
    if "name" in state:
        living.rename_class(made, state["name"], state["bases"])
    if isinstance(made, abc.ABCMeta):
        living.set_registered(made, state.get("registered", ()))
    wanted = state["attributes"]
    for name in [name for name in vars(made) if name not in wanted]:
        if name not in UNKEPT and not _is_fixed(made, name):
            remove_attribute(made, name)
    changed = {**state, "attributes": changed_attributes(made, wanted), "registered": ()}
    _set_class(made, changed, found)


UNKEPT = frozenset(
    ("__dict__", "__weakref__", "__slotnames__", "_abc_impl", "__abstractmethods__", "__slots__",
     "__module__", "__qualname__")
)  # fmt: skip
"""Attributes of a class that its making gives, or that belong to the process alone."""

ENUM_OWN = frozenset(
    name
    for made in (enum.Enum("_E", "A"), enum.Flag("_F", "A"), enum.IntEnum("_I", "A"))
    for name in vars(made)
)


def _is_fixed(made: Any, name: str) -> bool:
    value = vars(made)[name]
    if isinstance(made, enum.EnumMeta) and (name in ENUM_OWN or name in made.__members__):
        return True
    return isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType) or (
        hasattr(made, "_fields") and name in NAMEDTUPLE_OWN | set(made._fields)
    )


NAMEDTUPLE_OWN = frozenset(vars(collections.namedtuple("_N", ())))
