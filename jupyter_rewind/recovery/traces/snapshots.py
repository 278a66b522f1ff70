"""Earlier states of the disk: snapshots of ZFS, Btrfs, network storage, Time Machine and others.

Only snapshots that are mounted or visible as folders are read. Where the system hides them, the
report says how to make them visible; nothing is mounted here.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_rewind.recovery.documents import read_notebook
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace

MOST_SNAPSHOTS = 1000
_INSIDE = (
    (".zfs/snapshot", "", "A ZFS snapshot"),
    (".snapshots", "snapshot", "A Btrfs snapshot (snapper)"),
    (".snapshots", "", "A snapshot"),
    (".snapshot", "", "A snapshot of the storage"),
    ("~snapshot", "", "A snapshot of the storage"),
    ("#snapshot", "", "A snapshot of the storage"),
    ("@GMT-*", "", "A snapshot of the server"),
)
"""What a file system shows at its top: the folder of snapshots, and what lies in each."""
_CLOSED = (
    "Snapshots lie here that you may not look into ({reason}). Where an administrator may (sudo),"
    " look for the notebook in them, copy it, and name the copy with --scan."
)
_State = tuple[Path, Path, str]
"""Where an earlier state of a folder lies, which folder it is of, in words."""
_WHOLE_DISK = (
    ("timeshift/snapshots/*/localhost", "A Timeshift snapshot"),
    ("run/timeshift/*/backup/timeshift/snapshots/*/localhost", "A Timeshift snapshot"),
    ("timeshift-btrfs/snapshots/*/@", "A Timeshift snapshot"),
    ("Volumes/*/Backups.backupdb/*/*/*", "A backup of Time Machine"),
    ("Volumes/.timemachine/*/*.backup/*.backup/*", "A backup of Time Machine"),
    ("Volumes/com.apple.TimeMachine.localsnapshots/Backups.backupdb/*/*/*", "A local snapshot"),
)


class SnapshotFinder:
    """Snapshots of the file system, as far as they are visible as folders."""

    kind = "snapshot"
    title = "snapshots of the file system"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "`.zfs/snapshot`, `.snapshots` (Btrfs: snapper, btrbk), `.snapshot`, `~snapshot`"
        " at any folder above the notebook; `/timeshift`",
        "macos": "`/Volumes/*/Backups.backupdb`, mounted backups of Time Machine; for local"
        " snapshots: open the folder in Time Machine (`tmutil listlocalsnapshots /`)",
        "windows": "not read: open the folder's Properties, Previous Versions, in the Explorer",
    }

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        seen: set[tuple[Path, int | None, int]] = set()
        states = list(self._states(scope))
        yield from (each for each in states if isinstance(each, Problem))
        places = [each for each in states if not isinstance(each, Problem)]
        places.sort(key=lambda each: str(each[0]), reverse=True)
        if len(places) > MOST_SNAPSHOTS:
            words = f"{len(places)} snapshots; only the last {MOST_SNAPSHOTS} were looked into."
            yield Problem(str(places[0][0]), words)
        for state, top, words in places[:MOST_SNAPSHOTS]:
            for place, notebook in _notebooks(state, top, scope):
                trace = _trace(place, notebook, words)
                if trace is None or (notebook, trace.time_ns, trace.size_bytes) in seen:
                    continue
                seen.add((notebook, trace.time_ns, trace.size_bytes))
                yield trace

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        return read_notebook(trace)

    def _states(self, scope: Scope) -> Iterator[_State | Problem]:
        """Each earlier state of a folder; a folder of states that may not be entered is told."""
        at = scope.notebook.parent if scope.notebook else scope.folder
        closed: dict[str, str] = {}
        for top in (at, *at.parents):
            for folder, inner, words in _INSIDE:
                try:
                    states = _states_in(top, folder)
                except OSError as error:
                    closed[str(top / folder)] = error.strerror or "it cannot be read"
                    continue
                for state in states:
                    whole = state / inner if inner else state
                    if inner or not os.path.isdir(state / "snapshot"):
                        yield whole, top, words
        for pattern, words in _WHOLE_DISK:
            for state in _matching(self._root, pattern):
                yield state, Path("/"), words
        for place, reason in closed.items():
            # Of a folder on another disk, or in another subvolume, it has no states.
            if _is_one_disk(Path(place).parent, at):
                yield Problem(place, _CLOSED.format(reason=reason))


def _is_one_disk(top: Path, at: Path) -> bool:
    """Whether the folder, or what is left of the way to it, lies on the disk of the one above."""
    here = next(each for each in (at, *at.parents) if os.path.exists(each))
    try:
        return os.stat(top).st_dev == os.stat(here).st_dev
    except OSError:
        return False


def _states_in(top: Path, folder: str) -> list[Path]:
    """Where each state of `top` lies. Raises OSError where it has states, and they are closed."""
    if "*" in folder:
        return list(_matching(top, folder))
    if not os.path.isdir(top / folder):
        return []
    return [Path(top, folder, name) for name in os.listdir(top / folder)]


def _matching(top: Path, pattern: str) -> Iterator[Path]:
    yield from (Path(each) for each in glob.iglob(os.path.join(glob.escape(str(top)), pattern)))


def _notebooks(state: Path, top: Path, scope: Scope) -> Iterator[tuple[Path, Path]]:
    """The wanted notebooks in an earlier state of `top`, each with what it is a state of."""
    at = scope.notebook or scope.folder
    inner = state / at.relative_to(top if at.is_relative_to(top) else at.anchor)
    if scope.notebook is not None:
        yield inner, scope.notebook
        kept = inner.parent / ".ipynb_checkpoints" / f"{inner.stem}-checkpoint.ipynb"
        yield kept, scope.notebook
    else:
        yield from ((path, at / path.name) for path in sorted(inner.glob("*.ipynb")))


def _trace(place: Path, notebook: Path, words: str) -> Trace | None:
    try:
        status = place.stat()
    except OSError:
        return None
    return Trace(
        kind=SnapshotFinder.kind,
        place=str(place),
        notebook=str(notebook),
        holds=EVERYTHING,
        time_ns=status.st_mtime_ns,
        size_bytes=status.st_size,
        words=words,
    )
