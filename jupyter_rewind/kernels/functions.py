"""How functions and classes of the notebook are told: code, name, closure and state.

A function's globals are never part of it: they are the live namespace, or the module it is from.
Both are hubs: every pod names them by uid, so that instances do not become one pod with all the
other instances of their class.
"""

from __future__ import annotations

import enum
import sys
import types
from typing import Any, Protocol

from jupyter_rewind.kernels import enumerations, living, rebuild
from jupyter_rewind.kernels.handmade import is_handmade
from jupyter_rewind.kernels.homes import is_generated, used_of
from jupyter_rewind.kernels.lost import Lost, find_lost
from jupyter_rewind.kernels.ourselves import is_our_code, reduce_our_code
from jupyter_rewind.kernels.placeholders import Placeholder

_HEAP, _IMMUTABLE = 1 << 9, 1 << 8
VERSION = (sys.version_info[0], sys.version_info[1])


class Shell:
    """Stands for a cell before its contents: so that a closure may hold itself."""

    __slots__ = ("cell", "uid")

    def __init__(self, cell: types.CellType, uid: str | None) -> None:
        self.cell = cell
        self.uid = uid

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild.make_cell, (self.uid,)


class Scope:
    """Stands for the variables of a module that is found under no name."""

    __slots__ = ("module",)

    def __init__(self, module: types.ModuleType) -> None:
        self.module = module

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild.scope_of, (self.module,)


class Telling(Protocol):
    """What telling a function or a class asks of the writer."""

    namespace: dict[str, Any]

    def shell(self, cell: types.CellType) -> Shell: ...
    def uid_of(self, value: Any) -> str | None: ...
    def is_root(self, uid: str) -> bool: ...
    def refer(self, uid: str) -> tuple[Any, ...]: ...
    def name_hub(self, value: Any) -> str: ...
    def name_home(self, function: types.FunctionType) -> str: ...
    def placeholder(self, value: object, what: str, how: str) -> Placeholder: ...


def is_importable(value: Any, module: Any, name: Any) -> bool:
    """True when the module holds this very object under this name, and is not the notebook."""
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return False
    found: Any = sys.modules.get(module)
    if is_handmade(found):
        return False
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except Exception:
            return False
    return found is value


def reduce_function(function: types.FunctionType, writer: Telling) -> Any:
    """By reference where a module holds it; else by value."""
    scope = function.__globals__
    if scope is not writer.namespace and is_importable(
        function, function.__module__, function.__qualname__
    ):
        return NotImplemented
    if is_our_code(function):
        return reduce_our_code(function, writer)
    uid = writer.name_hub(function)
    if not writer.is_root(uid):
        return writer.refer(uid)
    cells = function.__closure__
    home = home_of(function, writer)
    shells = None if cells is None else tuple(map(writer.shell, cells))
    # Its pod tells its state behind it.
    return rebuild.make_function, (uid, function.__code__, function.__name__, home, shells)


def states_of(hub: Any, writer: Telling) -> list[tuple[Any, Any]]:
    """What is still to be said of a class or function that was made: setters and states. The
    methods of a class come first, for they may be called while the rest is loaded."""
    if isinstance(hub, types.FunctionType):
        return [(rebuild.set_function, _function_state(hub, writer.uid_of(hub)))]
    state = _class_state(hub, writer)
    attributes = state["attributes"]
    methods = {name: one for name, one in attributes.items() if isinstance(one, _METHODS)}
    first = {"uid": state["uid"], "order": list(attributes), "attributes": methods}
    return [(rebuild.set_methods, first), (rebuild.set_class, state)]


_METHODS = (types.FunctionType, classmethod, staticmethod, property)


def _function_state(function: types.FunctionType, uid: str | None) -> dict[str, Any]:
    return {
        "uid": uid,
        "name": function.__name__,
        "code": function.__code__,
        "defaults": function.__defaults__,
        "kwdefaults": function.__kwdefaults__,
        "annotations": function.__annotations__,
        "doc": function.__doc__,
        "module": function.__module__,
        "qualname": function.__qualname__,
        "dict": dict(function.__dict__),
        "contents": tuple(map(contents_of, function.__closure__ or ())),
        "parameters": getattr(function, "__type_params__", ()),
    }


def home_of(
    function: types.FunctionType, writer: Telling
) -> str | Scope | tuple[str, dict[str, Any]] | None:
    """What the function runs in: None for the namespace, the name of a module, that module, or the
    very dictionary with its uid; without a uid, what it uses of one."""
    scope = function.__globals__
    if scope is writer.namespace:
        return None
    names: tuple[Any, ...] = (scope.get("__name__"), function.__module__)
    for name in names:
        if isinstance(name, str) and getattr(sys.modules.get(name), "__dict__", None) is scope:
            return name
    for value in list(writer.namespace.values()):
        if type(value) is types.ModuleType and vars(value) is scope:
            return Scope(value)
    if is_generated(function):
        return "", used_of(function)
    return writer.name_home(function), scope


def contents_of(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def reduce_cell(cell: types.CellType, writer: Telling) -> Any:
    shell = writer.shell(cell)
    return rebuild.same, (shell,), contents_of(cell), None, None, rebuild.set_cell


def reduce_code(code: types.CodeType, _: Telling) -> Any:
    return rebuild.make_code, (
        VERSION, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_nlocals,
        code.co_stacksize, code.co_flags, code.co_code, code.co_consts, code.co_names,
        code.co_varnames, code.co_filename, code.co_name, code.co_qualname, code.co_firstlineno,
        code.co_linetable, code.co_exceptiontable, code.co_freevars, code.co_cellvars,
    )  # fmt: skip


def reduce_class(made: type, writer: Telling) -> Any:
    """By reference where a module holds it; else by uid, and in the pod of its own by value."""
    module = type.__getattribute__(made, "__module__")
    name = type.__getattribute__(made, "__qualname__")
    if type(made) is Lost:
        if "of" in vars(made):
            return find_lost, made.of[:2]
        what = f"the class {name}, which derives from {'.'.join(made.of[:2])}"
        return writer.placeholder(made, what, "run the cell that defines it again").__reduce__()
    if module != writer.namespace.get("__name__") and is_importable(made, module, name):
        return NotImplemented
    if not made.__flags__ & _HEAP or made.__flags__ & _IMMUTABLE:
        return _class_of_python(made)  # no class statement made it: nothing can make it again
    if type.__getattribute__(type(made), "__module__") == "_ctypes":
        # How it lies in memory was worked out by C when it was made.
        what = f"the class {name} of ctypes"
        return writer.placeholder(made, what, "run the cell that defines it again").__reduce__()
    uid = writer.name_hub(made)
    if not writer.is_root(uid):
        return writer.refer(uid)
    return _make_class(made, uid)


def _class_of_python(made: type) -> Any:
    """A class that Python itself keeps under another name than the class says."""
    for home in ("types", "_collections_abc"):
        for name, held in vars(sys.modules[home]).items():
            if held is made:
                return rebuild.find_global, (home, name)
    return NotImplemented


def _is_namedtuple(made: Any) -> bool:
    return made.__bases__ == (tuple,) and isinstance(vars(made).get("_fields"), tuple)


def _make_class(made: Any, uid: str) -> tuple[Any, tuple[Any, ...]]:
    bases = tuple(made.__bases__)
    if isinstance(made, enum.EnumMeta):
        held: dict[str, Any] = dict(made.__members__)
        values = _first_values(made, held)
        arguments = (uid, type(made), made.__name__, bases, made.__module__, values)
        boundary = vars(made).get("_boundary_")
        return rebuild.make_enum, arguments if boundary is None else (*arguments, boundary)
    if _is_namedtuple(made):
        defaults = tuple(made._field_defaults.values())
        named = (uid, made.__name__, made._fields, defaults, made.__module__)
        return rebuild.make_namedtuple, named
    return rebuild.make_class, (uid, type(made), made.__name__, bases, _head(made))


def _first_values(made: Any, held: dict[str, Any]) -> dict[str, Any]:
    """With what the members are made: what can lead to the class itself comes with its state."""
    if made._member_type_ is not object or any(map(_makes_members, made.__mro__[1:])):
        return {name: member._value_ for name, member in held.items()}
    marks = {id(member): object() for member in held.values()}
    return {
        name: member._value_ if living.is_plain(member._value_) else marks[id(member)]
        for name, member in held.items()
    }


def _makes_members(base: type) -> bool:
    """True where code of the base is given the values as members are made."""
    own = vars(base)
    is_own = base.__module__ != "enum" and base is not object
    return is_own and any(name in own for name in ("__new__", "__init__", "_new_member_"))


def _class_state(made: Any, writer: Telling) -> dict[str, Any]:
    own: set[str] = set(rebuild.UNKEPT)
    told: dict[str, Any] = {"members": {}, "values": {}}
    if isinstance(made, enum.EnumMeta):
        own |= _enum_own(made, writer) | set(made.__members__)
        told = enumerations.state_of(made)
    elif _is_namedtuple(made):
        own |= (rebuild.NAMEDTUPLE_OWN - {"__doc__"}) | set(made._fields)
    attributes = {
        name: value
        for name, value in vars(made).items()
        if name not in own and not _is_made_with_it(made, value)
    }
    attributes["__qualname__"] = made.__qualname__
    if _annotates_new(made):
        told["annotates_new"] = True
    return {
        **told,
        "uid": writer.uid_of(made),
        "name": made.__name__,
        "bases": made.__bases__,
        "attributes": attributes,
        "registered": living.registered_with(made),
    }


def _annotates_new(made: Any) -> bool:
    """What `typing.NamedTuple` makes: one dict annotates the class and what makes its tuples."""
    own = vars(made).get("__annotations__")
    if own is None or not _is_namedtuple(made):
        return False
    return getattr(made.__new__, "__annotations__", None) is own


def _enum_own(made: Any, writer: Telling) -> set[str]:
    """What an enumeration gets when it is made; methods of the notebook are not among them."""
    return {
        name
        for name in rebuild.ENUM_OWN
        if getattr(vars(made).get(name), "__globals__", None) is not writer.namespace
    }


def _head(made: type) -> dict[str, Any]:
    head: dict[str, Any] = {"__module__": made.__module__, "__qualname__": made.__qualname__}
    if "__orig_bases__" in vars(made):
        # typing looks for them while a generic class is made.
        head["__orig_bases__"] = vars(made)["__orig_bases__"]
    slots = vars(made).get("__slots__")
    if slots is not None:
        head["__slots__"] = slots if isinstance(slots, str | dict) else tuple(slots)
    return head


def _is_made_with_it(made: type, value: Any) -> bool:
    return (
        isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)
        and getattr(value, "__objclass__", None) is made
    )
