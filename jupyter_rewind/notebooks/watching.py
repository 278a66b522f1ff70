"""What changed outside: files are looked at, and read only when their look has changed.

No threads and no notification here: a face decides when to look and where. A file counts as
changed when its size, a time of change or its inode differs from when it was last kept; one that
changed a moment ago is read again at the next look, for two changes can fall on one tick.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound, RewindError, Storage
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.condition import SOUND, Condition
from jupyter_rewind.notebooks.documents import checkpoint_document, find_last_good, read_document
from jupyter_rewind.notebooks.faults import judge_opening
from jupyter_rewind.notebooks.history import Histories, Recorded
from jupyter_rewind.notebooks.stock import take_stock_checkpoint

_SKIPPED = {".ipynb_checkpoints", "__pycache__", "node_modules"}
_TICK_NS = 2_000_000_000
Look = tuple[int, ...]


@dataclass(slots=True)
class Seen:
    """What one look found: checkpoints made, files that are gone, where those of them are now that
    were moved, files that could not be kept, and damaged notebooks with a good checkpoint, which
    stays the head."""

    recorded: list[Recorded] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    problems: dict[str, RewindError] = field(default_factory=dict)
    damaged: dict[str, Condition] = field(default_factory=dict)


class Watcher:
    """Remembers how files looked when they were last kept."""

    def __init__(self, histories: Histories, *, max_bytes: int) -> None:
        self._histories = histories
        self._max_bytes = max_bytes
        self._looks: dict[str, Look] = {}
        self._folders: set[str] = set()
        self._counted = 0

    def scan(
        self,
        paths: Iterable[Path],
        *,
        reason: Reason = Reason.EXTERNAL_CHANGE,
        stop: Callable[[], bool] = lambda: False,
    ) -> Seen:
        """Every notebook in `paths` (files and folders, with all below) that changed is kept; those
        before `stop` said so, where it does."""
        seen = Seen()
        present: set[str] = set()
        roots = [Path(os.path.realpath(path)) for path in paths]
        for path in find_notebooks(roots):
            if stop():
                return seen
            present.add(str(path))
            self._look_at(path, reason, seen)
        for name in list(self._looks):
            if name not in present and any(_is_below(name, root) for root in roots):
                del self._looks[name]
                self._note_gone(name, seen)
        return seen

    def look(self, path: Path, *, reason: Reason = Reason.EXTERNAL_CHANGE) -> Seen:
        """As `scan`, for one file."""
        seen = Seen()
        self._look_at(Path(os.path.realpath(path)), reason, seen)
        return seen

    def known_below(self, folder: Path) -> list[Path]:
        """The files below `folder` that were there when they were looked at last."""
        if (number := len(self._looks)) != self._counted:
            # Of each file that is deleted somebody may ask, and few folders have notebooks.
            places = {os.path.dirname(name) for name in self._looks}
            self._folders = {str(one) for place in places for one in (place, *Path(place).parents)}
            self._counted = number
        if str(folder) not in self._folders:
            return []
        return [Path(name) for name in self._looks if _is_below(name, folder)]

    def forget(self, path: Path) -> None:
        """The next look reads the file again."""
        self._looks.pop(os.path.realpath(path), None)

    def _look_at(self, path: Path, reason: Reason, seen: Seen) -> None:
        name = str(path)
        try:
            status = path.stat()
        except OSError:
            if self._looks.pop(name, None) is not None:
                self._note_gone(name, seen)
            return
        look = _look_of(status)
        if self._looks.get(name) == look or not stat.S_ISREG(status.st_mode):
            return
        try:
            self._keep(path, reason, seen)
        except NotFound:
            return
        except Storage as error:
            # The disk may have room again, or the store be back, and nobody touches the file.
            seen.problems[name] = error
            return
        except RewindError as error:
            # One file that cannot be kept costs itself alone, and is tried again when it changes.
            seen.problems[name] = error
        fresh = abs(clock.now_ns() - max(status.st_mtime_ns, status.st_ctime_ns)) < _TICK_NS
        self._looks[name] = () if fresh and name not in seen.problems else look

    def _note_gone(self, name: str, seen: Seen) -> None:
        seen.gone.append(name)
        bindings = self._histories.bindings
        last = bindings.last_of_path(name)
        place = bindings.place(last[0]) if last is not None else None
        if place is not None and place.bound and place.path != name:
            seen.moved[name] = place.path

    def _keep(self, path: Path, reason: Reason, seen: Seen) -> None:
        take_stock_checkpoint(self._histories, path)
        condition = _judge(path, self._max_bytes)
        if not condition.is_ok and find_last_good(self._histories, str(path)) is not None:
            seen.damaged[str(path)] = condition
            if not condition.is_whole:
                return
        recorded = checkpoint_document(
            self._histories, path, reason=reason, max_bytes=self._max_bytes
        )
        if recorded.created:
            seen.recorded.append(recorded)


def _look_of(status: os.stat_result) -> Look:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _judge(path: Path, max_bytes: int) -> Condition:
    """The condition of a file that is a notebook by its name; others are what they are."""
    if path.suffix != ".ipynb":
        return SOUND
    return judge_opening(read_document(path, max_bytes).raw, path.name)


def find_notebooks(roots: Iterable[Path]) -> Iterator[Path]:
    """The notebooks among `roots` and below its folders, linked ones too; hidden ones are left
    out. A folder is looked into once, however many links lead to it."""
    seen: set[str] = set()
    for root in roots:
        if not os.path.isdir(root):
            yield root
            continue
        for folder, folders, names in os.walk(root, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(
                name for name in folders if not name.startswith(".") and name not in _SKIPPED
            )
            for name in sorted(names):
                if name.endswith(".ipynb") and not name.startswith("."):
                    yield Path(os.path.realpath(os.path.join(folder, name)))


def _is_below(name: str, root: Path) -> bool:
    return name == str(root) or name.startswith(str(root).rstrip("/") + "/")
