"""Small values that pickle refuses, or would make anew where the one there is is meant."""

from __future__ import annotations

import dataclasses
import re
import struct
import sys
import types
from collections.abc import Mapping
from typing import Any

from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(object, reduce_object)
    for kind in {type(getattr(dataclasses, name)) for name in _SENTINELS}:
        registry.add(kind, reduce_sentinel)
    registry.add(struct.Struct, reduce_struct)
    registry.add(re.Match, reduce_match)
    registry.add_named("_hashlib.HASH", reduce_hash)
    registry.add_named("_hashlib.HMAC", reduce_hash)
    for module, name in (("_blake2", "blake2b"), ("_blake2", "blake2s")):
        registry.add_named(f"{module}.{name}", reduce_hash)
    for name in ("_md5.md5", "_sha1.sha1", "_sha2.SHA256Type", "_sha3.sha3_256"):
        registry.add_named(name, reduce_hash)
    for name in ("zlib.Compress", "zlib.Decompress", "_bz2.BZ2Compressor", "_lzma.LZMACompressor"):
        registry.add_named(name, reduce_compressor)
    registry.add_named("random.SystemRandom", reduce_system_random)
    registry.add_named("_json.Scanner", reduce_scanner)


# The ones that dataclasses compares by identity; `_FIELD` stands in each field of each class.
_SENTINELS = tuple(
    name
    for name in ("MISSING", "KW_ONLY", "_FIELD", "_FIELD_CLASSVAR", "_FIELD_INITVAR",
                 "_HAS_DEFAULT_FACTORY")
    if hasattr(dataclasses, name)
)  # fmt: skip


def reduce_sentinel(value: Any, _: Context) -> Reduction:
    for name in _SENTINELS:
        if getattr(dataclasses, name) is value:
            return sentinel, ("dataclasses", name)
    return value.__reduce_ex__(5)  # type: ignore[no-any-return]


def sentinel(module: str, name: str) -> Any:
    """The one value that a module holds under a name."""
    import importlib

    return getattr(importlib.import_module(module), name)


_places: dict[int, tuple[str, str]] = {}
_own: set[tuple[int, int]] = set()
"""Marks of the notebook that were told lately, by number, and how many modules there were: none of
these held them."""


def reduce_object(value: object, context: Context) -> Reduction:
    """A bare object is a mark: the one of a library, or one of the notebook."""
    number = id(value)
    place = _places.get(number)
    if place is None and (number, len(sys.modules)) in _own:
        return object, ()
    if place is None or not _holds(place, value):
        # Looking into every module takes up to 20 ms.
        place = context.once(_find_marks).get(number)
    if place is not None and _holds(place, value):
        return sentinel, place
    _own.add((number, len(sys.modules)))
    return object, ()


def _holds(place: tuple[str, str], value: object) -> bool:
    module = sys.modules.get(place[0])
    return isinstance(module, types.ModuleType) and vars(module).get(place[1]) is value


def _find_marks() -> Mapping[int, tuple[str, str]]:
    """Where the modules keep bare objects; by number, so that none is kept alive."""
    _places.clear()
    # Their numbers may have become those of others.
    _own.clear()
    for name, module in list(sys.modules.items()):
        if name == "__main__" or not isinstance(module, types.ModuleType):
            continue
        for key, held in list(vars(module).items()):
            if type(held) is object:
                _places.setdefault(id(held), (name, key))
    return _places


def reduce_struct(value: struct.Struct, _: Context) -> Reduction:
    return struct.Struct, (value.format,)


def reduce_match(value: re.Match[Any], context: Context) -> Reduction:
    for how in ("fullmatch", "match", "search"):
        again = getattr(value.re, how)(value.string, value.pos, value.endpos)
        if again is not None and again.regs == value.regs:
            return rebuild_match, (value.re, how, value.string, value.pos, value.endpos)
    # One of several: found again from where it begins.
    start = value.start()
    again = value.re.match(value.string, start, value.endpos)
    if again is None or again.regs != value.regs:
        return stand_in(value, context, f"a match {value.group()!r}", "search again")
    context.note(Fidelity.REBUILT, "a match, searched again from its start")
    return rebuild_match, (value.re, "match", value.string, start, value.endpos)


def rebuild_match(pattern: re.Pattern[Any], how: str, text: Any, start: int, end: int) -> Any:
    return getattr(pattern, how)(text, start, end)


def reduce_hash(value: Any, context: Context) -> Reduction:
    what = f"a running {value.name} of some bytes"
    return stand_in(value, context, what, "hash them again", value.copy().digest())


def reduce_compressor(value: Any, context: Context) -> Reduction:
    return stand_in(value, context, "a running (de)compressor", "begin again")


def reduce_system_random(value: Any, _: Context) -> Reduction:
    return type(value), ()


_OF_SCANNER = (
    "strict", "object_hook", "object_pairs_hook", "parse_float", "parse_int", "parse_constant",
)  # fmt: skip


def reduce_scanner(value: Any, _: Context) -> Reduction:
    """What each decoder of JSON holds: it is no more than what it was made with."""
    return rebuild_scanner, tuple(getattr(value, name) for name in _OF_SCANNER)


def rebuild_scanner(*options: Any) -> Any:
    import json.scanner

    made = types.SimpleNamespace(**dict(zip(_OF_SCANNER, options, strict=True)))
    return json.scanner.c_make_scanner(made)  # type: ignore[attr-defined]
