"""Modules: by name where they can be imported, with their content where the notebook made them."""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.handmade import NOT_CONTENT, HandMade, is_handmade
from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(types.ModuleType, reduce_module, subclasses=True)
    registry.add_named("logging.Logger", reduce_logger)


def reduce_module(value: types.ModuleType, context: Context) -> Reduction:
    name = _imported_as(value)
    if name == "__main__":
        return main_module, ()
    if name is not None and not is_handmade(value):
        context.note(Fidelity.REFERENCE, f"the module {name}, imported again")
        return import_module, (name,)
    content = {key: held for key, held in vars(value).items() if key not in NOT_CONTENT}
    made = (value.__name__, value.__doc__, name)
    return rebuild_module, made, content, None, None, set_content


def _imported_as(module: types.ModuleType) -> str | None:
    name = getattr(module, "__name__", None)
    if isinstance(name, str) and sys.modules.get(name) is module:
        return name
    return next((key for key, held in list(sys.modules.items()) if held is module), None)


def main_module() -> types.ModuleType:
    return sys.modules["__main__"]


def import_module(name: str) -> types.ModuleType:
    return importlib.import_module(name)


def _handmade() -> HandMade:
    loading = rebuild.current()
    if loading is not None:
        return loading.handmade
    return HandMade(False, lambda action, *arguments: action(*arguments))


def rebuild_module(name: str, doc: str | None, imported_as: str | None) -> types.ModuleType:
    return _handmade().make(name, doc, imported_as)


def set_content(module: types.ModuleType, content: dict[str, Any]) -> None:
    _handmade().fill(module, content)


def reduce_logger(value: Any, context: Context) -> Reduction:
    context.note(Fidelity.REFERENCE, f"the logger {value.name!r} of the kernel it comes back to")
    reduction: Reduction = value.__reduce__()
    return reduction
