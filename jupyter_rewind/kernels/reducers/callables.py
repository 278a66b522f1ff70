"""Callables that are no plain functions: bound methods, descriptors, caches, contexts."""

from __future__ import annotations

import contextvars
import functools
import gc
import sys
import types
from typing import Any

from jupyter_rewind.kernels.caches import digest_of, words_for
from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(types.MethodType, reduce_method)
    registry.add(type(functools.lru_cache(_nothing)), reduce_cache)
    registry.add(super, reduce_super)
    registry.add(property, reduce_property)
    registry.add(staticmethod, reduce_wrapper)
    registry.add(classmethod, reduce_wrapper)
    registry.add(types.GetSetDescriptorType, reduce_descriptor)
    registry.add(types.MemberDescriptorType, reduce_descriptor)
    registry.add(type(functools.cmp_to_key(_nothing)), reduce_key)
    registry.add(contextvars.ContextVar, reduce_variable)
    registry.add(contextvars.Context, reduce_context)
    registry.add(contextvars.Token, reduce_token)


def _nothing(*_: object) -> int:
    return 0


def global_name(value: Any) -> str | None:
    """The name under which the module that `value` says it is from holds it; None if it does not,
    or if the module is the notebook."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return name if found is value else None


def reduce_method(value: types.MethodType, _: Context) -> Reduction:
    """Not by its name, as pickle does: the function need not be found under it."""
    return bound_method, (value.__func__, value.__self__)


def bound_method(function: Any, owner: Any) -> Any:
    return types.MethodType(function, owner)


_class_of = vars(super)["__thisclass__"].__get__
_owner_of = vars(super)["__self__"].__get__


def reduce_super(value: Any, _: Context) -> Reduction:
    """By its class and its object; asked itself, it would answer as the object."""
    return super.__new__, (super,), (_class_of(value), _owner_of(value)), None, None, set_super


def set_super(made: Any, state: tuple[Any, Any]) -> None:
    """It answers for this class, of this object, which may hold it; unbound where that is None."""
    kind, owner = state
    super.__init__(made, kind) if owner is None else super.__init__(made, kind, owner)


def reduce_cache(value: Any, context: Context) -> Reduction:
    if name := global_name(value):
        return name
    info, digest = value.cache_info(), digest_of(value)
    if info.currsize or info.hits or info.misses:
        context.note(Fidelity.REBUILT, words_for(info.currsize, digest))
    limits = value.cache_parameters()
    state = dict(vars(value))
    function = state.pop("__wrapped__", None) or _function_of(value)
    state.pop("cache_parameters", None)
    return rebuild_cache, (function, limits["maxsize"], limits["typed"], digest), state


def _function_of(cache: Any) -> Any:
    return next(held for held in gc.get_referents(cache) if isinstance(held, types.FunctionType))


def rebuild_cache(function: Any, maxsize: int | None, typed: bool, _digest: str = "") -> Any:
    """It is empty; the digest tells it from one that holds other results."""
    return functools.lru_cache(maxsize=maxsize, typed=typed)(function)


def reduce_property(value: property, _: Context) -> Reduction:
    return property, (value.fget, value.fset, value.fdel, value.__doc__)


def reduce_wrapper(value: Any, _: Context) -> Reduction:
    return type(value), (value.__func__,)


def reduce_descriptor(value: Any, _: Context) -> Reduction:
    return rebuild_descriptor, (value.__objclass__, value.__name__)


def rebuild_descriptor(owner: type, name: str) -> Any:
    return owner.__dict__[name]


def reduce_key(value: Any, _: Context) -> Reduction:
    # Its class comes first, which is no function of the user's.
    held = [one for one in gc.get_referents(value) if one is not type(value)]
    compare = next(one for one in held if callable(one))
    if not hasattr(value, "obj"):
        return functools.cmp_to_key, (compare,)
    return rebuild_key, (compare, value.obj)


def rebuild_key(compare: Any, value: Any) -> Any:
    return functools.cmp_to_key(compare)(value)


def reduce_variable(value: contextvars.ContextVar[Any], _: Context) -> Reduction:
    default = contextvars.Context().run(_read, value)
    return rebuild_variable, (value.name, default), _read(value), None, None, set_variable


def _read(variable: contextvars.ContextVar[Any]) -> tuple[Any, ...]:
    try:
        return (variable.get(),)
    except LookupError:
        return ()


def rebuild_variable(name: str, default: tuple[Any, ...]) -> contextvars.ContextVar[Any]:
    if default:
        return contextvars.ContextVar(name, default=default[0])
    return contextvars.ContextVar(name)


def set_variable(variable: contextvars.ContextVar[Any], value: tuple[Any, ...]) -> None:
    if value and _read(variable) != value:
        variable.set(value[0])


def reduce_context(value: contextvars.Context, _: Context) -> Reduction:
    return rebuild_context, (list(value.items()),)


def rebuild_context(pairs: list[tuple[contextvars.ContextVar[Any], Any]]) -> contextvars.Context:
    context = contextvars.Context()
    for variable, value in pairs:
        context.run(variable.set, value)
    return context


def reduce_token(value: Any, context: Context) -> Reduction:
    what = f"a token of the context variable {value.var.name!r}"
    return stand_in(value, context, what, "set the variable again")
