"""The environment of running kernels, in which Jupyter names the notebook (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_rewind.recovery.evidence import (
    Evidence,
    FoundKernel,
    Holds,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.runtime import (
    PROC,
    is_below,
    kernel_of_process,
    kernel_processes,
    session_of_process,
    settle_notebook,
)


class RunningFinder:
    """Finds which running processes are kernels of a notebook."""

    kind = "running kernel"
    title = "environments of running kernels"
    asked_only = False
    holds: frozenset[Holds] = frozenset({Holds.TIMES})
    where: Mapping[str, str] = {
        "linux": "`JPY_SESSION_NAME` in `/proc/PID/environ` of your own processes",
        "macos": "not to be seen there",
        "windows": "not to be seen there",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        for folder in kernel_processes(scope):
            trace = _look(folder, scope)
            if trace is not None:
                yield trace

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        pid = int(trace.handle["pid"])
        notebook = trace.notebook or ""
        kernel = trace.handle.get("kernel", "")
        return Evidence(kernels=(FoundKernel(trace, notebook, trace.time_ns, kernel, pid, True),))


def _look(folder: Path, scope: Scope) -> Trace | None:
    """The process's trace, where it is a kernel of the notebook; other people's are not seen."""
    try:
        kernel = kernel_of_process(folder)
        session = session_of_process(folder)
        started = _started_ns(folder)
    except OSError:
        return None
    name = settle_notebook(session, scope)
    if scope.notebook is not None:
        wanted = name == str(scope.notebook)
    else:
        wanted = bool(name) and is_below(name, scope.folder)
    if not wanted:
        return None
    return Trace(
        RunningFinder.kind,
        f"process {folder.name}",
        name,
        RunningFinder.holds,
        started,
        words="its kernel is running",
        handle={"pid": folder.name, "kernel": kernel or ""},
    )


def _started_ns(folder: Path) -> int | None:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    for line in (PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            ticks = os.sysconf("SC_CLK_TCK")
            return (int(line.split()[1]) * 1000 + int(fields[19]) * 1000 // ticks) * 1_000_000
    return None
