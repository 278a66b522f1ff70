"""By which names in the served folder files are reached through links.

A history belongs to the real file, and who shows it knows the name that was asked for. Links are
learned from what is asked for, and those in the served folder itself by one look at it; nothing
is searched for. A link counts as long as it leads where it did.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict

_MOST = 10_000


class Aliases:
    """What was learned of the links of one served folder. Thread-safe."""

    def __init__(self) -> None:
        self._leads: OrderedDict[str, str] = OrderedDict()
        self._names: dict[str, dict[str, None]] = {}
        self._lock = threading.Lock()

    def learn(self, root: str, api_path: str) -> None:
        """The link that is last on the way to `api_path`, if there is one, is known."""
        parts = api_path.strip("/").split("/")
        for end in range(len(parts), 0, -1):
            place = os.path.join(root, *parts[:end])
            if os.path.islink(place):
                self._note("/".join(parts[:end]), os.path.realpath(place))
                return

    def look(self, root: str) -> None:
        """The links that stand in `root` itself are known."""
        try:
            with os.scandir(root) as entries:
                links = [entry.name for entry in entries if entry.is_symlink()]
        except OSError:
            return
        for name in links:
            self._note(name, os.path.realpath(os.path.join(root, name)))

    def names(self, root: str, file: str) -> list[str]:
        """The API paths that lead to `file` through a link that is known."""
        found, place = [], file
        while True:
            with self._lock:
                links = list(self._names.get(place, ()))
            for link in links:
                if os.path.realpath(os.path.join(root, *link.split("/"))) == place:
                    found.append(link + file[len(place) :].replace(os.sep, "/"))
            above = os.path.dirname(place)
            if above == place:
                return found
            place = above

    def rename(self, root: str, text: str) -> str:
        """`text` where what lies outside of `root` goes by the name of a link that leads there."""
        with self._lock:
            leads = [(place, link) for link, place in self._leads.items() if place in text]
        inside = root.rstrip(os.sep) + os.sep
        for place, link in sorted(leads, key=lambda one: -len(one[0])):
            if place.startswith(inside):
                continue
            if os.path.realpath(os.path.join(root, *link.split("/"))) == place:
                whole = rf"(?<![\w./-]){re.escape(place)}(?![\w-]|\.\w)"
                text = link.join(re.split(whole, text))
        return text

    def _note(self, link: str, place: str) -> None:
        with self._lock:
            before = self._leads.pop(link, place)
            if before != place:
                self._forget(link, before)
            self._leads[link] = place
            self._names.setdefault(place, {})[link] = None
            while len(self._leads) > _MOST:
                self._forget(*self._leads.popitem(last=False))

    def _forget(self, link: str, place: str) -> None:
        names = self._names.get(place, {})
        names.pop(link, None)
        if not names:
            self._names.pop(place, None)
