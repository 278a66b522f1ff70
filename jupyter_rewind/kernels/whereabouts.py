"""Which variables reach a value that is not kept exactly, and by which way: `model.connection`.

Pickle meets each object once: whatever is noted of it is noted of the first variable that leads to
it. Here every variable of the pod is asked. What cannot be followed to its place is said of all.
"""

from __future__ import annotations

import gc
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jupyter_rewind.model.snapshot import Fidelity

Note = tuple[Fidelity, str]
Noted = tuple[int, Fidelity, str]
_MOST = 20_000
_LONGEST = 40
_STOPS = (type, types.ModuleType, types.FunctionType, types.CodeType, types.FrameType)
_PLAIN = frozenset((str, bytes, int, float, complex, bool, type(None)))


def place_notes(
    roots: Sequence[tuple[str, Any]],
    noted: Sequence[Noted],
    notes: Mapping[str, Sequence[Note]],
    known: Iterable[Any],
    name_of: Callable[[str], str],
) -> dict[str, tuple[Note, ...]]:
    """What is to be said of each root: `noted` tells of values by id, while they live; `notes` what
    was said of each root so far; `known` are objects that belong to nobody."""
    wanted: dict[int, list[Note]] = {}
    for number, fidelity, reason in noted:
        wanted.setdefault(number, []).append((fidelity, reason))
    barred = {id(one) for one in known}
    found: dict[str, dict[Note, None]] = {}
    missed = set(wanted)
    for key, value in roots:
        told = found[key] = {}
        ways: dict[Note, list[str]] = {}
        for number, path in _paths(value, wanted.keys(), barred):
            missed.discard(number)
            for fidelity, reason in wanted[number]:
                known = ways.setdefault((fidelity, reason), [])
                if any(map(path.startswith, known)):
                    continue  # a part of what that is said of already
                known.append(path)
                way = f"{name_of(key)}{path}: " if path else ""
                told[fidelity, way + reason] = None
    of_values = {note for held in wanted.values() for note in held}
    for key, told in found.items():
        told.update((note, None) for note in notes.get(key, ()) if note not in of_values)
        told.update((note, None) for number in missed for note in wanted[number])
    return {key: tuple(told) for key, told in found.items() if told}


def _paths(root: Any, wanted: Iterable[int], barred: set[int]) -> Iterator[tuple[int, str]]:
    """Each of the wanted values that `root` leads to, with the shortest way."""
    left: deque[tuple[Any, str]] = deque([(root, "")])
    slots: dict[type, tuple[str, ...]] = {}
    waiting, seen = set(wanted), barred | {id(root)}
    while left and waiting and len(seen) < _MOST:
        value, path = left.popleft()
        if id(value) in waiting:
            waiting.discard(id(value))
            yield id(value), path or ("" if value is root else ", in it")
        if value is not root and issubclass(type(value), _STOPS):
            continue
        for part, step in _parts(value, slots):
            if type(part) not in _PLAIN and id(part) not in seen:
                seen.add(id(part))
                left.append((part, path + step))


def _parts(value: Any, slots: dict[type, tuple[str, ...]]) -> Iterator[tuple[Any, str]]:
    """What `value` holds, and how one gets there; `slots` are those of the classes met so far."""
    kind = type(value)
    if issubclass(kind, dict):
        for key, part in dict.items(value):
            yield part, _step(key)
            yield key, ""
    elif issubclass(kind, list | tuple):
        base = list if issubclass(kind, list) else tuple
        for place, part in enumerate(base.__iter__(value)):
            yield part, f"[{place}]"
    if issubclass(kind, type):
        held: Any = type.__getattribute__(value, "__dict__")
    elif issubclass(kind, types.FunctionType):
        yield from _parts_of_function(value)
        return
    else:
        try:
            held = object.__getattribute__(value, "__dict__")
        except AttributeError:
            held = None
    if type(held) in (dict, types.MappingProxyType):
        for name, part in held.items():
            yield part, f".{name}"
    if kind not in slots:
        slots[kind] = tuple(_slots(kind))
    for name in slots[kind]:
        try:
            yield object.__getattribute__(value, name), f".{name}"
        except AttributeError:
            continue
    if kind not in (dict, list, tuple):
        yield from ((part, "") for part in gc.get_referents(value) if part is not held)


def _parts_of_function(value: types.FunctionType) -> Iterator[tuple[Any, str]]:
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
        try:
            yield cell.cell_contents, f", by its {name}"
        except ValueError:
            continue
    yield from ((part, ", by its defaults") for part in value.__defaults__ or ())
    yield from ((part, ", by its defaults") for part in (value.__kwdefaults__ or {}).values())
    yield from ((part, f".{name}") for name, part in value.__dict__.items())


def _slots(kind: type) -> Iterator[str]:
    for base in type.__dict__["__mro__"].__get__(kind):
        for name, held in type.__getattribute__(base, "__dict__").items():
            if type(held) is types.MemberDescriptorType and base.__flags__ & (1 << 9):
                yield name


def _step(key: Any) -> str:
    if type(key) in (str, int):
        text = repr(key)
        return f"[{text}]" if len(text) <= _LONGEST else "[…]"
    return "[…]"
