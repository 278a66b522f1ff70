"""Which names that a history had lead elsewhere now, because a link took their place.

A project moved to another disk often leaves a link behind. All known names of a kind are looked at
for each notebook that appears, so what was seen holds for a while, ten times as long as the look
took: a first scan of thousands of equal names spends a tenth of its time on it, not nearly all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from jupyter_rewind import clock
from jupyter_rewind.notebooks.bindings import Bindings

_HOLDS = 10


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of one name's paths; it holds until then, by the clock that never turns."""

    until: float
    before: dict[str, list[str]]


class Links:
    """Looks at the paths that `bindings` knows. Thread-safe."""

    def __init__(self, bindings: Bindings) -> None:
        self._bindings = bindings
        self._looks: dict[str, _Look] = {}
        self._lock = threading.Lock()

    def leading_to(self, path: str) -> list[str]:
        """The paths with the last part of `path` that had a history and lead to `path` now."""
        name = os.path.basename(path)
        with self._lock:
            look = self._looks.get(name)
            start = clock.monotonic()
            if look is None or start >= look.until:
                before = _follow(self._bindings.named(name))
                end = clock.monotonic()
                look = self._looks[name] = _Look(end + _HOLDS * (end - start), before)
        return look.before.get(path, [])


def _follow(paths: Iterable[str]) -> dict[str, list[str]]:
    """Where those of the paths lead that lead elsewhere, each with those that lead there."""
    found: dict[str, list[str]] = {}
    folders: dict[str, str] = {}
    for path in paths:
        if not os.path.isabs(path):
            continue
        try:
            folder, name = os.path.split(path)
            real = folders.get(folder) or folders.setdefault(folder, os.path.realpath(folder))
            if real != folder or os.path.islink(path):
                end = os.path.realpath(os.path.join(real, name))
                if end != path and os.path.exists(end):
                    found.setdefault(end, []).append(path)
        except (OSError, ValueError):
            continue
    return found
