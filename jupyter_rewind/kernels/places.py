"""Where the roots of a pod live now: in the namespace, among the outputs, in a module."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jupyter_rewind.kernels import roots as rooting
from jupyter_rewind.kernels.loading import Loader
from jupyter_rewind.kernels.ownvariables import home_of, split_key
from jupyter_rewind.kernels.pods import MODULE, OUTPUT, VARIABLE
from jupyter_rewind.kernels.records import PodRecord


def living_plain(record: PodRecord, namespace: dict[str, Any]) -> dict[str, Any]:
    """The plain values of a pod as they are now, by root; empty where it does not hold such, or one
    is not there."""
    if record.keys[0] == rooting.NAMED:
        return {}  # a class or function among them may have to be made anew
    places = (namespace, rooting.outputs_of(namespace))
    try:
        return {key: places[key.startswith(OUTPUT)][place_of(key)] for key in record.names}
    except KeyError:
        return {}


def place_of(key: str) -> Any:
    """The name of a variable, or the number of an output."""
    name = key[len(VARIABLE) :]
    return int(name) if key.startswith(OUTPUT) and name.isdecimal() else name


def living_roots(record: PodRecord, namespace: dict[str, Any]) -> dict[str, Any]:
    outputs: dict[Any, Any] = rooting.outputs_of(namespace)
    found = {}
    for key in record.keys:
        if key.startswith(MODULE):
            found[key] = home_of(key)[split_key(key)[1]]
        elif key.startswith((VARIABLE, OUTPUT)):
            found[key] = (namespace if key.startswith(VARIABLE) else outputs)[place_of(key)]
    return found


def ids_under(keys: Iterable[str], namespace: dict[str, Any], modules: dict[str, Any]) -> set[int]:
    """Of what these variables, or variables of modules, name now."""
    found = (
        namespace.get(place_of(key)) if key.startswith(VARIABLE) else modules.get(key)
        for key in keys
    )
    return {id(one) for one in found if one is not None}


def spare(record: PodRecord, loader: Loader, namespace: dict[str, Any]) -> dict[str, Any]:
    """What lives under the names of a pod that does not load: it stays as it is now."""
    outputs: dict[Any, Any] = rooting.outputs_of(namespace)
    found = {}
    for key in (*record.keys, *record.names):
        home = namespace if key.startswith(VARIABLE) else outputs
        place = place_of(key)
        failed = key in loader.failures or record.keys[0] in loader.failures
        if failed and key.startswith((VARIABLE, OUTPUT)) and place in home:
            found[key] = home[place]
            loader.values.pop(key, None)
            loader.spared.add(key)
    return found
