"""Names of types made in the notebook: pickle would only write the name and not find it again."""

from __future__ import annotations

import sys
import typing
from typing import Any

from jupyter_rewind.kernels.reducers.callables import global_name
from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry


def register(registry: Registry) -> None:
    registry.add(typing.TypeVar, reduce_type_variable)
    registry.add(typing.ParamSpec, reduce_type_variable)
    registry.add(typing.TypeVarTuple, reduce_type_variable)
    registry.add(typing.NewType, reduce_new_type)
    registry.add_named("typing.TypeAliasType", reduce_alias)


def reduce_type_variable(value: Any, _: Context) -> Reduction:
    if name := global_name(value):
        return name
    options: dict[str, Any] = {}
    for option in ("covariant", "contravariant", "infer_variance", "bound"):
        held = getattr(value, f"__{option}__", None)
        if held:
            options[option] = held
    if sys.version_info >= (3, 13) and value.has_default():
        options["default"] = value.__default__
    constraints = getattr(value, "__constraints__", ())
    made = (type(value), value.__name__, constraints, options, value.__module__)
    return rebuild_type_variable, made


def rebuild_type_variable(
    kind: Any, name: str, constraints: tuple[Any, ...], options: dict[str, Any], module: str
) -> Any:
    variable = kind(name, *constraints, **options)
    variable.__module__ = module
    return variable


def reduce_new_type(value: Any, _: Context) -> Reduction:
    if name := global_name(value):
        return name
    return rebuild_new_type, (value.__name__, value.__supertype__, value.__module__)


def rebuild_new_type(name: str, supertype: Any, module: str) -> Any:
    make: Any = typing.NewType
    made = make(name, supertype)
    made.__module__ = module
    return made


def reduce_alias(value: Any, _: Context) -> Reduction:
    if name := global_name(value):
        return name
    return rebuild_alias, (value.__name__, value.__value__, value.__type_params__)


def rebuild_alias(name: str, value: Any, parameters: tuple[Any, ...]) -> Any:
    return typing.TypeAliasType(name, value, type_params=parameters)  # type: ignore[attr-defined]
