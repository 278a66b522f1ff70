"""Connection files of kernels: they name the notebook that a session of history belongs to.

A kernel that was killed leaves its file, written about a second before IPython's session starts.
They hold the key that lets one run code in the kernel: it is neither kept nor copied.
"""

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
    Connection,
    connections_in,
    is_below,
    language_of_spec,
    read_connection,
    runtime_folders,
    settle_notebook,
)

_OTHERS = "others"


class ConnectionFinder:
    """Finds which kernels were started for a notebook, and when."""

    kind = "connection"
    title = "connection files of kernels"
    asked_only = False
    holds: frozenset[Holds] = frozenset({Holds.TIMES})
    where: Mapping[str, str] = {
        "linux": "`~/.local/share/jupyter/runtime/kernel-*.json` (or `$JUPYTER_RUNTIME_DIR`)",
        "macos": "`~/Library/Jupyter/runtime/kernel-*.json`",
        "windows": "`%APPDATA%\\jupyter\\runtime\\kernel-*.json`",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        for folder in runtime_folders(scope):
            others = 0
            for found in connections_in(folder):
                if not isinstance(found, Connection):
                    yield _unread(found, folder)
                elif found.problem:
                    words = "This connection file does not tell of which notebook its kernel was"
                    yield Problem(str(found.path), f"{words}: {found.problem}.")
                elif found.notebook and _is_wanted(found, scope):
                    yield _trace(found, scope)
                elif found.notebook:
                    others += 1
            if others:
                yield _collective(folder, others)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        place = Path(trace.place)
        if _OTHERS not in trace.handle:
            return Evidence(kernels=(_kernel(trace, read_connection(place), scope),))
        found = [each for each in connections_in(place) if isinstance(each, Connection)]
        return Evidence(
            kernels=tuple(
                _kernel(trace, each, scope)
                for each in found
                if each.notebook and not _is_wanted(each, scope)
            )
        )


def _unread(found: OSError | ValueError, folder: Path) -> Problem:
    place = found.__notes__[0]
    reason = found.strerror if isinstance(found, OSError) else str(found)
    if place == str(folder):
        words = "The folder cannot be looked into"
        return Problem(place, f"{words}: {reason}. It tells which sessions are of which notebook.")
    return Problem(place, f"This connection file does not read: {reason}.")


def _is_wanted(found: Connection, scope: Scope) -> bool:
    name = settle_notebook(found.notebook, scope)
    if scope.notebook is not None:
        return name == str(scope.notebook)
    return is_below(name, scope.folder)


def _trace(found: Connection, scope: Scope) -> Trace:
    return Trace(
        ConnectionFinder.kind,
        str(found.path),
        settle_notebook(found.notebook, scope),
        ConnectionFinder.holds,
        found.written_ns,
        found.size_bytes,
        "a kernel was started for the notebook",
    )


def _collective(folder: Path, count: int) -> Trace:
    return Trace(
        ConnectionFinder.kind,
        str(folder),
        None,
        ConnectionFinder.holds,
        words=f"kernels of other notebooks ({count}): they tell which sessions are not of this one",
        handle={_OTHERS: str(count)},
    )


def _kernel(trace: Trace, found: Connection, scope: Scope) -> FoundKernel:
    notebook = settle_notebook(found.notebook, scope)
    return FoundKernel(
        trace,
        notebook,
        found.written_ns,
        found.kernel,
        language=language_of_spec(found.spec, scope),
        gone=os.path.isabs(notebook) and not os.path.lexists(notebook),
    )
