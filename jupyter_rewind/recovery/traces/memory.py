"""Notebooks in the memory of Jupyter's server or a browser (Linux), looked at only when asked.

A server has a notebook in its memory for a while after it was opened or saved. Reading disturbs
nobody; what is found there goes nowhere but into the recovered notebook. It ends after a time, the
most promising programs first, and says what was not looked at.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Denied, NotFound
from jupyter_rewind.recovery.evidence import (
    EVERYTHING,
    Evidence,
    FoundDocument,
    Holds,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.memorycells import Row, Rows, find_rows
from jupyter_rewind.recovery.processes import (
    Process,
    Region,
    open_memory,
    own_processes,
    read_memory,
    regions,
    this_process,
)
from jupyter_rewind.recovery.regular import read_file
from jupyter_rewind.recovery.runtime import runtime_folders

MOST_DOCUMENTS = 48
_WINDOW = 1 << 25
_LONGEST_WINDOW = 1 << 27
_OVERLAP = 1 << 16
_LARGEST_INFO = 1 << 16
_FIRST = 60
_BROWSERS = (
    "chrome", "chromium", "firefox", "msedge", "brave", "opera", "vivaldi", "electron",
    "code", "codium", "cursor", "jupyterlab-desktop", "webkitwebprocess", "epiphany",
)  # fmt: skip
YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
"""What the system says of looking into programs that one has not started oneself."""
_OPENED = (
    "This system lets nobody but an administrator do that. Leave everything running, open it until"
    " the next start with `sudo sysctl kernel.yama.ptrace_scope=0`, and give this command again."
)
_CLOSED = (
    "This system lets nobody do that until it is started anew with another"
    " kernel.yama.ptrace_scope; what is in memory now is gone by then."
)
_FOR_NOBODY = b"3"
_SERVER = "Jupyter's server"
_SERVERS = ("jupyter", "jupyter_server", "jupyterhub", "jupyter-lab", "jupyter-notebook")


class MemoryFinder:
    """Whole cells that stand in the memory of a server, a browser or an editor."""

    kind = "memory"
    title = "the memory of Jupyter's server and of browsers"
    asked_only = True
    holds: frozenset[Holds] = EVERYTHING - {Holds.TIMES}
    where: Mapping[str, str] = {
        "linux": "`/proc/PID/mem` of your own servers, browsers and editors, with `--memory` only",
        "macos": "not looked at: the system forbids it",
        "windows": "not looked at",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        if not scope.memory:
            return
        if scope.platform != "linux":
            words = "Memory can be looked at on Linux only."
            yield Problem("memory of programs", words)
            return
        told = ((process, _role(process)) for process in own_processes())
        for process, words in sorted((each for each in told if each[1]), key=_is_unlikely):
            yield Trace(
                self.kind, f"process {process.pid} ({process.words})", None, self.holds,
                None, 0, f"The memory of {words}", None, {"pid": str(process.pid)},
            )  # fmt: skip

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        """Raises NotFound when the process has ended, Denied when it may not be looked into."""
        process = Process(int(trace.handle["pid"]), ())
        try:
            descriptor = open_memory(process)
            places = regions(process)
        except PermissionError as error:
            raise _denied() from error
        except OSError as error:
            raise NotFound("The process has ended, and its memory is gone.") from error
        found, total = Rows(), sum(place.end - place.start for place in places)
        done, began, until = 0, clock.monotonic(), clock.monotonic() + scope.memory_time.left
        with closing(_Descriptor(descriptor)):
            looked = (each for place in places for each in _rows_in(descriptor, place))
            while done < total and clock.monotonic() < until:
                scope.progress(f"Looking into {trace.place}", done / total)
                rows, size = next(looked, ([], total))
                found.add(rows)
                done += size
        scope.memory_time.left -= clock.monotonic() - began
        problems = () if done >= total else (_not_all(trace, scope, done, total),)
        return replace(_evidence(trace, scope, found), problems=problems)


def may_hold(scope: Scope) -> bool:
    """Whether `--memory`, which was not asked for, could find something: a program runs that may
    have the notebook, and the system lets somebody look."""
    if scope.memory or scope.platform != "linux" or _rule() == _FOR_NOBODY:
        return False
    # A server that recovers for its page has it in its own memory; a command has not.
    return any(map(_role, chain(this_process(), own_processes())))


def _denied() -> Denied:
    """In the same words of each program: of many alike, few are named."""
    hint = {b"0": "The program lets nobody do that.", _FOR_NOBODY: _CLOSED}.get(_rule(), _OPENED)
    return Denied("Its memory may not be looked into.", hint=hint)


def _rule() -> bytes:
    """The system's rule on looking into programs; where it has none, one closes only itself."""
    try:
        return read_file(YAMA, _LARGEST_INFO).strip()
    except OSError:
        return b"0"


@dataclass(slots=True)
class _Descriptor:
    number: int

    def close(self) -> None:
        os.close(self.number)


def _is_unlikely(told: tuple[Process, str]) -> tuple[bool, bool]:
    """Sorts those first that are most likely to have the notebook: servers, then tabs."""
    process, words = told
    return words != _SERVER, "--type=renderer" not in process.command


def _role(process: Process) -> str:
    """What the process is, where it may have a notebook in its memory; "" for others."""
    if not process.command or "ipykernel" in " ".join(process.command):
        return ""
    name = os.path.basename(process.command[0]).lower()
    if name.startswith(_BROWSERS) and "crashpad" not in name:
        return f"{name}, a browser or editor"
    words = [os.path.basename(word) for word in process.command[:4]]
    if any(word.startswith(("jupyter-rewind", "jupyter_rewind")) for word in words):
        return ""  # this command itself, or another like it
    if any(word.startswith(_SERVERS) for word in words):
        return _SERVER
    return ""


def _rows_in(descriptor: int, place: Region) -> Iterator[tuple[list[Row], int]]:
    """All rows of a region, window by window, each with how far it came: one that crosses an end
    is read again, whole."""
    at, end, size = place.start, place.end, _WINDOW
    while at < end:
        asked, before = min(size, end - at), at
        raw = read_memory(descriptor, at, asked)
        rows, open_at = find_rows(raw)
        if open_at is not None and len(raw) == asked < end - at:
            if open_at > _OVERLAP:
                rows = [row for row in rows if row.start < open_at]
                at, size = at + open_at - _OVERLAP, _WINDOW
                yield rows, at - before
                continue
            if size < _LONGEST_WINDOW:
                size *= 2
                yield [], 0
                continue
        at += len(raw) - _OVERLAP if len(raw) == asked < end - at else max(len(raw), _OVERLAP)
        size = _WINDOW
        yield rows, min(at, end) - before


def _not_all(trace: Trace, scope: Scope, done: int, total: int) -> Problem:
    """What is told of memory that was not looked at, and how it is."""
    given = math.ceil(scope.memory_time.given)
    over = f"the {given} s that this may take were over"
    share = f"Only {done / total:.0%} of its memory was looked at, since {over}"
    words = share if done else f"Its memory was not looked at, since {over}"
    return Problem(
        trace.place,
        f"{words}: the notebook may be there. To look longer, before anything is closed or started"
        f" again: --memory --memory-seconds {10 * given}",
        trace,
    )


def _evidence(trace: Trace, scope: Scope, found: Rows) -> Evidence:
    roots = _served_folders(trace.handle["pid"], scope)
    rows = found.join()[:MOST_DOCUMENTS]
    return Evidence(documents=tuple(_document(trace, scope, row, roots) for row in rows))


def _document(trace: Trace, scope: Scope, row: Row, roots: Iterable[str]) -> FoundDocument:
    damages: tuple[str, ...] = ()
    if row.pieces > 1:
        damages = (f"joined from {row.pieces} places that overlap",)
    if not row.is_complete:
        damages += ("a row of cells out of a notebook, not all of it",)
    own = _as_another(trace, row)
    if scope.notebook is not None and _is_of(row, scope.notebook, roots):
        own = replace(own, notebook=str(scope.notebook), words=trace.words)
    return FoundDocument(
        own, tuple(row.cells), row.metadata, (4, 5), own.time_ns, row.is_complete, damages
    )


def _is_of(row: Row, wanted: Path, roots: Iterable[str]) -> bool:
    """Whether what stands before the row says that it is this notebook.

    The path is relative to the folder of a server; where none is known, its end is all there is.
    """
    if not row.path:
        return False
    path = row.path.lstrip("/")
    if not roots:
        return str(wanted).endswith("/" + path)
    real = os.path.realpath(wanted)
    return any(os.path.realpath(os.path.join(root, path)) == real for root in roots)


def _as_another(trace: Trace, row: Row) -> Trace:
    """The trace of a row of no name, or of another: its first line tells, a mark chooses it."""
    told = "\0".join(f"{cell.kind} {cell.source}" for cell in row.cells)
    mark = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    lines = (line.strip() for cell in row.cells for line in cell.source.splitlines())
    first = next((line for line in lines if line), "")[:_FIRST]
    name = f"{row.path}, " if row.path else ""
    count = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
    is_past = row.saved_ns is not None and row.saved_ns <= clock.now_ns()
    return replace(
        trace,
        place=f"{trace.place}, {mark}",
        time_ns=row.saved_ns if is_past else None,
        words=f"{trace.words}: {name}{count}, the first begins {first!r}",
        handle={**trace.handle, "mark": mark},
    )


def _served_folders(pid: str, scope: Scope) -> frozenset[str]:
    """The folder that this process serves, as Jupyter wrote it down; for a browser, which may show
    any of them, those of all servers."""
    found: dict[str, str] = {}
    for folder in runtime_folders(scope):
        for place in sorted(folder.glob("??server-*.json")):  # jpserver, and nbserver of old
            try:
                told = json.loads(read_file(place, _LARGEST_INFO))
            except (OSError, ValueError, RecursionError):
                continue
            root = (
                told.get("root_dir", told.get("notebook_dir")) if isinstance(told, dict) else None
            )
            if isinstance(root, str):
                found[str(told.get("pid"))] = os.path.expanduser(root)
    return frozenset([found[pid]] if pid in found else found.values())
