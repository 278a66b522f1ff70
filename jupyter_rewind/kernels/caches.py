"""What a cache of results (`functools.lru_cache`) holds, as far as it can be told.

Python gives no way to fill one, so each comes back empty in a new kernel. In place the living one
stays while it is what it was: that is known where all that it holds are plain values. Else it may
answer with what cells have changed since, and comes back empty, too.
"""

from __future__ import annotations

import gc
import marshal
from typing import Any

from xxhash import xxh3_64_hexdigest

_PLAIN = frozenset((int, float, complex, str, bytes, bool, type(None)))
_MOST = 10_000
_OF_OBJECTS = "results, empty again"
_LINK = "_lru_list_elem"


class _Unknown(Exception):
    """It holds what can change."""


def words_for(count: int, digest: str) -> str:
    """What is told of a cache of so many results."""
    return f"a cache of {count} {'results, empty in a new kernel' if digest else _OF_OBJECTS}"


def may_be_another(reason: str) -> bool:
    """True where, of what this was told, a cache may hold other results than it held."""
    return _OF_OBJECTS in reason


def digest_of(cache: Any) -> str:
    """The same for caches that hold the same plain values, in the same order; empty where others
    are among them, or very many."""
    if cache.cache_info().currsize > _MOST:
        return ""
    try:
        return xxh3_64_hexdigest(marshal.dumps(_parts_of(cache), 2))
    except _Unknown:
        return ""


def _parts_of(cache: Any) -> list[Any]:
    own = vars(cache)
    function = own.get("__wrapped__")
    found: list[Any] = []
    for held in gc.get_referents(cache):
        if held is own or held is function or isinstance(held, type):
            continue
        if type(held) is dict:
            found += [_plain(part) for pair in held.items() for part in pair if not _is_link(part)]
        else:
            found.append(_plain(held))
    return found


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return kind.__name__, value
    if kind is tuple:
        return tuple(map(_plain, value))
    if kind is object:
        return "mark"  # between arguments with and without names
    raise _Unknown


def _is_link(value: Any) -> bool:
    return type(value).__name__ == _LINK
