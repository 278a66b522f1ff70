"""Weak references: to the same value if it is kept, dead if it is dead."""

from __future__ import annotations

import weakref
from typing import Any

from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry


def register(registry: Registry) -> None:
    registry.add(weakref.ref, reduce_reference)
    registry.add(weakref.WeakMethod, reduce_weak_method)
    registry.add(weakref.ProxyType, reduce_proxy)
    registry.add(weakref.CallableProxyType, reduce_proxy)
    registry.add(weakref.WeakValueDictionary, reduce_mapping, subclasses=True)
    registry.add(weakref.WeakKeyDictionary, reduce_mapping, subclasses=True)
    registry.add(weakref.WeakSet, reduce_set, subclasses=True, always=True)
    registry.add(weakref.finalize, reduce_finalizer, subclasses=True)


class _Gone:
    """What a dead reference pointed to."""


def reduce_reference(value: weakref.ref[Any], _: Context) -> Reduction:
    target: Any = value()
    if target is None:
        return dead_reference, ()
    callback: Any = value.__callback__
    return weakref.ref, (target,) if callback is None else (target, callback)


def dead_reference() -> weakref.ref[Any]:
    return weakref.ref(_Gone())


def reduce_weak_method(value: Any, _: Context) -> Reduction:
    method = value()
    return (dead_reference, ()) if method is None else (weakref.WeakMethod, (method,))


def reduce_proxy(value: Any, context: Context) -> Reduction:
    try:
        target = value.__repr__.__self__
    except ReferenceError:
        return dead_proxy, ()
    return weakref.proxy, (target,)


def dead_proxy() -> Any:
    return weakref.proxy(_Gone())


_OWN = frozenset({"data", "_remove", "_pending_removals", "_iterating", "_dirty_len"})


def reduce_mapping(value: Any, _: Context) -> Reduction:
    more = {name: held for name, held in vars(value).items() if name not in _OWN}
    return rebuild_mapping, (type(value),), (list(value.items()), more), None, None, set_mapping


def rebuild_mapping(kind: Any) -> Any:
    made = kind.__new__(kind)
    base = (
        weakref.WeakValueDictionary
        if issubclass(kind, weakref.WeakValueDictionary)
        else weakref.WeakKeyDictionary
    )
    base.__init__(made)
    return made


def set_mapping(mapping: Any, state: tuple[list[tuple[Any, Any]], dict[str, Any]]) -> None:
    pairs, more = state
    for key, held in pairs:
        mapping[key] = held
    vars(mapping).update(more)


def reduce_set(value: Any, _: Context) -> Reduction:
    more = {name: held for name, held in vars(value).items() if name not in _OWN}
    return rebuild_set, (type(value),), (list(value), more), None, None, set_members


def rebuild_set(kind: Any) -> Any:
    made = kind.__new__(kind)
    weakref.WeakSet.__init__(made)
    return made


def set_members(members: Any, state: tuple[list[Any], dict[str, Any]]) -> None:
    items, more = state
    for item in items:
        members.add(item)
    vars(members).update(more)


def reduce_finalizer(value: Any, context: Context) -> Reduction:
    if not value.alive:
        return stand_in(value, context, "a finalizer that has run", "nothing is left to do")
    return stand_in(value, context, "a finalizer", "run the cell that made it again")
