"""Files that are deleted and still open in a running program (Linux)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.recovery.copying import copy_file
from jupyter_rewind.recovery.documents import read_notebook
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.historyfiles import load
from jupyter_rewind.recovery.processes import OpenFile, deleted_files, own_processes
from jupyter_rewind.recovery.traces.history import as_runs
from jupyter_rewind.recovery.walking import real_path, settle
from jupyter_rewind.store.durable import Files

_LARGEST = 1 << 32
_COMPANIONS = ("-wal", "-journal")


class OpenFileFinder:
    """Deleted notebooks and histories that a kernel, a server or an editor still holds open."""

    kind = "open-file"
    title = "deleted files that a program still has open"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "`/proc/PID/fd` of your own processes: notebooks, and IPython's history",
        "macos": "not looked at: the system gives no way to read them",
        "windows": "not needed: a file that is open cannot be deleted",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        if scope.platform != "linux":
            return
        seen: set[tuple[int, int]] = set()
        for process in own_processes():
            try:
                files = list(deleted_files(process))
            except OSError:
                continue  # ended, or another's by now
            for file in files:
                if file.key not in seen and file.size and _is_wanted(file.name, scope):
                    seen.add(file.key)
                    yield _trace(file, files, scope)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        if trace.size_bytes > _LARGEST:
            words = (
                f"It is larger than {_LARGEST >> 30} GB; copy it yourself: cp {trace.place} FILE"
            )
            return Evidence(problems=(Problem(trace.place, words, trace),))
        folder = scope.scratch / clock.new_id()
        Files().make_folder(folder)
        copy = folder / "copy"
        copy_file(Path(trace.place), copy)
        if trace.notebook is not None:
            return read_notebook(trace, copy)
        for suffix in _COMPANIONS:
            if suffix in trace.handle:
                copy_file(Path(trace.handle[suffix]), Path(f"{copy}{suffix}"))
        rows, problems = load(copy, scope)
        if rows is None:
            words = "This is no history of IPython."
            return Evidence(problems=(Problem(trace.place, words, trace),))
        told = [Problem(trace.place, one.words, trace) for one in problems]
        told += [Problem(trace.place, words, trace) for words in rows.damages]
        return Evidence(runs=tuple(as_runs(trace, rows, scope)), problems=tuple(told))


def _is_wanted(name: Path, scope: Scope) -> bool:
    """Whether it is a notebook that is looked for, or a history of this home folder."""
    if name.suffix == ".sqlite" and name.name.startswith("history"):
        tops = (scope.home, scope.folder, Path(scope.environ.get("IPYTHONDIR") or scope.home))
        # The system tells the real path of what is open.
        return any(name.is_relative_to(real_path(top)) for top in tops)
    if ".ipynb" not in name.name:
        return False
    if scope.notebook is not None:
        return scope.notebook.name in name.name
    return settle(name, scope).is_relative_to(scope.folder)


def _trace(file: OpenFile, files: list[OpenFile], scope: Scope) -> Trace:
    is_history = file.name.suffix == ".sqlite"
    handle = {
        suffix: str(other.place)
        for suffix in _COMPANIONS
        for other in files
        if str(other.name) == f"{file.name}{suffix}" and other.size
    }
    held = f"still open in {file.process.words} (process {file.process.pid})"
    return Trace(
        OpenFileFinder.kind, str(file.place),
        None if is_history else str(settle(file.name, scope)),
        frozenset({Holds.CODE, Holds.ORDER, Holds.TIMES}) if is_history else EVERYTHING,
        file.time_ns, file.size, f"{file.name}, deleted, {held}", None, handle,
    )  # fmt: skip
